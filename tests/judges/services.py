"""The second judge: each role that a service works with holds the permissions that AWS's page names for it.

services.yaml is the table: the page, the role, on which resources, the actions. What a role lacks of it has a reason
there, and where the reason rests on a word that a template does not have, the template is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from awslang.policy.action_table import table
from awslang.policy.patterns import action_like
from tests.judges import kit as kits
from tests.judges.kit import Kit

TABLE = Path(__file__).with_name("services.yaml")
NAMES = {  # the names in {} of the table
    "account": kits.DATA_SCIENCE,
    "target": kits.TARGET,
    "management": kits.MANAGEMENT,
    "region": kits.REGION,
    "bundle": kits.BUNDLE,
    "key": kits.KEY,
    "connection": kits.CONNECTION,
    "project": "churn-p-a1b2c3",
}
# How the build projects of each role end.
KINDS = {
    "BuildRole": "build", "GateRole": "gate", "OwnTestsRole": "own-tests", "TestRole": "test", "TrainingRole": "train",
}  # fmt: skip


@dataclass(frozen=True)
class Lack:
    """Actions of a page that a role lacks. unless: a template, and a word in it with which the reason does not hold."""

    actions: tuple[str, ...]
    why: str
    unless: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Required:
    """What one page requires of one role.

    page: its guide and title
    resources: their ARNs; keys: the condition keys of the service's request, __ for a colon
    """

    page: str
    holder: str
    resources: tuple[str, ...]
    actions: tuple[str, ...]
    keys: Mapping[str, str]
    lacks: tuple[Lack, ...]


@cache
def required() -> tuple[Required, ...]:
    """The rows of services.yaml, one for each role."""
    made = []
    for row in yaml.safe_load(TABLE.read_text(encoding="utf-8")):
        lacks = tuple(Lack(tuple(one["actions"]), one["why"], one.get("unless", {})) for one in row.get("lacks", []))
        actions = tuple(action for pattern in row["actions"] for action in expanded(pattern))
        keys = {name: str(value).format(**NAMES) for name, value in row.get("keys", {}).items()}
        for holder in row["holders"]:
            resources = tuple(one.format(**NAMES, kind=KINDS.get(holder, "")) for one in row["resources"])
            made.append(Required(row["page"], holder, resources, actions, keys, lacks))
    return tuple(made)


def expanded(pattern: str) -> list[str]:
    """The actions of a pattern, by AWS's table of actions."""
    service, name = pattern.split(":")
    found = table(service)
    if "*" not in name or found is None:
        return [pattern]
    return [f"{service}:{one}" for one in found.actions if action_like(pattern, f"{service}:{one}")]


def findings(kit: Kit, *holders: str) -> list[str]:
    """What a role lacks of its pages, and the reasons that do not hold. holders: of these alone, without any of all."""
    return [line for row in required() if not holders or row.holder in holders for line in check(row, kit)]


def check(row: Required, kit: Kit) -> Iterator[str]:
    holder = kit.holder(row.holder)
    reasons = {action: lack for lack in row.lacks for action in lack.actions}
    for action in row.actions:
        refused = [resource for resource in row.resources if not holder.may(action, resource, **row.keys)]
        if action not in reasons:
            yield from (f"{row.holder} may not {action} on {resource}: {row.page}" for resource in refused)
        elif not refused:
            yield f"{row.holder} is granted {action}, so services.yaml needs no reason: {row.page}"
    for lack in row.lacks:
        others = [action for action in lack.actions if action not in row.actions]
        yield from (f"services.yaml: {action} is no action of {row.page}" for action in others)
        for file, word in lack.unless.items():
            if word in kit.text(file):
                yield f"{row.holder} lacks {', '.join(lack.actions)}, and {file} has {word}: {row.page}"
