"""A state whose query language is JSONPath.

AWS Step Functions Developer Guide, "Processing input and output in Step Functions", "Choice workflow state".
"""

from __future__ import annotations

import fnmatch
import json
import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from localaws.cloud import Cloud
from localaws.services.events.input import ABSENT, select
from localaws.services.stepfunctions import tasks
from localaws.services.stepfunctions.execution import Outcome, StateFailed, StateMachineRun

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


def play(
    cloud: Cloud, execution: StateMachineRun, state: Mapping[str, Any], raw: Any, context: dict[str, Any]
) -> Outcome:
    """What a state puts out."""
    kind = state["Type"]
    data = {} if state.get("InputPath", "$") is None else at(state.get("InputPath", "$"), raw, context)
    following: str | None = state.get("Next")
    if kind == "Fail":
        raise StateFailed(
            at(state["ErrorPath"], data, context) if "ErrorPath" in state else state.get("Error", ""),
            at(state["CausePath"], data, context) if "CausePath" in state else state.get("Cause", ""),
        )
    if kind == "Choice":
        following = _choose(state, data, context)
    elif kind == "Wait":
        cloud.wait(at(state["SecondsPath"], data, context) if "SecondsPath" in state else state["Seconds"])
    elif kind in ("Pass", "Task"):
        given = filled(state["Parameters"], data, context) if "Parameters" in state else data
        if kind == "Pass":
            result = state.get("Result", given)
        else:
            call = partial(tasks.call, cloud, execution, state, given)
            result, caught = tasks.attempt(cloud, state, context, call)
            if caught is not None:
                return Outcome(_put(raw, caught.get("ResultPath", "$"), result), caught["Next"])
        if "ResultSelector" in state:
            result = filled(state["ResultSelector"], result, context)
        data = _put(raw, state.get("ResultPath", "$"), result)
    output = state.get("OutputPath", "$")
    return Outcome({} if output is None else at(output, data, context), following)


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
        found = at(choice["Variable"], data, context)
    except PathNotFound:
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
        test, wanted = test.removesuffix("Path"), at(wanted, data, context)
    kind = next(k for k in KINDS if test.startswith(k))
    if not (_is(found, KINDS[kind]) and _is(wanted, KINDS[kind])):
        return False
    return COMPARE[test.removeprefix(kind)](found, wanted)


def _is(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))
