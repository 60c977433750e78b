"""Policy documents: read, validated, and made ready to be matched.

IAM JSON policy elements reference and "Grammar of the IAM JSON policy language" (IAM User Guide).
A document that IAM would not take raises MalformedPolicy, in IAM's words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from awslang.bounded import read_json
from awslang.policy.conditions import Test, operator_parts

Kind = Literal["identity", "session", "resource", "trust", "control"]  # control: service control policies

VERSIONS = ("2012-10-17", "2008-10-17")
DOCUMENT_ELEMENTS = {"Version", "Id", "Statement"}
STATEMENT_ELEMENTS = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
PRINCIPAL_TYPES = {"AWS", "Service", "Federated", "CanonicalUser"}
ACTION = re.compile(r"[a-zA-Z0-9-]+:[a-zA-Z0-9*?_-]+|\*")
NO_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
NOT_UNIQUE = "Statement IDs (SID) in a single policy must be unique."
SID = re.compile(r"[A-Za-z0-9]*")
ARN = re.compile(r"arn:[^:]*:[^:]*:[^:]*:[^:]*:.*", re.DOTALL)
ACCOUNT = re.compile(r"[0-9]{12}")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NAME = r"[a-zA-Z0-9_+=,.@-]+"


class MalformedPolicy(ValueError):  # reads as what it says: raise MalformedPolicy(...)
    """IAM would not take this document; the text is IAM's."""


@dataclass(frozen=True)
class Statement:
    """One statement.

    label: its Sid, or its place in the policy: [0], [1] …
    principals: type and value of each one named ("*" for everybody: ("AWS", "*")); None without the element
    """

    label: str
    effect: Literal["Allow", "Deny"]
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...] | None
    not_resources: bool
    principals: tuple[tuple[str, str], ...] | None
    not_principals: bool
    conditions: tuple[Test, ...]
    variables: bool


@dataclass(frozen=True)
class Policy:
    """A policy with its place: name or ARN, and the account that holds it ("" for AWS's own)."""

    name: str
    account: str
    statements: tuple[Statement, ...]

    def __str__(self) -> str:
        return f"{self.name} of account {self.account}" if self.account else self.name


def parse(document: str | Mapping[str, Any], name: str, account: str, kind: Kind = "identity") -> Policy:
    """The policy in a document; MalformedPolicy when IAM would not take it."""
    text = document if isinstance(document, str) else json.dumps(document)
    return Policy(name, account, _statements(text, kind))


def parse_resource(text: str, name: str, account: str) -> Policy | None:
    """The policy of a resource; None where the text is empty."""
    return parse(text, name, account, "resource") if text else None


def renamed(text: str, principal: str, name: str) -> str:
    """The document with a user or role under another name wherever an element names it as a principal."""
    if principal not in text:
        return text
    document = json.loads(text)
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        for element in {"Principal", "NotPrincipal"} & set(statement):
            named = statement[element]
            if isinstance(named, dict) and principal in named.get("AWS", []):
                listed = [named["AWS"]] if isinstance(named["AWS"], str) else named["AWS"]
                replaced = [name if one == principal else one for one in listed]
                named["AWS"] = replaced if isinstance(named["AWS"], list) else replaced[0]
    return json.dumps(document)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedPolicy("Duplicate keys in policy.")
    return found


@lru_cache(maxsize=5_000)
def _statements(text: str, kind: Kind) -> tuple[Statement, ...]:
    try:
        document = read_json(text, _no_twins)
    except MalformedPolicy:
        raise
    except ValueError as error:
        raise MalformedPolicy("This policy contains invalid Json") from error
    if not isinstance(document, dict) or set(document) - DOCUMENT_ELEMENTS:
        raise MalformedPolicy("Syntax errors in policy.")
    version = document.get("Version", "2008-10-17")
    if not isinstance(version, str) or (version not in VERSIONS and not DATE.fullmatch(version)):
        raise MalformedPolicy("Syntax errors in policy.")
    if version not in VERSIONS or (kind == "control" and version != "2012-10-17"):
        raise MalformedPolicy("Policy document must be version 2012-10-17 or greater.")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicy("Syntax errors in policy.")
    read = tuple(_statement(item, index, kind, version) for index, item in enumerate(statements))
    sids = [item["Sid"] for item in statements if item.get("Sid")]
    if kind != "resource" and len(sids) != len(set(sids)):  # of resources, some services take them (saving.py)
        raise MalformedPolicy(NOT_UNIQUE)
    return read


def _strings(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str) for item in items):
        raise MalformedPolicy("Syntax errors in policy.")
    return tuple(items)


def _one_of(item: dict[str, Any], name: str) -> tuple[tuple[str, ...] | None, bool]:
    """The values of Action or NotAction (Resource or NotResource), and whether it was the Not form."""
    if name in item and f"Not{name}" in item:
        raise MalformedPolicy("Syntax errors in policy.")
    if f"Not{name}" in item:
        return _strings(item[f"Not{name}"]), True
    return (_strings(item[name]) if name in item else None), False


def _statement(item: Any, index: int, kind: Kind, version: str) -> Statement:
    if not isinstance(item, dict) or set(item) - STATEMENT_ELEMENTS:
        raise MalformedPolicy("Syntax errors in policy.")
    sid = item.get("Sid", "")
    if not isinstance(sid, str):
        raise MalformedPolicy("Syntax errors in policy.")
    if kind != "resource" and not SID.fullmatch(sid):  # resource policies of services take spaces and more
        raise MalformedPolicy(
            "Statement IDs (SID) must be alpha-numeric. "
            f"Check that your input satisfies the regular expression [0-9A-Za-z]*: {sid}"
        )
    effect = item.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedPolicy("Syntax errors in policy.")
    actions, not_actions = _one_of(item, "Action")
    resources, not_resources = _one_of(item, "Resource")
    if actions is None:
        raise MalformedPolicy("Policy statement must contain actions.")
    for action in actions:
        if not ACTION.fullmatch(action):
            raise MalformedPolicy(NO_VENDOR if ":" not in action else f"Action {action} is not valid.")
    _check_resources(resources, kind)
    if kind == "identity" and resources is not None:
        resources = tuple(map(completed, resources))
    principals, not_principals = _principals(item, kind, effect)
    return Statement(
        label=sid or f"[{index}]",
        effect=effect,
        actions=actions,
        not_actions=not_actions,
        resources=resources,
        not_resources=not_resources,
        principals=principals,
        not_principals=not_principals,
        conditions=_conditions(item.get("Condition", {})),
        variables=version == "2012-10-17",
    )


def _check_resources(resources: tuple[str, ...] | None, kind: Kind) -> None:
    if kind == "trust":
        if resources is not None:
            raise MalformedPolicy("Has prohibited field Resource.")
        return
    if resources is None:
        if kind == "resource":  # ECR's and others' name only the resource that they belong to
            return
        raise MalformedPolicy("Policy statement must contain resources.")
    for resource in resources:
        if resource == "*" or ARN.fullmatch(resource):
            continue
        if resource.startswith("arn:") and kind == "identity":
            if resource.count(":") < 2:
                raise MalformedPolicy("Resource vendor must be fully qualified and cannot contain regexes.")
            if "::" in resource:
                raise MalformedPolicy("The policy failed legacy parsing")
            continue
        if resource.startswith("arn:") and kind != "session" and "*" in resource:
            continue
        raise MalformedPolicy(f'Resource {resource} must be in ARN format or "*".')


def completed(resource: str) -> str:
    """An ARN of an identity-based policy with a star in each field that it leaves out, which no session policy may
    (IAM User Guide, "Identify AWS resources with Amazon Resource Names (ARNs)")."""
    missing = 5 - resource.count(":")
    return resource if resource == "*" or "${" in resource else resource + ":*" * missing


def _principals(item: dict[str, Any], kind: Kind, effect: str) -> tuple[tuple[tuple[str, str], ...] | None, bool]:
    present = [name for name in ("Principal", "NotPrincipal") if name in item]
    if kind in ("identity", "session", "control"):
        if present:
            raise MalformedPolicy("Policy document should not specify a principal.")
        return None, False
    if len(present) != 1:
        raise MalformedPolicy("Missing required field Principal" if not present else "Syntax errors in policy.")
    negated = present[0] == "NotPrincipal"
    if negated and kind == "trust":
        raise MalformedPolicy("AssumeRole policy may only specify Principal, not NotPrincipal.")
    if negated and effect == "Allow":
        raise MalformedPolicy("Allow with NotPrincipal is not allowed.")
    value = item[present[0]]
    if value == "*":
        return (("AWS", "*"),), negated
    if not isinstance(value, dict) or not value or set(value) - PRINCIPAL_TYPES:
        raise MalformedPolicy(f"Invalid principal in policy: {json.dumps(value)[:1000]}")
    found = tuple((kind_of, one) for kind_of, names in value.items() for one in _strings(names))
    for kind_of, one in found:
        check_principal_form(kind_of, one)
    return found, negated


def check_principal_form(kind_of: str, value: str) -> None:
    """MalformedPolicy for a principal that cannot be one ("AWS JSON policy elements: Principal")."""
    good = True
    if kind_of == "AWS":
        good = (
            value == "*"
            or ACCOUNT.fullmatch(value) is not None
            or re.fullmatch(r"AIDA[A-Z0-9]+|AROA[A-Z0-9]+", value) is not None
            or re.fullmatch(r"arn:[a-z-]+:iam::[0-9]{12}:(root|(user|role)/[a-zA-Z0-9_+=,.@/-]+)", value) is not None
            or re.fullmatch(rf"arn:[a-z-]+:sts::[0-9]{{12}}:(assumed-role/{NAME}/{NAME}|federated-user/.+)", value)
            is not None
            or re.fullmatch(r"arn:[a-z-]+:iam::cloudfront:user/.+", value) is not None
        )
    elif kind_of == "Service":
        good = re.fullmatch(r"[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|aws\.internal|amazon\.com)", value) is not None
    if not good:
        raise MalformedPolicy(f'Invalid principal in policy: "{kind_of}":"{value}"')


def _conditions(block: Any) -> tuple[Test, ...]:
    if not isinstance(block, dict):
        raise MalformedPolicy("Syntax errors in policy.")
    tests = []
    for written, keys in block.items():
        parts = operator_parts(written)
        if parts is None:
            raise MalformedPolicy(f"Invalid Condition type : {written}.")
        if not isinstance(keys, dict):
            raise MalformedPolicy("Syntax errors in policy.")
        for key, values in keys.items():
            if ":" not in key:
                raise MalformedPolicy(NO_VENDOR)
            tests.append(Test(written, parts[1], parts[0], parts[2], key, _condition_values(values)))
    return tuple(tests)


def _condition_values(values: Any) -> tuple[str, ...]:
    out = []
    for value in values if isinstance(values, list) else [values]:
        if isinstance(value, bool):
            out.append("true" if value else "false")
        elif isinstance(value, str | int | float):
            out.append(str(value))
        else:
            raise MalformedPolicy("Syntax errors in policy.")
    return tuple(out)
