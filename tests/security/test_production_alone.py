"""An installation without staging: nothing gets past its approver; and how a project gets staging, and loses it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from localaws.services.organizations.service import plan_account_ids
from scripts.kit.projects import deployments
from scripts.kit.projects import project as projects
from scripts.rehearsal import deploying
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import play, publishing
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story, StoryFailed
from tests.support.attacks import bucket_policy, check_denied
from tests.support.gate_story import action, approve, bucket, refusal, root
from tests.support.story_steps import configure, manifest, served

SAID = "No staging: nothing was tested before production, and own tests were not run"
STAGING = ("SageMakerExecutionRoleStagingName", "OrganizationalUnitStagingId")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story until version 1 is live in production, its only stage."""
    with embedded_aws(tmp_path_factory.mktemp("production-alone")) as cloud:
        played = Story(cloud, cloud.folder, production_alone=True)
        play(played, "production")
        yield played
    assert not cloud.faults, cloud.faults


def stages(story: Story) -> list[str]:
    return [one["stageName"] for one in story.pipeline_state()["stageStates"]]


def test_the_pipeline_has_no_stage_before_the_approval_and_the_card_says_so(story: Story) -> None:
    assert stages(story) == ["Source", "Build", "ApproveDeployment", "DeployProd"]
    assert list(manifest(story)["stages"]) == ["prod"]
    shown = action(story, "ApproveDeployment")["input"]["resolvedConfiguration"]
    assert shown["CustomData"].startswith(f"{SAID}. {story.project_name} version 1, approved by ")
    names = root(story).client("codebuild").list_projects()["projects"]
    assert not [name for name in names if name.endswith("-own-tests")]
    assert served(story) == {"prod": 1}


def test_the_publisher_read_it_in_the_first_line_and_so_does_who_asks_doctor(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    manager = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, story.region)
    environment = ("--environment", str(story.environment_path), "--json")
    options = (*environment, "--bundle", str(story.folder / "bundle"))
    found = json.loads(story.command(manager, "scripts.doctor", *options))
    assert (found["findings"], found["not_checked"]) == ([], [])
    story.command(story.engineer, "scripts.publish", *options, "--dry-run")
    first = [line for line in capsys.readouterr().err.splitlines() if "publish 0" in line or "checking the" in line]
    assert len(first) == 2
    assert all(line.endswith(", without staging: nothing is tested before production:") for line in first)


def test_status_and_history_show_production_alone(story: Story) -> None:
    project = projects.Project(story.project_name, story.project_id, "CreateCompleted")
    s3 = root(story).client("s3")
    found = deployments.entries(s3, project, story.setting.data_science, deployments.RECORD)
    header, _ = deployments.table_of(deployments.tell(project, found, []).deployments)
    assert header[2:4] == ["PROD", "VERSION APPROVED BY"]
    (one,) = json.loads(status(story))["projects"]
    assert [stage["name"] for stage in one["stages"]] == ["prod"]


def status(story: Story) -> str:
    return story.command(story.engineer, "scripts.status", "--environment", str(story.environment_path), "--json")


def test_the_creator_of_a_project_can_add_no_staging(story: Story) -> None:
    catalog = story.engineer.client("servicecatalog")
    (product,) = catalog.search_products_as_admin()["ProductViewDetails"]
    summary = product["ProductViewSummary"]
    (artifact,) = catalog.list_provisioning_artifacts(ProductId=summary["ProductId"])["ProvisioningArtifactDetails"]
    shown = catalog.describe_provisioning_artifact(
        ProductId=summary["ProductId"],
        ProvisioningArtifactId=artifact["Id"],
        IncludeProvisioningArtifactParameters=True,
    )["ProvisioningArtifactParameters"]
    allowed = {one["ParameterKey"]: one["ParameterConstraints"].get("AllowedValues") for one in shown}
    assert [allowed[name] for name in STAGING] == [[""], [""]]
    assert "without a test before it" in summary["ShortDescription"]


def test_production_stays_as_it_is_where_the_approver_refuses(story: Story) -> None:
    story.execution_id = str(configure(story, "prod", InitialInstanceCount="2"))
    deploying.give_approval(story, "Rejected", "one instance is enough")
    assert story.wait_for_execution(story.execution_id) == "Failed"
    assert "DeployResourcesProd" not in [one["actionName"] for one in story.actions()]
    assert instances(story) == "1"


def instances(story: Story) -> str:
    """InitialInstanceCount of production's stack."""
    stack = root(story).client("cloudformation").describe_stacks(StackName=f"{story.pipeline_name}-prod")["Stacks"][0]
    return next(
        str(one["ParameterValue"]) for one in stack["Parameters"] if one["ParameterKey"] == "InitialInstanceCount"
    )


def test_the_approval_of_another_manifest_is_refused_by_the_gate(story: Story) -> None:
    """What the approver refused is written over what they are asked about now."""
    refused = built(story)
    body = root(story).client("s3").get_object(**refused)["Body"].read()
    story.execution_id = str(configure(story, "prod", InitialInstanceCount="1"))
    deploying.approval_token(story, story.approver.client("codepipeline"))
    asked = built(story)

    def write() -> Any:
        return story.scientist.client("s3").put_object(**asked, Body=body)

    check_denied(write, "OnlyThePipelineWrites")
    with bucket_policy(root(story), bucket(story)).without("OnlyThePipelineWrites"):
        assert write()
    assert approve(story) == "Failed"
    assert "the deployment's artifact is not what the Build step wrote" in refusal(story)
    assert instances(story) == "1"


def built(story: Story) -> dict[str, str]:
    """Where this execution's Build put what it hands on."""
    (made,) = action(story, "Build")["output"]["outputArtifacts"]
    return {"Bucket": made["s3location"]["bucket"], "Key": made["s3location"]["key"]}


def test_staging_comes_and_goes_by_an_upgrade(story: Story) -> None:
    """docs/guides/ml-engineer.md, "Production alone": both ways, and what is left of the stage is shown."""
    text = story.environment_path.read_text(encoding="utf-8")
    engineer = f"arn:aws:iam::{story.setting.data_science}:role/{people.ENGINEER}"  # who upgrades must see the product
    alone = text.replace("catalog:\n", f"catalog:\n  principals: ['{engineer}']\n")
    organizations = story.owner(story.setting.management).client("organizations")
    plan_account_ids([people.STAGING])
    organizations.create_account(AccountName="staging", Email="staging@example.com")
    unit = f"{people.DEPLOYMENT}/staging"
    staged = alone.replace("production_alone: true\n", "").replace(
        "  production: multi", f"  staging: {unit}\n  production: multi"
    )
    without = story.setting
    story.setting = replace(
        without, targets={"staging": people.STAGING, **without.targets}, units={"staging": unit, **without.units}
    )
    story.production_alone = False
    assert upgrade(story, staged + f"  - {{id: '{people.STAGING}', stage: staging}}\n") == [
        f"OrganizationalUnitStagingId={story.setting.units['staging']}",
        "SageMakerExecutionRoleStagingName=sagemaker-role-staging",
    ]
    assert stages(story) == ["Source", "Build", "DeployStaging", "ApproveDeployment", "DeployProd", "RemoveStaging"]
    story.execution_id = str(configure(story, "prod", InitialInstanceCount="2"))
    deploying.before_production(story)
    assert approve(story) == "Succeeded", story.diagnosis()
    assert served(story) == {"staging": 1, "prod": 1}

    story.setting, story.production_alone = without, True
    assert upgrade(story, alone) == ["OrganizationalUnitStagingId=", "SageMakerExecutionRoleStagingName="]
    assert stages(story) == ["Source", "Build", "ApproveDeployment", "DeployProd"]
    (one,) = json.loads(status(story))["projects"]
    assert [stage["name"] for stage in one["stages"]] == ["staging", "prod"]
    story.execution_id = str(configure(story, "prod", InitialInstanceCount="3"))
    assert approve(story) == "Succeeded", story.diagnosis()
    assert (list(manifest(story)["stages"]), instances(story)) == (["prod"], "3")


def upgrade(story: Story, text: str) -> list[str]:
    """Set the installation up and the project with another environment file; the values that had to be named."""
    story.environment_path.write_text(text, encoding="utf-8")
    environment = ("--environment", str(story.environment_path))
    manager = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, story.region)
    story.command(manager, "scripts.accounts", *environment, "--invite")
    units = {stage: unit for stage, unit in story.setting.units.items() if not unit.startswith("ou-")}
    known = people.with_units(story.cloud, replace(story.setting, units=units)).units
    story.setting = replace(story.setting, units={**story.setting.units, **known})
    publishing(story)
    command = ("scripts.upgrade", *environment, "--project", story.project_name)
    with pytest.raises(StoryFailed) as refused:
        story.command(story.engineer, *command)
    values = [value.strip("'") for value in re.findall(r"--set ([^\s,]+)", f"{refused.value}{refused.value.log}")]
    story.command(story.engineer, *command, *(part for value in values for part in ("--set", value)))
    return sorted(values)
