"""Golden payloads: requests with the answers that a good model gives to them. Pure.

tests/golden-payloads.json:
    tolerance: how far a number may be from the expected one (0: the same number)
    max_latency_ms: how long an answer may take
    payloads: a list of
        name, content_type, body: the request
        expected: a number, a text, a list or an object; its form is the answer's schema
        accept: the type of the answer that is asked for (optional)
        tolerance, max_latency_ms: for this payload alone (optional)
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.console import UserError

GOLDEN = Path("tests/golden-payloads.json")  # in the deploy repository
TOP = {"tolerance", "max_latency_ms", "payloads"}
REQUIRED = {"name", "content_type", "body", "expected"}
OPTIONAL = {"accept", "tolerance", "max_latency_ms"}


@dataclass(frozen=True)
class Payload:
    name: str
    content_type: str
    body: str
    expected: Any
    accept: str
    tolerance: float
    max_latency_ms: float


def read_payloads(file: Path) -> tuple[Payload, ...]:
    """The payloads in the file; UserError says what is wrong with it."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file} is missing: without golden payloads nothing can be tested") from error
    except ValueError as error:
        raise UserError(f"{file} is not JSON: {error}") from error
    if not isinstance(document, dict) or not document.get("payloads"):
        raise UserError(f"{file} holds no payloads: without any, nothing is tested")
    problems = [f"unknown key {key}" for key in document if key not in TOP]
    names = set()
    for number, item in enumerate(document["payloads"]):
        where = f"payloads[{number}]"
        problems += [f"{where} has no {key}" for key in sorted(REQUIRED - set(item))]
        problems += [f"{where}: unknown key {key}" for key in item if key not in REQUIRED | OPTIONAL]
        if item.get("name") in names:
            problems.append(f"{where}: the name {item['name']} is there twice")
        names.add(item.get("name"))
    if problems:
        raise UserError(f"{file}: {'; '.join(problems)}")
    return tuple(
        Payload(
            name=item["name"],
            content_type=item["content_type"],
            body=item["body"],
            expected=item["expected"],
            accept=item.get("accept", ""),
            tolerance=float(item.get("tolerance", document.get("tolerance", 0))),
            max_latency_ms=float(item.get("max_latency_ms", document.get("max_latency_ms", 1000))),
        )
        for item in document["payloads"]
    )


def read_answer(content_type: str, body: bytes) -> Any:
    """An answer as data: JSON as it is, CSV as a number or a list of numbers (texts where they are none)."""
    text = body.decode("utf-8", "replace").strip()
    if content_type.split(";")[0].strip() == "application/json":
        try:
            return json.loads(text)
        except ValueError:
            return text
    values = [number_or_text(value) for value in re.split(r"[,\n]", text)]
    return values[0] if len(values) == 1 else values


def number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value.strip()


def difference(expected: Any, got: Any, tolerance: float, where: str = "the answer") -> str:
    """What is wrong with an answer; "" where nothing is. Its form counts as well as its numbers."""
    if isinstance(expected, bool) or expected is None or isinstance(expected, str):
        return "" if expected == got and type(expected) is type(got) else f"{where}: expected {expected!r}, got {got!r}"
    if isinstance(expected, int | float):
        if isinstance(got, bool) or not isinstance(got, int | float):
            return f"{where}: expected a number ({expected}), got {got!r}"
        near = abs(expected - got) <= tolerance  # false for NaN
        return "" if near else f"{where}: expected {expected}, got {got}" + (f" (±{tolerance})" if tolerance else "")
    if isinstance(expected, list):
        if not isinstance(got, list) or len(got) != len(expected):
            return f"{where}: expected a list of {len(expected)}, got {got!r}"
        pairs = [(expected[n], got[n], f"{where}[{n}]") for n in range(len(expected))]
    else:
        if not isinstance(got, dict) or set(got) != set(expected):
            return f"{where}: expected an object with {', '.join(sorted(expected))}, got {got!r}"
        pairs = [(expected[key], got[key], f"{where}.{key}") for key in expected]
    return "; ".join(filter(None, (difference(e, g, tolerance, place) for e, g, place in pairs)))
