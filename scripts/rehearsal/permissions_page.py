"""Write docs/generated/permissions.md: every statement of every policy in the templates, its resources and conditions.

python -m scripts.rehearsal.permissions_page
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from awslang.template.template import parse
from scripts.kit.bundle.pack import ROOT
from scripts.rehearsal.permissions import MANAGED_POLICY, ROLE, Reason, reasons

PAGE = ROOT / "docs/generated/permissions.md"
HEAD = """\
# Permissions, statement by statement

Written from the templates by `python -m scripts.rehearsal.permissions_page`. The first statement of a role is its
trust policy. ARNs are shown without `arn:PARTITION:`; ACCOUNT and REGION are the stack's own, other capitals
parameters and resources of the template. *Reason* is the comment on a statement that not every rehearsal uses:
[how the reasons are tested](../reference/permissions.md#reasons).
"""
NO_VALUE = {"Ref": "AWS::NoValue"}
COLUMNS = "| statement | actions | on | if | reason |\n|---|---|---|---|---|\n"
KINDS = {
    ROLE: "role",
    MANAGED_POLICY: "managed policy",
    "AWS::IAM::RolePolicy": "policy of a role",
    "AWS::S3::BucketPolicy": "policy of a bucket",
    "AWS::SNS::TopicPolicy": "policy of a topic",
    "AWS::KMS::Key": "policy of a key",
}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(value: Any) -> Iterator[dict[str, Any]]:
    """Every statement within a value, under whatever condition (Fn::If) it stands."""
    if isinstance(value, dict) and "Effect" in value:
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from statements(part)
    elif isinstance(value, list):
        for part in value:
            yield from statements(part)


def shown(value: Any) -> str:
    """A value of a policy as a reader needs it: without functions, and with short ARNs."""
    if isinstance(value, dict):
        ((function, given),) = value.items()
        if function == "Ref":
            return f"{given}".replace("AWS::AccountId", "ACCOUNT").replace("AWS::Region", "REGION")
        if function == "Fn::GetAtt":
            name = given if isinstance(given, str) else ".".join(given)
            return name.removesuffix(".Arn")
        if function == "Fn::Sub":
            return substituted(given if isinstance(given, str) else given[0])
        if function == "Fn::If":
            return " or ".join(shown(one) for one in given[1:] if one != NO_VALUE)
        if function in ("Fn::Split", "Fn::Select"):
            return shown(given[1])
        if function == "Fn::Join":
            return str(given[0]).join(shown(one) for one in as_list(given[1]))
        return json.dumps(value)
    if isinstance(value, list):
        return ", ".join(shown(one) for one in value)
    return str(value)


def substituted(text: str) -> str:
    short = text.removeprefix("arn:${AWS::Partition}:")
    for pseudo, name in {"AccountId": "ACCOUNT", "Region": "REGION", "URLSuffix": "amazonaws.com"}.items():
        short = short.replace(f"${{AWS::{pseudo}}}", name)
    return re.sub(r"\$\{!([^}]*)\}", r"${\1}", re.sub(r"\$\{([^!][^}]*?)(\.Arn)?\}", r"\1", short))


def listed(values: Any) -> str:
    """Values as code, one after the other; a list within Fn::If is part of them."""
    found = []
    for value in as_list(values):
        if isinstance(value, dict) and "Fn::If" in value:
            found += [part for part in map(listed, value["Fn::If"][1:]) if part]
        elif value != NO_VALUE:
            found.append(f"`{shown(value)}`")
    return ", ".join(found).replace("|", "\\|")


def actions(statement: dict[str, Any]) -> str:
    """What a statement allows or denies; of a policy that names principals, with these."""
    principal, but = statement.get("Principal"), "NotAction" in statement
    names = listed(statement.get("NotAction" if but else "Action", []))
    who = listed([one for some in principal.values() for one in as_list(some)]) if isinstance(principal, dict) else ""
    deny = "denied: " if statement["Effect"] == "Deny" else ""
    return f"{deny}{'all but ' if but else ''}{names}{f' by {who}' if who else ''}"


def conditions(node: Any) -> str:
    """The conditions of a statement, in words that are nearly the policy's own."""
    if node in (None, NO_VALUE):
        return ""
    if "Fn::If" in node:
        return " or ".join(part for part in map(conditions, node["Fn::If"][1:]) if part)
    return "; ".join(part for operator, keys in node.items() for part in tests(operator, keys))


def tests(operator: str, keys: Any) -> Iterator[str]:
    """What one operator of a condition asks, under whatever condition of the template (Fn::If) it stands."""
    if keys == NO_VALUE:
        return
    if "Fn::If" in keys:
        for part in keys["Fn::If"][1:]:
            yield from tests(operator, part)
        return
    yield from (f"`{key}` {operator} {listed(values)}" for key, values in keys.items())


def reason_of(found: list[Reason]) -> str:
    """The reasons of a statement, each with the actions that it is for."""
    return " ".join(
        f"{reason.kind}{' (' + ', '.join(f'`{name}`' for name in reason.actions) + ')' if reason.actions else ''}: "
        f"{reason.text.rstrip('.')}."
        for reason in found
    ).replace("|", "\\|")


def section(template: str, text: str) -> str:
    """The roles and policies of one template; "" when it makes none."""
    made, written = [], reasons(text)
    for logical_id, resource in parse(text).resources.items():
        if resource["Type"] not in KINDS:
            continue
        rows = ""
        for one in statements(resource["Properties"]):
            reason = reason_of(written.get(logical_id, {}).get(one.get("Sid", ""), []))
            where = listed(one.get("Resource", [])), conditions(one.get("Condition"))
            rows += f"| {one.get('Sid', '–')} | {actions(one)} | {where[0]} | {where[1]} | {reason} |\n"
        made.append(f"\n### {logical_id} ({KINDS[resource['Type']]})\n\n{COLUMNS}{rows}")
    return f"\n## {template}\n" + "".join(made) if made else ""


def page() -> str:
    """The whole page, as the templates are now."""
    paths = sorted((ROOT / "templates").glob("*.yaml"))
    return HEAD + "".join(section(path.name, path.read_text(encoding="utf-8")) for path in paths)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
