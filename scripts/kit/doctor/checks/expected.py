"""The principals that could get past the approver as they should: no findings, but the report names them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from scripts.kit.doctor.checks import could_target, reach
from scripts.kit.doctor.checks.reach import STACK_SETS_ROLE, Path
from scripts.kit.doctor.snapshot import Snapshot

WORDS = {
    "builds": "start or change builds",
    "buckets": "write buckets",
    "roles": "pass roles",
    "pipelines": "change pipelines",
    "starts": "change or run what starts them",
    "stages": "change stages",
    "portfolio": "change the product",
    "approvals": "approve",
    "messages": "send messages to approvers",
    "rights": "change rights",
    "testers": "become a tester",
    "endpoints": "change endpoints",
}


@dataclass(frozen=True)
class Expected:
    """One principal, or those of several accounts that are alike. why: it is expected to; could: what it could do"""

    accounts: tuple[str, ...]
    principal: str
    why: str
    could: tuple[str, ...]

    @property
    def where(self) -> str:
        return self.accounts[0] if len(self.accounts) == 1 else f"{len(self.accounts)} accounts"

    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "accounts": list(self.accounts), "could": list(self.could)}


def expected(facts: Snapshot) -> tuple[Expected, ...]:
    """Each principal once, those of the data science account first; those that are alike in several accounts as one."""
    found = [*reach.paths(facts), *(path for _, path in could_target.paths(facts))]
    by_one: dict[tuple[str, str, str], list[str]] = {}
    for path in found:
        if path.expected:
            key = path.entity.account, named(path), path.expected
            by_one.setdefault(key, []).append(in_words(path))
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (account, principal, why), could in by_one.items():
        alike.setdefault((principal, why, tuple(dict.fromkeys(could))), []).append(account)
    return tuple(Expected(tuple(accounts), *key) for key, accounts in alike.items())


def named(path: Path) -> str:
    """The principal; CloudFormation's own roles end otherwise in each account."""
    start = path.entity.resource.find(STACK_SETS_ROLE)
    return path.entity.resource if start < 0 else f"{path.entity.resource[:start]}{STACK_SETS_ROLE}*"


def in_words(path: Path) -> str:
    return WORDS.get(path.way) or f"become {', '.join(role.resource for role in path.through)}"
