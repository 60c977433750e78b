"""A plan: what would be created, changed or left alone, as plain data to show, print as JSON, or apply."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from scripts.kit.console import FEW, MANY, SHOWN, alike, paint, say, without_ids

Action = Literal["create", "change", "keep", "delete", "wait"]
SIGNS: dict[str, tuple[str, str]] = {
    "create": ("+", "32"),
    "change": ("~", "33"),
    "keep": ("=", "2"),
    "delete": ("-", "31"),
    "wait": ("!", "35"),  # for somebody else, or for another step
}
# kinds of which there are many: shown on one line while they stay as they are
OF_AN_ACCOUNT = {"account", "invitation"}  # kinds whose steps are named after their account alone
ONE = ("s3 object", "older version", "older template")


@dataclass(frozen=True)
class Step:
    """One thing and what becomes of it.

    kind: product, s3 object, stack, …; detail: why or how, in a few words
    request: what is needed to apply it (not shown)
    command: with `wait`, what somebody has to do first; account: whose credentials that needs
    """

    action: Action
    kind: str
    name: str
    detail: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    account: str = ""
    command: str = ""

    @property
    def writes(self) -> bool:
        return self.action in {"create", "change", "delete"}


def writes(steps: Iterable[Step]) -> list[Step]:
    return [step for step in steps if step.writes]


def short(name: str) -> str:
    """A name as it is shown: of a whole SHA-256 the first twelve digits."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1…", name)


def line(step: Step) -> str:
    sign, colour = SIGNS[step.action]
    detail = f" ({step.detail})" if step.detail else ""
    return paint(f"  {sign} {step.action:6} {step.kind:13} {short(step.name)}{detail}", colour)


def lines(steps: Iterable[Step], every: bool = False) -> list[str]:
    """A line for each step; of more than FEW that differ in their account alone, those that write or wait are shown by
    the first ones and the number of the others, and those that stay as they are by their number. every: show all."""

    def key(step: Step) -> tuple[str, ...]:
        return step.action, step.kind, place(step), without_ids(step.detail)

    told = []
    for group in alike(steps, key):
        first = group if every or len(group) <= FEW else group[: 0 if group[0].action == "keep" else SHOWN]
        told += [line(step) for step in first]
        if rest := len(group) - len(first):
            number = f"{rest:,} more accounts" if first else f"{rest:,} accounts"
            name = place(group[0]).replace(MANY, number) or number
            told.append(line(replace(group[0], name=name, detail=key(group[0])[-1].replace(MANY, "each"))))
    return told


def place(step: Step) -> str:
    """What a step's name has besides its account."""
    return "" if step.kind in OF_AN_ACCOUNT else without_ids(step.name)


def show(steps: Sequence[Step], deletes: bool = False) -> None:
    """The plan on stderr: a line for each step, and the sum. deletes: of a command that makes nothing."""
    for step in steps:
        if step.writes or step.kind not in ONE:
            say(line(step))
    for kind in ONE:
        if same := [step for step in steps if step.kind == kind and not step.writes]:
            say(line(Step("keep", kind, f"{len(same)} as they are")))
    count = Counter(step.action for step in steps)
    if deletes or count["delete"]:
        say(f"  {count['delete']} to delete, {count['keep']} to leave alone")
        return
    waiting = f", {count['wait']} to wait" if count["wait"] else ""
    say(f"  {count['create']} to create, {count['change']} to change, {count['keep']} to leave alone{waiting}")


def as_data(steps: Iterable[Step]) -> list[dict[str, str]]:
    """The plan for --json; account and command are there for the steps that wait."""
    return [
        {"action": s.action, "kind": s.kind, "name": s.name, "detail": s.detail}
        | ({"account": s.account, "command": s.command} if s.action == "wait" else {})
        for s in steps
    ]
