"""The stages have one list: what the pipeline and the templates call theirs follows from it."""

from __future__ import annotations

from awslang.template.reader import read
from pipeline.settings import STAGES
from scripts.kit.names import target_set_name
from scripts.kit.stages import Stage
from tests.support import ROOT

TEMPLATE, _ = read((ROOT / "templates/30-project.yaml").read_text(encoding="utf-8"))


def test_the_pipelines_own_list_has_the_same_stages_in_the_same_order() -> None:
    assert list(STAGES) == [stage.value for stage in Stage]


def test_every_parameter_of_a_stage_is_one_of_the_projects_template() -> None:
    named = {
        name
        for stage in Stage
        for name in (stage.unit_parameter, stage.accounts_parameter, stage.regions_parameter, stage.role_parameter)
    }
    assert len(named) == 8
    assert named <= set(TEMPLATE["Parameters"])


def test_every_stage_of_the_projects_pipeline_that_deploys_has_its_actions() -> None:
    stages = TEMPLATE["Resources"]["Pipeline"]["Properties"]["Stages"]
    deploying = {one["Name"]: {action["Name"] for action in one["Actions"]} for one in stages}
    for stage in Stage:
        assert {stage.deploy_action, stage.test_action} <= deploying[stage.deploy_stage]


def test_a_stage_is_called_production_in_the_environment_file_and_the_stack_sets() -> None:
    assert [stage.key for stage in Stage] == ["staging", "production"]
    assert target_set_name(Stage.PROD) == "multi-account-deployment-target-production"
