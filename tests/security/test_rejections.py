"""A rejected version leaves production and does not come back, whatever happens to the execution of its rejection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localaws.services.sagemaker import servers
from localaws.services.sagemaker.shared import StartFailed
from scripts.rehearsal import deploying
from scripts.rehearsal.story import Story
from tests.support.gate_story import root
from tests.support.story_steps import copy_artifact, follow, reason, register, served, set_status, whole_story
from tests.support.waiting import until


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Versions 1, 2 and 3 were live in turn, and 3 is; 4 to 7 are registered."""
    with whole_story(tmp_path_factory.mktemp("rejections")) as released:
        for version in (2, 3):
            register(released)
            assert follow(released, set_status(released, version, "Approved")) == "Succeeded", released.diagnosis()
        for _ in range(4):
            register(released)
        yield released


def actions_of(story: Story, execution: str) -> dict[str, dict[str, Any]]:
    """The latest run of each action of an execution."""
    return {one["actionName"]: one for one in story.actions(execution=execution)}


def has(story: Story, execution: str, action: str, *statuses: str) -> bool:
    return actions_of(story, execution).get(action, {}).get("status") in statuses


def transition(story: Story, enabled: bool) -> None:
    """Let no execution into DeployStaging, as where another one is in it; or open it again."""
    codepipeline = root(story).client("codepipeline")
    names = {"pipelineName": story.pipeline_name, "stageName": "DeployStaging", "transitionType": "Inbound"}
    if enabled:
        codepipeline.enable_stage_transition(**names)
    else:
        codepipeline.disable_stage_transition(**names, reason="a test")


def test_the_version_that_is_to_come_back_is_rejected_too(story: Story) -> None:
    """Neither rejection counts as answered by the other: version 1 comes back, which was in production before."""
    back = str(set_status(story, 3, "Rejected"))
    until(lambda: has(story, back, "DeployResourcesStaging", "InProgress", "Succeeded"))
    second = str(set_status(story, 2, "Rejected"))
    assert story.wait_for_execution(second) == "Succeeded"
    assert served(story) == {"staging": 1, "prod": 1}
    assert reason(story, second).startswith("version 3 was rejected and is live in ")
    assert "ApproveDeployment" not in actions_of(story, second)
    assert story.status_of(back) != "Succeeded"


def test_a_rejection_that_overtakes_the_way_back_carries_it(story: Story) -> None:
    """Version 4 is live, and rejected while another execution is in DeployStaging; then 7, which was never approved."""
    assert follow(story, set_status(story, 4, "Approved")) == "Succeeded", story.diagnosis()
    transition(story, enabled=False)
    back = str(set_status(story, 4, "Rejected"))
    until(lambda: has(story, back, "Build", "Succeeded"))
    other = str(set_status(story, 7, "Rejected"))
    until(lambda: has(story, other, "Build", "Succeeded"))
    transition(story, enabled=True)
    assert story.wait_for_execution(other) == "Succeeded"
    assert reason(story, other) == "version 4 was rejected and is live in staging and prod: back to version 1"
    assert served(story) == {"staging": 1, "prod": 1}
    assert story.status_of(back) == "Stopped"


def test_a_rejection_of_what_is_not_live_overtakes_no_approved_version(story: Story) -> None:
    """Version 5 waits for its approver, and 6 behind it."""
    first = str(set_status(story, 5, "Approved"))
    assert story.wait_for_stage("DeployStaging") == "Succeeded"
    deploying.approval_token(story, story.approver.client("codepipeline"))
    second = str(set_status(story, 6, "Approved"))
    until(lambda: has(story, second, "OwnTests", "Succeeded") and has(story, second, "TestStaging", "Succeeded"))
    assert set_status(story, 7, "PendingManualApproval", 1) is None
    third = str(set_status(story, 7, "Rejected"))
    assert story.wait_for_execution(third) == "Stopped"
    assert reason(story, third) == "version 7 was rejected, which is not live"
    assert (story.status_of(first), story.status_of(second)) == ("InProgress", "InProgress")
    story.execution_id = first
    deploying.give_approval(story, "Rejected", "The next one is better")
    assert story.wait_for_execution(first) == "Failed"
    story.execution_id = second
    deploying.give_approval(story, "Approved", "Better")
    assert story.wait_for_execution(second) == "Succeeded"
    assert served(story)["prod"] == 6


def test_the_version_that_sagemaker_went_back_to_is_rejected(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Production's stack names version 8, whose container does not start there; its endpoint serves version 6."""
    before = servers.download

    def refuse(session: Any, container: Any) -> bytes:
        if "other/model" in container.data_url and session.account == story.setting.targets["prod"]:
            raise StartFailed("the container did not start")
        return before(session, container)

    monkeypatch.setattr(servers, "download", refuse)
    register(story, url=copy_artifact(story, "other"))
    assert follow(story, set_status(story, 8, "Approved")) == "Failed"
    rejection = str(set_status(story, 6, "Rejected"))
    until(lambda: has(story, rejection, "ApproveDeployment", "InProgress"))
    assert reason(story, rejection) == "version 6 was rejected and is live in prod: back to version 5"
    line = ("--environment", str(story.environment_path), "--project", story.project_name)
    shown = story.command(story.engineer, "scripts.status", *line)
    (row,) = (line for line in shown.splitlines() if "taken back" in line)
    assert "6 (Rejected)" in row
    story.execution_id = rejection
    deploying.give_approval(story, "Approved", "Anything but 6")
    assert story.wait_for_execution(rejection) == "Succeeded"
    assert served(story)["prod"] == 5
