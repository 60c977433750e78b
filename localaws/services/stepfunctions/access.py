"""What authorization asks of Step Functions: state machines, executions, and their tags."""

from __future__ import annotations

from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.service import Access
from localaws.services.stepfunctions.service import StatesState, stepfunctions


def resources(call: Call, types: list[str]) -> list[str]:
    params = call.params
    for key in ("executionArn", "stateMachineArn", "activityArn", "resourceArn", "mapRunArn"):
        if isinstance(params.get(key), str):
            return [params[key]]
    if call.operation == "CreateStateMachine":
        return [arn("states", call.region, call.account, f"stateMachine:{params['name']}")]
    return []


def tags(cloud: Cloud, resource: str, region: str) -> dict[str, str]:
    """A state machine's."""
    _, _, _, region, account, _ = resource.split(":", 5)
    found = cloud.state(StatesState, account, region).machines.get(resource)
    return dict(found.tags) if found is not None else {}


stepfunctions.access = Access(resources=resources, tags=tags)
