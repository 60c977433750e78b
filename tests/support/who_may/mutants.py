"""Every statement of every policy, weakened: what a hurried edit of a template makes of it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from awslang.policy.action_table import table
from awslang.policy.document import MalformedPolicy, parse
from tests.support.who_may.policies import DATA_SCIENCE, Document
from tests.support.who_may.promises import kept_by
from tests.support.who_may.world import Mode, World, asks

Statement = Mapping[str, Any]
ENOUGH = 30  # changed answers among which a promise is looked for
ALWAYS_THERE = {
    "aws:resourceaccount",  # in every request (IAM User Guide, "AWS global condition context keys")
    "cloudwatch:namespace",
    "iam:awsservicename",  # required members of the only request that carries them
}


@dataclass(frozen=True)
class Mutant:
    """One statement of a document, changed. what: the change, for a reader."""

    document: Document
    sid: str
    what: str
    changed: Statement | None  # None: the statement is gone

    def __str__(self) -> str:
        return f"{self.document.place} {self.sid}: {self.what}"


def mutants(document: Document) -> Iterator[Mutant]:
    """Each statement with each condition dropped, and with each resource, action and principal widened."""
    for statement in document.statements:
        changes = weaker_denial(statement) if statement["Effect"] == "Deny" else wider(statement)
        for what, changed in changes:
            if changed == statement:
                continue
            yield Mutant(document, statement["Sid"], what, changed)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def with_value(statement: Statement, key: str, value: Any) -> dict[str, Any]:
    return {**copy.deepcopy(dict(statement)), key: value}


# -- what is allowed ---------------------------------------------------------------------------


def wider(statement: Statement) -> Iterator[tuple[str, Statement]]:
    yield from without_conditions(statement)
    yield from for_absent_keys(statement)
    yield from wider_values(statement)
    for resource in as_list(statement.get("Resource", [])):
        for wide in (one for one in wider_arns(resource) if one != resource):
            yield (
                f"{resource} → {wide}",
                with_value(statement, "Resource", replaced(statement["Resource"], resource, wide)),
            )
    if "NotResource" in statement:
        yield (
            "NotResource dropped",
            {k: v for k, v in with_value(statement, "Resource", "*").items() if k != "NotResource"},
        )
    for action in as_list(statement["Action"]):
        for wide in wider_actions(action, as_list(statement["Action"])):
            yield f"{action} → {wide}", with_value(statement, "Action", replaced(statement["Action"], action, wide))
    for kind, value in wider_principals(statement.get("Principal", {})):
        yield f"Principal → {json.dumps(value)}", with_value(statement, "Principal", {kind: value} if kind else value)


def replaced(values: Any, old: str, new: str) -> list[str]:
    return list(dict.fromkeys(new if value == old else value for value in as_list(values)))


def without_conditions(statement: Statement) -> Iterator[tuple[str, Statement]]:
    """Each key of each condition dropped."""
    for operator, keys in statement.get("Condition", {}).items():
        for key in keys:
            changed = copy.deepcopy(dict(statement))
            del changed["Condition"][operator][key]
            if not changed["Condition"][operator]:
                del changed["Condition"][operator]
            if not changed["Condition"]:
                del changed["Condition"]
            yield f"{operator} {key} dropped", changed


def for_absent_keys(statement: Statement) -> Iterator[tuple[str, Statement]]:
    """Each condition with …IfExists, which holds where a request lacks the key."""
    for operator, keys in statement.get("Condition", {}).items():
        if set(map(str.lower, keys)) <= ALWAYS_THERE:
            continue
        if operator == "Null" or ":" in operator or operator.endswith("IfExists"):
            continue
        changed = copy.deepcopy(dict(statement))
        del changed["Condition"][operator]
        changed["Condition"][f"{operator}IfExists"] = keys
        yield f"{operator} → {operator}IfExists", changed


def wider_values(statement: Statement) -> Iterator[tuple[str, Statement]]:
    """Each value of a condition that compares with wildcards, widened as a resource is."""
    for operator, keys in statement.get("Condition", {}).items():
        if "Like" not in operator and not operator.startswith("Arn"):
            continue
        for key, values in keys.items():
            for value in as_list(values):
                for wide in wider_arns(value) if value.startswith("arn:") else ["*"]:
                    if wide == value:
                        continue
                    changed = copy.deepcopy(dict(statement))
                    changed["Condition"][operator][key] = replaced(values, value, wide)
                    yield f"{operator} {key}: {value} → {wide}", changed


def wider_arns(arn: str) -> Iterator[str]:
    """Everything; every Region, every account, every name, and all beneath the first name."""
    if arn == "*" or not arn.startswith("arn:"):
        return
    yield "*"
    parts = arn.split(":", 5)
    for place in (3, 4):
        if parts[place] not in ("", "*"):
            yield ":".join([*parts[:place], "*", *parts[place + 1 :]])
    kind, slash, name = parts[5].partition("/" if "/" in parts[5] else ":")
    head = ":".join(parts[:5])
    yield from (f"{head}:{wide}" for wide in wider_names(parts[5]))
    if not slash:
        yield f"{head}:*"
    elif parts[2] == "s3":
        yield f"{head}:*/{name}"
        yield f"{head}:{kind}/*"
    else:
        yield f"{head}:{kind}{slash}*"


def wider_names(resource: str) -> Iterator[str]:
    """Each part of a name that has a star, what stands before the star or behind it left out."""
    parts = re.split("([/:])", resource)
    for place, part in enumerate(parts):
        before, star, after = part.partition("*")
        if star and "${" not in part:
            for wide in {before + "*", "*" + after} - {part, "*"}:
                yield "".join([*parts[:place], wide, *parts[place + 1 :]])


def wider_actions(action: str, beside: list[str]) -> Iterator[str]:
    """All of its verb, unless AWS has no other of the verb on the same kind of resource; all of its service; all."""
    prefix, _, name = action.partition(":")
    known, verb = table(prefix), re.match(r"[A-Z]+[a-z]*", name)
    kinds = {kind for kind in known.actions.get(name, ()) if kind} if known else set()
    if (
        verb
        and known
        and any(
            o.startswith(verb[0]) and f"{prefix}:{o}" not in beside and kinds & set(k) for o, k in known.actions.items()
        )
    ):
        yield f"{prefix}:{verb[0]}*"
    yield from (wide for wide in (f"{prefix}:*", "*") if wide != action)


def wider_principals(principal: Any) -> Iterator[tuple[str, Any]]:
    """Everyone; of a role, its account; of a service, another service too."""
    if principal == "*" or not principal:
        return
    for kind, values in principal.items():
        if kind == "AWS" and values != "*":
            yield "AWS", "*"
            for value in as_list(values):
                if ":role/" in value:
                    yield "AWS", [v if v != value else value.split(":")[4] for v in as_list(values)]
        elif kind == "Service":
            yield "Service", [*as_list(values), "lambda.amazonaws.com"]
            yield "", {"Service": values, "AWS": DATA_SCIENCE}
        elif kind == "Federated":
            yield "", {"Federated": values, "AWS": DATA_SCIENCE}


# -- what is denied ----------------------------------------------------------------------------


def weaker_denial(statement: Statement) -> Iterator[tuple[str, Statement | None]]:
    """Gone; without one of its actions or resources, with more exceptions, or with conditions more, or less, narrow."""
    yield "dropped", None
    for key in ("Action", "Resource"):
        values = as_list(statement.get(key, []))
        for value in values if len(values) > 1 else []:
            yield f"without {value}", with_value(statement, key, [one for one in values if one != value])
    for action in as_list(statement.get("NotAction", [])):
        prefix = action.split(":")[0]
        more = [f"{prefix}:Put*", f"{prefix}:Delete*", f"{prefix}:List*"]
        for one in more:
            if one not in as_list(statement["NotAction"]):
                yield (
                    f"NotAction with {one}",
                    with_value(statement, "NotAction", [*as_list(statement["NotAction"]), one]),
                )
    yield from without_conditions(statement)
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            for value in as_list(values) if operator.startswith("ArnNot") else []:
                for wide in wider_arns(value):
                    like = operator.replace("Equals", "Like")
                    changed = copy.deepcopy(dict(statement))
                    del changed["Condition"][operator][key]
                    changed["Condition"] = {k: v for k, v in changed["Condition"].items() if v}
                    changed["Condition"].setdefault(like, {})[key] = replaced(values, value, wide)
                    yield f"{key}: {value} → {wide}", changed
            if operator == "Null":
                changed = copy.deepcopy(dict(statement))
                changed["Condition"][operator][key] = "true" if values == "false" else "false"
                yield f"Null {key} turned round", changed


# -- who notices -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Noticed:
    """What a mutant changes: the first question with another answer, and the promise that it breaks, if any."""

    question: str
    promise: str


def notice(world: World, mutant: Mutant) -> Noticed | None:
    """The promise that the mutant breaks; or else the first answer of who-may.md that changes; None for neither."""
    document, now = mutant.document, world.parsed[id(mutant.document)]
    before, after = next((s for s in now.statements if s.label == mutant.sid), None), None
    if mutant.changed is not None:
        try:
            alone = document.text((mutant.changed,))
            (after,) = parse(alone, document.place, document.account, document.kind).statements
        except MalformedPolicy as error:
            return Noticed(f"AWS refuses the policy: {error}", "")
    rest = [one for one in now.statements if one is not before]
    changed = (document, replace(now, statements=tuple([*rest, after] if after else rest)))
    mode: Mode = "own" if document.kind == "identity" else "resource"
    affected, first, tries = world.affected(document, before, after), None, 0
    for person in world.concerned(document):
        for question in affected:
            if not asks(person, question) or world.alike(person, question, before, after):
                continue
            allowed = world.may(person, question, mode, changed)
            if allowed == world.may(person, question, mode):
                continue
            first = first or Noticed(f"{person.name} {'may' if allowed else 'may not'} {question}", "")
            broken = kept_by(world.name, person, question) if allowed else None
            if broken and world.may(person, question, "both", changed):
                return Noticed(f"{person.name} may {question}", broken.never)
            if (tries := tries + 1) == ENOUGH:
                return first
    return first
