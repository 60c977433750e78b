"""What `make history` tells of the record (test_rollback_story.py reads a real one)."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.kit.projects import deployments, history
from scripts.kit.projects.deployments import Deployment, History
from scripts.kit.projects.history import PipelineExecution
from scripts.kit.projects.project import Project

PROJECT = Project("iris", "p-abc", "CreateCompleted")
APPROVAL = {"at": "2026-01-01T10:00:00Z", "version": 3, "status": "Approved", "by": {"UserProfileName": "ana"}}
FAILED = {
    "stage": "prod", "version": 3, "passed": False, "at": "2026-01-01T11:30:00+00:00", "problems": [],
    "endpoints": [
        {"account": "1" * 12, "region": "us-east-1", "failed": ["no answer", "slow"]},
        {"account": "2" * 12, "region": "us-east-1", "failed": []},
    ],
}  # fmt: skip
STAGING = {**FAILED, "stage": "staging", "passed": True, "endpoints": [], "at": "2026-01-01T11:00:00+00:00"}
ADMITTED = {
    "version": 3, "passed": True, "at": "2026-01-01T11:20:00+00:00", "manifest": {"commit_id": "c"},
    "approval": {"by": "arn:aws:sts::111111111111:assumed-role/Approver/bo"},
}  # fmt: skip
REFUSED = {**ADMITTED, "passed": False, "reason": "production is not as it stands on the card"}


def tell(record: dict[str, Any], *runs: PipelineExecution) -> History:
    found = {key: value if isinstance(value, bytes) else json.dumps(value).encode() for key, value in record.items()}
    return deployments.tell(PROJECT, found, runs)


def only(record: dict[str, Any], *runs: PipelineExecution) -> Deployment:
    (found,) = tell({"record/approvals/a.json": APPROVAL, **record}, *runs).deployments
    return found


def ran(status: str, version: str = "3", **actions: str) -> PipelineExecution:
    return PipelineExecution("e1", status, datetime(2026, 1, 1, 10, 30, tzinfo=UTC), version, actions=actions)


def refused(by: str, comment: str) -> PipelineExecution:
    answers = {"ApproveDeployment": (by, comment)}
    return replace(ran("Failed", ApproveDeployment="Failed"), answers=answers)


STAGED = {"record/outcomes/e1/staging-1.json": STAGING}
DECIDED = {**STAGED, "record/decisions/e1/1.json": ADMITTED}


@pytest.mark.parametrize(
    ("record", "run", "result"),
    [
        ({}, ran("InProgress"), "InProgress"),
        ({}, ran("Failed", "", Build="Failed"), "failed in Build"),
        (STAGED, refused("", ""), "refused by the approver"),
        (
            STAGED,
            refused("arn:aws:sts::111111111111:assumed-role/Approver/bo", "too\nlate"),
            "refused by bo: too\nlate",
        ),
        (
            STAGED,
            replace(refused("", ""), expired=frozenset({"ApproveDeployment"})),
            "not answered by an approver within seven days",
        ),
        (STAGED, ran("Stopped"), "tested in staging, Stopped"),
        (STAGED, None, "tested in staging, no further"),
        (
            {"record/outcomes/e1/staging-1.json": {**STAGING, "passed": False, "problems": ["another version"]}},
            ran("Failed"),
            "failed in staging: another version",
        ),
        (DECIDED, ran("InProgress"), "let through to production, InProgress"),
        (
            {**STAGED, "record/decisions/e1/1.json": REFUSED},
            ran("Failed"),
            "refused by the gate: production is not as it stands on the card",
        ),
        (
            {**DECIDED, "record/outcomes/e1/prod-1.json": FAILED},
            None,
            "failed in production: 111111111111 us-east-1: no answer (and 1 more check)",
        ),
        (
            {
                **DECIDED,
                "record/outcomes/e1/prod-1.json": FAILED,
                "record/outcomes/e1/prod-2.json": {**FAILED, "passed": True, "at": "2026-01-01T12:00:00+00:00"},
            },
            None,
            "in production",
        ),
    ],
)
def test_a_deployment_says_how_it_ended(record: dict[str, Any], run: PipelineExecution | None, result: str) -> None:
    assert only(record, *([run] if run else [])).result == result


@pytest.mark.parametrize(("after", "expired"), [(timedelta(days=7), True), (timedelta(days=6, hours=23), False)])
def test_an_approval_that_fails_after_seven_days_was_refused_by_no_person(after: timedelta, expired: bool) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    action = {
        "actionName": "ApproveDeployment",
        "status": "Failed",
        "startTime": at,
        "lastUpdateTime": at + after,
        "output": {"executionResult": {}},
    }
    run = history.execution({"pipelineExecutionId": "e", "status": "Failed", "startTime": at}, [action])
    assert run.expired == ({"ApproveDeployment"} if expired else set())


def test_a_deployment_names_the_author_of_the_version_and_the_approver() -> None:
    found = only({**DECIDED, "record/outcomes/e1/prod-1.json": FAILED})
    assert (found.author, found.manifest) == ("ana", {"commit_id": "c"})
    assert deployments.rows([found])[0][:6] == ["2026-01-01 11:00", "3", "0/0", "1/2", "ana", "bo"]


def test_an_approval_after_the_deployment_is_not_its_author() -> None:
    later = {**APPROVAL, "at": "2026-02-01T00:00:00Z", "by": {"UserProfileName": "eve"}}
    assert only({**DECIDED, "record/approvals/b.json": later}).author == "ana"


def test_an_execution_without_a_version_that_went_well_is_none() -> None:
    assert tell({}, ran("Succeeded", "")).deployments == ()


def test_a_forged_entry_is_named_and_hides_nothing() -> None:
    history = tell({**DECIDED, "record/outcomes/e1/prod-1.json": b"[", "record/decisions/e1/2.json": b"[]"})
    assert history.unreadable == ("record/decisions/e1/2.json", "record/outcomes/e1/prod-1.json")
    assert [one.version for one in history.deployments] == ["3"]


def test_an_export_is_the_same_bytes_and_holds_the_entries_as_they_are() -> None:
    found = {"record/approvals/a.json": b'{"at": "x"}', "evidence/e1/1.html": b"<p>", "other": b"not of the record"}
    history = deployments.tell(PROJECT, found, [])
    first = deployments.export(history, found)
    assert first == deployments.export(history, dict(reversed(found.items())))
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        names = {name: archive.read(name) for name in archive.namelist()}
    assert {"record/approvals/a.json", "evidence/e1/1.html", "history.json", "SHA256SUMS"} == {*names}
    assert names["evidence/e1/1.html"] == b"<p>"


def test_an_answer_makes_no_line_of_its_own_in_the_table() -> None:
    forged = {**FAILED, "endpoints": [{"account": "1", "region": "r", "failed": ["a\n2026 7 in production\x1b[2J"]}]}
    (row,) = deployments.rows([only({**DECIDED, "record/outcomes/e1/prod-1.json": forged})])
    assert row[-1] == "failed in production: 1 r: a 2026 7 in production?[2J"


def test_the_table_has_a_column_for_each_further_stage_in_which_a_deployment_was_tested() -> None:
    tested = {"record/outcomes/e1/staging-1.json": {**FAILED, "passed": True, "stage": "staging"}}
    of_two = deployments.table_of([only(tested)])
    assert of_two[0][2:4] == ["STAGING", "PROD"]
    found = only({**tested, "record/outcomes/e1/qa-1.json": {**FAILED, "stage": "qa"}})
    header, ((_, _, *cells),) = deployments.table_of([found])
    assert dict(zip(header[2:5], cells, strict=False)) == {"STAGING": "1/2", "QA": "1/2", "PROD": "-"}
    assert found.result.startswith("failed in qa: ")
