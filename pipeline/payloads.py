"""Golden payloads: requests with the answers that a good model gives to them. Pure.

tests/golden-payloads.json:
    tolerance: how far a number may be from the expected one (0: the same number)
    max_latency_ms: how long an answer may take (a container has 60 seconds: InvokeEndpoint)
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
from pipeline.documents import Rule, is_header, is_real, is_text, listed, named, problem, read_document, shown

GOLDEN = Path("tests/golden-payloads.json")  # in the deploy repository
MOST_PAYLOADS = 1000
LARGEST_BODY = 6_291_456  # bytes (SageMaker Runtime API, InvokeEndpoint, Body)
TOLERANCE = Rule(lambda value: is_real(value, 0, 1e300), "a number from 0", "0.01")
LATENCY = Rule(lambda value: is_real(value, 1, 60_000), "milliseconds from 1 to 60000", "2000")
HEADER = Rule(is_header, "a content type in ASCII", '"text/csv"')
TOP = {"tolerance": TOLERANCE, "max_latency_ms": LATENCY}
REQUIRED = {
    "name": Rule(lambda value: is_text(value, 200), "text of 1 to 200 characters on one line", '"setosa"'),
    "content_type": HEADER,
    "body": Rule(
        lambda value: isinstance(value, str) and len(value.encode()) <= LARGEST_BODY,
        f"text of at most {LARGEST_BODY} bytes",
        '"5.1,3.5,1.4,0.2"',
    ),
    "expected": Rule(lambda value: True, "the answer", "0.0"),
}
OPTIONAL = {"accept": HEADER, "tolerance": TOLERANCE, "max_latency_ms": LATENCY}
FIELDS = {**REQUIRED, **OPTIONAL}


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
        document = read_document(file)
    except FileNotFoundError as error:
        raise UserError(f"{file} is missing: without golden payloads nothing can be tested") from error
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{file} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UserError(f"{file} must be a JSON object with payloads, not {shown(document)}")
    items = document.get("payloads")
    if items in (None, []):
        raise UserError(f"{file} holds no payloads: without any, nothing is tested")
    problems = [f"unknown key {named(key)}" for key in document if key not in {*TOP, "payloads"}]
    problems += filter(None, (problem(key, document[key], rule) for key, rule in TOP.items() if key in document))
    if not isinstance(items, list):
        problems.append(f"payloads is {shown(items)}: write a list of requests with their answers")
    elif len(items) > MOST_PAYLOADS:
        problems.append(f"payloads has {len(items):,} entries, and at most {MOST_PAYLOADS:,} are sent")
    else:
        problems += problems_of(items)
    if problems:
        raise UserError(f"{file}: {listed(problems)}")
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


def problems_of(items: list[Any]) -> list[str]:
    """What is wrong with the payloads, each with its place."""
    problems, names = [], set()
    for number, item in enumerate(items):
        where = f"payloads[{number}]"
        if not isinstance(item, dict):
            problems.append(f"{where} is {shown(item)}: write an object with {', '.join(REQUIRED)}")
            continue
        problems += [f"{where} has no {key}" for key in sorted(set(REQUIRED) - set(item))]
        problems += [f"{where}: unknown key {named(key)}" for key in item if key not in FIELDS]
        broken = (problem(f"{where}.{key}", item[key], rule) for key, rule in FIELDS.items() if key in item)
        problems += filter(None, broken)
        name = item.get("name")
        if isinstance(name, str) and name in names:
            problems.append(f"{where}: the name {shown(name)} is there twice")
        names.add(name if isinstance(name, str) else None)
    return problems


def read_answer(content_type: str, body: bytes) -> Any:
    """An answer as data: JSON as it is, CSV as a number or a list of numbers (texts where they are none)."""
    text = body.decode("utf-8", "replace").strip()
    if content_type.split(";")[0].strip() == "application/json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
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
