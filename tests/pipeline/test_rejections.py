"""A rejection asks what is served and rejected at that moment, whatever was rejected before and came of that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline import build
from pipeline.console import UserError
from tests.support.fake_services import approval, deployed, package, registry, storage
from tests.support.pipeline_history import IN_SHADOW, OTHERS, STAGED, WAITING, WHOLE, pipeline
from tests.support.rejection import Rejection

OWN: tuple[str, str, str, dict[str, str]] = ("own", "InProgress", "", {})
BEFORE = (("c", "Succeeded", "3", WHOLE), ("b", "Succeeded", "2", WHOLE), ("a", "Succeeded", "1", WHOLE))
IN_TURN = [approval(number, number) for number in (1, 2, 3)]


@pytest.fixture
def project() -> Iterator[Rejection]:
    made = Rejection()
    made.setUp()
    yield made
    made.doCleanups()


def stopped_by(project: Rejection) -> list[str]:
    return [execution for execution, _ in project.stopped()]


def back(status: str, actions: dict[str, str]) -> tuple[str, str, str, dict[str, str]]:
    """The way back to version 2, after the rejection of version 3."""
    return ("back", status, "2", {**OTHERS, **actions})


@pytest.mark.parametrize(
    ("way", "staging", "stopped"),
    [
        (back("InProgress", {}), "3", ["back"]),  # it waits in front of staging
        (back("Failed", {"DeployResourcesStaging": "Failed"}), "3", []),
        (back("InProgress", {"DeployResourcesStaging": "InProgress"}), "2", ["back"]),
        (back("Superseded", {}), "3", []),
    ],
)
@pytest.mark.parametrize("rejected", [2, 4])
def test_whichever_version_is_rejected_next_the_rejected_one_in_production_is_replaced(
    project: Rejection, way: tuple[str, str, str, dict[str, str]], staging: str, stopped: list[str], rejected: int
) -> None:
    """Version 3 was rejected in production. Then the version that was to come back is, or one that was never live."""
    entries = [*IN_TURN, approval(3, 4, "Rejected"), approval(rejected, 5, "Rejected")]
    known = registry(package(1), package(2, "Rejected" if rejected == 2 else "Approved"), package(3, "Rejected"))
    served = deployed({"staging": staging, "prod": "3"})
    answer = project.answer(rejected, served, known, pipeline(OWN, way, *BEFORE), storage(*entries))
    expected = 1 if rejected == 2 else 2
    assert (answer.version and answer.version.number, answer.alone) == (expected, True)
    assert answer.reason.startswith("version 3 was rejected and is live in ")
    assert stopped_by(project) == stopped


def outcome_of(number: int, kept: int = 0, region: str = "us-east-1") -> dict[str, Any]:
    """Production's tests of a version. kept: the one that its endpoint ran instead"""
    arn = package(kept or number)["ModelPackageArn"].replace("us-east-1", region)
    return {"stage": "prod", "version": number, "endpoints": [{"model_package": arn, "as_deployed": not kept}]}


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_what_sagemaker_went_back_to_is_served_whatever_the_stack_names(project: Rejection, region: str) -> None:
    copy = package(2)["ModelPackageArn"].replace("us-east-1", region)
    decided = {"passed": True, "manifest": {"model_package": {"version": 2, "regions": {region: copy}}}}
    held = storage(*IN_TURN, approval(2, 4, "Rejected"), decisions=[decided], outcomes=[outcome_of(3, 2, region)])
    known, runs = registry(package(1), package(2, "Rejected"), package(3)), pipeline(OWN, *BEFORE)
    answer = project.answer(2, deployed({"staging": "3", "prod": "3"}), known, runs, held)
    assert (answer.version and answer.version.number, answer.alone) == (1, False), "the stack names what is approved"
    since = project.answer(2, deployed({"staging": "4", "prod": "4"}), known, runs, held)
    assert (since.version, since.reason) == (None, "version 2 was rejected, which is not live"), "it was replaced"


@pytest.mark.parametrize(
    ("actions", "refused"),
    [
        ({"DeployResourcesProd": "InProgress"}, True),
        ({"DeployResourcesProd": "Succeeded", "TestProd": "InProgress"}, True),
        ({"DeployResourcesProd": "Succeeded", "TestProd": "Succeeded"}, False),
        ({}, False),
    ],
)
def test_a_version_that_its_successor_is_replacing_is_not_called_gone(
    project: Rejection, actions: dict[str, str], refused: bool
) -> None:
    moving = ("c", "InProgress", "3", {**STAGED, "ApproveDeployment": "Succeeded", **actions})
    runs, known = pipeline(OWN, moving, *BEFORE[1:]), registry(package(1), package(2, "Rejected"), package(3))
    held = storage(*IN_TURN, approval(2, 4, "Rejected"), outcomes=[outcome_of(2)])
    served = deployed({"staging": "3", "prod": "3"})
    if refused:
        with pytest.raises(UserError, match="execution c is deploying version 3 to production over version 2, which"):
            project.answer(2, served, known, runs, held)
    else:
        assert project.answer(2, served, known, runs, held).version is None
    assert stopped_by(project) == ([] if refused else ["own"])


LEFT = {"ShadowModelPackageName": package(3)["ModelPackageArn"]}


def test_a_shadow_that_was_left_behind_is_taken_away_with_the_version_that_production_serves(
    project: Rejection,
) -> None:
    left = ("c", "Stopped", "3", {**STAGED, "DeployResourcesShadow": "Succeeded", "TestShadow": "Abandoned"})
    runs = pipeline(OWN, ("d", "InProgress", "4", WAITING), left, *BEFORE[2:])
    known = registry(package(1), package(2), package(3, "Rejected"), package(4))
    entries = [approval(1, 1), approval(2, 2), approval(3, 3), approval(4, 4), approval(3, 5, "Rejected")]
    answer = project.answer(3, deployed({"staging": "4", "prod": "1"}, **LEFT), known, runs, storage(*entries))
    assert (answer.version and answer.version.number, answer.alone) == (1, True), "version 2 never was in production"
    assert answer.reason == "version 3 was rejected and is live in production's shadow: back to version 1"
    assert stopped_by(project) == ["d"]


@pytest.mark.parametrize("removed", ["Failed", "Succeeded"])
def test_only_an_execution_that_will_take_it_away_is_waited_for(project: Rejection, removed: str) -> None:
    first = {**STAGED, "PrepareShadow": "Succeeded", **IN_SHADOW, "TestShadow": "Succeeded", "RemoveShadow": removed}
    moving = ("c", "InProgress", "3", [*first.items(), ("PrepareShadow", "InProgress")])
    known = registry(package(1), package(3, "Rejected"), package(4))
    runs = pipeline(OWN, moving, *BEFORE[2:])
    held = storage(approval(1, 1), approval(3, 3), approval(3, 5, "Rejected"))
    shadow = LEFT if removed == "Failed" else {}
    answer = project.answer(3, deployed({"staging": "4", "prod": "1"}, **shadow), known, runs, held)
    assert (answer.version and answer.version.number) == (1 if shadow else None)
    assert stopped_by(project) == ["c"]


def test_a_stack_whose_creation_failed_serves_nothing(project: Rejection) -> None:
    there = deployed({"staging": "2", "prod": "1"})
    described = there.operations["describe_stacks"]

    def failed(StackName: str) -> Any:  # noqa: N803  # the API's name
        answer = described(StackName)
        if StackName.endswith("-prod"):
            answer["Stacks"][0]["StackStatus"] = "ROLLBACK_COMPLETE"
        return answer

    there.operations["describe_stacks"] = failed
    runs = pipeline(OWN, ("b", "InProgress", "2", WAITING), ("a", "Failed", "1", STAGED))
    answer = project.answer(1, there, registry(package(1, "Rejected"), package(2)), runs, storage())
    assert (answer.version, answer.reason) == (None, "version 1 was rejected, which is not live")
    assert stopped_by(project) == ["own"]


@pytest.mark.parametrize("actions", [WAITING, {**STAGED, **IN_SHADOW}])
def test_where_nothing_can_come_back_what_may_replace_it_goes_on(project: Rejection, actions: dict[str, str]) -> None:
    runs = pipeline(OWN, ("b", "InProgress", "2", actions), *BEFORE[2:])
    entries: Sequence[Any] = [approval(1, 1), approval(2, 2), approval(1, 3, "Rejected")]
    known = registry(package(1, "Rejected"), package(2))
    with pytest.raises(UserError, match="no version was approved before it"):
        project.answer(1, deployed({"staging": "2", "prod": "1"}), known, runs, storage(*entries))
    assert stopped_by(project) == []


@pytest.mark.parametrize(("status", "stopped"), [("InProgress", ["own"]), ("Succeeded", [])])
def test_what_deploys_nothing_overtakes_no_execution_that_waits(
    project: Rejection, status: str, stopped: list[str]
) -> None:
    runs = pipeline(OWN, ("c", status, "3", WAITING), *BEFORE[2:])
    known = registry(package(1), package(3), package(4, "Rejected"))
    answer = project.answer(4, deployed({"staging": "3", "prod": "1"}), known, runs, storage())
    assert (answer.version, stopped_by(project)) == (None, stopped)


@pytest.mark.parametrize(("wanted", "said"), [("rejected-2", True), ("last-approved", False)])
def test_a_repository_with_a_mistake_is_said_to_leave_the_rejected_version_live(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: str, said: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(build.REPOSITORY, str(tmp_path))
    monkeypatch.setattr(build, "asked", lambda *_: wanted)
    with pytest.raises(UserError) as raised:
        build.main()
    expected = "Version 2 was rejected, and nothing was done about it: where it is live, it stays. Bring the"
    assert (expected in str(raised.value)) is said
