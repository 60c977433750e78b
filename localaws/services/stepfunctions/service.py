"""The operations of Step Functions."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import arn, new_id
from localaws.service import Service
from localaws.services.stepfunctions import jobs, language
from localaws.services.stepfunctions.execution import StateMachineRun
from localaws.services.stepfunctions.run import run
from localaws.services.stepfunctions.tasks import PRINCIPAL

stepfunctions = Service("stepfunctions", invalid="ValidationException")

NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
INPUT_LIMIT = 262_144  # bytes


@dataclass
class Machine:
    """One state machine."""

    arn: str
    name: str
    role_arn: str
    text: str
    definition: Mapping[str, Any]
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    revision: str = field(default_factory=new_id)
    tags: dict[str, str] = field(default_factory=dict)
    runs: dict[str, StateMachineRun] = field(default_factory=dict)  # by name


@dataclass
class StatesState:
    """State machines by ARN."""

    machines: dict[str, Machine] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def _state(call: Call) -> StatesState:
    return call.cloud.state(StatesState, call.account, call.region)


def _machine(call: Call, machine_arn: str) -> Machine:
    if not machine_arn.startswith("arn:") or ":stateMachine:" not in machine_arn:
        raise AwsError("InvalidArn", f"Invalid Arn: '{machine_arn}'")
    found = _state(call).machines.get(machine_arn)
    if found is None:
        raise AwsError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{machine_arn}'")
    return found


def _run(call: Call) -> StateMachineRun:
    execution_arn = call.params["executionArn"]
    for machine in _state(call).machines.values():
        for execution in machine.runs.values():
            if execution.arn == execution_arn:
                return execution
    raise AwsError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{execution_arn}'")


def _check_role(call: Call, role_arn: str, machine_arn: str, definition: Mapping[str, Any]) -> None:
    source = {"SourceArn": machine_arn, "SourceAccount": call.account}
    try:
        session = call.cloud.service_role(role_arn, "create", PRINCIPAL, call.region, **source)
    except AwsError as error:
        raise AwsError(
            "AccessDeniedException",
            f"Neither the global service principal {PRINCIPAL}, nor the regional one is authorized to assume the "
            f"provided role. ({error.message})",
        ) from error
    jobs.check_rule(session, role_arn, definition)


def _refuse_unsupported(params: Mapping[str, Any]) -> None:
    if params.get("type", "STANDARD") != "STANDARD":
        raise NotSupported(f"state machines of the type {params['type']}")
    if params.get("loggingConfiguration", {}).get("level", "OFF") != "OFF":
        raise NotSupported("the log of a state machine")
    if params.get("tracingConfiguration", {}).get("enabled"):
        raise NotSupported("tracing of a state machine")
    if params.get("encryptionConfiguration", {}).get("type", "AWS_OWNED_KEY") != "AWS_OWNED_KEY":
        raise NotSupported("a state machine that is encrypted with a customer managed key")
    if params.get("publish"):
        raise NotSupported("versions of a state machine")


# -- state machines ----------------------------------------------------------------------------


@stepfunctions.operation("CreateStateMachine")
def create_state_machine(call: Call) -> dict[str, Any]:
    given = call.params
    if not NAME.fullmatch(given["name"]):
        raise AwsError("InvalidName", f"Invalid Name: '{given['name']}'")
    _refuse_unsupported(given)
    definition = language.parse(given["definition"])
    machine_arn = arn("states", call.region, call.account, f"stateMachine:{given['name']}")
    _check_role(call, given["roleArn"], machine_arn, definition)
    tags = {tag["key"]: tag["value"] for tag in given.get("tags", [])}
    state = _state(call)
    with state.lock:
        known = state.machines.get(machine_arn)
        if known is not None and (known.text, known.role_arn) != (given["definition"], given["roleArn"]):
            raise AwsError("StateMachineAlreadyExists", f"State Machine Already Exists: '{machine_arn}'")
        if known is None:
            known = Machine(machine_arn, given["name"], given["roleArn"], given["definition"], definition, tags=tags)
            state.machines[machine_arn] = known
    return {"stateMachineArn": machine_arn, "creationDate": known.created}


@stepfunctions.operation("UpdateStateMachine")
def update_state_machine(call: Call) -> dict[str, Any]:
    """Running executions keep the definition that they began with."""
    machine = _machine(call, call.params["stateMachineArn"])
    _refuse_unsupported(call.params)
    if not {"definition", "roleArn"} & set(call.params):
        raise AwsError("MissingRequiredParameter", "Either the definition, the role ARN, … must be specified")
    definition = language.parse(call.params.get("definition", machine.text))
    role = call.params.get("roleArn", machine.role_arn)
    _check_role(call, role, machine.arn, definition)
    machine.text, machine.definition, machine.role_arn = call.params.get("definition", machine.text), definition, role
    machine.revision = new_id()
    return {"updateDate": datetime.now(UTC), "revisionId": machine.revision}


@stepfunctions.operation("DeleteStateMachine")
def delete_state_machine(call: Call) -> dict[str, Any]:
    with _state(call).lock:
        _state(call).machines.pop(call.params["stateMachineArn"], None)
    return {}


@stepfunctions.operation("DescribeStateMachine")
def describe_state_machine(call: Call) -> dict[str, Any]:
    machine = _machine(call, call.params["stateMachineArn"])
    return {
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "status": "ACTIVE",
        "definition": machine.text,
        "roleArn": machine.role_arn,
        "type": "STANDARD",
        "creationDate": machine.created,
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
        "tracingConfiguration": {"enabled": False},
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
        "revisionId": machine.revision,
    }


@stepfunctions.operation("ListStateMachines")
def list_state_machines(call: Call) -> dict[str, Any]:
    found = sorted(_state(call).machines.values(), key=lambda machine: machine.name)
    shown = [{"stateMachineArn": m.arn, "name": m.name, "type": "STANDARD", "creationDate": m.created} for m in found]
    return {"stateMachines": shown}


@stepfunctions.operation("ValidateStateMachineDefinition")
def validate_state_machine_definition(call: Call) -> dict[str, Any]:
    try:
        language.parse(call.params["definition"])
    except NotSupported:
        raise
    except AwsError as error:
        diagnostic = {"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": error.message}
        return {"result": "FAIL", "diagnostics": [diagnostic], "truncated": False}
    return {"result": "OK", "diagnostics": [], "truncated": False}


# -- executions --------------------------------------------------------------------------------


@stepfunctions.operation("StartExecution")
def start_execution(call: Call) -> dict[str, Any]:
    machine = _machine(call, call.params["stateMachineArn"])
    text, name = call.params.get("input", "{}"), call.params.get("name") or new_id()
    if not NAME.fullmatch(name):
        raise AwsError("InvalidName", f"Invalid Name: '{name}'")
    try:
        json.loads(text)
    except ValueError as error:
        raise AwsError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from error
    if len(text.encode()) > INPUT_LIMIT:
        raise AwsError("InvalidExecutionInput", f"The input is longer than {INPUT_LIMIT} bytes")
    with _state(call).lock:
        known = machine.runs.get(name)
        if known is not None:
            if known.status == "RUNNING" and known.input == text:
                return {"executionArn": known.arn, "startDate": known.started}
            raise AwsError("ExecutionAlreadyExists", f"Execution Already Exists: '{known.arn}'")
        execution_arn = arn("states", call.region, call.account, f"execution:{machine.name}:{name}")
        execution = StateMachineRun(execution_arn, machine.arn, name, text, machine.role_arn, machine.definition)
        machine.runs[name] = execution
    call.cloud.background(f"state machine execution {execution_arn}", run, call.cloud, execution)
    return {"executionArn": execution_arn, "startDate": execution.started}


@stepfunctions.operation("StopExecution")
def stop_execution(call: Call) -> dict[str, Any]:
    execution = _run(call)
    if execution.status == "RUNNING":
        execution.status, execution.stopped = "ABORTED", datetime.now(UTC)
        execution.error, execution.cause = call.params.get("error", ""), call.params.get("cause", "")
    return {"stopDate": execution.stopped}


def _shown(execution: StateMachineRun) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "executionArn": execution.arn,
        "stateMachineArn": execution.machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.started,
    }
    if execution.stopped:
        shown["stopDate"] = execution.stopped
    return shown


@stepfunctions.operation("DescribeExecution")
def describe_execution(call: Call) -> dict[str, Any]:
    execution = _run(call)
    ended = {"output": execution.output, "error": execution.error, "cause": execution.cause}
    return {**_shown(execution), "input": execution.input, **{k: v for k, v in ended.items() if v}}


@stepfunctions.operation("ListExecutions")
def list_executions(call: Call) -> dict[str, Any]:
    """The newest first."""
    if ("stateMachineArn" in call.params) == ("mapRunArn" in call.params):
        raise AwsError("ValidationException", "Exactly one of stateMachineArn and mapRunArn must be given")
    if "mapRunArn" in call.params:
        raise NotSupported("the executions of a map run")
    machine = _machine(call, call.params["stateMachineArn"])
    status = call.params.get("statusFilter")
    runs = sorted(machine.runs.values(), key=lambda execution: execution.started, reverse=True)
    return {"executions": [_shown(execution) for execution in runs if status in (None, execution.status)]}


@stepfunctions.operation("GetExecutionHistory")
def get_execution_history(call: Call) -> dict[str, Any]:
    events = list(_run(call).history)
    return {"events": events[::-1] if call.params.get("reverseOrder") else events}


# -- tags --------------------------------------------------------------------------------------


@stepfunctions.operation("TagResource")
def tag_resource(call: Call) -> dict[str, Any]:
    _machine(call, call.params["resourceArn"]).tags.update({t["key"]: t["value"] for t in call.params["tags"]})
    return {}


@stepfunctions.operation("UntagResource")
def untag_resource(call: Call) -> dict[str, Any]:
    machine = _machine(call, call.params["resourceArn"])
    for key in call.params["tagKeys"]:
        machine.tags.pop(key, None)
    return {}


@stepfunctions.operation("ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    tags = _machine(call, call.params["resourceArn"]).tags
    return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
