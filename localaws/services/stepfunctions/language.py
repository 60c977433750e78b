"""The part of the Amazon States Language that is supported, and what CreateStateMachine refuses.

Amazon States Language specification and AWS Step Functions Developer Guide, "Using Amazon States
Language to define Step Functions workflows", "State machine structure in Amazon States Language", "Processing input and
output in Step Functions". Played: Pass, Task with an aws-sdk integration, a Lambda function or a
transform job (jobs.py), Choice, Wait, Succeed, Fail; JSONPath without intrinsic functions and variables, JSONata
(jsonata_checks.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from awslang.errors import NotSupported
from localaws.services.events.input import PATH
from localaws.services.stepfunctions import jsonata_checks
from localaws.services.stepfunctions.integrations import check_call, check_handlers
from localaws.services.stepfunctions.refused import invalid, schema

SIZE_LIMIT = 1_048_576  # bytes of a definition
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
    for key in set(definition) - {"Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage"}:
        raise schema(f"Field is not supported: {key}", "/")
    states = definition.get("States")
    if not isinstance(states, dict) or not states:
        raise schema("The value of field 'States' must be a non-empty object", "/")
    if definition.get("StartAt") not in states:
        raise invalid(f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {definition.get('StartAt')} at /StartAt")
    whole = _query_language(definition, "JSONPath", "/")
    for name, state in states.items():
        _check_state(name, state, states, whole)
    _check_reachable(definition)
    return definition


def _query_language(holder: Mapping[str, Any], default: str, place: str) -> str:
    """ "You cannot revert a top-level JSONata-based state machine to a mix of JSONata and JSONPath states"."""
    found: str = holder.get("QueryLanguage", default)
    if found not in ("JSONPath", "JSONata"):
        raise schema(f"'QueryLanguage' must be JSONPath or JSONata, not {found}", place)
    if default == "JSONata" and found == "JSONPath":
        raise schema("'QueryLanguage' can not be 'JSONPath' in a state machine whose own is 'JSONata'", place)
    return found


def query_language(definition: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """The query language of a state of a checked definition."""
    language: str = state.get("QueryLanguage", definition.get("QueryLanguage", "JSONPath"))
    return language


def _check_state(name: str, state: Any, states: Mapping[str, Any], default: str) -> None:
    place = f"/States/{name}"
    kind = state.get("Type") if isinstance(state, dict) else None
    if len(name) > 80:
        raise schema("The name of a state has at most 80 characters", place)
    if kind in ("Map", "Parallel"):
        raise NotSupported(f"the state type {kind} ({name})")
    if kind not in FIELDS:
        raise schema(f"These fields are required: [Type]; '{kind}' is not a type of state", place)
    jsonata = _query_language(state, default, place) == "JSONata"
    if not jsonata and "Assign" in state and kind not in ("Succeed", "Fail"):
        raise NotSupported(f"Assign in a state whose query language is JSONPath ({name})")
    for key in sorted(set(state) - (jsonata_checks.FIELDS if jsonata else FIELDS)[kind]):
        raise schema(f"Field is not supported: {key}", place)
    _check_targets(state, states, place)
    if jsonata:
        jsonata_checks.check_state(state, place)
    else:
        _check_jsonpath(state, place)


def _check_jsonpath(state: Mapping[str, Any], place: str) -> None:
    for key in ("InputPath", "OutputPath", "ResultPath", "SecondsPath", "ErrorPath", "CausePath"):
        if state.get(key) is not None:
            _check_path(state[key], f"{place}/{key}", context=key in ("InputPath", "OutputPath"))
    for key in ("Parameters", "ResultSelector"):
        if key in state:
            _check_template(state[key], f"{place}/{key}")
    if state["Type"] in CHECKS:
        CHECKS[state["Type"]](state, place)


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
        if "Assign" in choice:
            raise NotSupported(f"Assign in a state whose query language is JSONPath ({place}/Choices[{number}])")
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
    check_call(state, "Parameters", place)
    check_handlers(state, {"ResultPath"}, place)


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


CHECKS: dict[str, Callable[[Mapping[str, Any], str], None]] = {
    "Choice": _check_choices,
    "Task": _check_task,
    "Wait": _check_wait,
}
