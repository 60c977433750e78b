"""An execution of a state machine, and how one of its states fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

STEPS = 25_000  # events of one execution's history


class StateFailed(Exception):
    """A state that fails: its error name and cause."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


@dataclass(frozen=True)
class Outcome:
    """What a state puts out, the state after it (None at the end), and the variables that it assigns."""

    output: Any
    following: str | None
    assigned: Mapping[str, Any] = field(default_factory=dict)


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
    variables: dict[str, Any] = field(default_factory=dict)

    def note(self, kind: str, **details: Any) -> None:
        """One event of the history."""
        number = len(self.history) + 1
        if number > STEPS:
            raise StateFailed("States.Runtime", "The execution reached the maximum number of history events (25000).")
        event = {"timestamp": datetime.now(UTC), "type": kind, "id": number, "previousEventId": number - 1}
        self.history.append(event | details)
