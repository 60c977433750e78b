"""A candidate in production's shadow: an approver allows it, it brings nothing else, and what it saw stays there.

Where it does not start, where its execution is stopped, or where a step is retried, production serves on as it did.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from scripts.rehearsal import deploying, shadowing
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from scripts.rehearsal.teams.prepare import pull_policy
from tests.support.attacks import build_session, check_denied
from tests.support.gate_story import root
from tests.support.mirrored import push
from tests.support.played import check_played, holders_of
from tests.support.story_steps import configure, copy_artifact, reason, register, set_status, version_arn
from tests.support.waiting import until

CHECKS = 9  # of the tests of staging
NEWEST = 4  # the version with which something goes wrong
OWN_TESTS = "AmazonSageMakerServiceCatalogProductsMultiAccountOwnTestsRole"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Version 1 serves production. Version 2 waits for the approval of its shadow, after a setting was pushed too."""
    with embedded_aws(tmp_path_factory.mktemp("shadow")) as cloud:
        played = Story(cloud, cloud.folder, shadow=True)
        play(played, until="production")
        register(played)
        assert configure(played, "prod", InitialInstanceCount="2", DataCaptureS3Uri="account")
        deploying.give_approval(played, "Rejected", "With the next version")
        assert set_status(played, 2, "Approved")
        assert played.wait_for_stage("DeployStaging") == "Succeeded"
        deploying.approval_token(played, played.approver.client("codepipeline"), shadowing.APPROVAL)
        yield played
    assert not cloud.faults, cloud.faults


def endpoint(story: Story) -> dict[str, Any]:
    """The configuration that production's endpoint runs on."""
    sagemaker = story.owner(story.setting.targets["prod"]).client("sagemaker")
    shown = sagemaker.describe_endpoint(EndpointName=deploying.endpoint_name(story, "prod"))
    found: dict[str, Any] = sagemaker.describe_endpoint_config(EndpointConfigName=shown["EndpointConfigName"])
    return found


def package_of(story: Story, variant: dict[str, Any]) -> str:
    sagemaker = story.owner(story.setting.targets["prod"]).client("sagemaker")
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    return str(model["PrimaryContainer"]["ModelPackageName"])


def isolation(story: Story, variant: dict[str, Any]) -> bool:
    sagemaker = story.owner(story.setting.targets["prod"]).client("sagemaker")
    return bool(sagemaker.describe_model(ModelName=variant["ModelName"])["EnableNetworkIsolation"])


def readable_in_production(story: Story) -> list[str]:
    """The versions that the group's policy lets production's accounts use."""
    sagemaker = story.owner(story.setting.data_science).client("sagemaker")
    text = sagemaker.get_model_package_group_policy(ModelPackageGroupName=story.project_name)["ResourcePolicy"]
    of_prod = [one for one in json.loads(text)["Statement"] if one["Sid"] == "ProdUsesVersions"]
    return [arn for one in of_prod for arn in one["Resource"]]


def test_without_an_approver_no_version_gets_into_productions_shadow(story: Story) -> None:
    assert "ShadowProductionVariants" not in endpoint(story)
    assert version_arn(story, 2) not in readable_in_production(story)
    scientist = story.scientist.client("codepipeline")
    token = deploying.approval_token(story, story.approver.client("codepipeline"), shadowing.APPROVAL)
    check_denied(
        lambda: scientist.put_approval_result(
            pipelineName=story.pipeline_name, stageName=shadowing.APPROVAL, actionName=shadowing.APPROVAL, token=token,
            result={"status": "Approved", "summary": "my own"},
        ),
        "codepipeline:PutApprovalResult",
    )  # fmt: skip


def test_the_shadow_brings_nothing_that_was_pushed(story: Story) -> None:
    """Production keeps its version and its settings; no caller gets an answer of the shadow or loses one."""
    shadowing.let_in(story)
    seen: dict[str, Any] = {}

    def there() -> bool:
        seen.update(endpoint(story))
        return "ShadowProductionVariants" in seen

    until(there)
    (variant,), (shadow,) = seen["ProductionVariants"], seen["ShadowProductionVariants"]
    assert (package_of(story, variant), variant["InitialInstanceCount"]) == (version_arn(story, 1), 1)
    assert package_of(story, shadow) == version_arn(story, 2)
    isolated = [isolation(story, one) for one in (variant, shadow)]
    assert isolated == [False, True], "its container has the role's credentials, which write into the captured data"
    with shadowing.Load(story) as load:
        assert story.wait_for_stage(shadowing.DEPLOYMENT) == "Succeeded"
    assert (load.wrong, load.asked >= shadowing.REQUESTS) == ([], True)
    assert "ShadowProductionVariants" not in endpoint(story)
    (place,) = shadowing.recorded(story)["places"]
    assert place["agree"] == place["compared"] >= shadowing.REQUESTS
    assert (place["live"]["errors"], place["new"]["errors"]) == (0, 0)
    assert place["new"]["requests"] >= place["compared"]


def test_own_tests_read_nothing_that_production_captured(story: Story) -> None:
    account = story.setting.targets["prod"]
    bucket, owner = f"endpoint-data-{account}-{story.region}", story.owner(account).client("s3")
    prefix = f"capture/{deploying.endpoint_name(story, 'prod')}/"
    key = owner.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"][0]["Key"]
    project = f"sagemaker-{story.project_name}-{story.project_id}-own-tests"
    own = build_session(story, OWN_TESTS, project)
    check_denied(lambda: own.client("s3").get_object(Bucket=bucket, Key=key), "s3:GetObject")
    tags = [
        {"Key": "sagemaker:project-id", "Value": story.project_id},
        {"Key": "sagemaker:project-name", "Value": story.project_name},
    ]
    arn = f"arn:aws:iam::{account}:role/sagemaker-role-prod-tester"
    check_denied(
        lambda: own.client("sts").assume_role(RoleArn=arn, RoleSessionName="attack", Tags=tags), "sts:AssumeRole"
    )
    iam = story.owner(story.setting.targets["staging"]).client("iam")
    assert "compare-a-shadow" not in iam.list_role_policies(RoleName="sagemaker-role-staging-tester")["PolicyNames"]


def test_the_decision_to_deploy_keeps_what_the_approver_was_shown_of_the_shadow(story: Story) -> None:
    assert deploying.read_tests(story, story.approver) == CHECKS, "the shadow's own report is read as staging's"
    deploying.give_approval(story, "Approved", "Equal answers")
    assert story.wait_for_execution(story.execution_id) == "Succeeded"
    shadowing.check_record(story)
    (variant,) = endpoint(story)["ProductionVariants"]
    assert (package_of(story, variant), variant["InitialInstanceCount"]) == (version_arn(story, 2), 2)


def digest(ecr: Any, repository: str) -> str:
    """Of the image that the tag names at the moment."""
    shown = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "1"}])
    return str(shown["imageDetails"][0]["imageDigest"])


def test_a_tag_that_is_moved_while_a_shadow_is_deployed_is_no_evidence(story: Story) -> None:
    """The stock Studio policy pushes another image after the gate, one that answers well."""
    ecr, repository = root(story).client("ecr"), "team/sagemaker-iris"
    ecr.create_repository(repositoryName=repository)
    ecr.set_repository_policy(repositoryName=repository, policyText=json.dumps(pull_policy(story)))
    arn = register(story, push(ecr, repository))
    approved = digest(ecr, repository)
    assert set_status(story, int(arn.rpartition("/")[2]), "Approved")
    assert story.wait_for_stage("DeployStaging") == "Succeeded", story.diagnosis()
    shadowing.let_in(story)
    until(lambda: any((one["actionName"], one["status"]) == ("GateShadow", "Succeeded") for one in story.actions()))
    push(story.scientist.client("ecr"), repository, of="1.7-1")
    assert story.wait_for_stage(shadowing.DEPLOYMENT) == "Succeeded", "the shadow was not taken away"
    assert "ShadowProductionVariants" not in endpoint(story)
    assert story.wait_for_execution(story.execution_id) == "Failed"
    got = f"with the digest {approved}, got {digest(ecr, repository)}: its tag was pushed again"
    assert shadowing.recorded(story)["exchanged"]
    assert got in shadowing.recorded(story)["why"]
    assert "ApproveDeployment" not in {one["actionName"] for one in story.actions()}, "an approver was asked"
    assert f"shadow did not run what was allowed: account {story.setting.targets['prod']}" in story.diagnosis()


# -- what goes wrong -------------------------------------------------------------------------------


def release(story: Story, version: int) -> None:
    """Start the pipeline with a version, as the ML engineer, and let it into production's shadow."""
    variable = {"name": "ModelPackageVersion", "value": str(version)}
    started = story.engineer.client("codepipeline").start_pipeline_execution(
        name=story.pipeline_name, variables=[variable]
    )
    story.execution_id = started["pipelineExecutionId"]
    assert story.wait_for_stage("DeployStaging") == "Succeeded"
    shadowing.let_in(story)


def retry(story: Story, mode: str) -> None:
    root(story).client("codepipeline").retry_stage_execution(
        pipelineName=story.pipeline_name, stageName=shadowing.DEPLOYMENT, pipelineExecutionId=story.execution_id,
        retryMode=mode,
    )  # fmt: skip


def stop(
    story: Story,
    abandon: bool,
    asked: Callable[[], AbstractContextManager[Any]] = nullcontext,
    version: int = NEWEST,
) -> None:
    """Stop the execution while its version is in production's shadow. asked: what goes on meanwhile"""
    until(
        lambda: [one for one in story.actions() if (one["actionName"], one["status"]) == ("TestShadow", "InProgress")]
    )
    assert package_of(story, endpoint(story)["ShadowProductionVariants"][0]) == version_arn(story, version)
    root(story).client("codepipeline").stop_pipeline_execution(
        pipelineName=story.pipeline_name, pipelineExecutionId=story.execution_id, abandon=abandon
    )
    with asked():
        assert story.wait_for_execution(story.execution_id) == "Stopped"


def is_tested(story: Story) -> bool:
    return any((one["actionName"], one["status"]) == ("TestShadow", "InProgress") for one in story.actions())


def set_back(story: Story, configuration: str) -> None:
    """Give production's endpoint its configuration of before by hand, as SageMaker does where a shadow fails."""
    sagemaker = story.owner(story.setting.targets["prod"]).client("sagemaker")
    sagemaker.update_endpoint(EndpointName=deploying.endpoint_name(story, "prod"), EndpointConfigName=configuration)
    assert story.wait_for_execution(story.execution_id) == "Failed"


def shown(story: Story) -> tuple[str, str]:
    """What `make status` says of production's stack, and of the stage DeployShadow."""
    text = story.command(story.engineer, "scripts.status", "--environment", str(story.environment_path), "--json")
    (one,) = json.loads(text)["projects"]
    (stage,) = (stage for stage in one["stages"] if stage["name"] == "prod")
    (deployed,) = (stage for stage in one["pipeline"] if stage["name"] == shadowing.DEPLOYMENT)
    return stage["why"], deployed["why"]


def served_in_production(story: Story) -> str:
    return package_of(story, endpoint(story)["ProductionVariants"][0])


def test_a_shadow_that_is_refused_fails_its_execution_with_the_reason_and_production_serves_on(story: Story) -> None:
    """Production's model role may not read its artifact. No retry of that action alone deploys anything."""
    url = copy_artifact(story, "third")
    register(story, url=url)
    iam = story.owner(story.setting.targets["prod"]).client("iam")
    names = {"RoleName": "sagemaker-role-prod", "PolicyName": "narrowed"}
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": url.replace("s3://", "arn:aws:s3:::")}
    iam.put_role_policy(**names, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": deny}))
    assert set_status(story, NEWEST, "Approved")
    assert story.wait_for_stage("DeployStaging") == "Succeeded"
    shadowing.let_in(story)
    with shadowing.Load(story) as load:
        assert story.wait_for_execution(story.execution_id) == "Failed"
    assert (load.wrong, load.asked > 0) == ([], True)
    of_stack, why = shown(story)
    assert all("Could not access model data" in one for one in (of_stack, why)), (of_stack, why)
    iam.delete_role_policy(**names)
    retry(story, "FAILED_ACTIONS")
    assert story.wait_for_execution(story.execution_id) == "Failed"
    assert "ChangeSet [shadow] does not exist" in shown(story)[1]
    assert ("ShadowProductionVariants" in endpoint(story), served_in_production(story)) == (
        False, version_arn(story, 2))  # fmt: skip


def test_a_shadow_that_sagemaker_takes_back_fails_its_execution_with_the_reason(story: Story) -> None:
    """As where its container does not start: no stack says so."""
    before = endpoint(story)["EndpointConfigName"]
    retry(story, "ALL_ACTIONS")
    until(lambda: is_tested(story))
    set_back(story, before)
    assert ("ShadowProductionVariants" in endpoint(story), served_in_production(story)) == (
        False, version_arn(story, 2))  # fmt: skip
    where = f"{story.setting.targets['prod']} {story.region}"
    said = f"CheckShadow: version {NEWEST} did not run in production's shadow, in {where}: the endpoint has no shadow: "
    of_stack, why = shown(story)
    assert (of_stack, why[: len(said)]) == ("", said)


def test_an_execution_that_is_stopped_leaves_its_shadow_which_is_named(story: Story) -> None:
    retry(story, "ALL_ACTIONS")
    stop(story, abandon=True)
    assert shown(story)[0] == f"version {NEWEST} is its shadow"
    assert served_in_production(story) == version_arn(story, 2)


def test_the_next_deployment_takes_it_away_and_no_retry_of_single_actions_sets_production_back(story: Story) -> None:
    codepipeline = root(story).client("codepipeline")
    listed = codepipeline.list_pipeline_executions(
        pipelineName=story.pipeline_name, filter={"succeededInStage": {"stageName": "DeployProd"}}
    )["pipelineExecutionSummaries"]
    back = codepipeline.rollback_stage(
        pipelineName=story.pipeline_name, stageName="DeployProd",
        targetPipelineExecutionId=listed[-1]["pipelineExecutionId"],
    )["pipelineExecutionId"]  # fmt: skip
    assert story.wait_for_execution(back) == "Succeeded"
    assert ("ShadowProductionVariants" in endpoint(story), served_in_production(story)) == (
        False, version_arn(story, 1))  # fmt: skip
    retry(story, "FAILED_ACTIONS")
    assert story.wait_for_execution(story.execution_id) == "Failed"
    assert served_in_production(story) == version_arn(story, 1)
    why = shown(story)[1]
    assert why.startswith("GateRemoval: production stays as it is: production has changed since"), why


def test_the_next_version_is_a_shadow_again_and_a_push_beside_it_supersedes_nothing(story: Story) -> None:
    release(story, NEWEST)
    stop(story, abandon=False, asked=lambda: shadowing.Load(story))
    assert shown(story)[0] == f"version {NEWEST} is its shadow"
    mine = story.execution_id
    pushed = configure(story, "prod", InitialInstanceCount="1", DataCaptureS3Uri="account")
    story.execution_id = mine
    retry(story, "ALL_ACTIONS")
    until(lambda: is_tested(story))
    with shadowing.Load(story) as load:
        assert story.wait_for_stage(shadowing.DEPLOYMENT) == "Succeeded"
    assert (load.wrong, "ShadowProductionVariants" in endpoint(story)) == ([], False)
    assert story.status_of(str(pushed)) == "InProgress"
    deploying.give_approval(story, "Approved", "Equal answers")
    assert story.wait_for_stage("DeployProd") == "Succeeded"
    assert served_in_production(story) == version_arn(story, NEWEST)
    story.execution_id = str(pushed)
    deploying.give_approval(story, "Rejected", "The version is live by now", shadowing.APPROVAL)


def test_a_version_that_is_rejected_in_productions_shadow_is_taken_out_before_anything_else(story: Story) -> None:
    """Its execution takes it out, also after a retry, and what comes back does not wait for the time of the shadow.

    That execution ends by itself, or is stopped once the shadow is away, whichever is first.
    """
    register(story)
    assert set_status(story, NEWEST + 1, "Approved")
    assert story.wait_for_stage("DeployStaging") == "Succeeded"
    before = endpoint(story)["EndpointConfigName"]
    shadowing.let_in(story)
    until(lambda: is_tested(story))
    set_back(story, before)
    retry(story, "ALL_ACTIONS")
    until(lambda: is_tested(story))
    shadowed = story.execution_id
    assert set_status(story, NEWEST + 1, "Rejected")
    back, story.execution_id = story.execution_id, shadowed
    assert story.wait_for_execution(shadowed) in {"Failed", "Stopped"}
    assert ("ShadowProductionVariants" in endpoint(story), served_in_production(story)) == (
        False, version_arn(story, NEWEST))  # fmt: skip
    assert {one["actionName"]: one["status"] for one in story.actions()}["RemoveShadow"] == "Succeeded"
    story.execution_id = str(back)
    deploying.give_approval(story, "Rejected", "Asked because of the settings that were pushed meanwhile")
    assert served_in_production(story) == version_arn(story, NEWEST)


def test_a_version_that_was_left_in_the_shadow_and_is_rejected_then_is_taken_out_too(story: Story) -> None:
    """With the version that production serves. A retry of its stage would be refused, since it is rejected."""
    register(story)
    assert set_status(story, NEWEST + 2, "Approved")
    assert story.wait_for_stage("DeployStaging") == "Succeeded"
    shadowing.let_in(story)
    stop(story, abandon=True, version=NEWEST + 2)
    back = str(set_status(story, NEWEST + 2, "Rejected"))
    story.execution_id = back
    deploying.give_approval(story, "Approved", "Asked because of the settings that were pushed meanwhile")
    assert story.wait_for_execution(back) == "Succeeded"
    where = f"is live in staging and production's shadow: back to version {NEWEST}"
    assert where in reason(story)
    assert ("ShadowProductionVariants" in endpoint(story), served_in_production(story)) == (
        False, version_arn(story, NEWEST))  # fmt: skip


def test_what_rests_on_this_story_is_used_in_it(story: Story) -> None:
    check_played(holders_of(story.cloud), __file__)
