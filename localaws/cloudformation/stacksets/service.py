"""CloudFormation: stack sets (AWS CloudFormation API Reference; User Guide, "Managing stacks across accounts").

CreateStackSet, UpdateStackSet, DeleteStackSet, DescribeStackSet, ListStackSets, CreateStackInstances,
UpdateStackInstances, DeleteStackInstances, ListStackInstances, DescribeStackInstance,
DescribeStackSetOperation, ListStackSetOperations, ListStackSetOperationResults, StopStackSetOperation,
ListStackSetAutoDeploymentTargets,
ActivateOrganizationsAccess, DeactivateOrganizationsAccess, DescribeOrganizationsAccess.
The answers' form is in views.py, automatic deployments in auto.py.
Not supported: importing stacks, drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import new_id
from localaws.cloudformation.goals import acknowledge, check_tags, read
from localaws.cloudformation.requests import NAME, tag_needs, template_body
from localaws.cloudformation.service import cloudformation
from localaws.cloudformation.stacksets import auto as stacksets_auto
from localaws.cloudformation.stacksets import run as stacksets_run
from localaws.cloudformation.stacksets.state import (
    MOST_INSTANCES,
    MOST_SETS,
    Instance,
    Operation,
    StackSet,
    alive_set,
    find_operation,
    find_set,
    owner_of,
    require_organization,
    sets_of,
)
from localaws.cloudformation.stacksets.targets import check_regions, request_of, targets_for
from localaws.services.organizations import service as organizations

SETTINGS = {"Parameters", "Tags", "Description", "AutoDeployment", "DeploymentTargets", "Accounts", "Regions"}
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
        raise NotSupported("cloudformation: CreateStackSet from an existing stack (StackId)")
    model = params.get("PermissionModel", "SELF_MANAGED")
    owner = owner_of(call)
    if model == "SERVICE_MANAGED":
        require_organization(call)
        if "AutoDeployment" not in params:  # API Reference, CreateStackSet: "Required if the permissions model is …"
            raise refused("AutoDeployment is required for stack sets with SERVICE_MANAGED permissions")
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
        define(call, made, body, given_parameters(params, {}))
        made.managed_execution = bool((params.get("ManagedExecution") or {}).get("Active"))
        sets.by_id[made.id] = made
    return {"StackSetId": made.id}


def define(call: Call, stack_set: StackSet, body: str, parameters: dict[str, str]) -> None:
    """Take on the template and settings of a request, after AWS's checks."""
    params, parsed = call.params, read(body)
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
    if "AutoDeployment" in params:
        stacksets_auto.check(call, stack_set, params["AutoDeployment"])
    if "Tags" in params:
        tags = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        check_tags(tags)
        stack_set.tags = tags
    stack_set.body, stack_set.parameters, stack_set.capabilities = body, parameters, capabilities
    stack_set.hidden = frozenset(n for n, spec in known.items() if str(spec.get("NoEcho", "")).lower() == "true")
    stack_set.description = params.get("Description", stack_set.description)
    stack_set.administration_role = params.get("AdministrationRoleARN", stack_set.administration_role)
    stack_set.execution_role = params.get("ExecutionRoleName", stack_set.execution_role)
    if "AutoDeployment" in params:
        stack_set.auto_deployment = dict(params["AutoDeployment"])


def ask_to_tag(call: Call, stack_set: StackSet) -> None:
    """API Reference, CreateStackSet and UpdateStackSet, Tags: the caller must be allowed to tag and to untag."""
    if "Tags" not in call.params:
        return
    session = call.cloud.session_for(call.principal, call.region)
    for action, keys in tag_needs(call, stack_set.tags):
        session.permit(f"cloudformation:{action}", stack_set.arn, keys)


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
    params, stack_set = request_of(call), alive_set(call)
    if params.get("PermissionModel", stack_set.permission_model) != stack_set.permission_model:
        raise NotSupported("cloudformation: a change of PermissionModel")
    body = stack_set.body if params.get("UsePreviousTemplate") else template_body(call, params)
    chosen = bool(params.get("Accounts") or params.get("DeploymentTargets"))
    if chosen != bool(params.get("Regions")):
        raise refused("Regions and accounts (or deployment targets) must be given together, or both left out")
    if "AutoDeployment" in params and chosen:
        raise refused("AutoDeployment cannot be specified together with DeploymentTargets or Regions")
    with stack_set.lock:
        refuse_busy(stack_set, even_managed="ManagedExecution" in params)
        operation = planned(call, stack_set, "UPDATE")
        if "ManagedExecution" in params:
            stack_set.managed_execution = bool((params["ManagedExecution"] or {}).get("Active"))
            if params.get("UsePreviousTemplate") and not SETTINGS & params.keys():
                return start(call, stack_set, operation, [], stacksets_run.deploy)
        places = set(stack_set.instances)
        if chosen:
            accounts = {account for account, _ in targets_for(stack_set, params, creates=False)}
            regions = check_regions(params["Regions"])
            places = {place for place in places if place[0] in accounts and place[1] in regions}
        ask_to_tag(call, stack_set)
        define(call, stack_set, body, given_parameters(params, stack_set.parameters))
        for instance in stack_set.instances.values():
            if instance.status == "CURRENT":
                instance.status = "OUTDATED"
        return start(call, stack_set, operation, sorted(places), stacksets_run.deploy)


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
    params, stack_set = request_of(call), alive_set(call)
    overrides = checked_overrides(stack_set, given_parameters(params, {}, "ParameterOverrides"))
    regions = check_regions(params["Regions"])
    with stack_set.lock:
        refuse_busy(stack_set)
        operation = planned(call, stack_set, "CREATE")
        targets = targets_for(stack_set, params, creates=True)
        units = {(account, region): unit for account, unit in targets for region in regions}
        if len(stack_set.instances.keys() | units.keys()) > MOST_INSTANCES:
            raise AwsError("LimitExceededException", f"The limit of {MOST_INSTANCES} stack instances is reached")
        for (account, region), unit in units.items():
            if (account, region) not in stack_set.instances:
                name = f"StackSet-{stack_set.name}-{new_id()}"
                stack_set.instances[account, region] = Instance(account, region, unit, name)
            stack_set.instances[account, region].overrides = dict(overrides)
        stacksets_auto.remember(stack_set, params.get("DeploymentTargets") or {}, regions)
        return start(call, stack_set, operation, list(units), stacksets_run.deploy)


def checked_overrides(stack_set: StackSet, overrides: dict[str, str]) -> dict[str, str]:
    known = read(stack_set.body).parameters
    if unknown := [name for name in overrides if name not in known]:
        raise refused(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    return overrides


@cloudformation.operation("UpdateStackInstances")
def update_stack_instances(call: Call) -> dict[str, Any]:
    """Overrides left out stay as they are; an empty list takes them all away."""
    params, stack_set = request_of(call), alive_set(call)
    regions = check_regions(params["Regions"])
    with stack_set.lock:
        refuse_busy(stack_set)
        operation = planned(call, stack_set, "UPDATE")
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
        return start(call, stack_set, operation, places, stacksets_run.deploy)


@cloudformation.operation("DeleteStackInstances")
def delete_stack_instances(call: Call) -> dict[str, Any]:
    params, stack_set = request_of(call), alive_set(call)
    regions = check_regions(params["Regions"])
    with stack_set.lock:
        refuse_busy(stack_set)
        operation = planned(call, stack_set, "DELETE")
        targets = params.get("DeploymentTargets") or {}
        accounts = {account for account, _ in targets_for(stack_set, params, creates=False)}
        if stack_set.service_managed:
            units, named = set(targets.get("OrganizationalUnitIds") or []), set(targets.get("Accounts") or [])
            if not units:  # github.com/aws/aws-cli, issue 8248
                raise refused(
                    "StackSets with SERVICE_MANAGED permission model can only have OrganizationalUnit as target"
                )
            # also the accounts that have left the unit or were suspended since
            there = {account for (account, _), instance in stack_set.instances.items() if instance.unit in units}
            if targets.get("AccountFilterType", "NONE") == "NONE" and not named:
                accounts |= there
                stacksets_auto.forget(stack_set, units, regions)
            elif targets.get("AccountFilterType") == "INTERSECTION" and params.get("RetainStacks"):
                accounts |= there & named
        places = sorted(place for place in stack_set.instances if place[0] in accounts and place[1] in regions)
        return start(call, stack_set, operation, places, stacksets_run.remove)


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


def planned(call: Call, stack_set: StackSet, action: str) -> Operation:
    """The operation that a request asks for; AwsError where it cannot be, before anything changes."""
    params = call.params
    operation = Operation(
        str(params.get("OperationId") or new_id()),
        action,
        check_preferences(params.get("OperationPreferences") or {}),
        dict(params.get("DeploymentTargets") or {}),
        params.get("RetainStacks"),
    )
    if operation.id in stack_set.operations:
        raise AwsError("OperationIdAlreadyExistsException", f"Operation {operation.id} already exists", 409)
    return operation


def start(
    call: Call, stack_set: StackSet, operation: Operation, places: list[tuple[str, str]], work: stacksets_run.Act
) -> dict[str, Any]:
    """Note the operation and carry it out in the background."""
    stacksets_run.begin_operation(call.cloud, stack_set, operation, places, work)
    return {"OperationId": operation.id}


def check_preferences(given: Mapping[str, Any]) -> dict[str, Any]:
    """API Reference, "StackSetOperationPreferences"."""
    for one, other in (
        ("FailureToleranceCount", "FailureTolerancePercentage"),
        ("MaxConcurrentCount", "MaxConcurrentPercentage"),
    ):
        if one in given and other in given:
            raise refused(f"Only one of {one} and {other} can be specified")
    for name, least, most in (
        ("FailureToleranceCount", 0, None),
        ("FailureTolerancePercentage", 0, 100),
        ("MaxConcurrentCount", 1, None),
        ("MaxConcurrentPercentage", 1, 100),
    ):
        value = int(given.get(name, least))
        if value < least or (most is not None and value > most):
            raise refused(f"{name} {value} must be {least} or more" + (f" and {most} or less" if most else ""))
    for name, known in (
        ("RegionConcurrencyType", ("SEQUENTIAL", "PARALLEL")),
        ("ConcurrencyMode", ("STRICT_FAILURE_TOLERANCE", "SOFT_FAILURE_TOLERANCE")),
    ):
        if name in given and given[name] not in known:
            raise refused(f"{name} {given[name]} is not one of {', '.join(known)}")
    return dict(given)


@cloudformation.operation("StopStackSetOperation")
def stop_stack_set_operation(call: Call) -> None:
    """Running work ends on its own; nothing new is started."""
    stack_set = find_set(call)
    operation = find_operation(call, stack_set)
    with stack_set.lock:
        if operation.finished:
            raise not_allowed(f"Operation {operation.id} is not in progress")
        operation.status = "STOPPING"
