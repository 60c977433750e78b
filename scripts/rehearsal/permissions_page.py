"""Write docs/generated/permissions.md: every statement of every role and policy for people, from the templates.

python -m scripts.rehearsal.permissions_page
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from awslang.template.template import parse
from scripts.kit.bundle.pack import ROOT
from scripts.rehearsal.permissions import MANAGED_POLICY, ROLE, Reason, reasons

PAGE = ROOT / "docs/generated/permissions.md"
HEAD = """\
# Permissions, statement by statement

Written from the templates by `python -m scripts.rehearsal.permissions_page`. The first statement of a role is its
trust policy. *Reason* is the comment on a statement that not every rehearsal uses:
[how the reasons are tested](../reference/permissions.md#reasons).
"""
COLUMNS = "| statement | actions | reason |\n|---|---|---|\n"


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


def actions(statement: dict[str, Any]) -> str:
    """What a statement allows or denies; of a trust policy, with the services that may do it."""
    principal = statement.get("Principal")
    services = as_list(principal["Service"]) if isinstance(principal, dict) and "Service" in principal else []
    names = ", ".join(f"`{name}`" for name in as_list(statement.get("Action", [])))
    by = f" by {', '.join(f'`{name}`' for name in services)}" if services else ""
    return f"{'denied: ' if statement['Effect'] == 'Deny' else ''}{names}{by}"


def reason_of(found: list[Reason]) -> str:
    """The reasons of a statement, each with the actions that it is for."""
    return " ".join(
        f"{reason.kind}{' (' + ', '.join(f'`{name}`' for name in reason.actions) + ')' if reason.actions else ''}: "
        f"{reason.text.rstrip('.')}."
        for reason in found
    ).replace("|", "\\|")


def section(template: str, text: str) -> str:
    """The roles and managed policies of one template; "" when it makes none."""
    made, written = [], reasons(text)
    for logical_id, resource in parse(text).resources.items():
        if resource["Type"] not in (ROLE, MANAGED_POLICY):
            continue
        rows = ""
        for one in statements(resource["Properties"]):
            reason = reason_of(written.get(logical_id, {}).get(one.get("Sid", ""), []))
            rows += f"| {one.get('Sid', '–')} | {actions(one)} | {reason} |\n"
        kind = "role" if resource["Type"] == ROLE else "managed policy"
        made.append(f"\n### {logical_id} ({kind})\n\n{COLUMNS}{rows}")
    return f"\n## {template}\n" + "".join(made) if made else ""


def page() -> str:
    """The whole page, as the templates are now."""
    paths = sorted((ROOT / "templates").glob("*.yaml"))
    return HEAD + "".join(section(path.name, path.read_text(encoding="utf-8")) for path in paths)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
