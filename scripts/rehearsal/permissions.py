"""What the roles of a rehearsal may do, against what they asked for: what `make permissions` prints.

A rehearsal leaves two files: policies.json, with every role and managed policy that a stack made, and
requests.jsonl, with the statement that decided each request. A granted action that no request of the
rehearsal needed must have its reason in a comment on the statement, in the template:

    # Later: …            an action of a later day; tests/rehearsal/test_permissions.py rehearses it
    # Not rehearsed: …    an action that no rehearsal reaches
    # Not rehearsed (s3:GetObject, s3:PutObject): …    the same, of these actions of the statement only

Above a role's first statement, the reason is for each of its statements that has none for an action.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from awslang.bounded import open_file
from awslang.policy.action_table import table
from awslang.policy.document import Statement, parse
from awslang.policy.patterns import action_like

ROLE, MANAGED_POLICY, ROLE_POLICY = "AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"
LOGICAL_ID = re.compile(r"  ([A-Za-z0-9]+):\s*$")
SID = re.compile(r"\s*(?:- )?Sid: ([a-zA-Z0-9_]+)")
REASON = re.compile(r"\s*# (Later|Not rehearsed)(?: \(([^)]*)\))?:\s*(.*)")
COMMENT = re.compile(r"\s*# (.*)")


# -- the reasons in a template -------------------------------------------------------------------------


@dataclass(frozen=True)
class Reason:
    """Why an action is granted although a rehearsal does not use it; actions () for all of the statement."""

    kind: str  # Later | Not rehearsed
    actions: tuple[str, ...]
    text: str


def reasons(template: str) -> dict[str, dict[str, list[Reason]]]:
    """The reasons written in a template, by logical id and Sid."""
    found: dict[str, dict[str, list[Reason]]] = {}
    every: dict[str, list[str]] = {}  # the Sids of each logical id
    logical_id = sid = ""
    reading: list[Reason] | None = None
    for line in template.splitlines():
        if named := LOGICAL_ID.match(line):
            logical_id, sid = named.group(1), ""
        elif named := SID.match(line):
            sid = named.group(1)
            every.setdefault(logical_id, []).append(sid)
        if written := REASON.match(line):
            kind, actions, text = written.groups()
            reading = found.setdefault(logical_id, {}).setdefault(sid, [])
            reading.append(Reason(kind, tuple(re.split(r",\s*", actions)) if actions else (), text))
        elif reading and (more := COMMENT.match(line)):
            last = reading.pop()
            reading.append(Reason(last.kind, last.actions, f"{last.text} {more.group(1)}".strip()))
        else:
            reading = None
    for holder, statements in found.items():
        of_all = statements.pop("", [])
        for one in every[holder] if of_all else ():
            statements[one] = statements.get(one, []) + of_all
    return found


# -- the report ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Granted:
    """One action of one statement: how often it was used, and why it is there if it was not."""

    policy: str
    statement: str
    action: str
    used: int
    reason: Reason | None


@dataclass(frozen=True)
class Denied:
    """Requests of the same action on the same resource that were refused."""

    who: str
    action: str
    resource: str
    missing: str
    times: int


@dataclass
class Holder:
    """A role, or a managed policy of people, with everything that it grants and lacks."""

    account: str
    kind: str
    name: str
    logical_id: str
    carriers: list[str]
    granted: list[Granted] = field(default_factory=list)
    denied: list[Denied] = field(default_factory=list)

    @property
    def used(self) -> list[Granted]:
        return [one for one in self.granted if one.used]

    @property
    def unused(self) -> list[Granted]:
        return [one for one in self.granted if not one.used]

    @property
    def unreasoned(self) -> list[Granted]:
        return [one for one in self.unused if one.reason is None]


Uses = Mapping[tuple[str, str, str], Counter[str]]  # by account, policy and statement: actions


def read_requests(path: Path) -> list[dict[str, Any]]:
    """The entries of a requests.jsonl."""
    with open_file(path) as lines:
        return [json.loads(line) for line in lines]


def read_refusals(path: Path) -> list[Denied]:
    """What a requests.jsonl says was refused, without reading all of it."""
    with open_file(path) as lines:
        return refusals(json.loads(line) for line in lines if b'"decision": "denied"' in line)


def uses(requests: Iterable[Mapping[str, Any]]) -> Uses:
    """How often each statement was needed for each action."""
    found: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for request in requests:
        for need in request.get("needs", []):
            for _, account, policy, statement in need["statements"] if need["decision"] == "allowed" else []:
                found[account, policy, statement][need["action"].lower()] += 1
    return found


def refusals(requests: Iterable[Mapping[str, Any]]) -> list[Denied]:
    """The refused requests, with their callers."""
    found = Counter(
        (request.get("role") or request["principal"], request["action"], request["resource"], request["statement"])
        for request in requests
        if request.get("decision") == "denied"
    )
    return [Denied(*what, times) for what, times in found.items()]


def report(policies: Iterable[Mapping[str, Any]], requests: Iterable[Mapping[str, Any]]) -> list[Holder]:
    """Every role and managed policy of the stacks, with what each statement was used for."""
    entries = list(requests)
    used, refused = uses(entries), refusals(entries)
    made = []
    for item in policies:
        holder = Holder(item["account"], item["kind"], item["name"], item["logical_id"], item["carriers"])
        for name, document in item["documents"].items():
            kind = "trust" if name.startswith("trust policy of role ") else "identity"
            for statement in parse(document, name, holder.account, kind).statements:  # type: ignore[arg-type]
                if statement.effect == "Allow":
                    holder.granted += _granted(holder.account, name, statement, used, item["reasons"])
        holder.denied = [one for one in refused if one.who in holder.carriers]
        made.append(holder)
    return made


def _granted(
    account: str, policy: str, statement: Statement, used: Uses, written: Mapping[str, Any]
) -> Iterator[Granted]:
    times = used.get((account, policy, statement.label), Counter())
    for action in actions_of(statement):
        reason = next(
            (
                Reason(item["kind"], tuple(item["actions"]), item["text"])
                for item in written.get(statement.label, [])
                if not item["actions"] or action in item["actions"]
            ),
            None,
        )
        needed = sum(number for asked, number in times.items() if action_like(action, asked))
        yield Granted(policy, statement.label, action, needed, reason)


def actions_of(statement: Statement) -> list[str]:
    """The actions of a statement, every wildcard resolved with AWS's table of actions."""
    if statement.not_actions:
        known = {action.split(":")[0] for action in statement.actions}
        every = [action for prefix in sorted(known) for action in _matching(f"{prefix}:*")]
        return [action for action in every if not any(action_like(pattern, action) for pattern in statement.actions)]
    return [action for pattern in statement.actions for action in _matching(pattern)]


def _matching(pattern: str) -> list[str]:
    prefix = pattern.split(":")[0]
    known = table(prefix.lower())
    if known is None or not ("*" in pattern or "?" in pattern):
        return [pattern]
    names = (f"{prefix}:{name}" for name in known.actions)
    return [name for name in names if action_like(pattern, name)] or [pattern]
