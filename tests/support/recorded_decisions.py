"""A story with every decision of the authorizer recorded, decided again without single statements."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from awslang.policy.document import Policy
from awslang.policy.evaluator import AuthorizationRequest, Decision, Policies, decide
from scripts.kit.bundle.pack import ROOT
from scripts.rehearsal.permissions import Holder, Reason, read_requests, reasons, report
from scripts.rehearsal.story import Story

HOLDER = re.compile(
    r"^  (\w+):\n(?:    Condition: \w+\n)?    Type: AWS::IAM::(?:Role|ManagedPolicy)\n(.*?)(?=^  \w|^\w)", re.M | re.S
)
ROLE_POLICY = re.compile(
    r"^  \w+:\n    Type: AWS::IAM::RolePolicy\n(.*?)(?=^  \w|^\w)", re.M | re.S
)  # in every installation
ROLE_NAME = re.compile(r"^      RoleName: (\S+)", re.M)
SID = re.compile(r"- Sid: (\w+)$", re.M)


def statements_of(*templates: str) -> list[tuple[str, str]]:
    """Every allowing statement of the roles and people's policies of these templates: logical id and Sid.

    A policy that a template gives the role of another one counts as that role's. Statements that deny are proven by the
    attacks that they refuse (tests/security).
    """
    text = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in templates)
    found = HOLDER.findall(text)
    named = {name: holder for holder, body in found for name in ROLE_NAME.findall(body)}
    found += [(named[name], body) for body in ROLE_POLICY.findall(text) for name in ROLE_NAME.findall(body)]
    return [(holder, sid) for holder, body in found for sid in allowing(body)]


def allowing(body: str) -> Iterator[str]:
    for statement in re.split(r"(?=^ *- Sid: )", body, flags=re.MULTILINE):
        if (found := SID.search(statement)) and "Effect: Deny" not in statement:
            yield found[1]


@dataclass(frozen=True)
class Decided:
    request: AuthorizationRequest
    policies: Policies
    decision: Decision


@dataclass
class RecordedStory:
    """The story that was played, and what was decided in it."""

    story: Story
    decided: list[Decided] = field(default_factory=list)
    refused: str = ""  # what the pipeline said of the first deployment

    def record(self, request: AuthorizationRequest, policies: Policies) -> Decision:
        decision = decide(request, policies)
        if request.principal.kind in ("role", "service"):
            kept = replace(request, context=dict(request.context))  # the tags as they are now
            self.decided.append(Decided(kept, policies, decision))
        return decision

    @cached_property
    def holders(self) -> list[Holder]:
        return report_of(self.story.folder)


def without_statement(policies: Policies, name: str, label: str) -> Policies:
    """The policies without one statement."""

    def kept(policy: Policy) -> Policy:
        if policy.name != name:
            return policy
        return replace(policy, statements=tuple(s for s in policy.statements if s.label != label))

    resource = kept(policies.resource) if policies.resource else None
    return replace(policies, identity=tuple(map(kept, policies.identity)), resource=resource)


def whole_reason(logical_id: str, sid: str, *templates: str) -> Reason | None:
    """The reason of a statement of which nothing is used."""
    for name in templates:
        for reason in reasons((ROOT / name).read_text(encoding="utf-8")).get(logical_id, {}).get(sid, []):
            if reason.kind == "Not rehearsed" and not reason.actions:
                return reason
    return None


def needing(world: RecordedStory, logical_id: str, sid: str) -> list[tuple[Decided, str]]:
    """The requests that a statement allowed, with the name of its policy."""
    names = {g.policy for h in world.holders if h.logical_id == logical_id for g in h.granted if g.statement == sid}
    return [
        (one, deciding.policy.name)
        for one in world.decided
        for deciding in one.decision.statements
        if one.decision.allowed and deciding.policy.name in names and deciding.statement.label == sid
    ]


def check_needed(world: RecordedStory, logical_id: str, sid: str, *templates: str) -> None:
    """The statement is needed, or says why it is there."""
    if reason := whole_reason(logical_id, sid, *templates):
        assert not needing(world, logical_id, sid), f"{logical_id} {sid} is used: {reason.text} is no reason"
    else:
        check_refused(world, logical_id, sid)


def check_refused(world: RecordedStory, logical_id: str, sid: str) -> None:
    """Without the statement at least one of the recorded requests is refused."""
    found = needing(world, logical_id, sid)
    assert found, f"no request needs {logical_id} {sid}"
    again = [(one, decide(one.request, without_statement(one.policies, name, sid))) for one, name in found]
    refused = [(one, decision) for one, decision in again if not decision.allowed]
    assert refused, f"everything that {logical_id} {sid} allows is allowed without it"
    for one, decision in refused:
        assert one.request.action in decision.missing


def report_of(folder: Path) -> list[Holder]:
    policies: list[dict[str, Any]] = json.loads((folder / "policies.json").read_text(encoding="utf-8"))
    return report(policies, read_requests(folder / "requests.jsonl"))
