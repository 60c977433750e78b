"""What an approval is: a change of the approval status, which starts one execution however often it is announced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localaws.services.events.service import EventsState
from localaws.services.sagemaker.base import announce
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support.story_steps import follow, new_execution, register, set_status, version_arn

KIND = "SageMaker Model Package State Change"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Version 2 is live everywhere, version 1 still approved."""
    folder = tmp_path_factory.mktemp("approvals")
    with embedded_aws(folder) as cloud:
        played = Story(cloud, folder)
        play(played)
        register(played)
        assert follow(played, set_status(played, 2, "Approved")) == "Succeeded"
        yield played
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def executions(story: Story) -> set[str]:
    return {execution["pipelineExecutionId"] for execution in story.executions()}


def starts(story: Story) -> list[dict[str, Any]]:
    """The executions of the starter, the newest first."""
    states = story.engineer.client("stepfunctions")
    machine = f"arn:aws:states:{story.region}:{story.setting.data_science}:stateMachine:sagemaker-multi-account-starter"
    found: list[dict[str, Any]] = states.list_executions(stateMachineArn=machine)["executions"]
    return found


@pytest.mark.parametrize(
    "edit",
    [
        {"CustomerMetadataProperties": {"note": "read again"}},
        {"ApprovalDescription": "still good"},
        {"SourceUri": "s3://a-bucket/elsewhere"},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_an_edit_of_an_approved_version_starts_nothing(story: Story, edit: dict[str, Any]) -> None:
    before = executions(story)
    story.scientist.client("sagemaker").update_model_package(ModelPackageArn=version_arn(story, 1), **edit)
    story.until("everything to settle", story.idle)
    assert executions(story) == before


def test_an_approval_that_is_announced_three_times_starts_one_execution(story: Story) -> None:
    register(story)
    before = executions(story)
    started = set_status(story, 3, "Approved")
    account = story.setting.data_science
    events = story.cloud.state(EventsState, account, story.region).recent
    event = next(e for e in reversed(events) if e["detail-type"] == KIND)
    assert event["detail"]["UpdatedModelPackageFields"] == ["ModelApprovalStatus"]
    count = len(starts(story))
    for _ in range(2):  # AWS gives each announcement an id of its own
        announce(story.cloud, account, story.region, KIND, event["resources"], event["detail"])
    story.until("the starter to run twice more", lambda: len(starts(story)) == count + 2)
    assert follow(story, started) == "Succeeded"
    assert executions(story) == before | {started}
    assert [start["status"] for start in starts(story)[:3]] == ["SUCCEEDED"] * 3


def test_a_version_that_is_approved_again_later_starts_again(story: Story) -> None:
    set_status(story, 3, "PendingManualApproval", patience=1)
    assert set_status(story, 3, "Approved") is not None
    story.wait_for_stage("DeployStaging")


def test_a_version_that_is_registered_as_approved_starts_nothing(story: Story) -> None:
    before = executions(story)
    sagemaker = story.scientist.client("sagemaker")
    first = sagemaker.describe_model_package(ModelPackageName=version_arn(story, 1))
    sagemaker.create_model_package(
        ModelPackageGroupName=story.project_name,
        InferenceSpecification=first["InferenceSpecification"],
        ModelApprovalStatus="Approved",
    )
    assert new_execution(story, before, patience=2) is None


def test_an_approval_in_a_group_that_belongs_to_no_project_starts_nothing_and_fails_nowhere(story: Story) -> None:
    before, count = executions(story), len(starts(story))
    sagemaker = story.cloud.root(story.setting.data_science, story.region).client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="another-teams-model")
    first = sagemaker.describe_model_package(ModelPackageName=version_arn(story, 1))
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="another-teams-model",
        InferenceSpecification=first["InferenceSpecification"],
        ModelApprovalStatus="PendingManualApproval",
    )["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    story.until("the starter to run", lambda: len(starts(story)) == count + 1 and starts(story)[0].get("stopDate"))
    assert starts(story)[0]["status"] == "SUCCEEDED"
    assert executions(story) == before
