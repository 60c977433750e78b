"""What a check is registered with, and what it yields."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from botocore import xform_name

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

Severity = Literal["stops", "warns", "note"]
SEVERITIES: tuple[Severity, ...] = ("stops", "warns", "note")
CLI_NAMES = {"s3": "s3api"}  # services that the AWS CLI names otherwise than botocore


@dataclass(frozen=True)
class Request:
    """One request to AWS that mends a finding, and that is safe: it takes nothing away from anybody.

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

    def mends(self, resource: str, what: str) -> Place:
        """What this request puts right, where it is made."""
        return Place(self.account, resource, what, region=self.region, request=self)


@dataclass(frozen=True)
class Place:
    """One thing that is wrong: where, what exactly, and what mends it.

    fix: the exact command, statement or step; request: set instead where it is safe to apply (--fix)
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


@dataclass(frozen=True)
class Check:
    """A registered check; title and why are the same wherever it finds something.

    safe: it yields requests that --fix applies
    """

    id: str
    severity: Severity
    title: str
    why: str
    safe: bool
    subject: str
    look: Callable[[Snapshot], Iterator[Place]] = field(compare=False)


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


CHECKS: dict[str, Check] = {}


def finding(
    id: str, severity: Severity, title: str, why: str, safe: bool = False
) -> Callable[[Callable[[Snapshot], Iterator[Place]]], Callable[[Snapshot], Iterator[Place]]]:
    """Register a check. id: never changes once it was published; title: what is wrong, in a few words."""

    def register(look: Callable[[Snapshot], Iterator[Place]]) -> Callable[[Snapshot], Iterator[Place]]:
        if id in CHECKS:
            raise ValueError(f"two checks are called {id}")
        subject = look.__module__.rsplit(".", 1)[-1]
        CHECKS[id] = Check(id, severity, title, why, safe, subject, look)
        return look

    return register


def examine(snapshot: Snapshot, checks: Iterable[Check] = CHECKS.values()) -> list[Finding]:
    """Everything that the checks find, what stops a deployment first."""
    found = [Finding(check, place) for check in checks for place in check.look(snapshot)]
    return sorted(found, key=lambda one: SEVERITIES.index(one.check.severity))
