"""The part of the Amazon States Language that is supported, and what CreateStateMachine refuses.

Amazon States Language specification and AWS Step Functions Developer Guide, "Using Amazon States
Language to define Step Functions workflows", "Learning to use AWS service SDK integrations in Step
Functions", "Processing input and output in Step Functions". Played: Pass, Task with an
aws-sdk integration or a Lambda function, Choice, Wait, Succeed, Fail; JSONPath without intrinsic functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel

from awslang.errors import AwsError, NotSupported
from localaws.services.events.input import ABSENT, PATH, select
from localaws.services.stepfunctions import functions

SIZE_LIMIT = 1_048_576  # bytes of a definition
SDK = "arn:aws:states:::aws-sdk:"
# aws-sdk names that are not botocore's
SERVICES = {
    "sfn": "stepfunctions",
    "eventbridge": "events",
    "cloudwatchlogs": "logs",
    "secretsmanager": "secretsmanager",
}
INPUT = {"Type", "Comment", "InputPath", "OutputPath", "QueryLanguage"}
STEP = {"Next", "End"}
FIELDS: dict[str, set[str]] = {
    "Pass": INPUT | STEP | {"Result", "ResultPath", "Parameters"},
    "Task": INPUT
    | STEP
    | {
        "Resource",
        "Parameters",
        "ResultSelector",
        "ResultPath",
        "Retry",
        "Catch",
        "TimeoutSeconds",
        "HeartbeatSeconds",
    },
    "Choice": INPUT | {"Choices", "Default"},
    "Wait": INPUT | STEP | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"},
    "Succeed": INPUT,
    "Fail": {"Type", "Comment", "Error", "Cause", "ErrorPath", "CausePath", "QueryLanguage"},
}
COMPARISONS = {
    f"{kind}{test}{path}"
    for kind, tests in {
        "String": ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"),
        "Numeric": ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"),
        "Boolean": ("Equals",),
    }.items()
    for test in tests
    for path in ("", "Path")
} | {"StringMatches", "IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean"}


def invalid(message: str) -> AwsError:
    return AwsError("InvalidDefinition", f"Invalid State Machine Definition: '{message}'")


def schema(message: str, place: str) -> AwsError:
    return invalid(f"SCHEMA_VALIDATION_FAILED: {message} at {place}")


def parse(text: str) -> dict[str, Any]:
    """The checked definition; AwsError InvalidDefinition where AWS refuses it, NotSupported where we do."""
    if len(text.encode()) > SIZE_LIMIT:
        raise invalid(f"The definition is longer than {SIZE_LIMIT} bytes")
    try:
        definition = json.loads(text)
    except ValueError as error:
        raise invalid(f"INVALID_JSON_DESCRIPTION: {error}") from error
    if not isinstance(definition, dict):
        raise schema("the definition is not an object", "/")
    if definition.get("QueryLanguage", "JSONPath") != "JSONPath":
        raise NotSupported(f"the query language {definition['QueryLanguage']} of a state machine")
    for key in set(definition) - {"Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage"}:
        raise schema(f"Field is not supported: {key}", "/")
    states = definition.get("States")
    if not isinstance(states, dict) or not states:
        raise schema("The value of field 'States' must be a non-empty object", "/")
    if definition.get("StartAt") not in states:
        raise invalid(f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {definition.get('StartAt')} at /StartAt")
    for name, state in states.items():
        _check_state(name, state, states)
    _check_reachable(definition)
    return definition


def _check_state(name: str, state: Any, states: Mapping[str, Any]) -> None:
    place = f"/States/{name}"
    kind = state.get("Type") if isinstance(state, dict) else None
    if len(name) > 80:
        raise schema("The name of a state has at most 80 characters", place)
    if kind in ("Map", "Parallel"):
        raise NotSupported(f"the state type {kind} ({name})")
    if kind not in FIELDS:
        raise schema(f"These fields are required: [Type]; '{kind}' is not a type of state", place)
    if state.get("QueryLanguage", "JSONPath") != "JSONPath":
        raise NotSupported(f"the query language {state['QueryLanguage']} of the state {name}")
    for key in set(state) - FIELDS[kind]:
        raise schema(f"Field is not supported: {key}", place)
    _check_targets(state, states, place)
    for key in ("InputPath", "OutputPath", "ResultPath", "SecondsPath", "ErrorPath", "CausePath"):
        if state.get(key) is not None:
            _check_path(state[key], f"{place}/{key}", context=key in ("InputPath", "OutputPath"))
    for key in ("Parameters", "ResultSelector"):
        if key in state:
            _check_template(state[key], f"{place}/{key}")
    if kind in CHECKS:
        CHECKS[kind](state, place)


def _check_targets(state: Mapping[str, Any], states: Mapping[str, Any], place: str) -> None:
    if "Next" in FIELDS[state["Type"]]:
        if ("Next" in state) == ("End" in state):
            raise schema("Exactly one of Next and End must be given", place)
        if "End" in state and state["End"] is not True:
            raise schema("End must be true", place)
    for target, where in _targets(state):
        if target not in states:
            raise invalid(f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {target} at {place}{where}")


def _check_wait(state: Mapping[str, Any], place: str) -> None:
    if "TimestampPath" in state or "Timestamp" in state:
        raise NotSupported(f"a Wait state until a time ({place.removeprefix('/States/')})")
    if ("Seconds" in state) == ("SecondsPath" in state):
        raise schema("Exactly one of Seconds and SecondsPath must be given", place)


def _check_choices(state: Mapping[str, Any], place: str) -> None:
    if not state.get("Choices"):
        raise schema("The value of field 'Choices' must be a non-empty array", place)
    for number, choice in enumerate(state["Choices"]):
        _check_choice({k: v for k, v in choice.items() if k not in ("Next", "Comment")}, f"{place}/Choices[{number}]")


def _targets(state: Mapping[str, Any]) -> list[tuple[Any, str]]:
    found = [(state[key], f"/{key}") for key in ("Next", "Default") if key in state]
    found += [(c.get("Next"), f"/Choices[{n}]/Next") for n, c in enumerate(state.get("Choices", []))]
    found += [(c.get("Next"), f"/Catch[{n}]/Next") for n, c in enumerate(state.get("Catch", []))]
    return found


def _check_reachable(definition: Mapping[str, Any]) -> None:
    found, todo = set(), [definition["StartAt"]]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [target for target, _ in _targets(definition["States"][name])]
    if missed := sorted(set(definition["States"]) - found):
        raise invalid(f'MISSING_TRANSITION_TARGET: State "{missed[0]}" is not reachable. at /States/{missed[0]}')


def _check_path(path: Any, place: str, context: bool = True) -> None:
    if isinstance(path, str) and path.startswith("States."):
        raise NotSupported(f"an intrinsic function at {place}: {path}")
    plain = path[1:] if isinstance(path, str) and path.startswith("$$") and context else path
    if not isinstance(plain, str) or not PATH.fullmatch(plain):
        raise schema(f"The value for the field must be a valid JSONPath: {path}", place)


def _check_template(value: Any, place: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if key.endswith(".$"):
                _check_path(item, f"{place}/{key}")
            else:
                _check_template(item, f"{place}/{key}")
    elif isinstance(value, list):
        for item in value:
            _check_template(item, place)


def _check_task(state: Mapping[str, Any], place: str) -> None:
    resource = state.get("Resource", "")
    if not resource.startswith("arn:"):
        raise schema("The value for the field 'Resource' must be a valid ARN", f"{place}/Resource")
    if functions.calls_function(resource):
        if problem := functions.problem(state.get("Parameters", {}), resource):
            raise schema(problem, f"{place}/Parameters")
    elif not resource.startswith(SDK):
        raise NotSupported(f"the Task resource {resource} ({place})")
    elif (operation := task_operation(resource, place)[1]).input_shape is not None:
        _check_members(state.get("Parameters", {}), operation.input_shape, f"{place}/Parameters")
    for key, needed in (("Retry", set()), ("Catch", {"Next"})):
        for number, item in enumerate(state.get(key, [])):
            known = {"Retry": {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds"},
                     "Catch": {"ErrorEquals", "Next", "ResultPath"}}[key]  # fmt: skip
            where = f"{place}/{key}[{number}]"
            if "JitterStrategy" in item:
                raise NotSupported(f"JitterStrategy at {where}")
            if unknown := set(item) - known - {"Comment"}:
                raise schema(f"Field is not supported: {sorted(unknown)[0]}", where)
            if not item.get("ErrorEquals") or needed - set(item):
                raise schema(
                    "These fields are required: [ErrorEquals, Next]" if needed else "ErrorEquals is required", where
                )


def task_operation(resource: str, place: str = "") -> tuple[str, OperationModel]:
    """botocore's service name and the operation of an aws-sdk resource."""
    name, _, action = resource.removeprefix(SDK).partition(":")
    if "." in action:
        raise NotSupported(f"the service integration pattern {action.split('.', 1)[1]} ({resource})")
    service = SERVICES.get(name, name)
    known = _session().get_available_services()
    operation = action[:1].upper() + action[1:]
    model = _model(service) if service in known else None
    if model is None or action[:1].isupper() or operation not in model.operation_names:
        raise schema(
            f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the "
            "resource is not available in this region.",
            f"{place}/Resource",
        )
    return service, model.operation_model(operation)


@cache
def _session() -> Any:
    return botocore.session.Session()


@cache
def _model(service: str) -> Any:
    return _session().get_service_model(service)


def members(shape: Any) -> dict[str, str]:
    """PascalCase name, as a state machine writes it, to the API's own name."""
    return {name[:1].upper() + name[1:]: name for name in shape.members}


def _check_members(value: Any, shape: Any, place: str) -> None:
    if shape.type_name == "structure" and isinstance(value, dict):
        known = members(shape)
        for key, item in value.items():
            name = key.removesuffix(".$")
            if name not in known:
                raise schema(f'The field "{name}" is not supported by Step Functions', place)
            if name == key:
                _check_members(item, shape.members[known[name]], f"{place}/{key}")
        missing = [n for n, own in known.items() if own in shape.required_members and not {n, f"{n}.$"} & set(value)]
        if missing:
            raise schema(f'The field "{missing[0]}" is required but was missing', place)
    elif shape.type_name == "list" and isinstance(value, list):
        for number, item in enumerate(value):
            _check_members(item, shape.member, f"{place}[{number}]")


def _check_choice(choice: Mapping[str, Any], place: str) -> None:
    for key in ("And", "Or"):
        if key in choice:
            for item in choice[key]:
                _check_choice(item, place)
            return
    if "Not" in choice:
        _check_choice(choice["Not"], place)
        return
    tests = set(choice) - {"Variable"}
    if "Variable" not in choice or len(tests) != 1:
        raise schema("A choice rule has a Variable and exactly one comparison", place)
    [test] = tests
    if test.startswith("Timestamp") or test == "IsTimestamp":
        raise NotSupported(f"the comparison {test} at {place}")
    if test not in COMPARISONS:
        raise schema(f"Field is not supported: {test}", place)
    _check_path(choice["Variable"], place)


# -- values ------------------------------------------------------------------------------------


class PathNotFound(Exception):
    """A JSONPath that leads nowhere."""


def at(path: str, data: Any, context: Mapping[str, Any]) -> Any:
    """The value at a path of the input ($.a) or of the context object ($$.Execution.Id)."""
    found = select(path[1:], context) if path.startswith("$$") else select(path, data)
    if found is ABSENT:
        raise PathNotFound(path)
    return found


def filled(template: Any, data: Any, context: Mapping[str, Any]) -> Any:
    """A payload template (Parameters, ResultSelector) with its paths replaced by their values."""
    if isinstance(template, list):
        return [filled(item, data, context) for item in template]
    if not isinstance(template, dict):
        return template
    made = {}
    for key, value in template.items():
        if key.endswith(".$"):
            try:
                made[key.removesuffix(".$")] = at(value, data, context)
            except PathNotFound as error:
                raise PathNotFound(
                    f"The JSONPath '{value}' specified for the field '{key}' could not be found in the input "
                    f"'{json.dumps(data)}'"
                ) from error
        else:
            made[key] = filled(value, data, context)
    return made


CHECKS: dict[str, Callable[[Mapping[str, Any], str], None]] = {
    "Choice": _check_choices,
    "Task": _check_task,
    "Wait": _check_wait,
}
