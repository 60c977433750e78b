"""JSONata expressions: they are evaluated by a process of their own, which is ended where it does not answer.

AWS Step Functions Developer Guide, "Transforming data with JSONata in Step Functions".
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from localaws.containers import process

ANSWER_SECONDS = 10  # more than an expression's own second: what the worker itself cannot interrupt
UNDEFINED = object()


class ExpressionFailed(Exception):
    """Why an expression has no value."""


def source(value: str) -> str | None:
    """The expression in {% %}; None for plain text."""
    return value[2:-2].strip() if value.startswith("{%") and value.endswith("%}") and len(value) >= 4 else None


def unclosed(value: str) -> bool:
    """Whether a string opens or closes an expression without being one."""
    return source(value) is None and (value.lstrip().startswith("{%") or value.rstrip().endswith("%}"))


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """The value, or UNDEFINED; ExpressionFailed."""
    return _worker.ask({"expression": expression, "variables": dict(variables)}).get("value", UNDEFINED)


def references(expression: str) -> dict[str, Any]:
    """The fields of $states ("states"), the variables and functions ("variables"), and whether it needs an input
    document ("document"); ExpressionFailed for a syntax error."""
    return _worker.ask({"expression": expression})


class _Worker:
    """localaws/containers/jsonata_worker.py, started with the first expression; it ends with this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self._process is None:
                self._process = process.start("jsonata_worker", Path(), {}, subprocess.DEVNULL)
            line = self._line(self._process, json.dumps(request))
            if not line:
                self._process.kill()
                self._process.communicate()
                self._process = None
        answer: dict[str, Any] = json.loads(line) if line else {"error": "Expression evaluation timeout"}
        if "error" in answer:
            raise ExpressionFailed(answer["error"])
        return answer

    @staticmethod
    def _line(running: subprocess.Popen[str], request: str) -> str:
        """The answer; "" where the worker has ended, or had to be ended."""
        assert running.stdin is not None
        assert running.stdout is not None
        late = threading.Timer(ANSWER_SECONDS, running.kill)
        late.start()
        try:
            with suppress(BrokenPipeError):
                running.stdin.write(request + "\n")
                running.stdin.flush()
            return running.stdout.readline()
        finally:
            late.cancel()


_worker = _Worker()
