"""A candidate in production's shadow: an approver allows it, it brings nothing else, and what it saw stays there."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
from tests.support.story_steps import configure, register, set_status, version_arn
from tests.support.waiting import until

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


def test_what_rests_on_this_story_is_used_in_it(story: Story) -> None:
    check_played(holders_of(story.cloud), __file__)
