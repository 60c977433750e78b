"""What CreateStateMachine refuses in a state whose query language is JSONata.

AWS Step Functions Developer Guide, "Transforming data with JSONata in Step Functions", "Passing data between states
with variables"; Amazon States Language, "JSONata Restrictions", "Table of State Types and Fields (JSONata)".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from awslang.errors import NotSupported
from localaws.services.stepfunctions import expressions
from localaws.services.stepfunctions.integrations import check_call, check_handlers
from localaws.services.stepfunctions.refused import schema

COMMON = {"Type", "Comment", "QueryLanguage", "Output", "Assign"}
STEP = {"Next", "End"}
FIELDS: dict[str, set[str]] = {
    "Pass": COMMON | STEP,
    "Task": COMMON | STEP | {"Resource", "Arguments", "Retry", "Catch", "TimeoutSeconds", "HeartbeatSeconds"},
    "Choice": COMMON | {"Choices", "Default"},
    "Wait": COMMON | STEP | {"Seconds", "Timestamp"},
    "Succeed": COMMON - {"Assign"},
    "Fail": COMMON - {"Assign", "Output"} | {"Error", "Cause"},
}
RULE = {"Condition", "Next", "Output", "Assign", "Comment"}
EVALUATED = ("Arguments", "TimeoutSeconds", "HeartbeatSeconds", "Seconds", "Error", "Cause")
NAME_LENGTH = 80  # characters of a variable's name


def check_state(state: Mapping[str, Any], place: str) -> None:
    """AwsError InvalidDefinition; the names of fields and the next states are checked already."""
    kind = state["Type"]
    for key in EVALUATED:
        if key in state:
            _check_value(state[key], f"{place}/{key}", set())
    _check_outcome(state, place, {"result"} if kind == "Task" else set())
    if kind == "Task":
        check_call(state, "Arguments", place)
        check_handlers(state, {"Output", "Assign"}, place)
        for number, catcher in enumerate(state.get("Catch", [])):
            _check_outcome(catcher, f"{place}/Catch[{number}]", {"errorOutput"})
    elif kind == "Choice":
        _check_rules(state, place)
    elif kind == "Wait":
        if "Timestamp" in state:
            raise NotSupported(f"a Wait state until a time ({place.removeprefix('/States/')})")
        if "Seconds" not in state:
            raise schema("Exactly one of Seconds and Timestamp must be given", place)


def _check_rules(state: Mapping[str, Any], place: str) -> None:
    if not state.get("Choices"):
        raise schema("The value of field 'Choices' must be a non-empty array", place)
    for number, rule in enumerate(state["Choices"]):
        where = f"{place}/Choices[{number}]"
        for key in sorted(set(rule) - RULE):
            raise schema(f"Field is not supported: {key}", where)
        condition = rule.get("Condition")
        if not isinstance(condition, bool) and (
            not isinstance(condition, str) or expressions.source(condition) is None
        ):
            raise schema("The value for the field 'Condition' must be a boolean or a JSONata expression", where)
        _check_value(condition, f"{where}/Condition", set())
        _check_outcome(rule, where, set())


def _check_outcome(holder: Mapping[str, Any], place: str, seen: set[str]) -> None:
    """Output and Assign of a state, a catcher or a choice rule; seen: the fields of $states beside those of all."""
    if "Output" in holder:
        _check_value(holder["Output"], f"{place}/Output", seen)
    assigned = holder.get("Assign", {})
    if not isinstance(assigned, dict):
        raise schema("The value of field 'Assign' must be an object", place)
    for name in assigned:
        unicode = name.isidentifier()  # ascii: meant, since AWS takes letters of every language
        if not unicode or name.startswith("_") or len(name) > NAME_LENGTH or name == "states":
            raise schema(f"'{name}' is no valid name of a variable", f"{place}/Assign")
    _check_value(assigned, f"{place}/Assign", seen)


def _check_value(value: Any, place: str, seen: set[str]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if key.endswith(".$"):
                raise schema(f"The field '{key}' is only supported when the query language is JSONPath", place)
            _check_value(item, f"{place}/{key}", seen)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _check_value(item, f"{place}[{number}]", seen)
    elif isinstance(value, str):
        _check_text(value, place, seen)


def _check_text(value: str, place: str, seen: set[str]) -> None:
    if expressions.unclosed(value):
        raise schema("A JSONata expression must start with '{%' and end with '%}'", place)
    expression = expressions.source(value)
    if expression is None:
        return
    try:
        found = expressions.references(expression)
    except expressions.ExpressionFailed as error:
        raise schema(f"The JSONata expression is invalid: {error}", place) from error
    for name in sorted({"result", "errorOutput"} - seen):
        if name in found["states"]:
            raise schema(f"$states.{name} is not accessible in this field", place)
    if "eval" in found["variables"]:
        raise schema("The JSONata function $eval is not available", place)
    if found["document"]:
        raise schema("A JSONata expression must not refer to an input document ($, $$ or a field's bare name)", place)
