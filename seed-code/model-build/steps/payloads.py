"""Golden payloads for the deploy repository: rows that the training has not seen, with what the model answers to them.

They are a beginning. Read the answers before you take them over, and add the cases that must never go wrong.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from steps.common import Settings
from steps.metrics import Answer

MOST = 6
BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # control characters, and what ends a line
LONGEST_NAME = 200  # of a payload, as Build takes it: on one line


def golden(these: Settings, rows: list[list[str]], answers: list[Answer]) -> dict[str, Any]:
    """The file's content. rows: what is true, then the features; answers: to each"""
    payloads = [payload(at, rows[at], answers[at]) for at in chosen(answers)]
    return {"model": these.model, "relative_tolerance": 0.001, "max_latency_ms": 2000, "payloads": payloads}


def chosen(answers: list[Answer]) -> list[int]:
    """Rows from all over the test: the first of each class, then as many as there is room for."""
    first: dict[str, int] = {}
    for at, answer in enumerate(answers):
        first.setdefault(str(answer.true), at)
    spread = range(0, len(answers), max(1, len(answers) // MOST))
    every = list(dict.fromkeys([*spread] if len(first) > MOST else [*first.values(), *spread]))
    return sorted(every[:MOST])


def payload(at: int, row: list[str], answer: Answer) -> dict[str, Any]:
    text = io.StringIO()
    csv.writer(text).writerow(row[1:])
    name = f"row {at + 1} of the test, {answer.true}"
    return {
        "name": BREAKS.sub(" ", name)[:LONGEST_NAME],
        "content_type": "text/csv",
        "accept": "text/csv",
        "body": text.getvalue().rstrip("\r\n"),
        "expected": as_read(answer.given),
    }


def as_read(given: Any) -> Any:
    """An answer as the tests read it from CSV: a number where it can be one."""
    try:
        return given if isinstance(given, list) else float(given)
    except ValueError:
        return given
