"""State machines: how tests write one and run it."""

from __future__ import annotations

import json
from typing import Any

from localaws.cloud import Cloud
from tests.support.codepipeline_setting import ACCOUNT, REGION
from tests.support.roles import EVERYTHING, make_role
from tests.support.waiting import until


def definition(**states: Any) -> str:
    """Of these states, which begins with the first."""
    return json.dumps({"StartAt": next(iter(states)), "States": states})


def jsonata(**states: Any) -> str:
    """The same, whose query language is JSONata."""
    return json.dumps({"QueryLanguage": "JSONata", **json.loads(definition(**states))})


def played(cloud: Cloud, text: str, given: Any) -> dict[str, Any]:
    """The execution of a new state machine, once it has ended."""
    client = cloud.root(ACCOUNT, REGION).client("stepfunctions")
    machine = client.create_state_machine(
        name="machine", definition=text, roleArn=make_role(cloud, "states", "states", EVERYTHING)
    )["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    until(lambda: client.describe_execution(executionArn=execution)["status"] != "RUNNING")
    found: dict[str, Any] = client.describe_execution(executionArn=execution)
    return found


def events(cloud: Cloud, ended: dict[str, Any]) -> list[dict[str, Any]]:
    """The history of an execution that has ended."""
    client = cloud.root(ACCOUNT, REGION).client("stepfunctions")
    found: list[dict[str, Any]] = client.get_execution_history(executionArn=ended["executionArn"])["events"]
    return found
