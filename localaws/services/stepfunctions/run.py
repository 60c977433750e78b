"""One execution of a state machine.

AWS Step Functions Developer Guide, "Automating Step Functions event delivery with EventBridge", "Accessing execution
data from the Context object in Step Functions", "Monitoring Step Functions metrics using Amazon CloudWatch".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from localaws.cloud import Cloud
from localaws.services.cloudwatch import own_metrics
from localaws.services.events.service import emit
from localaws.services.stepfunctions import language, paths, queries
from localaws.services.stepfunctions.execution import StateFailed, StateMachineRun


def run(cloud: Cloud, execution: StateMachineRun) -> None:
    """Play the execution to its end."""
    _tell(cloud, execution)
    details = {"input": execution.input, "roleArn": execution.role_arn}
    execution.note("ExecutionStarted", executionStartedEventDetails=details)
    try:
        output = _walk(cloud, execution)
        if execution.status != "RUNNING":  # stopped in the meantime
            return
        execution.output, execution.status = json.dumps(output), "SUCCEEDED"
        execution.note("ExecutionSucceeded", executionSucceededEventDetails={"output": execution.output})
    except StateFailed as failed:
        if execution.status != "RUNNING":
            return
        execution.error, execution.cause, execution.status = failed.error, failed.cause, "FAILED"
        details = {"error": failed.error, "cause": failed.cause}
        execution.note("ExecutionFailed", executionFailedEventDetails=details)
    execution.stopped = datetime.now(UTC)
    _tell(cloud, execution)


def _tell(cloud: Cloud, execution: StateMachineRun) -> None:
    """The state of an execution, as an event and a metric."""
    cloud.changed(execution.arn)
    _, _, _, region, account, _ = execution.arn.split(":", 5)
    ends = {"RUNNING": "ExecutionsStarted", "SUCCEEDED": "ExecutionsSucceeded", "FAILED": "ExecutionsFailed"}
    machine = {"StateMachineArn": execution.machine_arn}
    own_metrics.publish(cloud, account, region, "AWS/States", [(ends[execution.status], 1.0, "Count")], machine)
    emit(
        cloud,
        account,
        region,
        source="aws.states",
        detail_type="Step Functions Execution Status Change",
        resources=[execution.arn],
        detail={
            "executionArn": execution.arn,
            "stateMachineArn": execution.machine_arn,
            "name": execution.name,
            "status": execution.status,
            "startDate": int(execution.started.timestamp() * 1000),
            "stopDate": int(execution.stopped.timestamp() * 1000) if execution.stopped else None,
            "input": execution.input,
            "output": execution.output or None,
        },
    )


def _walk(cloud: Cloud, execution: StateMachineRun) -> Any:
    data, name = json.loads(execution.input), execution.definition["StartAt"]
    while execution.status == "RUNNING" and not cloud.stopping.is_set():
        state = execution.definition["States"][name]
        kind = state["Type"]
        execution.note(f"{kind}StateEntered", stateEnteredEventDetails={"name": name, "input": json.dumps(data)})
        context = _context(execution, name)
        try:
            if language.query_language(execution.definition, state) == "JSONata":
                outcome = queries.play(cloud, execution, name, state, data, context)
            else:
                outcome = paths.play(cloud, execution, state, data, context)
        except paths.PathNotFound as error:
            raise StateFailed(
                "States.Runtime", f"An error occurred while executing the state '{name}'. {error}"
            ) from error
        data = outcome.output
        execution.variables.update(outcome.assigned)
        details: dict[str, Any] = {"name": name, "output": json.dumps(data)}
        if outcome.assigned:
            details["assignedVariables"] = {key: json.dumps(item) for key, item in outcome.assigned.items()}
        execution.note(f"{kind}StateExited", stateExitedEventDetails=details)
        if outcome.following is None:
            break
        name = outcome.following
    return data


def _context(execution: StateMachineRun, state: str) -> dict[str, Any]:
    """The context object ("Accessing execution data from the Context object in Step Functions")."""
    stamp = execution.started.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return {
        "Execution": {
            "Id": execution.arn,
            "Input": json.loads(execution.input),
            "Name": execution.name,
            "RoleArn": execution.role_arn,
            "StartTime": stamp,
        },
        "StateMachine": {"Id": execution.machine_arn, "Name": execution.machine_arn.rsplit(":", 1)[1]},
        "State": {"Name": state, "EnteredTime": stamp, "RetryCount": 0},
    }
