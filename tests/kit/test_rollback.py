"""What `make rollback` decides from the pipeline's history (test_rollback_story.py runs its deployments)."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from scripts.kit.console import UserError
from scripts.kit.projects import history, rollback
from scripts.kit.projects.history import PipelineExecution
from scripts.kit.projects.project import Project
from scripts.kit.projects.rollback import FoundDeployments, Rollback, StagePlaces
from scripts.kit.stages import Stage

PROJECT = Project("iris", "p-abc", "CreateCompleted")
PLACES: StagePlaces = (("222222222222",), ("us-east-1",))


def ran(
    id: str, version: str, *, tests: str = "Succeeded", target: str = "", status: str = "Succeeded"
) -> PipelineExecution:
    """An execution that deployed a version to production."""
    actions = {"DeployResourcesProd": "Succeeded", "TestProd": tests}
    return PipelineExecution(id, status, version=version, target=target, actions=actions, artifact=("bucket", id))


def plan(
    newest_first: Sequence[PipelineExecution],
    live: str,
    asked: str = "",
    *,
    approved: str = "1 2 3",
    eligible: str | None = None,
    busy: str = "",
    then: StagePlaces | None = PLACES,
    taken_back: tuple[str, ...] = (),
    missing: tuple[str, ...] = (),
) -> Rollback:
    ids = {e.id for e in newest_first if not e.target} if eligible is None else set(eligible.split())
    found = FoundDeployments(live, frozenset(approved.split()), newest_first, frozenset(ids), busy, taken_back, missing)
    return rollback.make_plan(found, PROJECT, Stage.PROD, asked, lambda: PLACES, lambda execution: then)


def test_the_newest_execution_that_deployed_the_version_before_is_chosen() -> None:
    todo = plan([ran("e4", "3"), ran("e3", "2"), ran("e2", "2"), ran("e1", "1")], "3")
    assert (todo.version, todo.execution) == ("2", "e3")
    assert "version 3 → 2, 1 account in us-east-1, as in execution e3" in todo.step.detail


def test_a_version_whose_tests_failed_is_never_gone_back_to() -> None:
    todo = plan([ran("e3", "3"), ran("e2", "2", tests="Failed"), ran("e1", "1")], "3")
    assert (todo.version, todo.execution) == ("1", "e1")


def test_a_version_that_is_no_longer_approved_is_passed_over_and_refused_when_named() -> None:
    runs = [ran("e3", "3"), ran("e2", "2"), ran("e1", "1")]
    assert plan(runs, "3", approved="1 3").version == "1"
    with pytest.raises(UserError, match=r"version 2 is not approved.*Approved: 1, 3"):
        plan(runs, "3", "2", approved="1 3")
    with pytest.raises(UserError, match=r"no approved version.*no longer approved: 2, 1"):
        plan(runs, "3", approved="3")


def test_a_stage_that_has_gone_back_is_left_alone_until_a_version_is_named() -> None:
    runs = [ran("r1", "1", target="e1"), ran("e2", "2"), ran("e1", "1")]
    todo = plan(runs, "1")
    assert (todo.step.action, todo.execution) == ("keep", "")
    assert plan(runs, "1", "2").execution == "e2"


def test_a_way_back_that_sagemaker_took_back_is_gone_again_by_a_new_execution() -> None:
    runs = [ran("r1", "1", target="e1", tests="Failed"), ran("e2", "2"), ran("e1", "1")]
    serves = ("222222222222 us-east-1 serves version 2: SageMaker took the last update back, to c2",)
    todo = plan(runs, "1", taken_back=serves)
    assert (todo.step.action, todo.version, todo.execution) == ("change", "1", "")
    assert "SageMaker took the last update back" in todo.step.detail
    named = plan(runs, "1", "1", taken_back=serves)
    assert (named.step.action, named.execution) == ("change", "")


def test_a_version_that_sagemaker_took_back_is_left_for_the_one_before_it() -> None:
    runs = [ran("e2", "2", tests="Failed"), ran("e1", "1")]
    todo = plan(runs, "2", taken_back=("222222222222 us-east-1 serves version 1",))
    assert (todo.version, todo.execution) == ("1", "e1")


def test_a_stage_with_an_endpoint_that_is_gone_is_repaired_before_it_goes_back() -> None:
    with pytest.raises(UserError, match="make repair PROJECT=iris"):
        plan([ran("e2", "2"), ran("e1", "1")], "2", missing=("222222222222 us-east-1: make repair PROJECT=iris",))


def test_a_rollback_that_is_under_way_is_followed_and_another_deployment_is_waited_for() -> None:
    going = PipelineExecution(
        "r1", "InProgress", version="1", target="e1", actions={"DeployResourcesProd": "InProgress"}
    )
    before = [ran("e2", "2"), ran("e1", "1")]
    assert plan([going, *before], "2", busy="r1").follow == "r1"
    assert plan([going, *before], "1", busy="r1").follow == "r1", "the stack names the version that is on its way"
    other = PipelineExecution("e3", "InProgress", version="3", actions={"DeployResourcesProd": "InProgress"})
    with pytest.raises(UserError, match="e3"):
        plan([other, *before], "2", busy="e3")


@pytest.mark.parametrize(
    ("eligible", "then", "why"),
    [
        ("e2", PLACES, "structure has changed"),
        ("e1 e2", None, "artifacts of execution e1 are gone"),
        ("e1 e2", (("222222222222", "444444444444"), ("us-east-1",)), "444444444444 left"),
        ("e1 e2", (("222222222222",), ("eu-west-1",)), "us-east-1 joined; eu-west-1 left"),
    ],
)
def test_the_pipeline_is_started_where_codepipeline_cannot_roll_back(
    eligible: str, then: StagePlaces | None, why: str
) -> None:
    todo = plan([ran("e2", "2"), ran("e1", "1")], "2", eligible=eligible, then=then)
    assert (todo.step.action, todo.execution, todo.version) == ("change", "", "1")
    assert why in todo.step.detail
    assert "waits for an approver" in todo.notes[0]


def test_an_execution_that_waits_behind_the_stage_deploys_nothing_to_it_any_more() -> None:
    waiting = PipelineExecution("e1", "InProgress", version="1", actions=ran("e1", "1").actions)
    todo = plan([ran("e2", "2"), waiting], "2")
    assert (todo.step.action, todo.execution) == ("change", "e1")
    on_its_way = PipelineExecution("e3", "InProgress", version="1", actions={"DeployResourcesStaging": "Succeeded"})
    assert plan([on_its_way, ran("e2", "2"), ran("e1", "1")], "2").follow == "e3"


def test_a_named_version_that_was_never_live_is_deployed_by_the_pipeline() -> None:
    todo = plan([ran("e2", "2")], "2", "3")
    assert (todo.version, todo.execution) == ("3", "")
    assert "keeps 12 months" in todo.step.detail


def test_other_executions_under_way_are_noted() -> None:
    waiting = PipelineExecution("e3", "InProgress", version="3", actions={"TestStaging": "Succeeded"})
    assert "execution e3 (version 3)" in plan([waiting, ran("e2", "2"), ran("e1", "1")], "2").notes[0]


def test_a_stage_that_was_never_deployed_has_nothing_to_go_back_to() -> None:
    with pytest.raises(UserError, match="never deployed"):
        plan([], "")


def test_a_rollback_in_the_history_has_the_version_and_artifacts_of_its_target() -> None:
    built = {
        "actionName": "Build",
        "status": "Succeeded",
        "startTime": 1,
        "output": {
            "outputVariables": {"MODEL_PACKAGE_VERSION": "4"},
            "outputArtifacts": [{"name": "BuildOutput", "s3location": {"bucket": "b", "key": "k"}}],
        },
    }
    first = history.execution({"pipelineExecutionId": "e1", "status": "Succeeded"}, [built])
    back = history.execution(
        {
            "pipelineExecutionId": "r1",
            "status": "Succeeded",
            "rollbackMetadata": {"rollbackTargetPipelineExecutionId": "e1"},
        },
        [{"actionName": "DeployResourcesProd", "status": "Succeeded", "startTime": 2}],
    )
    seen = history.with_target(back, {"e1": first})
    assert (seen.version, seen.artifact, seen.deployed(Stage.PROD), seen.succeeded(Stage.PROD)) == (
        "4",
        ("b", "k"),
        True,
        False,
    )
    nothing = json.loads(json.dumps(built).replace('"4"', '"none"'))
    assert history.execution({"pipelineExecutionId": "e0", "status": "Succeeded"}, [nothing]).version == ""
