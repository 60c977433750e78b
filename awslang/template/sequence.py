"""An order in which nothing is ready that a resource uses without waiting for it.

CloudFormation User Guide, "DependsOn attribute": resources are created in parallel where it can; only a reference or
DependsOn makes one wait for another, and "When a DependsOn attribute is required" shows what fails otherwise, by
chance. So any order of resources without dependencies is AWS's; this one is the worst of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Needs = Mapping[str, set[str]]
Resources = Mapping[str, tuple[str, Any]]  # by logical id: type and properties, as far as they are known
# What gives rights or connections to another resource, which may be used before.
ATTACHED = re.compile(r"(Policy|Permission|Association|Attachment|Addition|Subscription)$")


def latest(resources: Resources, needs: Needs) -> dict[str, set[str]]:
    """What each resource waits for: its needs, and everything that uses it without waiting for it."""
    waits = {one: set(others) for one, others in needs.items()}
    for used, user in [*named(resources, needs), *attached(resources, needs)]:
        if used not in reached(user, waits):
            waits[used].add(user)
    return waits


def named(resources: Resources, needs: Needs) -> Iterator[tuple[str, str]]:
    """(A, B) where B names A by its physical name, and neither waits for the other."""
    names = {one: name for one, (type_name, properties) in resources.items() if (name := given(type_name, properties))}
    patterns = {
        one: re.compile(rf"(?<![a-zA-Z0-9_-]){re.escape(name)}(?![a-zA-Z0-9_-])") for one, name in names.items()
    }
    if not patterns:
        return
    reach = {one: reached(one, needs) for one in resources}
    for user, (_, properties) in resources.items():
        texts = [text for text in texts_of(properties) if text != names.get(user)]
        for used, pattern in patterns.items():
            apart = user != used and used not in reach[user] and user not in reach[used]
            if apart and any(pattern.search(text) for text in texts):
                yield used, user


def attached(resources: Resources, needs: Needs) -> Iterator[tuple[str, str]]:
    """(A, B) where A changes what B uses, as a role's policy does, and neither waits for the other."""
    reach = {one: reached(one, needs) for one in resources}
    for policy in [one for one, (type_name, _) in resources.items() if ATTACHED.search(type_name)]:
        for user, (type_name, _) in resources.items():
            apart = user != policy and user not in reach[policy] and policy not in reach[user]
            if apart and not ATTACHED.search(type_name) and needs[policy] & reach[user]:
                yield policy, user


def given(type_name: str, properties: Any) -> str:
    """The name that a template gives a resource; "" for none that others could know."""
    if not isinstance(properties, dict):
        return ""
    found = properties.get(f"{type_name.rpartition('::')[2]}Name", properties.get("Name", ""))
    return found if isinstance(found, str) and len(found) > 2 else ""


def texts_of(value: Any, within: tuple[str, ...] = ()) -> Iterator[str]:
    """Every text that names what must be there: of a policy, its principals alone."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from texts_of(inner, (*within, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner, within)
    elif isinstance(value, str) and ("Statement" not in within or "Principal" in within):
        yield value


def reached(start: str, needs: Needs) -> set[str]:
    """All that a resource waits for, through others too."""
    found: set[str] = set()
    left = [start]
    while left:
        for one in needs[left.pop()] - found:
            found.add(one)
            left.append(one)
    return found
