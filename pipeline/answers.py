"""What a model answers, and what is wrong with it. Pure."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from pipeline.answer_schema import violation
from pipeline.payloads import ANY, Payload


def wrong(payload: Payload, got: Any) -> str:
    """What is wrong with the answer to a payload; "" where nothing is."""
    found = ""
    if payload.expected is not ANY:
        found = difference(payload.expected, got, payload.tolerance, payload.relative_tolerance)
    return found or (violation(payload.schema, got) if payload.schema else "")


def read_answer(content_type: str, body: bytes) -> Any:
    """An answer as data: JSON as it is, CSV as a number or a list of numbers (texts where they are none)."""
    text = body.decode("utf-8", "replace").strip()
    if content_type.split(";")[0].strip() == "application/json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error:  # a value of more than 128 KiB
        return text
    values = [number_or_text(value) for row in rows for value in row or [""]] or [""]
    return values[0] if len(values) == 1 else values


def number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value.strip()


def difference(expected: Any, got: Any, tolerance: float, relative: float = 0.0, where: str = "the answer") -> str:
    """What is wrong with an answer; "" where nothing is. Its form counts as well as its numbers.

    tolerance: how far a number may be from the expected one; relative: the same as a share of it. The wider one holds
    """
    if isinstance(expected, bool) or expected is None or isinstance(expected, str):
        return "" if expected == got and type(expected) is type(got) else f"{where}: expected {expected!r}, got {got!r}"
    if isinstance(expected, int | float):
        if isinstance(got, bool) or not isinstance(got, int | float):
            return f"{where}: expected a number ({expected}), got {got!r}"
        most = max(tolerance, relative * abs(expected))
        near = abs(expected - got) <= most  # false for NaN
        return "" if near else f"{where}: expected {expected}, got {got}" + (f" (±{most:g})" if most else "")
    if isinstance(expected, list):
        if not isinstance(got, list) or len(got) != len(expected):
            return f"{where}: expected a list of {len(expected)}, got {got!r}"
        pairs = [(expected[n], got[n], f"{where}[{n}]") for n in range(len(expected))]
    else:
        if not isinstance(got, dict) or set(got) != set(expected):
            return f"{where}: expected an object with {', '.join(sorted(expected))}, got {got!r}"
        pairs = [(expected[key], got[key], f"{where}.{key}") for key in expected]
    return "; ".join(filter(None, (difference(e, g, tolerance, relative, place) for e, g, place in pairs)))
