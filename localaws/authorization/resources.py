"""The ARNs of the resources that a request acts on, built from its parameters.

The formats are those of the Service Authorization Reference (action_table.py). A parameter that
is named like a part of the format fills it; what a service names otherwise is in the
access.py of the service's package.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from awslang.policy.action_table import Table
from localaws import registry
from localaws.authorization.needs import strings
from localaws.calls import Call

PART = re.compile(r"\$\{([a-zA-Z0-9_]+)\}")


def _lower(params: dict[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in params.items()}


def generic(call: Call, table: Table, types: Iterable[str]) -> list[str]:
    """The ARNs that the parameters give for these resource types; [] when they give none."""
    params = _lower(call.params)
    for key in ("resourcearn", "resource"):
        if isinstance(params.get(key), str) and params[key].startswith("arn:"):
            return [params[key]]
    found: list[str] = []
    for kind in types:
        found += [one for one in _of_type(call, params, kind, table.resources[kind]) if one not in found]
    return found


def _of_type(call: Call, params: dict[str, Any], kind: str, form: str) -> list[str]:
    word = kind.replace("-", "").replace(" ", "").lower()
    known = {"Partition": "aws", "Region": call.region, "Account": call.account}
    parts = [part for part in PART.findall(form) if part not in known]
    names = [part.lower() for part in parts]
    last = names[-1] if names else word
    for key in (last, f"{word}arn", f"{word}name", f"{word}id", last.removesuffix("name") + "arn", f"{last}s", "arn"):
        arns = [value for value in strings(params.get(key)) if value.startswith("arn:")]
        if arns:
            return arns
    found: list[str] = []
    for key in (last, f"{word}name", f"{word}id", word, f"{last}s", "name"):
        for value in strings(params.get(key)):
            filled = dict(known)
            for part, name in zip(parts[:-1], names[:-1], strict=True):
                filled[part] = params[name] if isinstance(params.get(name), str) else ""
            filled |= {parts[-1]: value} if parts else {}
            if all(filled.values()):
                found.append(PART.sub(lambda match: filled[match.group(1)], form))  # noqa: B023
        if found:
            break
    return found


def resources(call: Call, types: list[str], table: Table) -> list[str]:
    """The resources of the call for an action that acts on these types; [] when the parameters name none."""
    tagged = call.params.get("ResourceArn") or call.params.get("resourceArn") or call.params.get("resource")
    if isinstance(tagged, str) and tagged.startswith("arn:"):
        return [tagged]
    own = registry.access(call.service).resources
    found = own(call, types) if own else []
    return found or generic(call, table, [kind for kind in types if kind])
