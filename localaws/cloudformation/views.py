"""CloudFormation: the operations that only read (AWS CloudFormation API Reference).

DescribeStacks, ListStacks, DescribeStackEvents, DescribeStackResource, DescribeStackResources, ListStackResources,
ListExports, ListImports, GetTemplate, GetTemplateSummary, ValidateTemplate.
"""

from __future__ import annotations

import json
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.template.parameters import no_echo
from awslang.template.template import Template
from localaws.calls import Call
from localaws.cloudformation.changesets import find_change_set
from localaws.cloudformation.drift import service as drift
from localaws.cloudformation.goals import needed_capabilities, read
from localaws.cloudformation.operations import last_operations, of_event
from localaws.cloudformation.requests import clean, page, refuse_unsupported_parameters, stack_for, template_body
from localaws.cloudformation.service import cloudformation
from localaws.cloudformation.stacks import Resource, Stack, find_stack, stacks_of


def show_stack(call: Call, stack: Stack) -> dict[str, Any]:
    shown = {
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set_id,
        "Description": stack.description,
        "Parameters": [
            {"ParameterKey": k, "ParameterValue": v, **clean({"ResolvedValue": stack.resolved.get(k)})}
            for k, v in stack.shown.items()
        ],
        "CreationTime": stack.created,
        "DeletionTime": stack.deleted,
        "LastUpdatedTime": stack.updated,
        "RollbackConfiguration": {},
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason if stack.reason != "User Initiated" else "",
        "DisableRollback": stack.disable_rollback or stack.on_failure == "DO_NOTHING",
        "NotificationARNs": [],
        "TimeoutInMinutes": stack.timeout_minutes or None,
        "Capabilities": list(stack.capabilities),
        "Outputs": [
            clean({"OutputKey": o.key, "Description": o.description, "ExportName": o.export}) | {"OutputValue": o.value}
            for o in stack.outputs
        ],
        "RoleARN": stack.role_arn,
        "Tags": [{"Key": k, "Value": v} for k, v in stack.tags.items()],
        "EnableTerminationProtection": stack.protected,
        "DriftInformation": drift.of_stack(call, stack),
        "LastOperations": last_operations(stack) or None,
    }
    if ":stack/" in stack.owner:
        shown |= {"ParentId": stack.owner, "RootId": stack.owner}
    return clean(shown)


@cloudformation.operation("DescribeStacks")
def describe_stacks(call: Call) -> dict[str, Any]:
    if call.params.get("StackName"):
        return {"Stacks": [show_stack(call, stack_for(call))]}
    return page(call, "Stacks", [show_stack(call, s) for s in stacks_of(call.cloud, call.account, call.region).alive()])


@cloudformation.operation("ListStacks")
def list_stacks(call: Call) -> dict[str, Any]:
    wanted = set(call.params.get("StackStatusFilter", []))
    stacks = stacks_of(call.cloud, call.account, call.region).by_id.values()
    summaries = [
        clean(
            {
                "StackId": stack.id,
                "StackName": stack.name,
                "TemplateDescription": stack.description,
                "CreationTime": stack.created,
                "LastUpdatedTime": stack.updated,
                "DeletionTime": stack.deleted,
                "StackStatus": stack.status,
                "StackStatusReason": stack.reason if stack.reason != "User Initiated" else "",
                "DriftInformation": drift.of_stack(call, stack),
            }
        )
        for stack in reversed(list(stacks))
        if not wanted or stack.status in wanted
    ]
    return page(call, "StackSummaries", summaries)


@cloudformation.operation("DescribeStackEvents")
def describe_stack_events(call: Call) -> dict[str, Any]:
    """The newest first."""
    name = str(call.params["StackName"])
    stack = find_stack(call.cloud, call.account, call.region, name, f"Stack [{name}] does not exist")
    shown = [
        clean(
            {
                **of_event(stack, event),
                "StackName": stack.name,
                "OperationId": event.operation.id if event.operation else None,
            }
        )
        for event in reversed(list(stack.events))
    ]
    return page(call, "StackEvents", shown)


def resources_of(stack: Stack) -> list[Resource]:
    """The resources that AWS shows: those that are, and those of a stack that is gone or was rolled back."""
    found = dict(stack.resources)
    if stack.status in {"DELETE_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_FAILED", "DELETE_IN_PROGRESS"}:
        found = {**stack.gone, **found}
    return [r for r in found.values() if r.status]


def show_resource(call: Call, stack: Stack, resource: Resource, time_name: str) -> dict[str, Any]:
    return clean(
        {
            "StackName": stack.name,
            "StackId": stack.id,
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type,
            time_name: resource.updated,
            "ResourceStatus": resource.status,
            "ResourceStatusReason": resource.reason,
            "Description": resource.description,
            "DriftInformation": drift.of_resource(call, stack, resource),
        }
    )


@cloudformation.operation("DescribeStackResource")
def describe_stack_resource(call: Call) -> dict[str, Any]:
    stack, logical_id = stack_for(call), call.params["LogicalResourceId"]
    resource = next((r for r in resources_of(stack) if r.logical_id == logical_id), None)
    if resource is None:
        raise AwsError("ValidationError", f"Resource {logical_id} does not exist for stack {stack.name}")
    shown = show_resource(call, stack, resource, "LastUpdatedTimestamp")
    if resource.metadata is not None:
        shown["Metadata"] = json.dumps(resource.metadata, default=str)
    return {"StackResourceDetail": shown}


@cloudformation.operation("DescribeStackResources")
def describe_stack_resources(call: Call) -> dict[str, Any]:
    params = call.params
    if params.get("StackName") and params.get("PhysicalResourceId"):
        raise AwsError("ValidationError", "StackName and PhysicalResourceId cannot be specified together")
    if physical_id := params.get("PhysicalResourceId"):
        stacks = stacks_of(call.cloud, call.account, call.region).alive()
        holder = next((s for s in stacks if any(r.physical_id == physical_id for r in s.resources.values())), None)
        if holder is None:
            raise AwsError("ValidationError", f"Stack for {physical_id} does not exist")
        stack = holder
    else:
        stack = stack_for(call)
    wanted = params.get("LogicalResourceId")
    found = [r for r in resources_of(stack) if wanted in (None, r.logical_id)]
    return {"StackResources": [show_resource(call, stack, r, "Timestamp") for r in found]}


@cloudformation.operation("ListStackResources")
def list_stack_resources(call: Call) -> dict[str, Any]:
    stack = stack_for(call)
    left_out = {"StackName", "StackId", "Description"}
    summaries = [show_resource(call, stack, r, "LastUpdatedTimestamp") for r in resources_of(stack)]
    return page(call, "StackResourceSummaries", [{k: v for k, v in t.items() if k not in left_out} for t in summaries])


@cloudformation.operation("ListExports")
def list_exports(call: Call) -> dict[str, Any]:
    exports = stacks_of(call.cloud, call.account, call.region).exports()
    listed = [{"ExportingStackId": stack.id, "Name": o.export, "Value": o.value} for stack, o in exports]
    return page(call, "Exports", sorted(listed, key=lambda export: export["Name"]))


@cloudformation.operation("ListImports")
def list_imports(call: Call) -> dict[str, Any]:
    name, state = str(call.params["ExportName"]), stacks_of(call.cloud, call.account, call.region)
    if name not in {output.export for _, output in state.exports()}:
        raise AwsError("ValidationError", f"Export '{name}' does not exist.")
    importers = [stack.name for stack in state.importers(name)]
    if not importers:
        raise AwsError("ValidationError", f"Export '{name}' is not imported by any stack.")
    return page(call, "Imports", importers)


# -- templates -------------------------------------------------------------------------------------


@cloudformation.operation("GetTemplate")
def get_template(call: Call) -> dict[str, Any]:
    """The processed one is what the transforms made, in JSON; without them it is the original (API Reference)."""
    params = call.params
    if params.get("ChangeSetName"):
        stack, change_set = find_change_set(call)
        body, made = change_set.body, change_set.goal.template if change_set.goal else None
    else:
        stack = stack_for(call)
        body, made = stack.body, stack.template
    transformed = bool(body) and bool(read(body).transforms)  # a stack in review has none yet
    if params.get("TemplateStage", "Processed") == "Processed" and transformed and made is not None:
        document = {name: part for name, part in made.document.items() if name != "Transform"}
        return {"TemplateBody": json.dumps(document, default=str), "StagesAvailable": ["Original", "Processed"]}
    return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}


def declared_parameters(parsed: Template) -> list[dict[str, Any]]:
    return [
        clean(
            {
                "ParameterKey": name,
                "DefaultValue": None if "Default" not in declared else default_text(declared["Default"]),
                "ParameterType": declared["Type"],
                "NoEcho": no_echo(declared),
                "Description": declared.get("Description"),
            }
        )
        | (
            {"ParameterConstraints": {"AllowedValues": [default_text(v) for v in declared["AllowedValues"]]}}
            if "AllowedValues" in declared
            else {"ParameterConstraints": {}}
        )
        for name, declared in parsed.parameters.items()
    ]


def default_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@cloudformation.operation("ValidateTemplate")
def validate_template(call: Call) -> dict[str, Any]:
    parsed = read(template_body(call, call.params))
    capabilities, reason = needed_capabilities(parsed)
    kept = ("ParameterKey", "DefaultValue", "NoEcho", "Description")
    return clean(
        {
            "Parameters": [{k: d[k] for k in kept if k in d} for d in declared_parameters(parsed)],
            "Description": parsed.description,
            "Capabilities": capabilities,
            "CapabilitiesReason": reason,
            "DeclaredTransforms": list(parsed.transforms),
        }
    )


@cloudformation.operation("GetTemplateSummary")
def get_template_summary(call: Call) -> dict[str, Any]:
    params = call.params
    refuse_unsupported_parameters(params)
    if (params.get("TemplateSummaryConfig") or {}).get("TreatUnrecognizedResourceTypesAsWarnings"):
        raise NotSupported("cloudformation: TreatUnrecognizedResourceTypesAsWarnings")
    if params.get("StackSetName"):
        raise NotSupported("cloudformation: GetTemplateSummary of a stack set")
    body = stack_for(call).body if params.get("StackName") else template_body(call, params)
    parsed = read(body)
    capabilities, reason = needed_capabilities(parsed)
    types = sorted({str(r["Type"]) for r in parsed.resources.values() if isinstance(r, dict) and "Type" in r})
    return clean(
        {
            "Parameters": declared_parameters(parsed),
            "Description": parsed.description,
            "Capabilities": capabilities,
            "CapabilitiesReason": reason,
            "ResourceTypes": types,
            "Version": parsed.document.get("AWSTemplateFormatVersion"),
            "Metadata": json.dumps(parsed.metadata) if parsed.metadata else "",
            "DeclaredTransforms": list(parsed.transforms),
        }
    )
