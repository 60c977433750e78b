"""CloudFormation: what stack sets, their instances and operations look like in answers.

AWS CloudFormation API Reference: DescribeStackSet, ListStackSets, ListStackInstances, DescribeStackInstance,
DescribeStackSetOperation, ListStackSetOperations, ListStackSetOperationResults, ListStackSetAutoDeploymentTargets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import arn
from localaws.cloudformation.goals import read
from localaws.cloudformation.service import cloudformation
from localaws.cloudformation.stacksets import run as stacksets_run
from localaws.cloudformation.stacksets.state import (
    Instance,
    Operation,
    Result,
    StackSet,
    find_operation,
    find_set,
    owner_of,
    sets_of,
)

MASK = "****"
MOST_RESULTS = 100
GATE = "AWSCloudFormationStackSetAccountGate"  # User Guide, "Configure a target account gate in StackSets"


def summaries(call: Call, items: list[dict[str, Any]]) -> dict[str, Any]:
    """One page, and the token of the next."""
    first, most = int(call.params.get("NextToken") or 0), int(call.params.get("MaxResults") or MOST_RESULTS)
    page: dict[str, Any] = {"Summaries": items[first : first + most]}
    if first + most < len(items):
        page["NextToken"] = str(first + most)
    return page


def shown_parameters(values: Mapping[str, str], hidden: frozenset[str]) -> list[dict[str, str]]:
    return [{"ParameterKey": k, "ParameterValue": MASK if k in hidden else v} for k, v in values.items()]


def summary(stack_set: StackSet) -> dict[str, Any]:
    return {
        "StackSetName": stack_set.name,
        "StackSetId": stack_set.id,
        "Description": stack_set.description,
        "Status": "DELETED" if stack_set.deleted else "ACTIVE",
        "PermissionModel": stack_set.permission_model,
        "ManagedExecution": {"Active": stack_set.managed_execution},
        **({"AutoDeployment": stack_set.auto_deployment} if stack_set.auto_deployment else {}),
    }


@cloudformation.operation("DescribeStackSet")
def describe_stack_set(call: Call) -> dict[str, Any]:
    found = find_set(call)
    defaults = {n: str(spec["Default"]) for n, spec in read(found.body).parameters.items() if "Default" in spec}
    shown = {
        **summary(found),
        "TemplateBody": found.body,
        "Parameters": shown_parameters({**defaults, **found.parameters}, found.hidden),
        "Capabilities": list(found.capabilities),
        "Tags": [{"Key": k, "Value": v} for k, v in found.tags.items()],
        "StackSetARN": found.arn,
        "OrganizationalUnitIds": sorted({i.unit for i in found.instances.values() if i.unit}),
        "Regions": sorted({i.region for i in found.instances.values()}),
    }
    if not found.service_managed:
        role = f"arn:aws:iam::{found.owner}:role/{stacksets_run.ADMINISTRATION_ROLE}"
        shown["AdministrationRoleARN"] = found.administration_role or role
        shown["ExecutionRoleName"] = found.execution_role or stacksets_run.EXECUTION_ROLE
    return {"StackSet": shown}


@cloudformation.operation("ListStackSets")
def list_stack_sets(call: Call) -> dict[str, Any]:
    status, as_delegate = call.params.get("Status"), call.params.get("CallAs") == "DELEGATED_ADMIN"
    sets = sets_of(call.cloud, owner_of(call), call.region).by_id.values()
    shown = [summary(found) for found in sets if found.service_managed or not as_delegate]
    return summaries(call, [s for s in shown if status is None or s["Status"] == status])


def shown_instance(stack_set: StackSet, instance: Instance) -> dict[str, Any]:
    return {
        "StackSetId": stack_set.id,
        "Region": instance.region,
        "Account": instance.account,
        "Status": instance.status,
        "StatusReason": instance.reason,
        "StackInstanceStatus": {"DetailedStatus": instance.detailed},
        "DriftStatus": "NOT_CHECKED",
        "LastOperationId": instance.last_operation,
        **({"StackId": instance.stack_id} if instance.stack_id else {}),
        **({"OrganizationalUnitId": instance.unit} if instance.unit else {}),
    }


@cloudformation.operation("ListStackInstances")
def list_stack_instances(call: Call) -> dict[str, Any]:
    params, stack_set = call.params, find_set(call)
    found = [i for _, i in sorted(stack_set.instances.items())]
    if account := params.get("StackInstanceAccount"):
        found = [i for i in found if i.account == account]
    if region := params.get("StackInstanceRegion"):
        found = [i for i in found if i.region == region]
    keys = {"DETAILED_STATUS": "detailed", "LAST_OPERATION_ID": "last_operation"}
    for condition in params.get("Filters", []):
        if condition["Name"] not in keys:
            raise NotSupported(f"cloudformation: ListStackInstances with the filter {condition['Name']}")
        found = [i for i in found if getattr(i, keys[condition["Name"]]) == condition["Values"]]
    return summaries(call, [shown_instance(stack_set, i) for i in found])


@cloudformation.operation("DescribeStackInstance")
def describe_stack_instance(call: Call) -> dict[str, Any]:
    stack_set = find_set(call)
    account, region = str(call.params["StackInstanceAccount"]), str(call.params["StackInstanceRegion"])
    found = stack_set.instances.get((account, region))
    if found is None:
        raise AwsError("StackInstanceNotFoundException", f"Stack instance not found for {account} in {region}", 404)
    overrides = shown_parameters(found.overrides, stack_set.hidden)
    return {"StackInstance": {**shown_instance(stack_set, found), "ParameterOverrides": overrides}}


def shown_operation(operation: Operation) -> dict[str, Any]:
    failed = sum(result.status == "FAILED" for result in operation.results.values())
    return {
        "OperationId": operation.id,
        "Action": operation.action,
        "Status": operation.status,
        "CreationTimestamp": operation.created,
        "OperationPreferences": operation.preferences,
        "StatusDetails": {"FailedStackInstancesCount": failed},
        **({"EndTimestamp": operation.ended} if operation.ended else {}),
        **({"StatusReason": operation.reason} if operation.reason else {}),
    }


@cloudformation.operation("DescribeStackSetOperation")
def describe_stack_set_operation(call: Call) -> dict[str, Any]:
    stack_set = find_set(call)
    operation = find_operation(call, stack_set)
    shown = {**shown_operation(operation), "StackSetId": stack_set.id, "DeploymentTargets": operation.targets}
    if operation.retain is not None:
        shown["RetainStacks"] = operation.retain
    return {"StackSetOperation": shown}


@cloudformation.operation("ListStackSetOperations")
def list_stack_set_operations(call: Call) -> dict[str, Any]:
    operations = reversed(list(find_set(call).operations.values()))
    return summaries(call, [shown_operation(operation) for operation in operations])


def gate(stack_set: StackSet, result: Result) -> dict[str, str]:
    """There is no such function here: the gate is open, as the AWS CLI's example of this operation shows it."""
    function = arn("lambda", result.region, result.account, f"function:{GATE}")
    return {"Status": "SKIPPED", "StatusReason": f"Function not found: {function}"}


@cloudformation.operation("ListStackSetOperationResults")
def list_stack_set_operation_results(call: Call) -> dict[str, Any]:
    stack_set = find_set(call)
    operation = find_operation(call, stack_set)
    wanted = {condition["Values"] for condition in call.params.get("Filters", [])}
    found = [r for _, r in sorted(operation.results.items()) if not wanted or r.status in wanted]
    return summaries(
        call,
        [
            {
                "Account": result.account,
                "Region": result.region,
                "Status": result.status,
                "StatusReason": result.reason,
                "AccountGateResult": gate(stack_set, result),
                **({"OrganizationalUnitId": result.unit} if result.unit else {}),
            }
            for result in found
        ],
    )


@cloudformation.operation("ListStackSetAutoDeploymentTargets")
def list_stack_set_auto_deployment_targets(call: Call) -> dict[str, Any]:
    targets = find_set(call).targets
    shown = [{"OrganizationalUnitId": unit, "Regions": sorted(regions)} for unit, regions in sorted(targets.items())]
    return summaries(call, shown)
