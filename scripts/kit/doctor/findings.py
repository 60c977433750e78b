"""What a check is registered with, and what it yields."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore import xform_name

from scripts.kit.doctor.snapshot import Snapshot

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
CLI_NAMES = {"s3": "s3api"}  # services that the AWS CLI names otherwise than botocore


@dataclass(frozen=True)
class Request:
    """One request to AWS that fixes a finding and is safe to send: it takes no permission and no data away.

    operation: as the API names it, for example PutBucketPolicy; parameters: of that operation
    """

    account: str
    region: str
    service: str
    operation: str
    parameters: Mapping[str, Any]

    def command(self) -> str:
        """The same as a command of the AWS CLI."""
        words = ["aws", CLI_NAMES.get(self.service, self.service), xform_name(self.operation, "-")]
        for name, value in self.parameters.items():
            text = value if isinstance(value, str) else json.dumps(value)
            words += [f"--{xform_name(name, '-')}", shlex.quote(text)]
        return " ".join([*words, "--region", self.region])

    def fixes(self, resource: str, what: str) -> Place:
        """The place that this request fixes."""
        return Place(self.account, resource, what, region=self.region, request=self)


@dataclass(frozen=True)
class Place:
    """One thing that is wrong: where it is, what exactly is wrong, and what fixes it.

    fix: the exact command, statement or step; request: set instead where it is safe to send (--fix)
    """

    account: str
    resource: str
    what: str
    fix: str = ""
    region: str = ""
    request: Request | None = None

    def __post_init__(self) -> None:
        if bool(self.fix) == bool(self.request):
            raise ValueError(f"{self.resource}: either a fix in words or a request is needed")


Look = Callable[[Snapshot], Iterator[Place]]


@dataclass(frozen=True)
class Check:
    """A registered check; title and why are the same wherever it finds something.

    safe: it yields requests that --fix sends; subject: the module that defines it
    """

    id: str
    severity: Severity
    title: str
    why: str
    safe: bool
    subject: str
    look: Look = field(compare=False)


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    check: Check
    place: Place

    @property
    def fix(self) -> str:
        return self.place.request.command() if self.place.request else self.place.fix

    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return {
            "id": self.check.id,
            "severity": self.check.severity,
            "title": self.check.title,
            "what": self.place.what,
            "account": self.place.account,
            "region": self.place.region,
            "resource": self.place.resource,
            "why": self.check.why,
            "fix": self.fix,
            "safe": self.place.request is not None,
        }


REGISTERED: dict[str, Check] = {}  # complete once scripts.kit.doctor.checks.every is imported


def check(id: str, severity: Severity, title: str, why: str, safe: bool = False) -> Callable[[Look], Look]:
    """Register the function below as a check.

    Args:
        id: never changes once it was published.
        title: what is wrong, in a few words.
        why: what happens because of it.
        safe: it yields requests (Request.fixes), which --fix sends.
    """

    def register(look: Look) -> Look:
        if id in REGISTERED:
            raise ValueError(f"two checks have the id {id}")
        REGISTERED[id] = Check(id, severity, title, why, safe, look.__module__.rsplit(".", 1)[-1], look)
        return look

    return register


def here(facts: Snapshot, resource: str, what: str, fix: str) -> Place:
    """A place in the data science account and the kit's Region."""
    return Place(facts.account, resource, what, fix, facts.region)


def run_checks(facts: Snapshot, checks: Iterable[Check]) -> list[Finding]:
    """Everything that the checks find, errors first."""
    found = [Finding(check, place) for check in checks for place in check.look(facts)]
    return sorted(found, key=lambda one: SEVERITIES.index(one.check.severity))
