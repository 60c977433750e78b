"""The page of a rehearsal: facts in, one self-contained HTML document out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scripts.kit.console import counted
from scripts.kit.organization.members import Member
from scripts.rehearsal.report.facts import SPECIES, Facts, Point, Span, StackEvents, Unit

GOOD = {
    *("succeeded", "stopped early", "Succeeded", "Skipped", "CreateCompleted"),
    *("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"),
}
DECISIONS = {"free": "without a permission"}  # AWS asks for none, for example for GetCallerIdentity
PLOT = {"left": 46.0, "top": 14.0, "width": 540.0, "height": 330.0}


@dataclass(frozen=True)
class Bar:
    """A span as the page draws it: left and width in percent of the whole time."""

    span: Span
    left: float
    width: float
    seconds: float


@dataclass(frozen=True)
class AccountBox:
    """An account as the page draws it: the path of its unit, and what runs in it."""

    member: Member
    path: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """A point of the plot, in the plot's own units."""

    x: float
    y: float
    predicted: int
    wrong: bool
    title: str


def templates() -> Environment:
    """The pages' templates, with the filters that they use."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        clock=clock, decision=decision, last_status=last_status, counted=counted, verdict=verdict
    )
    return environment


def page(facts: Facts) -> str:
    """The whole document."""
    return (
        templates()
        .get_template("page.html.jinja")
        .render(
            facts=facts,
            summary=facts.summary,
            accounts=list(account_boxes(facts.organization, facts.runs)) if facts.organization else [],
            bars=list(bars(facts.spans)),
            marks=list(marks(facts.points)),
            ticks=ticks(facts.points),
            plot=PLOT,
            species=SPECIES,
            confusion=confusion(facts.points),
            stacks=sorted(facts.stacks, key=lambda stack: verdict(last_status(stack)) != "bad"),
            denied=[request for request in facts.requests if request["decision"] == "denied"],
            counts=counts(facts.requests),
        )
    )


def account_boxes(unit: Unit, runs: Mapping[str, tuple[str, ...]], above: str = "") -> Iterator[AccountBox]:
    """Every account of a unit and of the units beneath it."""
    path = f"{above} / {unit.name}" if above else unit.name
    for member in unit.accounts:
        yield AccountBox(member, path, runs.get(member.id, ()))
    for child in unit.units:
        yield from account_boxes(child, runs, path)


def last_status(stack: StackEvents) -> str:
    return str(stack.events[-1]["ResourceStatus"]) if stack.events else ""


def decision(name: str) -> str:
    """A decision of requests.jsonl as the page words it."""
    return DECISIONS.get(name, name)


def clock(seconds: float) -> str:
    """The time of day, UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S.%f")[:-3]


def verdict(status: str) -> str:
    """The class that colours a status: good, bad or open."""
    if status in GOOD:
        return "good"
    return "bad" if "FAIL" in status.upper() or "ROLLBACK" in status or status in {"denied", "refused"} else "open"


def bars(spans: Iterable[Span]) -> Iterator[Bar]:
    """The timeline: every span by its start, chapters before the actions that began in them."""
    listed = sorted(spans, key=lambda span: (span.start, span.kind != "chapter"))
    if not listed:
        return
    first, last = min(span.start for span in listed), max(span.end for span in listed)
    whole = max(last - first, 0.001)
    for span in listed:
        seconds = span.end - span.start
        yield Bar(span, 100 * (span.start - first) / whole, max(0.4, 100 * seconds / whole), seconds)


def scale(points: Iterable[Point]) -> tuple[float, float]:
    """The largest length and width that the axes must hold, in cm."""
    listed = list(points)
    return max(p.length for p in listed) * 1.05, max(p.width for p in listed) * 1.05


def marks(points: tuple[Point, ...]) -> Iterator[Mark]:
    if not points:
        return
    longest, widest = scale(points)
    for point in points:
        title = (
            f"petal {point.length:g} × {point.width:g} cm: {SPECIES[point.true]}, predicted {SPECIES[point.predicted]}"
        )
        yield Mark(
            PLOT["left"] + PLOT["width"] * point.length / longest,
            PLOT["top"] + PLOT["height"] * (1 - point.width / widest),
            point.predicted,
            point.predicted != point.true,
            title,
        )


def ticks(points: tuple[Point, ...]) -> dict[str, list[tuple[float, str]]]:
    """Where the axes carry numbers: x and y as (place, label)."""
    if not points:
        return {"x": [], "y": []}
    longest, widest = scale(points)
    return {
        "x": [(PLOT["left"] + PLOT["width"] * n / longest, str(n)) for n in range(int(longest) + 1)],
        "y": [(PLOT["top"] + PLOT["height"] * (1 - n / 2 / widest), f"{n / 2:g}") for n in range(int(widest * 2) + 1)],
    }


def confusion(points: tuple[Point, ...]) -> list[list[int]]:
    """How many flowers of each class (rows) were taken for each (columns)."""
    return [
        [sum(p.true == true and p.predicted == predicted for p in points) for predicted in range(len(SPECIES))]
        for true in range(len(SPECIES))
    ]


def counts(requests: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many requests were decided how."""
    found: dict[str, int] = {}
    for request in requests:
        found[request["decision"]] = found.get(request["decision"], 0) + 1
    return dict(sorted(found.items()))
