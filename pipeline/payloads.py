"""Golden payloads: requests with the answers that a good model gives to them. Pure.

tests/golden-payloads.json:
    model: the name of the model that they are for, as the versions of a training repository carry it (optional)
    tolerance: how far a number may be from the expected one (0: the same number)
    relative_tolerance: the same as a share of the expected number, 0.01 for one percent; the wider one holds
    max_latency_ms: how long an answer may take (a container has 60 seconds: InvokeEndpoint)
    latency: {"requests": 100, "percentile": 95, "max_ms": 200}: how long answers may take on the whole (optional)
    payloads: a list of
        name, content_type, body: the request
        expected: a number, a text, a list or an object; its form is the answer's schema
        schema: what an answer must be that has no one right value (answer_schema.py); beside expected or instead of it
        accept: the type of the answer that is asked for (optional)
        tolerance, relative_tolerance, max_latency_ms: for this payload alone (optional)
        from_version, to_version: the first and the last version that it holds for (optional)
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import answer_schema
from pipeline.console import UserError
from pipeline.documents import (
    NEWEST,
    VERSION,
    Rule,
    is_header,
    is_real,
    is_text,
    listed,
    missing,
    problem,
    read_document,
    shown,
    unknown,
)

GOLDEN = Path("tests/golden-payloads.json")  # in the deploy repository
MOST_PAYLOADS = 1000
MOST_NAMED = 100  # payloads that the card names one by one
JSON, CSV = "application/json", "text/csv"
ANY: Any = object()  # the expected answer of a payload that has a schema alone
LARGEST_BODY = 6_291_456  # bytes (SageMaker Runtime API, InvokeEndpoint, Body)
TOLERANCE = Rule(lambda value: is_real(value, 0, 1e300), "a number from 0", "0.01")
LATENCY = Rule(lambda value: is_real(value, 1, 60_000), "milliseconds from 1 to 60000", "2000")
HEADER = Rule(is_header, "a content type in ASCII", '"text/csv"')
SHARE = Rule(lambda value: is_real(value, 0, 1), "a share from 0 to 1", "0.01")
MODEL = Rule(lambda value: is_text(value, 63), "the name of a model", '"iris"')
TOP = {
    "model": MODEL,
    "tolerance": TOLERANCE,
    "relative_tolerance": SHARE,
    "max_latency_ms": LATENCY,
    "latency": Rule(lambda value: isinstance(value, dict), "an object", '{"percentile": 95, "max_ms": 200}'),
}
OF_LATENCY = {
    "requests": Rule(lambda value: type(value) is int and 1 <= value <= 1000, "a whole number from 1 to 1000", "100"),
    "percentile": Rule(lambda value: is_real(value, 1, 100), "a number from 1 to 100", "95"),
    "max_ms": LATENCY,
}
REQUIRED = {
    "name": Rule(lambda value: is_text(value, 200), "text of 1 to 200 characters on one line", '"setosa"'),
    "content_type": HEADER,
    "body": Rule(
        lambda value: isinstance(value, str) and len(value.encode()) <= LARGEST_BODY,
        f"text of at most {LARGEST_BODY} bytes",
        '"5.1,3.5,1.4,0.2"',
    ),
}
OPTIONAL = {
    "expected": Rule(lambda value: True, "the answer", "0.0"),
    "schema": Rule(lambda value: isinstance(value, dict), "the schema of the answer", '{"type": "number"}'),
    "accept": HEADER,
    "tolerance": TOLERANCE,
    "relative_tolerance": SHARE,
    "max_latency_ms": LATENCY,
    "from_version": VERSION,
    "to_version": VERSION,
}
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
    relative_tolerance: float = 0.0
    schema: Mapping[str, Any] | None = None
    from_version: int = 1
    to_version: int = NEWEST


@dataclass(frozen=True)
class Latency:
    """Of so many requests, this percentile may take so many milliseconds."""

    requests: int = 100
    percentile: float = 95.0
    max_ms: float = 1000.0


@dataclass(frozen=True)
class Golden:
    """What the file holds. model: that they are for, "" for every one"""

    payloads: tuple[Payload, ...]
    latency: Latency | None = None
    model: str = ""

    def of_version(self, number: int) -> Golden:
        """With the payloads that hold for a version."""
        held = tuple(one for one in self.payloads if one.from_version <= number <= one.to_version)
        return replace(self, payloads=held)


def summary(golden: Golden, content: bytes, own_tests: Mapping[str, bytes]) -> dict[str, Any]:
    """What the card says of the tests. content: of the file; own_tests: the files of own tests, by name"""
    own = "".join(f"{hashlib.sha256(body).hexdigest()} {name}\n" for name, body in sorted(own_tests.items()))
    return {
        "payloads": len(golden.payloads),
        "sha256": hashlib.sha256(content).hexdigest(),
        "each": {one.name: digest(one) for one in golden.payloads} if len(golden.payloads) <= MOST_NAMED else {},
        "loosest": {
            "tolerance": max(one.tolerance for one in golden.payloads),
            "relative_tolerance": max(one.relative_tolerance for one in golden.payloads),
            "max_latency_ms": max(one.max_latency_ms for one in golden.payloads),
        },
        "without_expected": sum(one.expected is ANY for one in golden.payloads),
        "latency": asdict(golden.latency) if golden.latency else {},
        "own_tests": len(own_tests),
        "own_tests_sha256": hashlib.sha256(own.encode()).hexdigest(),
    }


def digest(payload: Payload) -> str:
    """Tells one payload from an edited one of its name."""
    said = {key: "" if value is ANY else value for key, value in asdict(payload).items()}
    said["any"] = payload.expected is ANY
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def check_fits(golden: Golden, number: int, model: str, columns: int = 0) -> None:
    """UserError where a version cannot be tested with these payloads.

    model: that the version says it is; columns: that it learnt from, 0 where it does not say
    """
    if golden.model and golden.model != model:
        other = f"one of {model}" if model else "of another one"
        raise UserError(
            f"{GOLDEN} holds the payloads of the model {golden.model}, and version {number} is {other}: its tests "
            "would fail. Write requests with the answers of this model, and its name as model: the README of the "
            "deploy repository says how"
        )
    if not golden.of_version(number).payloads:
        raise UserError(f"{GOLDEN} holds no payload for version {number}: from_version and to_version leave it out")
    if problems := of_other_width(golden.of_version(number), columns):
        raise UserError(f"{GOLDEN}: {listed(problems)}")


def of_other_width(golden: Golden, columns: int) -> list[str]:
    """The requests in CSV that a model of so many columns, 0 for one not known, should not get.

    XGBoost answers a row that lacks values: with the answer to another row.
    """
    problems = []
    for one in golden.payloads if columns else ():
        if media_type(one.content_type) == CSV:
            sizes = {len(row) for row in rows_of(io.StringIO(one.body, newline=""))}
            if sizes != {columns}:
                problems.append(
                    f"{one.name}: a row of the body has {max(sizes - {columns}, default=0)} values, and the model "
                    f"learns from {columns} columns: write one value for each"
                )
    return problems


def media_type(content_type: str) -> str:
    """A content type without its parameters, such as a character set."""
    return content_type.partition(";")[0].strip().lower()


def rows_of(lines: Iterable[str]) -> Iterator[list[str]]:
    """The rows of CSV that hold anything, up to the first that is none."""
    with contextlib.suppress(csv.Error):
        yield from filter(any, csv.reader(lines, skipinitialspace=True))


def read_golden(file: Path) -> Golden:
    """What the file holds; UserError says what is wrong with it."""
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
    problems = unknown("", document, (*TOP, "payloads"))
    problems += filter(None, (problem(key, document[key], rule) for key, rule in TOP.items() if key in document))
    latency = document.get("latency")
    if isinstance(latency, dict):
        problems += unknown("latency.", latency, OF_LATENCY)
        broken = (problem(f"latency.{key}", latency[key], rule) for key, rule in OF_LATENCY.items() if key in latency)
        problems += filter(None, broken)
    if not isinstance(items, list):
        problems.append(f"payloads is {shown(items)}: write a list of requests with their answers")
    elif len(items) > MOST_PAYLOADS:
        problems.append(f"payloads has {len(items):,} entries, and at most {MOST_PAYLOADS:,} are sent")
    else:
        problems += problems_of(items)
    if problems:
        raise UserError(f"{file}: {listed(problems)}")
    return Golden(
        tuple(read_payload(item, document) for item in document["payloads"]),
        Latency(**latency) if latency is not None else None,
        document.get("model", ""),
    )


def read_payload(item: Mapping[str, Any], document: Mapping[str, Any]) -> Payload:
    """document: with what holds for all payloads"""
    both = {**document, **item}
    return Payload(
        name=item["name"],
        content_type=item["content_type"],
        body=item["body"],
        expected=item.get("expected", ANY),
        accept=item.get("accept", ""),
        tolerance=float(both.get("tolerance", 0)),
        max_latency_ms=float(both.get("max_latency_ms", 1000)),
        relative_tolerance=float(both.get("relative_tolerance", 0)),
        schema=item.get("schema"),
        from_version=item.get("from_version", 1),
        to_version=item.get("to_version", NEWEST),
    )


def problems_of(items: list[Any]) -> list[str]:
    """What is wrong with the payloads, each with its place."""
    problems, names = [], set()
    for number, item in enumerate(items):
        where = f"payloads[{number}]"
        if not isinstance(item, dict):
            problems.append(f"{where} is {shown(item)}: write an object with {', '.join(REQUIRED)}, expected")
            continue
        problems += missing(f"{where}.", item, REQUIRED)
        problems += unknown(f"{where}.", item, FIELDS)
        broken = [*filter(None, (problem(f"{where}.{key}", item[key], r) for key, r in FIELDS.items() if key in item))]
        problems += broken or beyond(item, where)
        name = item.get("name")
        if isinstance(name, str) and name in names:
            problems.append(f"{where}: the name {shown(name)} is there twice")
        names.add(name if isinstance(name, str) else None)
    return problems


def beyond(item: dict[str, Any], where: str) -> list[str]:
    """What is wrong with a payload whose values are right by themselves."""
    problems = answer_schema.problems_of(item["schema"], f"{where}.schema") if "schema" in item else []
    if "schema" not in item and "expected" not in item:
        problems.append(f"{where} has neither expected nor schema: without one of them nothing is tested")
    if media_type(item.get("content_type", "")) == JSON and not is_json(item.get("body", "{}")):
        problems.append(f"{where}.body is no JSON, and its content_type is {JSON}: correct one of them")
    first, last = item.get("from_version", 1), item.get("to_version", NEWEST)
    if first > last:
        problems.append(f"{where}: from_version {first} is above to_version {last}")
    return problems


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def recorded(document: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """The file with the answers that a model gave (by the payload's name) as the expected ones.

    A payload that has a schema alone, or got no answer, stays as it is.
    """
    payloads = [
        {**item, "expected": answers[item["name"]]} if "expected" in item and item["name"] in answers else dict(item)
        for item in document["payloads"]
    ]
    return {**document, "payloads": payloads}
