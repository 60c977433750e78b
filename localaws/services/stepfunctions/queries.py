"""A state whose query language is JSONata.

AWS Step Functions Developer Guide, "Transforming data with JSONata in Step Functions", "Passing data between states
with variables"; Amazon States Language, "Input and Output Processing with JSONata", "JSONata Runtime Errors".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localaws.cloud import Cloud
from localaws.services.stepfunctions import expressions, tasks
from localaws.services.stepfunctions.execution import Outcome, StateFailed, StateMachineRun

LONGEST = 99_999_999  # seconds of a Wait state or a time limit
KINDS: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float), "boolean": (bool,)}
NAMES = {"bool": "boolean", "str": "string", "int": "number", "float": "number", "list": "array", "dict": "object"}


@dataclass
class Scope:
    """What the expressions of one state see."""

    execution: StateMachineRun
    name: str
    entered: int  # the event of the history with which the state began
    states: dict[str, Any]  # $states

    def value(self, field: str, given: Any, **more: Any) -> Any:
        """A field's value with its expressions evaluated; more: further fields of $states."""
        if isinstance(given, dict):
            return {key: self.value(f"{field}/{key}", item, **more) for key, item in given.items()}
        if isinstance(given, list):
            return [self.value(f"{field}[{number}]", item, **more) for number, item in enumerate(given)]
        expression = expressions.source(given) if isinstance(given, str) else None
        if expression is None:
            return given
        try:
            found = expressions.evaluate(expression, {**self.execution.variables, "states": {**self.states, **more}})
        except expressions.ExpressionFailed as error:
            raise self.failed(field, given, f"threw an error during evaluation. {error}") from error
        if found is expressions.UNDEFINED:
            raise self.failed(field, given, "returned nothing (undefined).")
        return found

    def typed(self, field: str, given: Any, kind: str) -> Any:
        """The same, of a field that takes one type."""
        found = self.value(field, given)
        if not isinstance(found, KINDS[kind]) or (kind == "number" and isinstance(found, bool)):
            was = NAMES.get(type(found).__name__, "null")
            problem = f"Expected '{kind}', but was '{was}' for value: {json.dumps(found)}"
            raise self.failed(field, given, f"returned an unexpected result type. {problem}")
        return found

    def seconds(self, field: str, given: Any, least: int) -> int:
        found = self.typed(field, given, "number")
        if found != int(found) or not least <= found <= LONGEST:
            problem = f"returned {found}, which is no integer from {least} to {LONGEST}."
            raise self.failed(field, given, problem)
        return int(found)

    def outcome(
        self, holder: Mapping[str, Any], default: Any, following: str | None, place: str = "", **more: Any
    ) -> Outcome:
        """Output and Assign of a state, a catcher or a choice rule."""
        output = self.value(f"{place}Output", holder["Output"], **more) if "Output" in holder else default
        return Outcome(output, following, self.value(f"{place}Assign", holder.get("Assign", {}), **more))

    def failed(self, field: str, given: Any, problem: str) -> StateFailed:
        error = "States.QueryEvaluationError"
        expression = expressions.source(given) if isinstance(given, str) else json.dumps(given)
        cause = (
            f"An error occurred while executing the state '{self.name}' (entered at the event id #{self.entered}). "
            f"The JSONata expression '{expression}' specified for the field '{field}' {problem}"
        )
        details = {"error": error, "cause": cause, "location": field, "state": self.name}
        self.execution.note("EvaluationFailed", evaluationFailedEventDetails=details)
        return StateFailed(error, cause)


def play(
    cloud: Cloud, execution: StateMachineRun, name: str, state: Mapping[str, Any], data: Any, context: dict[str, Any]
) -> Outcome:
    """What a state puts out."""
    scope = Scope(execution, name, len(execution.history), {"input": data, "context": context})
    kind, following = state["Type"], state.get("Next")
    if kind == "Task":
        return _task(cloud, scope, state)
    if kind == "Choice":
        return _choice(scope, state)
    if kind == "Fail":
        raise StateFailed(*(scope.typed(key, state.get(key, ""), "string") for key in ("Error", "Cause")))
    if kind == "Wait":
        cloud.wait(scope.seconds("Seconds", state["Seconds"], 0))
    return scope.outcome(state, data, following)


def _task(cloud: Cloud, scope: Scope, state: Mapping[str, Any]) -> Outcome:
    def once() -> Outcome:
        for field in ("TimeoutSeconds", "HeartbeatSeconds"):
            if field in state:
                scope.seconds(field, state[field], 1)
        given = scope.value("Arguments", state["Arguments"]) if "Arguments" in state else scope.states["input"]
        result = tasks.call(cloud, scope.execution, state, given)
        return scope.outcome(state, result, state.get("Next"), result=result)

    made, caught = tasks.attempt(cloud, state, scope.states["context"], once)
    if caught is None:
        done: Outcome = made
        return done
    place = f"Catch[{state['Catch'].index(caught)}]/"
    return scope.outcome(caught, made, caught["Next"], place, errorOutput=made)


def _choice(scope: Scope, state: Mapping[str, Any]) -> Outcome:
    for number, rule in enumerate(state["Choices"]):
        place = f"Choices[{number}]/"
        if scope.typed(f"{place}Condition", rule["Condition"], "boolean"):
            return scope.outcome(rule, scope.states["input"], rule["Next"], place)
    if "Default" not in state:
        raise StateFailed("States.NoChoiceMatched", "No choice rule matched and the state has no Default")
    return scope.outcome(state, scope.states["input"], state["Default"])
