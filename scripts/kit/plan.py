"""A plan: what would be created, updated or left alone, as plain data to show, print as JSON, or apply."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from scripts.kit.console import FEW, MANY, SHOWN, alike, counted, paint, say, without_ids

Action = Literal["create", "change", "keep", "delete", "wait"]
SIGNS: dict[str, tuple[str, str]] = {
    "create": ("+", "32"),
    "change": ("~", "33"),
    "keep": ("=", "2"),
    "delete": ("-", "31"),
    "wait": ("!", "35"),  # for another account's credentials, or for another step
}
# How a sum names each action: of a plan, and once it is applied.
PLANNED = {"create": "to create", "change": "to update", "delete": "to delete", "keep": "unchanged", "wait": "waiting"}
APPLIED = {"create": "created", "change": "updated", "delete": "deleted", "keep": "unchanged", "wait": "waiting"}
OF_AN_ACCOUNT = {"account", "invitation"}  # kinds whose steps are named after their account alone
# Kinds of which there are many: shown on one line while they are unchanged.
ONE = ("s3 object", "older version", "older template")


@dataclass(frozen=True)
class PlanStep:
    """One thing and what becomes of it.

    kind: product, s3 object, stack, …; detail: why or how, in a few words
    request: what is needed to apply it (not shown)
    command: with `wait`, what has to be done first; account: whose credentials that needs
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


def writes(steps: Iterable[PlanStep]) -> list[PlanStep]:
    return [step for step in steps if step.writes]


def short(name: str) -> str:
    """A name as it is shown: the first twelve digits of a whole SHA-256."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1…", name)


def line(step: PlanStep) -> str:
    sign, colour = SIGNS[step.action]
    detail = f" ({step.detail})" if step.detail else ""
    word = "update" if step.action == "change" else step.action
    return paint(f"  {sign} {word:6} {step.kind:13} {short(step.name)}{detail}", colour)


def lines(steps: Iterable[PlanStep], every: bool = False) -> list[str]:
    """A line for each step; of more than FEW that differ in their account alone, those that write or wait are shown by
    the first ones and the number of the others, and those that are unchanged by their number. every: show all."""

    def key(step: PlanStep) -> tuple[str, ...]:
        return step.action, step.kind, place(step), without_ids(step.detail)

    shown = []
    for group in alike(steps, key):
        first = group if every or len(group) <= FEW else group[: 0 if group[0].action == "keep" else SHOWN]
        shown += [line(step) for step in first]
        if rest := len(group) - len(first):
            number = counted(rest, "more account" if first else "account")
            name = place(group[0]).replace(MANY, number) or number
            shown.append(line(replace(group[0], name=name, detail=key(group[0])[-1].replace(MANY, "each"))))
    return shown


def place(step: PlanStep) -> str:
    """What a step's name has besides its account."""
    return "" if step.kind in OF_AN_ACCOUNT else without_ids(step.name)


def show(steps: Sequence[PlanStep]) -> None:
    """The plan on stderr: a line for each step, and the sum."""
    for step in steps:
        if step.writes or step.kind not in ONE:
            say(line(step))
    for kind in ONE:
        if same := [step for step in steps if step.kind == kind and not step.writes]:
            say(line(PlanStep("keep", kind, f"{len(same)} unchanged")))
    say(f"  {summed(steps)}")


def summed(steps: Sequence[PlanStep], applied: bool = False) -> str:
    """The sum of a plan: 12 steps: 8 to create, 3 to update, 1 unchanged. applied: of one that was carried out."""
    count: Counter[str] = Counter(step.action for step in steps)
    words = APPLIED if applied else PLANNED
    parts = ", ".join(f"{count[action]:,} {word}" for action, word in words.items() if count[action])
    return f"{counted(len(steps), 'step')}: {parts}" if parts else "nothing to do"


def as_data(steps: Iterable[PlanStep]) -> list[dict[str, str]]:
    """The plan for --json; account and command are there for the steps that wait."""
    return [
        {"action": s.action, "kind": s.kind, "name": s.name, "detail": s.detail}
        | ({"account": s.account, "command": s.command} if s.action == "wait" else {})
        for s in steps
    ]
