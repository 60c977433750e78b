"""The stages have one list: what the pipeline and the templates call theirs follows from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from awslang.template.reader import read
from pipeline.settings import NEEDED, STAGES
from scripts.kit.lint.files import files
from scripts.kit.names import target_set_name
from scripts.kit.stages import Stage
from tests.support import ROOT
from tests.support.cfn import evaluator

PROJECT = (ROOT / "templates/30-project.yaml").read_text(encoding="utf-8")
TEMPLATE, _ = read(PROJECT)
OPTIONAL = [stage for stage in Stage if stage.between]
NEEDED_VALUES = dict.fromkeys(
    ("SeedCodeDeployKey", "SeedCodeBuildKey", "PipelineCodeKey", "EndpointTemplateKey", "BundleVersion"), "key"
) | {
    "SageMakerProjectName": "iris",
    "SageMakerProjectId": "p-1",
    "SageMakerExecutionRoleStagingName": "sagemaker-role-staging",
    "SageMakerExecutionRoleProdName": "sagemaker-role-prod",
}


def resolved(name: str, **given: str) -> dict[str, Any]:
    """The properties of a resource of template 30 with these parameters."""
    return evaluator(PROJECT, {**NEEDED_VALUES, **given}).resource(name)


def role(stage: Stage) -> dict[str, str]:
    return {stage.role_parameter: f"sagemaker-role-{stage}"}


def stages(**given: str) -> dict[str, set[str]]:
    """The pipeline's stages with the names of their actions."""
    return {
        one["Name"]: {action["Name"] for action in one["Actions"]} for one in resolved("Pipeline", **given)["Stages"]
    }


def test_the_pipelines_own_list_has_the_same_stages_in_the_same_order() -> None:
    assert list(STAGES) == [stage.value for stage in Stage]
    assert list(NEEDED) == [stage.value for stage in Stage if not stage.between]


def test_every_parameter_of_a_stage_is_one_of_the_projects_template() -> None:
    named = {name for stage in Stage for name in stage.parameters} | {stage.approve_parameter for stage in OPTIONAL}
    assert len(named) == 23
    assert named <= set(TEMPLATE["Parameters"])


def test_a_file_that_names_the_last_optional_stage_names_the_others_in_the_same_way() -> None:
    """Line by line in templates, where what is missing would be found by a failed deployment alone."""
    named = {path: text for path, text in texts() if OPTIONAL[-1] in text.lower()}
    page = (ROOT / "docs/developing/add-a-stage.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([^`]+)`", page, re.MULTILINE)) == set(named)
    for path, text in named.items():
        lines = [line.strip(" [],") for line in text.splitlines()]
        for stage in OPTIONAL[:-1]:
            assert re.search(rf"(?i:\b{stage}\b)|Approve{stage.capitalize()}", text), f"{path}: {stage}"
            if path.startswith("templates/"):
                of_last = [line for line in lines if OPTIONAL[-1] in line.lower() and f"{stage}," not in line]
                assert [line for line in map(partial(as_of, stage), of_last) if line not in lines] == [], path


def texts() -> Iterator[tuple[str, str]]:
    """The files that describe an installation: no tests, decisions, generated pages or changes, nor the page itself."""
    apart = ("tests/", "docs/decisions/", "docs/generated/", "CHANGELOG.md", "docs/developing/add-a-stage.md")
    for path in files(ROOT):
        if not path.startswith(apart) and Path(path).suffix in {".py", ".yaml", ".md", ".yml"}:
            yield path, (ROOT / path).read_text(encoding="utf-8")


def as_of(stage: Stage, line: str) -> str:
    """A line of the last optional stage as it is for another."""
    last = OPTIONAL[-1]
    for name in (str, str.capitalize, str.upper):
        line = line.replace(name(last), name(stage))
    return line.replace(STAGES[last].lower(), STAGES[stage])


def test_every_stage_of_the_projects_pipeline_that_deploys_has_its_actions() -> None:
    found = stages(**{name: value for stage in OPTIONAL for name, value in role(stage).items()})
    for stage in Stage:
        assert {stage.deploy_action, stage.test_action} <= found[stage.deploy_stage]
    assert [name for name in found if name.startswith("Deploy")] == [stage.deploy_stage for stage in Stage]
    assert [name for name in found if name.startswith("Approve")] == [Stage.PROD.approval_stage]


@pytest.mark.parametrize("stage", OPTIONAL)
def test_an_optional_stage_with_its_approval_comes_alone(stage: Stage) -> None:
    found = list(stages(**role(stage), **{stage.approve_parameter: "true"}))
    assert found == [
        *(
            "Source",
            "Build",
            "DeployStaging",
            stage.approval_stage,
            stage.deploy_stage,
            "ApproveDeployment",
            "DeployProd",
            "RemoveStaging",
        )
    ]
    assert list(stages(**{stage.approve_parameter: "true"})) == [*found[:3], *found[5:]]


def test_each_stage_before_production_can_be_removed() -> None:
    every = {key: value for stage in OPTIONAL for key, value in role(stage).items()}
    actions = stages(**every)["RemoveStaging"]
    assert actions == {"Removal", *(stage.remove_action for stage in Stage if stage is not Stage.PROD)}


def test_a_project_without_optional_stages_has_nothing_of_them() -> None:
    for name, value in TEMPLATE["Resources"].items():
        if value.get("Condition") is None:
            text = json.dumps(resolved(name)).lower()
            assert not [stage for stage in OPTIONAL if f"_{stage}_" in text or f"deploy{stage}" in text], name
    names = [one["Name"] for one in resolved("Build")["Environment"]["EnvironmentVariables"]]
    assert len(names) == 17


def test_a_stage_is_called_production_in_the_environment_file_and_the_stack_sets() -> None:
    assert [stage.key for stage in Stage] == ["staging", "qa", "uat", "preprod", "production"]
    assert target_set_name(Stage.PROD) == "multi-account-deployment-target-production"


def test_the_accounts_of_a_stage_before_production_may_do_in_the_model_bucket_what_those_of_staging_may() -> None:
    text = (ROOT / "templates/10-model-storage.yaml").read_text(encoding="utf-8")
    given = {
        "OrganizationalUnitStagingPath": "o-a1b2c3d4e5/r-ab12/ou-staging/*",
        "OrganizationalUnitProdPath": "o-a1b2c3d4e5/r-ab12/ou-prod/*",
        "PathsBeforeProduction": "o-a1b2c3d4e5/r-ab12/ou-staging/*,o-a1b2c3d4e5/r-ab12/ou-qa/*",
        "AllowUntaggedModels": "true",
    }
    policy = evaluator(text, given).resource("ModelBucketPolicy")["PolicyDocument"]
    said = {one["Sid"]: json.dumps(one) for one in policy["Statement"] if one["Sid"].startswith("Staging")}
    assert len(said) == 3
    assert [name for name, one in said.items() if "ou-staging" not in one or "ou-qa" not in one] == []
