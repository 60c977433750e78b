"""CloudFormation: stack sets (AWS CloudFormation API Reference; User Guide, "Managing stacks across accounts").

CreateStackSet, UpdateStackSet, DeleteStackSet, DescribeStackSet, ListStackSets, CreateStackInstances,
UpdateStackInstances, DeleteStackInstances, ListStackInstances, DescribeStackInstance,
DescribeStackSetOperation, ListStackSetOperations, ListStackSetOperationResults, StopStackSetOperation,
ActivateOrganizationsAccess, DeactivateOrganizationsAccess, DescribeOrganizationsAccess.
Not played: automatic deployments, importing stacks, drift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from scripts.rehearsal.calls import Call
from scripts.rehearsal.cloud import new_id
from scripts.rehearsal.cloudformation import stacksets_run
from scripts.rehearsal.cloudformation.goals import acknowledge, check_tags, read
from scripts.rehearsal.cloudformation.requests import NAME, template_body
from scripts.rehearsal.cloudformation.service import cloudformation
from scripts.rehearsal.cloudformation.stacksets_state import (
    MOST_INSTANCES,
    MOST_SETS,
    Instance,
    Operation,
    Result,
    StackSet,
    alive_set,
    find_set,
    owner_of,
    require_organization,
    sets_of,
)
from scripts.rehearsal.cloudformation.stacksets_targets import check_regions, targets_for
from scripts.rehearsal.errors import AwsError, NotPlayed
from scripts.rehearsal.services import organizations
from scripts.rehearsal.services.permit import permit

MASK = "****"
MOST_RESULTS = 100
NESTED = ("AWS::CloudFormation::Stack", "AWS::CloudFormation::StackSet", "AWS::CloudFormation::Macro")


def refused(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def not_allowed(message: str) -> AwsError:
    return AwsError("InvalidOperationException", message)


# -- trusted access --------------------------------------------------------------------------------


def management_only(call: Call) -> str:
    management = organizations.management_of(call.account)
    if management != call.account:
        raise not_allowed("This operation can be called only from the management account of an organization")
    return management


@cloudformation.operation("ActivateOrganizationsAccess")
def activate_organizations_access(call: Call) -> None:
    management = management_only(call)
    if organizations.organization(management).org.feature_set != "ALL":
        raise not_allowed("The organization must have all features enabled")
    if not organizations.is_trusted(management, organizations.STACK_SETS):
        service = organizations.STACK_SETS
        call.forward(stacksets_run.SERVICE).client("organizations").enable_aws_service_access(ServicePrincipal=service)


@cloudformation.operation("DeactivateOrganizationsAccess")
def deactivate_organizations_access(call: Call) -> None:
    management = management_only(call)
    if organizations.is_trusted(management, organizations.STACK_SETS):
        service = organizations.STACK_SETS
        call.forward(stacksets_run.SERVICE).client("organizations").disable_aws_service_access(ServicePrincipal=service)


@cloudformation.operation("DescribeOrganizationsAccess")
def describe_organizations_access(call: Call) -> dict[str, Any]:
    owner = owner_of(call)
    if organizations.management_of(owner) != owner:
        raise not_allowed("This operation can be called only from the management account or a delegated administrator")
    return {"Status": "ENABLED" if organizations.is_trusted(owner, organizations.STACK_SETS) else "DISABLED"}


# -- the set ---------------------------------------------------------------------------------------


@cloudformation.operation("CreateStackSet")
def create_stack_set(call: Call) -> dict[str, Any]:
    params = call.params
    if not NAME.fullmatch(str(params["StackSetName"])):
        raise refused(
            f"1 validation error detected: Value '{params['StackSetName']}' at 'stackSetName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    if params.get("StackId"):
        raise NotPlayed("cloudformation: CreateStackSet from an existing stack (StackId)")
    model = params.get("PermissionModel", "SELF_MANAGED")
    owner = owner_of(call)
    if model == "SERVICE_MANAGED":
        require_organization(call)
    elif params.get("CallAs") == "DELEGATED_ADMIN":
        raise refused("CallAs DELEGATED_ADMIN can be used only with SERVICE_MANAGED stack sets")
    name, sets = str(params["StackSetName"]), sets_of(call.cloud, owner, call.region)
    body = template_body(call, params)
    with sets.lock:
        if existing := sets.find(name):
            if params.get("ClientRequestToken") and existing.token == params["ClientRequestToken"]:
                return {"StackSetId": existing.id}
            raise AwsError("NameAlreadyExistsException", f"StackSet {name} already exists.", 409)
        if sum(not s.deleted for s in sets.by_id.values()) >= MOST_SETS:
            raise AwsError("LimitExceededException", f"The limit of {MOST_SETS} stack sets is reached")
        made = StackSet(name, f"{name}:{new_id()}", owner, call.region, model)
        made.token = str(params.get("ClientRequestToken", ""))
        ask_to_tag(call, made)
        define(made, params, body, given_parameters(params, {}))
        made.managed_execution = bool((params.get("ManagedExecution") or {}).get("Active"))
        sets.by_id[made.id] = made
    return {"StackSetId": made.id}


def define(stack_set: StackSet, params: Mapping[str, Any], body: str, parameters: dict[str, str]) -> None:
    """Take on the template and settings of a request, after AWS's checks."""
    parsed = read(body)
    if stack_set.service_managed:
        refuse_nesting(body, parsed.transforms, parsed.resources.values())
    capabilities = tuple(params.get("Capabilities", ()))
    acknowledge(parsed, capabilities)
    known = parsed.parameters
    if unknown := [name for name in parameters if name not in known]:
        raise refused(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    if missing := [name for name, spec in known.items() if name not in parameters and "Default" not in spec]:
        raise refused(f"Parameters: [{', '.join(missing)}] must have values")
    if stack_set.service_managed and (params.get("AdministrationRoleARN") or params.get("ExecutionRoleName")):
        raise refused("AdministrationRoleARN and ExecutionRoleName cannot be used with SERVICE_MANAGED stack sets")
    automatic = params.get("AutoDeployment") or {}
    if automatic and not stack_set.service_managed:
        raise refused("AutoDeployment can be used only with SERVICE_MANAGED stack sets")
    if automatic.get("Enabled"):
        raise NotPlayed("cloudformation: stack sets with automatic deployment (AutoDeployment Enabled)")
    if automatic.get("RetainStacksOnAccountRemoval"):
        raise refused("RetainStacksOnAccountRemoval can be given only if AutoDeployment is enabled")
    if "Tags" in params:
        tags = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        check_tags(tags)
        stack_set.tags = tags
    stack_set.body, stack_set.parameters, stack_set.capabilities = body, parameters, capabilities
    stack_set.hidden = frozenset(n for n, spec in known.items() if str(spec.get("NoEcho", "")).lower() == "true")
    stack_set.description = params.get("Description", stack_set.description)
    stack_set.administration_role = params.get("AdministrationRoleARN", stack_set.administration_role)
    stack_set.execution_role = params.get("ExecutionRoleName", stack_set.execution_role)
    stack_set.auto_deployment = dict(automatic) or stack_set.auto_deployment


def ask_to_tag(call: Call, stack_set: StackSet) -> None:
    """API Reference, CreateStackSet and UpdateStackSet, Tags: the caller must be allowed to tag and to untag."""
    if "Tags" not in call.params:
        return
    session = call.cloud.session_for(call.principal, call.region)
    tags = {tag["Key"]: tag["Value"] for tag in call.params["Tags"]}
    new = {key: value for key, value in tags.items() if stack_set.tags.get(key) != value}
    lost = tuple(key for key in stack_set.tags if key not in tags)
    operation = {"cloudformation:createaction": (call.operation,)}
    if new:
        keys = {f"aws:requesttag/{key.lower()}": (value,) for key, value in new.items()}
        permit(session, "cloudformation:TagResource", stack_set.arn, {**keys, "aws:tagkeys": tuple(new), **operation})
    if lost:
        permit(session, "cloudformation:UntagResource", stack_set.arn, {"aws:tagkeys": lost, **operation})


def refuse_nesting(body: str, transforms: list[str], resources: Iterable[Any]) -> None:
    """User Guide, "Considerations when using service-managed permissions": no transforms, macros, nested stacks."""
    if transforms or "Fn::Transform" in body:
        raise refused("Stack sets with service-managed permissions do not support templates with transforms or macros")
    for resource in resources:
        if isinstance(resource, dict) and resource.get("Type") in NESTED:
            raise refused(f"Stack sets with service-managed permissions do not support {resource['Type']}")


def given_parameters(params: Mapping[str, Any], present: Mapping[str, str], key: str = "Parameters") -> dict[str, str]:
    """The parameter values of the request; UsePreviousValue takes the present one."""
    values = {}
    for item in params.get(key) or []:
        name = str(item["ParameterKey"])
        if item.get("UsePreviousValue"):
            if name not in present:
                raise refused(f"Invalid input for parameter key {name}. No previous value exists for it")
            values[name] = present[name]
        else:
            values[name] = str(item.get("ParameterValue", ""))
    return values


@cloudformation.operation("UpdateStackSet")
def update_stack_set(call: Call) -> dict[str, Any]:
    """The set changes at once and stays changed, whatever becomes of its instances."""
    params, stack_set = call.params, alive_set(call)
    if "ManagedExecution" in params:
        raise NotPlayed("cloudformation: UpdateStackSet with ManagedExecution")
    if params.get("PermissionModel", stack_set.permission_model) != stack_set.permission_model:
        raise NotPlayed("cloudformation: a change of PermissionModel")
    body = stack_set.body if params.get("UsePreviousTemplate") else template_body(call, params)
    chosen = bool(params.get("Accounts") or params.get("DeploymentTargets"))
    if chosen != bool(params.get("Regions")):
        raise refused("Regions and accounts (or deployment targets) must be given together, or both left out")
    with stack_set.lock:
        refuse_busy(stack_set)
        places = set(stack_set.instances)
        if chosen:
            accounts = {account for account, _ in targets_for(stack_set, params, creates=False)}
            regions = check_regions(params["Regions"])
            places = {place for place in places if place[0] in accounts and place[1] in regions}
        ask_to_tag(call, stack_set)
        define(stack_set, params, body, given_parameters(params, stack_set.parameters))
        for instance in stack_set.instances.values():
            if instance.status == "CURRENT":
                instance.status = "OUTDATED"
        return start(call, stack_set, "UPDATE", sorted(places), stacksets_run.deploy)


@cloudformation.operation("DeleteStackSet")
def delete_stack_set(call: Call) -> None:
    stack_set = find_set(call)
    with stack_set.lock:
        if stack_set.deleted:
            return
        refuse_busy(stack_set, even_managed=True)
        if stack_set.instances:
            raise AwsError("StackSetNotEmptyException", f"StackSet {stack_set.name} is not empty", 409)
        stack_set.deleted = True


# -- instances -------------------------------------------------------------------------------------


@cloudformation.operation("CreateStackInstances")
def create_stack_instances(call: Call) -> dict[str, Any]:
    params, stack_set = call.params, alive_set(call)
    overrides = checked_overrides(stack_set, given_parameters(params, {}, "ParameterOverrides"))
    regions = check_regions(params["Regions"])
    with stack_set.lock:
        refuse_busy(stack_set)
        places = []
        for account, unit in targets_for(stack_set, params, creates=True):
            for region in regions:
                places.append((account, region))
                if (account, region) not in stack_set.instances:
                    name = f"StackSet-{stack_set.name}-{new_id()}"
                    stack_set.instances[account, region] = Instance(account, region, unit, name)
                stack_set.instances[account, region].overrides = dict(overrides)
        if len(stack_set.instances) > MOST_INSTANCES:
            raise AwsError("LimitExceededException", f"The limit of {MOST_INSTANCES} stack instances is reached")
        return start(call, stack_set, "CREATE", places, stacksets_run.deploy)


def checked_overrides(stack_set: StackSet, overrides: dict[str, str]) -> dict[str, str]:
    known = read(stack_set.body).parameters
    if unknown := [name for name in overrides if name not in known]:
        raise refused(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    return overrides


@cloudformation.operation("UpdateStackInstances")
def update_stack_instances(call: Call) -> dict[str, Any]:
    """Overrides left out stay as they are; an empty list takes them all away."""
    params, stack_set = call.params, alive_set(call)
    regions = check_regions(params["Regions"])
    with stack_set.lock:
        refuse_busy(stack_set)
        accounts = [account for account, _ in targets_for(stack_set, params, creates=False)]
        places = [(account, region) for account in accounts for region in regions]
        if not stack_set.service_managed and (absent := [p for p in places if p not in stack_set.instances]):
            raise AwsError(
                "StackInstanceNotFoundException", f"Stack instance not found for {absent[0][0]} in {absent[0][1]}", 404
            )
        places = [place for place in places if place in stack_set.instances]
        if "ParameterOverrides" in params:
            for place in places:
                instance = stack_set.instances[place]
                present = {**stack_set.parameters, **instance.overrides}
                values = given_parameters(params, present, "ParameterOverrides")
                instance.overrides = checked_overrides(stack_set, values)
        return start(call, stack_set, "UPDATE", places, stacksets_run.deploy)


@cloudformation.operation("DeleteStackInstances")
def delete_stack_instances(call: Call) -> dict[str, Any]:
    params, stack_set = call.params, alive_set(call)
    regions = check_regions(params["Regions"])
    with stack_set.lock:
        refuse_busy(stack_set)
        targets = params.get("DeploymentTargets") or {}
        if (
            stack_set.service_managed
            and targets.get("AccountFilterType", "NONE") == "NONE"
            and not targets.get("Accounts")
        ):
            # also the accounts that have left the unit or were suspended since
            units = set(targets.get("OrganizationalUnitIds") or [])
            accounts = {account for account, _ in targets_for(stack_set, params, creates=False)}
            places = [p for p, i in stack_set.instances.items() if p[0] in accounts or i.unit in units]
        else:
            accounts = {account for account, _ in targets_for(stack_set, params, creates=False)}
            places = [place for place in stack_set.instances if place[0] in accounts]
        places = sorted(place for place in places if place[1] in regions)
        return start(call, stack_set, "DELETE", places, stacksets_run.remove)


# -- operations ------------------------------------------------------------------------------------


def refuse_busy(stack_set: StackSet, *, even_managed: bool = False) -> None:
    """One operation at a time, unless managed execution queues them."""
    running = stack_set.running()
    if running is not None and (even_managed or not stack_set.managed_execution):
        raise AwsError(
            "OperationInProgressException",
            f"Another Operation on StackSet {stack_set.arn} is in progress: {running.id}",
            409,
        )


def start(
    call: Call,
    stack_set: StackSet,
    action: str,
    places: list[tuple[str, str]],
    work: Callable[..., None],
) -> dict[str, Any]:
    """Note the operation and carry it out in the background."""
    params = call.params
    preferences = check_preferences(params.get("OperationPreferences") or {})
    operation_id = str(params.get("OperationId") or new_id())
    if operation_id in stack_set.operations:
        raise AwsError("OperationIdAlreadyExistsException", f"Operation {operation_id} already exists", 409)
    operation = Operation(operation_id, action, preferences, dict(params.get("DeploymentTargets") or {}))
    operation.retain = params.get("RetainStacks")
    if stack_set.running() is not None:
        operation.status = "QUEUED"
    for place in places:
        instance = stack_set.instances[place]
        instance.detailed, instance.last_operation = "PENDING", operation_id
        operation.results[place] = Result(*place, instance.unit)
    stack_set.operations[operation_id] = operation
    act = partial(work, call.cloud, stack_set, operation)
    where = f"stack set {stack_set.name} {action}"
    call.cloud.background(where, stacksets_run.run, call.cloud, stack_set, operation, act)
    return {"OperationId": operation_id}


def check_preferences(given: Mapping[str, Any]) -> dict[str, Any]:
    for one, other in (
        ("FailureToleranceCount", "FailureTolerancePercentage"),
        ("MaxConcurrentCount", "MaxConcurrentPercentage"),
    ):
        if one in given and other in given:
            raise refused(f"Only one of {one} and {other} can be specified")
    return dict(given)


def find_operation(call: Call, stack_set: StackSet) -> Operation:
    found = stack_set.operations.get(str(call.params["OperationId"]))
    if found is None:
        raise AwsError("OperationNotFoundException", f"Operation {call.params['OperationId']} not found", 404)
    return found


@cloudformation.operation("StopStackSetOperation")
def stop_stack_set_operation(call: Call) -> None:
    """What is at work ends by itself; nothing new is begun."""
    stack_set = find_set(call)
    operation = find_operation(call, stack_set)
    with stack_set.lock:
        if operation.finished:
            raise not_allowed(f"Operation {operation.id} is not in progress")
        operation.status = "STOPPING"


# -- what is shown ---------------------------------------------------------------------------------


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
            raise NotPlayed(f"cloudformation: ListStackInstances with the filter {condition['Name']}")
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


@cloudformation.operation("ListStackSetOperationResults")
def list_stack_set_operation_results(call: Call) -> dict[str, Any]:
    operation = find_operation(call, find_set(call))
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
                "AccountGateResult": {"Status": "SKIPPED", "StatusReason": "Account gate is not used"},
                **({"OrganizationalUnitId": result.unit} if result.unit else {}),
            }
            for result in found
        ],
    )
