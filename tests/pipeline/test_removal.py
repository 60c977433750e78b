"""Which stages are removed after production, and what keeps one; what their files may say; what Build waits for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pipeline import removal
from pipeline.console import UserError
from pipeline.live import STAGE_ROLE, LiveStage
from scripts.kit.bundle.settings_schema import settings_schema
from tests.support import ROOT
from tests.support.fake_services import Fake, error

TEMPLATE = (
    "Parameters:\n  InstanceType:\n    Type: String\n  Release:\n    Type: Number\n    Default: 1\n\nResources:\n"
)
WANTED = {"InstanceType": "ml.m5.large"}
AS_DEPLOYED = LiveStage("CREATE_COMPLETE", {**WANTED, "Release": "1"}, (("333333333333", "us-east-1"),))


def manifest(**stages: bool | None) -> dict[str, Any]:
    """None: the file does not say it"""
    return {
        "stages": {
            name: {"config": {} if asked is None else {removal.KEY: asked}}
            for name, asked in {**stages, "prod": None}.items()
        }
    }


def words(now: Mapping[str, LiveStage] | LiveStage = AS_DEPLOYED, others: tuple[str, ...] = (), **stages: Any) -> Any:
    """What the action exports where every stage has what this execution deployed, unless now says otherwise."""
    given = stages or {"staging": True}
    found = dict.fromkeys(given, now) if isinstance(now, LiveStage) else now
    return removal.words(manifest(**given), lambda _: WANTED, lambda name: found[name], TEMPLATE, others)


@pytest.mark.parametrize(
    ("stages", "variable", "word"),
    [
        ({"staging": True}, "staging", {"STAGING": "deploy"}),
        ({"staging": None}, "none", {"STAGING": "kept-deploy"}),
        ({"staging": False, "qa": True}, "qa", {"STAGING": "kept-deploy", "QA": "deploy"}),
        ({"staging": True, "qa": True}, "staging,qa", {"STAGING": "deploy", "QA": "deploy"}),
    ],
)
def test_a_stage_is_removed_where_its_file_asks_for_it(
    stages: dict[str, Any], variable: str, word: dict[str, str]
) -> None:
    assert removal.exported(manifest(**stages)["stages"]) == variable
    assert words(**stages) == word


@pytest.mark.parametrize(
    ("now", "others", "why"),
    [
        (AS_DEPLOYED, ("run-2",), "execution run-2 is under way"),
        (LiveStage(), (), "it has no stack"),
        (
            LiveStage("UPDATE_COMPLETE", {**AS_DEPLOYED.parameters, "Release": "2"}, AS_DEPLOYED.places),
            (),
            "another execution has deployed to it: Release is 2, deployed was 1",
        ),
    ],
)
def test_a_stage_that_another_execution_uses_is_kept(
    now: LiveStage, others: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words(now, others) == {"STAGING": "kept-deploy"}
    assert f"staging: kept, since {why}\n" in capsys.readouterr().err


def test_other_executions_are_those_in_a_stage_and_those_that_wait_for_one() -> None:
    def state(**found: Any) -> dict[str, Any]:
        return {"stageName": "x", **found}

    def one(name: str, status: str) -> dict[str, str]:
        return {"pipelineExecutionId": name, "status": status}

    states = [
        state(),
        state(latestExecution=one("own", "InProgress")),
        state(latestExecution=one("failed", "Failed")),
        state(latestExecution=one("waits for an approver", "InProgress")),
        state(latestExecution=one("own", "Succeeded"), inboundExecution=one("in front", "InProgress")),
        state(latestExecution=one("stopping", "Stopping"), inboundExecutions=[one("in front", "InProgress")]),
    ]
    assert removal.other_executions(states, "own") == ["waits for an approver", "in front", "stopping"]


@pytest.mark.parametrize(
    ("file", "config", "problem"),
    [
        ("staging-config.json", {}, ""),
        ("staging-config.json", {removal.KEY: False}, ""),
        ("qa-config.json", {removal.KEY: True}, ""),
        (
            "staging-config.json",
            {removal.KEY: "true"},
            'staging-config.json: remove_after_production is "true": write true or false, such as true',
        ),
        (
            "prod-config.json",
            {removal.KEY: True},
            "prod-config.json: remove_after_production is true: it is for the stages before production. Take it out, "
            "and write it into the file of such a stage, staging-config.json, such as true",
        ),
    ],
)
def test_the_setting_is_true_or_false_and_not_productions(file: str, config: dict[str, Any], problem: str) -> None:
    assert list(removal.problems_of(file, config)) == ([problem] if problem else [])


def test_the_schema_of_the_settings_has_it() -> None:
    schema = json.loads(settings_schema((ROOT / "templates/40-stage.yaml").read_bytes()))
    assert schema["properties"][removal.KEY]["type"] == "boolean"


def stack(*states: str) -> Fake:
    """CloudFormation with a stack in these states, one after the other; "" for gone."""
    left = list(states)

    def described(**_: Any) -> Any:
        if state := left.pop(0):
            return {"Stacks": [{"StackStatus": state, "RoleARN": f"arn:aws:iam::111111111111{STAGE_ROLE}"}]}
        return error("DescribeStacks", "ValidationError", "Stack with id x does not exist")

    return Fake(describe_stacks=described)


def test_a_deployment_waits_until_its_stage_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "POLL_SECONDS", (0.0, 0.0))
    for states in (
        ["CREATE_COMPLETE"],
        [""],
        ["DELETE_IN_PROGRESS"] * 3 + [""],
        ["DELETE_IN_PROGRESS", "DELETE_FAILED"],
    ):
        cloudformation: Any = stack(*states)
        removal.wait_for(cloudformation, "x")
        with pytest.raises(IndexError):
            cloudformation.describe_stacks()
    monkeypatch.setattr(removal, "POLL_LIMIT", -1.0)
    endless: Any = stack("DELETE_IN_PROGRESS")
    with pytest.raises(UserError, match="the stack x is still being deleted"):
        removal.wait_for(endless, "x")
