"""A stage between staging and production, with an approval before it: what it gets, and what it does not open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from localaws.services.organizations.service import plan_account_ids
from scripts.kit.projects import deployments, status
from scripts.kit.projects import project as projects
from scripts.kit.stages import Stage
from scripts.rehearsal import deploying
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import play, publishing
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story, StoryFailed
from tests.support.attacks import administrator, build_session, check_denied, role_policy
from tests.support.notices import EVENTS, arrived, listen
from tests.support.played import check_played, holders_of
from tests.support.story_steps import configure, manifest

ROLES = "AmazonSageMakerServiceCatalogProductsMultiAccount"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story until the approver is asked for production."""
    with embedded_aws(tmp_path_factory.mktemp("stages")) as cloud:
        played = Story(cloud, cloud.folder, between=("qa",), asked=("qa",))
        play(played, until="staging")
        yield played
    assert not cloud.faults, cloud.faults


def test_the_endpoint_of_qa_serves_the_version_that_staging_tested(story: Story) -> None:
    account = story.setting.targets["qa"]
    endpoint = deploying.ask_endpoint(story, "qa", account, [])
    assert endpoint["model_package_arn"] == story.model_package_arn
    assert list(manifest(story)["stages"]) == ["staging", "qa", "prod"]
    s3 = story.owner(story.setting.data_science).client("s3")
    (key,) = (
        item["Key"]
        for item in s3.list_objects_v2(
            Bucket=f"sagemaker-project-{story.project_id}", Prefix=f"record/outcomes/{story.execution_id}/qa-"
        )["Contents"]
    )
    assert key


def test_the_card_for_production_says_what_qa_found(story: Story) -> None:
    deploying.approval_token(story, story.approver.client("codepipeline"))
    key = story.card_key(story.approver).replace(".html", ".json")
    body = story.approver.client("s3").get_object(Bucket=f"sagemaker-project-{story.project_id}", Key=key)["Body"]
    assert json.loads(body.read())["between"] == {"qa": {"passed": True, "endpoints": 1}}


def test_doctor_finds_nothing_wrong(story: Story) -> None:
    manager = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, story.region)
    options = ("--environment", str(story.environment_path), "--bundle", str(story.folder / "bundle"), "--json")
    found = json.loads(story.command(manager, "scripts.doctor", *options))
    assert (found["findings"], found["not_checked"]) == ([], [])


def test_qas_accounts_enter_no_tester_of_another_stage_and_own_tests_enter_none_of_qa(story: Story) -> None:
    qa, production = story.setting.targets["qa"], story.setting.targets["prod"]
    project = f"sagemaker-{story.project_name}-{story.project_id}-own-tests"
    tags = [
        {"Key": "sagemaker:project-id", "Value": story.project_id},
        {"Key": "sagemaker:project-name", "Value": story.project_name},
    ]
    for session, account, suffix in (
        (administrator(story, qa), production, "prod"),
        (build_session(story, f"{ROLES}OwnTestsRole", project), qa, "qa"),
    ):
        arn = f"arn:aws:iam::{account}:role/sagemaker-role-{suffix}-tester"
        sts = session.client("sts")
        check_denied(
            lambda sts=sts, arn=arn: sts.assume_role(RoleArn=arn, RoleSessionName="attack", Tags=tags),  # type: ignore[misc]
            "sts:AssumeRole",
        )


def test_the_creator_of_a_project_can_neither_leave_qa_out_nor_its_approval(story: Story) -> None:
    """Service Catalog and SageMaker hand on what the form says; CloudFormation refuses what was not published."""
    catalog = story.engineer.client("servicecatalog")
    (product,) = catalog.search_products_as_admin()["ProductViewDetails"]
    id = product["ProductViewSummary"]["ProductId"]
    (artifact,) = catalog.list_provisioning_artifacts(ProductId=id)["ProvisioningArtifactDetails"]
    shown = catalog.describe_provisioning_artifact(
        ProductId=id, ProvisioningArtifactId=artifact["Id"], IncludeProvisioningArtifactParameters=True
    )["ProvisioningArtifactParameters"]
    allowed = {one["ParameterKey"]: one["ParameterConstraints"].get("AllowedValues") for one in shown}
    assert allowed["ApproveQa"] == ["true"]
    assert allowed["SageMakerExecutionRoleQaName"] == ["sagemaker-role-qa"]
    assert allowed["SageMakerExecutionRoleStagingName"] == ["sagemaker-role-staging"]
    assert allowed["OrganizationalUnitQaId"] == [story.setting.units["qa"]]
    assert (allowed["ApprovePreprod"], allowed["OrganizationalUnitPreprodId"]) == (["false"], [""])


def test_the_stage_role_deploys_to_qas_unit_and_to_no_other_besides(story: Story) -> None:
    root = story.owner(story.setting.data_science)
    statement = json.loads(role_policy(root, f"{ROLES}StageRole", "deploy-to-further-units").read())["Statement"][0]
    assert statement["Resource"] == [
        f"arn:aws:cloudformation:*:*:stackset-target/sagemaker-*/{story.setting.units['qa']}"
    ]


def test_a_push_while_qas_approval_waits_is_asked_about_by_itself(story: Story) -> None:
    """The approver of the first execution lets no pushed setting into QA, and none of it past the next approval."""
    listen(story)
    first, codepipeline = story.execution_id, story.approver.client("codepipeline")
    story.execution_id = str(configure(story, "staging", InitialInstanceCount="2"))
    token = deploying.approval_token(story, codepipeline, Stage.QA.approval_stage)
    asked = story.execution_id
    later = str(configure(story, "staging", InitialInstanceCount="3"))
    assert len({first, asked, later}) == 3
    story.execution_id = asked
    name = Stage.QA.approval_stage
    codepipeline.put_approval_result(
        pipelineName=story.pipeline_name, stageName=name, actionName=name, token=token,
        result={"status": "Approved", "summary": "two instances"},
    )  # fmt: skip
    assert story.wait_for_stage("DeployQa") == "Succeeded"
    story.execution_id = later
    fresh = deploying.approval_token(story, codepipeline, Stage.QA.approval_stage)
    assert fresh != token
    with pytest.raises(codepipeline.exceptions.ClientError):
        codepipeline.put_approval_result(
            pipelineName=story.pipeline_name, stageName=name, actionName=name, token=token,
            result={"status": "Approved", "summary": "the first token again"},
        )  # fmt: skip
    account = story.setting.targets["qa"]
    cloudformation = story.owner(story.setting.data_science).client("cloudformation")
    stack = cloudformation.describe_stacks(StackName=f"{story.pipeline_name}-qa")["Stacks"][0]
    values = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert (values["InitialInstanceCount"], values["AccountIds"]) == ("2", account)
    notices: list[dict[str, str]] = []

    def both_are_there() -> bool | None:
        notices.extend(json.loads(body)["detail"] for body in arrived(story, EVENTS))
        return len([one for one in notices if one["stage"] == "qa"]) == 2 or None

    story.until("two notices", both_are_there, 20.0)
    assert {(one["notice"], one["execution"]) for one in notices if one["stage"] == "qa"} == {
        ("waiting-for-approval", asked),
        ("waiting-for-approval", later),
    }


def test_status_and_history_show_the_stage(story: Story) -> None:
    connection = story.engineer
    project = projects.Project(story.project_name, story.project_id, "CreateCompleted")
    s3 = story.owner(story.setting.data_science).client("s3")
    found = deployments.entries(s3, project, story.setting.data_science, deployments.RECORD)
    header, _ = deployments.table_of(deployments.tell(project, found, []).deployments)
    assert header[2:5] == ["STAGING", "QA", "PROD"]
    shown = story.command(connection, "scripts.status", "--environment", str(story.environment_path), "--json")
    (one,) = json.loads(shown)["projects"]
    assert [stage["name"] for stage in one["stages"]] == ["staging", "qa", "prod"]
    assert status.IN_SERVICE in {place["endpoint"] for stage in one["stages"] for place in stage["places"]}


def test_an_existing_project_gets_a_further_stage_by_an_upgrade(story: Story) -> None:
    """docs/guides/ml-engineer.md, "Stages between staging and production", on an installation with projects."""
    codepipeline = story.owner(story.setting.data_science).client("codepipeline")
    for one in (run for run in story.executions() if run["status"] == "InProgress"):
        codepipeline.stop_pipeline_execution(
            pipelineName=story.pipeline_name, pipelineExecutionId=one["pipelineExecutionId"], abandon=True
        )
    environment = ("--environment", str(story.environment_path))
    add_uat(story)
    manager = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, story.region)
    story.command(manager, "scripts.accounts", *environment, "--invite")
    story.setting = people.with_units(story.cloud, story.setting)
    publishing(story)
    upgrade = ("scripts.upgrade", *environment, "--project", story.project_name)
    with pytest.raises(StoryFailed) as refused:
        story.command(story.engineer, *upgrade)
    values = re.findall(r"--set ([^\s,]+)", f"{refused.value}{refused.value.log}")
    unit = story.setting.units["uat"]
    assert sorted(values) == [
        "ApproveUat=true", f"OrganizationalUnitUatId={unit}", "SageMakerExecutionRoleUatName=sagemaker-role-uat",
    ]  # fmt: skip
    story.command(story.engineer, *upgrade, *(part for value in values for part in ("--set", value)))
    story.execution_id = str(configure(story, "staging", InitialInstanceCount="1"))
    deploying.before_production(story)
    assert list(manifest(story)["stages"]) == ["staging", "qa", "uat", "prod"]
    endpoint = deploying.ask_endpoint(story, "uat", story.setting.targets["uat"], [])
    assert endpoint["model_package_arn"] == story.model_package_arn


def add_uat(story: Story) -> None:
    """An account for the stage in the organization, and the stage in the environment file."""
    organizations = story.owner(story.setting.management).client("organizations")
    account = people.BETWEEN["uat"]
    plan_account_ids([account])
    organizations.create_account(AccountName="uat", Email="uat@example.com")
    unit = f"{people.DEPLOYMENT}/uat"
    text = story.environment_path.read_text(encoding="utf-8")
    text = text.replace("  production: multi", f"  uat: {unit}\n  production: multi").replace("[qa]", "[qa, uat]")
    engineer = f"arn:aws:iam::{story.setting.data_science}:role/{people.ENGINEER}"  # who upgrades must see the product
    text = text.replace("catalog:\n", f"catalog:\n  principals: ['{engineer}']\n")
    text += f"  - {{id: '{account}', stage: uat}}\n"  # of invited_accounts, which is the last key
    story.environment_path.write_text(text, encoding="utf-8")
    targets, units = story.setting.targets, story.setting.units
    story.setting = replace(
        story.setting,
        targets={"staging": targets["staging"], "qa": targets["qa"], "uat": account, "prod": targets["prod"]},
        units={**units, "uat": unit},
        asked=("qa", "uat"),
    )


def test_what_rests_on_this_story_is_used_in_it(story: Story) -> None:
    check_played(holders_of(story.cloud), __file__)
