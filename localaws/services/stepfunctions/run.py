"""One execution of a state machine.

AWS Step Functions Developer Guide, "Processing input and output in Step Functions", "Handling errors
in Step Functions workflows", "Learning to use AWS service SDK integrations in Step Functions".
"""

from __future__ import annotations

import fnmatch
import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from awslang.errors import AwsError
from localaws.cloud import Cloud, Session
from localaws.services.events.service import emit
from localaws.services.stepfunctions import functions, language

PRINCIPAL = "states.amazonaws.com"
STEPS = 25_000  # events of one execution's history
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}
KINDS: dict[str, tuple[type, ...]] = {
    "String": (str,),
    "Numeric": (int, float),
    "Boolean": (bool,),
    "Null": (type(None),),
}


class StateFailed(Exception):
    """A state that fails: its error name and cause."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


@dataclass
class StateMachineRun:
    """An execution, as DescribeExecution and GetExecutionHistory show it."""

    arn: str
    machine_arn: str
    name: str
    input: str
    role_arn: str
    definition: Mapping[str, Any]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    stopped: datetime | None = None
    status: str = "RUNNING"
    output: str = ""
    error: str = ""
    cause: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)

    def note(self, kind: str, **details: Any) -> None:
        """One event of the history."""
        number = len(self.history) + 1
        if number > STEPS:
            raise StateFailed("States.Runtime", "The execution reached the maximum number of history events (25000).")
        event = {"timestamp": datetime.now(UTC), "type": kind, "id": number, "previousEventId": number - 1}
        self.history.append(event | details)


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
    """Developer Guide, "Automating Step Functions event delivery with EventBridge"."""
    cloud.changed(execution.arn)
    _, _, _, region, account, _ = execution.arn.split(":", 5)
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
            data, following = _play(cloud, execution, name, state, data, context)
        except language.PathNotFound as error:
            raise StateFailed(
                "States.Runtime", f"An error occurred while executing the state '{name}'. {error}"
            ) from error
        execution.note(f"{kind}StateExited", stateExitedEventDetails={"name": name, "output": json.dumps(data)})
        if following is None:
            break
        name = following
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


def _play(
    cloud: Cloud, execution: StateMachineRun, name: str, state: Mapping[str, Any], raw: Any, context: dict[str, Any]
) -> tuple[Any, str | None]:
    """What a state puts out, and the state after it (None at the end)."""
    kind = state["Type"]
    data = {} if state.get("InputPath", "$") is None else language.at(state.get("InputPath", "$"), raw, context)
    following: str | None = state.get("Next")
    if kind == "Fail":
        raise StateFailed(
            language.at(state["ErrorPath"], data, context) if "ErrorPath" in state else state.get("Error", ""),
            language.at(state["CausePath"], data, context) if "CausePath" in state else state.get("Cause", ""),
        )
    if kind == "Choice":
        following = _choose(state, data, context)
    elif kind == "Wait":
        cloud.wait(language.at(state["SecondsPath"], data, context) if "SecondsPath" in state else state["Seconds"])
    elif kind in ("Pass", "Task"):
        given = language.filled(state["Parameters"], data, context) if "Parameters" in state else data
        if kind == "Pass":
            result = state.get("Result", given)
        else:
            result, caught = _task(cloud, execution, name, state, given, context)
            if caught is not None:
                return _put(raw, caught.get("ResultPath", "$"), result), caught["Next"]
        if "ResultSelector" in state:
            result = language.filled(state["ResultSelector"], result, context)
        data = _put(raw, state.get("ResultPath", "$"), result)
    output = state.get("OutputPath", "$")
    return ({} if output is None else language.at(output, data, context)), following


def _put(raw: Any, path: str | None, result: Any) -> Any:
    """The state's input with its result at ResultPath; null throws the result away."""
    if path is None:
        return raw
    if path == "$":
        return result
    if not isinstance(raw, dict):
        raise StateFailed(
            "States.ResultPathMatchFailure", f"The result cannot be put at {path} of an input that is no object"
        )
    made = place = json.loads(json.dumps(raw))
    *steps, last = path.removeprefix("$.").split(".")
    for step in steps:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            raise StateFailed("States.ResultPathMatchFailure", f"The result cannot be put at {path}")
    place[last] = result
    return made


# -- tasks -------------------------------------------------------------------------------------


def _task(
    cloud: Cloud, execution: StateMachineRun, name: str, state: Mapping[str, Any], given: Any, context: dict[str, Any]
) -> tuple[Any, Mapping[str, Any] | None]:
    """The result, or an error's output with the catcher that takes it."""
    tried = [0] * len(state.get("Retry", []))
    while True:
        try:
            return _call(cloud, execution, state, given), None
        except StateFailed as failed:
            details = {
                "error": failed.error,
                "cause": failed.cause,
                "resourceType": "aws-sdk",
                "resource": state["Resource"],
            }
            execution.note("TaskFailed", taskFailedEventDetails=details)
            again = _retrier(state, failed, tried)
            if again is not None:
                cloud.wait(again)
                context["State"]["RetryCount"] += 1
                continue
            for catcher in state.get("Catch", []):
                if _named(catcher["ErrorEquals"], failed):
                    return {"Error": failed.error, "Cause": failed.cause}, catcher
            raise


def _retrier(state: Mapping[str, Any], failed: StateFailed, tried: list[int]) -> float | None:
    """How long to wait before the next try; None when there is none."""
    for number, retrier in enumerate(state.get("Retry", [])):
        if _named(retrier["ErrorEquals"], failed):
            if tried[number] >= retrier.get("MaxAttempts", 3):
                return None
            delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** tried[number]
            tried[number] += 1
            return float(min(delay, retrier.get("MaxDelaySeconds", delay)))
    return None


def _named(errors: list[str], failed: StateFailed) -> bool:
    """States.ALL and States.TaskFailed do not cover States.Runtime."""
    if failed.error in errors:
        return True
    wide = "States.ALL" in errors or "States.TaskFailed" in errors
    return wide and failed.error != "States.Runtime"


def _call(cloud: Cloud, execution: StateMachineRun, state: Mapping[str, Any], given: Any) -> Any:
    """The API call, made as the state machine's role."""
    if functions.calls_function(state["Resource"]):
        return _call_function(cloud, execution, state, given)
    service, operation = language.task_operation(state["Resource"])
    region = execution.arn.split(":")[3]
    details = {"resourceType": "aws-sdk", "resource": state["Resource"], "region": region}
    execution.note("TaskScheduled", taskScheduledEventDetails={**details, "parameters": json.dumps(given)})
    shape = operation.input_shape
    arguments = to_api(given, shape) if shape is not None else {}
    try:
        session = _session(cloud, execution)
        answer = session.client(service)._make_api_call(operation.name, arguments)
    except ClientError as error:
        cause = error.response["Error"]
        model = operation.service_model
        code = cause["Code"] if cause["Code"].endswith("Exception") else f"{cause['Code']}Exception"
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        raise StateFailed(
            f"{service_name(model.service_id)}.{code}",
            f"{cause['Message']} (Service: {model.service_id}, Status Code: {status}, "
            f"Request ID: {error.response['ResponseMetadata'].get('RequestId', '')})",
        ) from error
    except ParamValidationError as error:
        raise StateFailed(
            "States.Runtime", f"The Parameters '{json.dumps(given)}' could not be used to start the Task: [{error}]"
        ) from error
    answer.pop("ResponseMetadata", None)
    result = from_api(answer, operation.output_shape) if operation.output_shape is not None else {}
    execution.note("TaskSucceeded", taskSucceededEventDetails={**details, "output": json.dumps(result)})
    return result


def _session(cloud: Cloud, execution: StateMachineRun) -> Session:
    """The state machine's role."""
    _, _, _, region, account, _ = execution.arn.split(":", 5)
    source = {"SourceArn": execution.machine_arn, "SourceAccount": account}
    try:
        return cloud.service_role(execution.role_arn, execution.name[:64], PRINCIPAL, region, **source)
    except AwsError as error:
        raise StateFailed(
            "States.TaskFailed", f"The role {execution.role_arn} cannot be assumed: {error.message}"
        ) from error


def _call_function(cloud: Cloud, execution: StateMachineRun, state: Mapping[str, Any], given: Any) -> Any:
    details = {"resourceType": "lambda", "resource": state["Resource"].rsplit(":", 1)[-1]}
    execution.note(
        "TaskScheduled",
        taskScheduledEventDetails={**details, "region": execution.arn.split(":")[3], "parameters": json.dumps(given)},
    )
    try:
        result = functions.invoke(_session(cloud, execution), state["Resource"], given)
    except functions.FunctionFailed as failed:
        raise StateFailed(failed.error, failed.cause) from failed
    execution.note("TaskSucceeded", taskSucceededEventDetails={**details, "output": json.dumps(result)})
    return result


def service_name(service_id: str) -> str:
    """The service in an error's name: SSM is Ssm, DynamoDB is DynamoDb, ACM PCA is AcmPca."""
    words = re.findall(r"[A-Z]+(?![a-z])[0-9]*|[A-Z][a-z0-9]*|[a-z0-9]+", service_id)
    return "".join(word[:1].upper() + word[1:].lower() for word in words)


def to_api(value: Any, shape: Any) -> Any:
    """PascalCase parameters as the API names them."""
    if shape.type_name == "structure" and isinstance(value, dict):
        known = language.members(shape)
        return {known.get(k, k): to_api(v, shape.members[known[k]]) if k in known else v for k, v in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [to_api(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: to_api(item, shape.value) for key, item in value.items()}
    return value


def from_api(value: Any, shape: Any) -> Any:
    """An answer as a state machine sees it: PascalCase members, times as text."""
    if shape.type_name == "structure" and isinstance(value, dict):
        return {k[:1].upper() + k[1:]: from_api(v, shape.members[k]) for k, v in value.items() if k in shape.members}
    if shape.type_name == "list" and isinstance(value, list):
        return [from_api(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: from_api(item, shape.value) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if hasattr(value, "read"):
        value = value.read()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


# -- choices -----------------------------------------------------------------------------------


def _choose(state: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> str:
    for choice in state["Choices"]:
        if _chosen(choice, data, context):
            return str(choice["Next"])
    if "Default" not in state:
        raise StateFailed("States.NoChoiceMatched", "No choice rule matched and the state has no Default")
    return str(state["Default"])


def _chosen(choice: Mapping[str, Any], data: Any, context: Mapping[str, Any]) -> bool:
    if "And" in choice:
        return all(_chosen(item, data, context) for item in choice["And"])
    if "Or" in choice:
        return any(_chosen(item, data, context) for item in choice["Or"])
    if "Not" in choice:
        return not _chosen(choice["Not"], data, context)
    [(test, wanted)] = [(k, v) for k, v in choice.items() if k not in ("Variable", "Next", "Comment")]
    try:
        found = language.at(choice["Variable"], data, context)
    except language.PathNotFound:
        if test == "IsPresent":
            return wanted is False
        raise
    if test == "IsPresent":
        return wanted is True
    if test.startswith("Is"):
        return _is(found, KINDS[test.removeprefix("Is")]) is wanted
    if test == "StringMatches":
        return isinstance(found, str) and fnmatch.fnmatchcase(found, wanted.replace("[", "[[]").replace("?", "[?]"))
    if test.endswith("Path"):
        test, wanted = test.removesuffix("Path"), language.at(wanted, data, context)
    kind = next(k for k in KINDS if test.startswith(k))
    if not (_is(found, KINDS[kind]) and _is(wanted, KINDS[kind])):
        return False
    return COMPARE[test.removeprefix(kind)](found, wanted)


def _is(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))
