"""What an update would do to each resource: nothing, in place, or replace it (and the change sets' view of it).

CloudFormation User Guide, "Understand update behaviors of stack resources"; API Reference, "ResourceChange".
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from awslang.template import schemas
from awslang.template.graph import order
from awslang.template.intrinsics import UNKNOWN
from localaws.cloudformation.goals import Goal
from localaws.cloudformation.stacks import STACK_TYPE, Resource

AFTERWARDS = "{{changeSet:KNOWN_AFTER_APPLY}}"


@dataclass(frozen=True)
class Difference:
    """Between a resource as it is and as the template wants it.

    properties: the names of the properties that differ
    replaced_by: the create-only ones among them (paths): with any, a new resource takes its place
    tags: the stack's tags differ, and the type carries them
    metadata: for CloudFormation itself; the resource is not touched
    again: touched by every update: a nested stack, whose template may be another behind the same URL, or a
        resource whose last update failed and was not rolled back
    """

    properties: tuple[str, ...] = ()
    replaced_by: tuple[str, ...] = ()
    tags: bool = False
    metadata: bool = False
    again: bool = False

    @property
    def touches(self) -> bool:
        return bool(self.properties or self.tags or self.again)

    def __bool__(self) -> bool:
        return self.touches or self.metadata


def compare(old: Resource, new: Resource, tags: Mapping[str, str], region: str) -> Difference:
    names = [n for n in {**old.properties, **new.properties} if old.properties.get(n) != new.properties.get(n)]
    known = schemas.schema(new.type, region)
    replaced = tuple(known.replaced_by(old.properties, new.properties)) if names else ()
    retag = known.taggable and old.tags != dict(tags)
    again = new.type == STACK_TYPE or old.status == "UPDATE_FAILED"
    return Difference(tuple(names), replaced, retag, old.metadata != new.metadata, again)


@dataclass(frozen=True)
class Change:
    """One resource that the update would touch; action as in the API: Add, Modify, Remove."""

    action: str
    old: Resource | None
    new: Resource | None
    difference: Difference = Difference()

    @property
    def resource(self) -> Resource:
        found = self.new or self.old
        assert found is not None
        return found


def foresee(goal: Goal, before: Mapping[str, Resource]) -> list[Change]:
    """The changes from what there is to the goal, with values that only exist later left UNKNOWN.

    The caller sets goal.lookup again afterwards.
    """
    changes: list[Change] = []
    unsure: set[str] = set()  # resources whose Ref and attributes are not known yet

    def lookup(logical_id: str, attribute: str) -> Any:
        if logical_id in unsure or logical_id not in before:
            return UNKNOWN
        old = before[logical_id]
        return old.ref if attribute == "Ref" else old.attributes.get(attribute, UNKNOWN)

    goal.lookup = lookup
    for logical_id in (i for wave in order(goal.depends) for i in sorted(wave)):
        new, old = goal.resource(logical_id), before.get(logical_id)
        if old is None:
            unsure.add(logical_id)
            changes.append(Change("Add", None, new))
        elif difference := compare(old, new, goal.tags, goal.region):
            if difference.replaced_by:
                unsure.add(logical_id)
            changes.append(Change("Modify", old, new, difference))
    changes += [Change("Remove", old, None) for logical_id, old in before.items() if logical_id not in goal.depends]
    return changes


def problems(goal: Goal, changes: list[Change]) -> list[tuple[Resource, str]]:
    """What the registry's schemas refuse of the resources that would be made or changed."""
    return [
        (change.new, problem)
        for change in changes
        if change.new is not None
        for problem in schemas.problems(change.new.type, change.new.properties, change.new.logical_id, goal.region)
    ]


def retyped(goal: Goal, before: Mapping[str, Resource]) -> list[str]:
    """The logical ids that the goal gives another type, which no update may do."""
    return sorted(i for i in goal.depends if i in before and before[i].type != goal.type(i))


def shown(change: Change) -> dict[str, Any]:
    """The change as DescribeChangeSet shows it."""
    resource = change.resource
    shown: dict[str, Any] = {
        "Action": change.action,
        "LogicalResourceId": resource.logical_id,
        "ResourceType": resource.type,
        "Scope": [],
        "Details": [],
    }
    if change.old is not None:
        shown["PhysicalResourceId"] = change.old.physical_id
    if change.action == "Remove" and resource.deletion_policy != "Delete":
        shown["PolicyAction"] = "Retain"
    elif change.action == "Remove":
        shown["PolicyAction"] = "Delete"
    if change.action == "Modify":
        shown |= modification(change)
    return {"Type": "Resource", "ResourceChange": shown}


def with_values(change: Change, shown: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """The change with the properties before and after it, as IncludePropertyValues asks for them.

    CloudFormation User Guide, "Change sets for CloudFormation stacks": what is not known yet has a placeholder, and
    NoEcho values are masked.
    """
    detailed = copy.deepcopy(dict(shown))
    resource = detailed["ResourceChange"]
    for name, side in (("BeforeContext", change.old), ("AfterContext", change.new)):
        if side is not None:
            resource[name] = as_text({"Properties": side.properties}, secrets)
    for detail in resource["Details"]:
        target = detail["Target"]
        for name, side in (("BeforeValue", change.old), ("AfterValue", change.new)):
            if side is not None and target.get("Name") in side.properties:
                value = side.properties[target["Name"]]
                target[name] = value if isinstance(value, str) and value not in secrets else as_text(value, secrets)
    return detailed


def as_text(value: Any, secrets: Iterable[str]) -> str:
    text = json.dumps(value, default=lambda part: AFTERWARDS if part is UNKNOWN else str(part), separators=(",", ":"))
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(json.dumps(secret)[1:-1], "****")
    return text


def modification(change: Change) -> dict[str, Any]:
    difference, new = change.difference, change.new
    assert new is not None
    certain = [path for path in difference.replaced_by if not unknown_in(new.properties.get(path.split("/")[0]))]
    replacement = "True" if certain else "Conditional" if difference.replaced_by else "False"
    shown: dict[str, Any] = {"Replacement": replacement}
    if difference.replaced_by:
        retain = new.replace_policy in {"Retain", "RetainExceptOnCreate"}
        shown["PolicyAction"] = "ReplaceAndRetain" if retain else "ReplaceAndDelete"
    create_only = {path.split("/")[0] for path in difference.replaced_by}
    shown["Details"] = [
        {
            "Target": {
                "Attribute": "Properties",
                "Name": name,
                "RequiresRecreation": "Always" if name in create_only else "Never",
            },
            "Evaluation": "Dynamic" if unknown_in(new.properties.get(name)) else "Static",
            "ChangeSource": "ResourceAttribute" if unknown_in(new.properties.get(name)) else "DirectModification",
        }
        for name in difference.properties
    ]
    scope = ["Properties"] if difference.properties else []
    for attribute, differs in (("Tags", difference.tags), ("Metadata", difference.metadata)):
        if differs:
            scope.append(attribute)
            target = {"Attribute": attribute, "RequiresRecreation": "Never"}
            shown["Details"].append({"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"})
    shown["Scope"] = scope
    return shown


def unknown_in(value: Any) -> bool:
    """Whether a value, or part of it, is not known before the update runs."""
    if isinstance(value, dict):
        return any(unknown_in(inner) for inner in value.values())
    if isinstance(value, list):
        return any(unknown_in(inner) for inner in value)
    return value is UNKNOWN
