"""The step Card: what it waits for, and what it finds out for the card that only CodePipeline and git know."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.console import UserError
from tests.support.fake_services import REGION, Fake, error
from tests.support.gate_world import STARTED, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_card_waits_for_a_deployment_to_production_and_shows_what_is_live_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.build()

    def finished(seconds: float) -> None:
        world.live = "2"

    monkeypatch.setattr(time, "sleep", finished)
    world.busy = ["run-0", "run-0"]
    said = json.loads(world.bucket.held[world.card()["CARD_KEY"].replace(".html", ".json")])
    assert (said["busy"], said["stages"]["prod"]["from"]) == ("", "2")


def test_staging_is_shown_as_it_was_before_this_execution_deployed_to_it(world: World) -> None:
    world.build()
    world.live, world.parameters = "2", {"InstanceType": "y"}  # staging is deployed, and production by another one
    said = json.loads(world.bucket.held[world.card()["CARD_KEY"].replace(".html", ".json")])
    staging, prod = said["stages"]["staging"], said["stages"]["prod"]
    assert (staging["from"], prod["from"]) == ("1", "2")
    changed = [[one["name"] for one in stage["settings"]] for stage in (staging, prod)]
    assert changed == [["InitialInstanceCount"], ["InitialInstanceCount", "InstanceType"]]


def test_a_stage_that_gets_what_it_has_is_unchanged(world: World) -> None:
    world.live = "2"
    world.build()
    for stage in ("staging", "prod"):
        parameters = json.loads((world.kit / f"out/{stage}-parameters.json").read_text())["Parameters"]
        assert parameters["InstanceType"] == "x"
    key = world.card()["CARD_KEY"]
    said = json.loads(world.bucket.held[key.replace(".html", ".json")])
    assert not any(stage["unchanged"] for stage in said["stages"].values())  # the stack has not every parameter yet
    world.parameters = parameters
    text = world.card()["SUMMARY"]
    assert "version 2 (unchanged), 1 account in us-east-1, nothing changes" in text


def test_a_stage_that_is_removed_after_production_costs_nothing_then(world: World) -> None:
    world.repository.mkdir()
    (world.repository / "staging-config.json").write_text(
        '{"Parameters": {"InstanceType": "x"}, "remove_after_production": true}'
    )
    assert world.build()["REMOVE"] == "staging"
    key = world.card()["CARD_KEY"]
    said = json.loads(world.bucket.held[key.replace(".html", ".json")])["stages"]["staging"]
    assert (said["removed"], said["cost"]["after"]) == (True, 0.0)
    assert b"<li>Removed once production has passed its tests</li>" in world.bucket.held[key]


def test_without_a_setting_no_stage_is_removed(world: World) -> None:
    assert world.build()["REMOVE"] == "none"
    assert b"Removed once production" not in world.bucket.held[world.card()["CARD_KEY"]]


@pytest.mark.parametrize(
    ("variables", "codecommit", "author"),
    [
        ({"AuthorDisplayName": "Ann", "RepositoryName": "r"}, None, "Ann"),
        ({"RepositoryName": "r"}, {"commit": {"author": {"name": "Bob\u202e"}}}, "Bob?"),
        ({"RepositoryName": "r"}, error("GetCommit", "AccessDeniedException"), ""),
        ({}, None, ""),
    ],
)
def test_the_card_names_the_commit_of_the_settings_and_who_wrote_it(
    world: World, variables: dict[str, str], codecommit: Any, author: str
) -> None:
    world.build()
    said = {"CommitId": "c0ffee", "CommitMessage": "Serve\nproduction", "AuthorDate": "2026-11-29T20:30:11Z"}
    source = {"stageName": "Source", "actionName": "Source", "status": "Succeeded", "startTime": STARTED}
    world.actions.append({**source, "output": {"outputVariables": said | variables}})
    world.shown["artifactRevisions"] = [{"revisionId": "c0ffee", "revisionUrl": "https://git/c0ffee"}]
    world.codecommit = Fake(get_commit=codecommit)
    shown = json.loads(world.bucket.held[world.card()["CARD_KEY"].replace(".html", ".json")])["commit"]
    known = {
        "id": "c0ffee",
        "message": "Serve production",
        "date": "2026-11-29T20:30:11Z",
        "link": "https://git/c0ffee",
    }
    assert shown == known | ({"author": author} if author else {})


def test_a_card_that_cannot_wait_any_longer_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.build()
    monkeypatch.setattr("pipeline.gate.POLL_LIMIT", -1.0)
    world.busy = ["run-0"]
    assert "Execution run-0 was deploying to production" in world.bucket.held[world.card()["CARD_KEY"]].decode()


def test_its_own_execution_is_not_waited_for(world: World) -> None:
    world.build()
    world.busy = ["run-1"]
    assert world.card()["CARD_KEY"]


def test_no_card_is_made_of_an_exchanged_artifact(world: World) -> None:
    world.build()
    with (world.kit / "out/prod-parameters.json").open("a") as file:
        file.write(" ")
    with pytest.raises(UserError, match="is not what the Build step wrote"):
        world.card()
    assert world.bucket.documents("evidence/") == []


def test_a_way_back_that_no_approver_saw_is_nothing_to_compare_with(world: World) -> None:
    """A push without the gates, then a rejection of the live version: production goes back unasked, with that push."""
    (world.folder / "repository").mkdir(exist_ok=True)
    world.build()
    held = json.loads((world.kit / "out/deployment.json").read_text())
    rules = {"auc": {"goal": "maximize", "bound": 0.9}}
    decision = {"passed": True, "arn": held["model_package"]["arn"]}
    seen = {**decision, "at": "2026-02-01", "approval": {"by": "bob"}, "manifest": {**held, "gates": {"rules": rules}}}
    world.bucket.note("record/decisions/run-a/1.json", seen)
    world.bucket.note("record/decisions/run-b/1.json", {**decision, "at": "2026-02-02", "manifest": held})
    shown = json.loads(world.bucket.held[world.card()["CARD_KEY"].replace(".html", ".json")])
    assert shown["first"] == ["the metric gate auc is taken away"]


QA = {"EXECUTION_ROLE_QA_NAME": "role-qa", "ORGANIZATIONAL_UNIT_QA_ID": "ou-s", "QA_REGIONS": REGION}


@pytest.mark.parametrize(
    ("changes", "passed"),
    [({}, True), ({"passed": False}, False), ({"manifest_sha256": "another"}, False), ({"stage": "staging"}, False)],
)
def test_the_card_says_whether_what_is_deployed_passed_the_tests_of_each_stage_between(
    world: World, changes: dict[str, Any], passed: bool
) -> None:
    sha256 = world.build(**QA)["MANIFEST_SHA256"]
    entry = {"stage": "qa", "passed": True, "manifest_sha256": sha256, "endpoints": [{}, {}], "at": "2026-01-01"}
    world.bucket.note("record/outcomes/run-1/qa-1.json", {**entry, **changes})
    world.bucket.note("record/outcomes/run-0/qa-1.json", entry)  # of another execution
    summary = world.card()["SUMMARY"]
    said = "QA: the record has no tests of this deployment that passed"
    assert (said in summary) is not passed
    assert ("qa passed on 2 endpoints" in summary) is passed
