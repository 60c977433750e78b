"""AWS::CloudFormation::StackSet: the stack set API, called with the stack's own credentials.

What it calls and in which order is what AWS's own handler does (published as
aws-cloudformation-resource-providers-cloudformation): an update first deletes the instances that
are no longer wanted, then updates the set, then creates new instances, then updates those that
stay. An operation that ends in anything but SUCCEEDED fails the resource.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scripts.rehearsal.cloudformation.provider import Context, Made, ResourceFailed
from scripts.rehearsal.cloudformation.providers_shapes import (
    all_tags,
    fill,
    only,
    poll,
    tag_list,
    undone_by,
    unless,
    without,
)
from scripts.rehearsal.errors import NotPlayed

TYPE = "AWS::CloudFormation::StackSet"
NOT_HERE = {"StackSetNotFoundException", "StackSetNotFound"}
NO_INSTANCE = {"StackInstanceNotFoundException", "StackInstanceNotFound"}
NESTED = {"AWS::CloudFormation::Stack", "AWS::CloudFormation::StackSet"}
CONFIGURATION = (
    "AdministrationRoleARN", "AutoDeployment", "Capabilities", "Description", "ExecutionRoleName", "Parameters",
    "TemplateBody", "TemplateURL",
)  # fmt: skip
CARRIED = frozenset(
    {
        *CONFIGURATION, "CallAs", "ManagedExecution", "OperationPreferences", "PermissionModel", "StackInstancesGroup",
        "StackSetName", "Tags",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Selection:
    """Accounts of one unit: these ones, or all but these ones."""

    accounts: frozenset[str]
    all_but: bool

    def minus(self, other: Selection) -> Selection:
        return self.also(Selection(other.accounts, not other.all_but))

    def also(self, other: Selection) -> Selection:
        """The accounts that are in both."""
        if self.all_but and other.all_but:
            return Selection(self.accounts | other.accounts, True)
        if self.all_but:
            return Selection(other.accounts - self.accounts, False)
        if other.all_but:
            return Selection(self.accounts - other.accounts, False)
        return Selection(self.accounts & other.accounts, False)

    def targets(self, unit: str) -> dict[str, Any] | None:
        """The deployment targets; None where no account is selected."""
        if not self.accounts:
            return {"OrganizationalUnitIds": [unit]} if self.all_but else None
        return {
            "OrganizationalUnitIds": [unit],
            "Accounts": sorted(self.accounts),
            "AccountFilterType": "DIFFERENCE" if self.all_but else "INTERSECTION",
        }


@dataclass(frozen=True)
class Instances:
    """One call to create, update or delete stack instances."""

    targets: dict[str, Any]
    regions: tuple[str, ...]
    overrides: list[dict[str, Any]]


@dataclass(frozen=True)
class Plan:
    delete: list[Instances]
    create: list[Instances]
    update: list[Instances]


Wanted = dict[tuple[str, str], tuple[Selection, list[dict[str, Any]]]]  # by region and unit ("" when self-managed)
Part = tuple[Selection, str, str, list[dict[str, Any]]]  # accounts, region, unit, parameter overrides


def wanted(properties: dict[str, Any]) -> Wanted:
    """What StackInstancesGroup asks for, by region and unit."""
    service_managed = properties["PermissionModel"] == "SERVICE_MANAGED"
    found: Wanted = {}
    for group in properties.get("StackInstancesGroup") or []:
        targets, overrides = group["DeploymentTargets"], group.get("ParameterOverrides") or []
        only(f"{TYPE}.DeploymentTargets", targets, {"Accounts", "AccountFilterType", "OrganizationalUnitIds"})
        units = targets.get("OrganizationalUnitIds") or []
        if service_managed and not units:
            raise ResourceFailed(
                "OrganizationalUnitIds should be specified in DeploymentTargets in SERVICE_MANAGED model"
            )
        if not service_managed and not targets.get("Accounts"):
            raise ResourceFailed("Accounts should be specified in DeploymentTargets in SELF_MANAGED model")
        chosen = selection(targets) if service_managed else Selection(frozenset(targets["Accounts"]), False)
        for region in group["Regions"]:
            for unit in units if service_managed else [""]:
                if (region, unit) in found:
                    raise NotPlayed(f"{TYPE}: {unit or 'accounts'} and {region} in two groups of StackInstancesGroup")
                found[region, unit] = chosen, overrides
    return found


def selection(targets: dict[str, Any]) -> Selection:
    accounts = frozenset(targets.get("Accounts") or ())
    kind = targets.get("AccountFilterType") or "NONE"
    if kind == "UNION":
        raise ResourceFailed("AccountFilterType UNION is not supported for CreateStackInstances operations")
    if kind == "NONE" and accounts:
        raise ResourceFailed("AccountFilterType should be specified when both OrganizationalUnitIds and Accounts are")
    if kind in {"INTERSECTION", "DIFFERENCE"} and not accounts:
        raise ResourceFailed(f"Accounts should be specified when AccountFilterType is {kind}")
    return Selection(accounts, kind != "INTERSECTION")


def plan(old: Wanted, new: Wanted) -> Plan:
    """The difference of two groups: what to delete, to create and to update."""
    nothing = Selection(frozenset(), False)
    delete: list[Part] = []
    create: list[Part] = []
    update: list[Part] = []
    for region, unit in sorted(old.keys() | new.keys()):
        before, old_overrides = old.get((region, unit), (nothing, []))
        after, overrides = new.get((region, unit), (nothing, []))
        delete.append((before.minus(after), region, unit, []))
        create.append((after.minus(before), region, unit, overrides))
        if unit or overrides != old_overrides:  # the handler updates a unit's instances whether or not they changed
            update.append((after.also(before), region, unit, overrides))
    return Plan(calls(delete), calls(create), calls(update))


def calls(parts: list[Part]) -> list[Instances]:
    """Parts with the same targets and overrides in several regions become one call."""
    merged: list[Instances] = []
    for chosen, region, unit, overrides in parts:
        targets = chosen.targets(unit) if unit else ({"Accounts": sorted(chosen.accounts)} if chosen.accounts else None)
        if targets is None:
            continue
        same = next((i for i in merged if i.targets == targets and i.overrides == overrides), None)
        if same is not None:
            merged[merged.index(same)] = Instances(targets, (*same.regions, region), overrides)
        else:
            merged.append(Instances(targets, (region,), overrides))
    return merged


class StackSet:
    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only(TYPE, properties, CARRIED)
        client = context.client("cloudformation")
        todo = plan({}, wanted(properties))
        self._check_template(client, properties)
        arguments = without(properties, "OperationPreferences", "StackInstancesGroup", "Tags")
        if tags := all_tags(context.tags, properties):
            arguments["Tags"] = tag_list(tags)
        arguments["ClientRequestToken"] = context.token[:128]
        stack_set = client.create_stack_set(**fill(client, "CreateStackSet", arguments, TYPE))["StackSetId"]
        with undone_by(lambda: self.delete(context, stack_set, properties)):
            self._carry_out(context, client, stack_set, properties, "CreateStackInstances", todo.create)
        return Made(stack_set, {"StackSetId": stack_set})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only(TYPE, new, CARRIED)
        client = context.client("cloudformation")
        todo = plan(wanted(old), wanted(new))
        self._check_template(client, new)
        client.describe_stack_set(StackSetName=physical_id, **call_as(new))
        if old.get("ManagedExecution") != new.get("ManagedExecution"):
            raise NotPlayed(f"{TYPE}: a change of ManagedExecution")
        self._carry_out(context, client, physical_id, new, "DeleteStackInstances", todo.delete)
        former = context.tags if context.former_tags is None else context.former_tags
        tags = all_tags(context.tags, new)
        changed = any(old.get(name) != new.get(name) for name in CONFIGURATION)
        if changed or all_tags(former, old) != tags:
            arguments = {name: new[name] for name in CONFIGURATION if name in new}
            arguments |= {"StackSetName": physical_id, "Tags": tag_list(tags), **call_as(new), **preferences(new)}
            filled = fill(client, "UpdateStackSet", arguments, TYPE)
            self._finish(context, client, physical_id, new, client.update_stack_set(**filled)["OperationId"])
        self._carry_out(context, client, physical_id, new, "CreateStackInstances", todo.create)
        self._carry_out(context, client, physical_id, new, "UpdateStackInstances", todo.update)
        return Made(physical_id, {"StackSetId": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        client = context.client("cloudformation")
        found = unless(NOT_HERE, client.describe_stack_set, StackSetName=physical_id, **call_as(properties))
        if found is None or found["StackSet"]["Status"] == "DELETED":
            return
        todo = plan(wanted(properties), {})
        self._carry_out(context, client, physical_id, properties, "DeleteStackInstances", todo.delete)
        client.delete_stack_set(StackSetName=physical_id, **call_as(properties))

    def _check_template(self, client: Any, properties: dict[str, Any]) -> None:
        """GetTemplateSummary, as the handler does before anything else: no stacks and sets inside a set."""
        source = {name: properties[name] for name in ("TemplateBody", "TemplateURL") if name in properties}
        for found in client.get_template_summary(**source).get("ResourceTypes", []):
            if found in NESTED:
                raise ResourceFailed(f"Nested {found} is not allowed")

    def _carry_out(
        self,
        context: Context,
        client: Any,
        stack_set: str,
        properties: dict[str, Any],
        operation: str,
        todo: list[Instances],
    ) -> None:
        for instances in todo:
            arguments: dict[str, Any] = {
                "StackSetName": stack_set,
                "Regions": list(instances.regions),
                **call_as(properties),
                **preferences(properties),
            }
            if properties["PermissionModel"] == "SERVICE_MANAGED":
                arguments["DeploymentTargets"] = instances.targets
            else:
                arguments["Accounts"] = instances.targets["Accounts"]
            if operation == "DeleteStackInstances":
                arguments["RetainStacks"] = False
            elif instances.overrides:
                arguments["ParameterOverrides"] = instances.overrides
            filled = fill(client, operation, arguments, TYPE)
            ignored = NO_INSTANCE if operation == "DeleteStackInstances" else set()
            if started := unless(ignored, METHODS[operation](client), **filled):
                self._finish(context, client, stack_set, properties, started["OperationId"])

    def _finish(
        self, context: Context, client: Any, stack_set: str, properties: dict[str, Any], operation: str
    ) -> None:
        """Wait for the operation's end; ResourceFailed names every instance that failed and why."""
        names = {"StackSetName": stack_set, "OperationId": operation, **call_as(properties)}

        def ended() -> Any:
            seen = client.describe_stack_set_operation(**names)["StackSetOperation"]
            return seen if seen["Status"] not in {"RUNNING", "QUEUED", "STOPPING"} else None

        seen = poll(context, ended, timeout=36 * 3600)
        if seen and seen["Status"] == "SUCCEEDED":
            return
        results = client.list_stack_set_operation_results(**names)["Summaries"]
        failed = [
            f"{r['Account']} {r['Region']}: {r.get('StatusReason', '')}" for r in results if r["Status"] == "FAILED"
        ]
        told = f"Stack set operation [{operation}] was unexpectedly stopped or failed"
        raise ResourceFailed(f"{told}. {'; '.join(failed)}" if failed else told)


METHODS = {
    "CreateStackInstances": lambda client: client.create_stack_instances,
    "UpdateStackInstances": lambda client: client.update_stack_instances,
    "DeleteStackInstances": lambda client: client.delete_stack_instances,
}


def call_as(properties: dict[str, Any]) -> dict[str, str]:
    return {"CallAs": properties["CallAs"]} if properties.get("CallAs") else {}


def preferences(properties: dict[str, Any]) -> dict[str, Any]:
    return {"OperationPreferences": properties["OperationPreferences"]} if "OperationPreferences" in properties else {}
