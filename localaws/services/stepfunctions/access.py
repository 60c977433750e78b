"""What authorization asks of Step Functions: state machines, executions, and their tags."""

from __future__ import annotations

from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access
from localaws.services.stepfunctions.service import stepfunctions


def resources(call: Call, types: list[str]) -> list[str]:
    params = call.params
    for key in ("executionArn", "stateMachineArn", "activityArn", "resourceArn", "mapRunArn"):
        if isinstance(params.get(key), str):
            return [params[key]]
    if call.operation == "CreateStateMachine":
        return [arn("states", call.region, call.account, f"stateMachine:{params['name']}")]
    return []


stepfunctions.access = Access(resources=resources)
