"""AWS::CloudFormation::StackSet: the stack set API, called with the stack's own credentials.

What it calls and in which order is what AWS's own handler does (published as
aws-cloudformation-resource-providers-cloudformation): an update first deletes the instances that
are no longer wanted, then updates the set, then creates new instances, then updates those that
stay. An operation that ends in anything but SUCCEEDED fails the resource. Which instances these are
is in stackset_targets.py.
"""

from __future__ import annotations

from typing import Any

from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.cloudformation.stackset_targets import TYPE, Instances, plan
from localaws.cloudformation.providers.shapes import all_tags, fill, only, poll, tag_list, undone_by, unless, without

NOT_HERE = {"StackSetNotFoundException", "StackSetNotFound"}
NO_INSTANCE = {"StackInstanceNotFoundException", "StackInstanceNotFound"}
CONFIGURATION = (
    "AdministrationRoleARN", "AutoDeployment", "Capabilities", "Description", "ExecutionRoleName", "Parameters",
    "TemplateBody", "TemplateURL",
)  # fmt: skip
NOTHING: dict[str, Any] = {}
COMPARED = frozenset(CONFIGURATION) - {"Capabilities", "TemplateURL"}


@provides("AWS::CloudFormation::StackSet")
class StackSet:
    carried = frozenset(
        {
            *CONFIGURATION, "CallAs", "ManagedExecution", "OperationPreferences", "PermissionModel",
            "StackInstancesGroup", "StackSetName", "Tags",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only(TYPE, properties, self.carried)
        client = context.client("cloudformation")
        todo = plan(NOTHING, properties)
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
        only(TYPE, new, self.carried)
        client = context.client("cloudformation")
        todo = plan(old, new)
        self._check_template(client, new)
        found = client.describe_stack_set(StackSetName=physical_id, **call_as(new))["StackSet"]
        if active(found) != active(new):
            roles = {name: new[name] for name in ("AdministrationRoleARN", "ExecutionRoleName") if name in new}
            arguments: dict[str, Any] = {"StackSetName": physical_id, "UsePreviousTemplate": True}
            arguments |= (
                roles
                | call_as(new)
                | {"ManagedExecution": {"Active": active(new)}, "Capabilities": new.get("Capabilities", [])}
            )
            filled = fill(client, "UpdateStackSet", arguments, TYPE)
            self._finish(context, client, physical_id, new, client.update_stack_set(**filled)["OperationId"])
        self._carry_out(context, client, physical_id, new, "DeleteStackInstances", todo.delete)
        former = context.tags if context.former_tags is None else context.former_tags
        tags = all_tags(context.tags, new)
        changed = "TemplateURL" in new or any(old.get(name) != new.get(name) for name in COMPARED)
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
        todo = plan(properties, NOTHING)
        self._carry_out(context, client, physical_id, properties, "DeleteStackInstances", todo.delete)
        client.delete_stack_set(StackSetName=physical_id, **call_as(properties))

    def _check_template(self, client: Any, properties: dict[str, Any]) -> None:
        """GetTemplateSummary, as the handler does before anything else: no stacks and sets inside a set."""
        source = {name: properties[name] for name in ("TemplateBody", "TemplateURL") if name in properties}
        for found in client.get_template_summary(**source).get("ResourceTypes", []):
            if found == TYPE:
                raise ResourceFailed(f"Nested {TYPE} is not supported in {TYPE}")
            if found == "AWS::CloudFormation::Stack" and properties["PermissionModel"] == "SERVICE_MANAGED":
                raise ResourceFailed(f"Nested {found} is not supported in service managed {TYPE}")

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
                "DeploymentTargets": instances.targets,
                **call_as(properties),
                **preferences(properties),
            }
            if operation == "DeleteStackInstances":
                arguments["RetainStacks"] = False
            else:
                arguments["ParameterOverrides"] = instances.overrides or []
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

        seen = poll(context, ended, timeout=36 * 3600, watched=operation)
        if seen and seen["Status"] == "SUCCEEDED":
            return
        results = client.list_stack_set_operation_results(**names)["Summaries"]
        failed = [
            f"{r['Account']} {r['Region']}: {r.get('StatusReason', '')}" for r in results if r["Status"] == "FAILED"
        ]
        reason = f"Stack set operation [{operation}] was unexpectedly stopped or failed"
        raise ResourceFailed(f"{reason}. {'; '.join(failed)}" if failed else reason)


METHODS = {
    "CreateStackInstances": lambda client: client.create_stack_instances,
    "UpdateStackInstances": lambda client: client.update_stack_instances,
    "DeleteStackInstances": lambda client: client.delete_stack_instances,
}


def call_as(properties: dict[str, Any]) -> dict[str, str]:
    return {"CallAs": properties["CallAs"]} if properties.get("CallAs") else {}


def active(found: dict[str, Any]) -> bool:
    return bool((found.get("ManagedExecution") or {}).get("Active"))


def preferences(properties: dict[str, Any]) -> dict[str, Any]:
    return {"OperationPreferences": properties["OperationPreferences"]} if "OperationPreferences" in properties else {}
