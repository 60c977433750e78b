"""One service-managed stack set from a template of the kit, which follows a unit: look, plan, apply, wait.

CloudFormation API Reference, CreateStackSet, UpdateStackSet, CreateStackInstances; User Guide, "Enable or
disable automatic deployments": a set has its own parameter values and no overrides, because accounts that
join a unit later get the set's values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

from botocore.exceptions import ClientError

from scripts.kit.connect import pages
from scripts.kit.console import FEW, PROGRESS, SHOWN, UserError, alike, explain, some, without_ids
from scripts.kit.patience import Answer, code, patiently, until
from scripts.kit.plan import PlanStep
from scripts.kit.stacks.stack import WantedStack, changes, parameters, tags

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CallAsType, CapabilityType, PermissionModelsType
    from mypy_boto3_cloudformation.type_defs import (
        AutoDeploymentTypeDef,
        CreateStackInstancesInputTypeDef,
        DescribeStackSetOperationInputTypeDef,
        ParameterTypeDef,
        StackSetOperationPreferencesTypeDef,
        TagTypeDef,
    )

MOST_AT_ONCE = 10_000  # instances at work in a Region, of all sets (CloudFormation User Guide, "Understand
# CloudFormation quotas", StackSets instance operations)
OPERATION = 3600.0  # seconds for an operation on every account of a unit
UNFINISHED = {"RUNNING", "QUEUED", "STOPPING"}
AUTOMATIC: AutoDeploymentTypeDef = {
    "Enabled": True,
    "RetainStacksOnAccountRemoval": False,
}  # an account that comes back finds no old roles
NOT_YET = ("delegated admin", "enable organizations access")  # what a fresh organization answers for a while


@dataclass(frozen=True)
class WantedStackSet:
    """A stack set as it should be: in every account of a unit, and in those that join it."""

    stack: WantedStack  # its account is the one that administers the set
    unit: str
    region: str
    call_as: CallAsType
    accounts: tuple[str, ...]  # in the unit now


@dataclass(frozen=True)
class FoundStackSet:
    """A stack set as it is; body "" when there is none. instances: account to its status."""

    body: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    automatic: bool = False
    units: tuple[str, ...] = ()
    instances: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class StackSetRequest(TypedDict):
    """What CreateStackSet and UpdateStackSet both take."""

    StackSetName: str
    TemplateBody: str
    Parameters: list[ParameterTypeDef]
    Capabilities: list[CapabilityType]
    Tags: list[TagTypeDef]
    PermissionModel: PermissionModelsType
    AutoDeployment: AutoDeploymentTypeDef
    CallAs: CallAsType


def look(cloudformation: CloudFormationClient, name: str, call_as: CallAsType) -> FoundStackSet:
    try:
        found = cloudformation.describe_stack_set(StackSetName=name, CallAs=call_as)["StackSet"]
    except ClientError as error:
        if code(error) == "StackSetNotFoundException":
            return FoundStackSet()
        raise
    listed = pages(cloudformation, "list_stack_instances", "Summaries", StackSetName=name, CallAs=call_as)
    instances = {str(i["Account"]): str(i["Status"]) for i in listed}
    automatic = bool((found.get("AutoDeployment") or {}).get("Enabled"))
    units = tuple(found.get("OrganizationalUnitIds") or ())
    return FoundStackSet(str(found["TemplateBody"]), parameters(found), automatic, units, instances, tags(found))


def make_plan(want: WantedStackSet, found: FoundStackSet) -> PlanStep:
    name = f"{want.stack.name} in {want.unit}"
    if not found.body:
        return PlanStep("create", "stack set", name, f"accounts: {len(want.accounts)}, and those that join")
    differs = definition_changes(want, found)
    missing = [account for account in want.accounts if account not in found.instances]
    if want.unit not in found.units or missing:
        differs.append(f"accounts to come: {len(missing)}")
    if failed := [a for a in want.accounts if found.instances.get(a, "CURRENT") != "CURRENT"]:
        differs.append(f"again in {some(failed)}")
    return PlanStep("change" if differs else "keep", "stack set", name, ", ".join(differs))


def definition_changes(want: WantedStackSet, found: FoundStackSet) -> list[str]:
    differs = changes(want.stack, found.body, found.parameters, found.tags)
    return differs if found.automatic else [*differs, "automatic deployment"]


def apply(cloudformation: CloudFormationClient, want: WantedStackSet, found: FoundStackSet) -> None:
    """Bring the set to what is wanted, from whatever state an earlier run left it in; UserError where it failed."""
    name, call_as = want.stack.name, want.call_as
    if wait_for_others(cloudformation, want):
        found = look(cloudformation, name, call_as)
    definition: StackSetRequest = {
        "StackSetName": name,
        "TemplateBody": want.stack.body,
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in want.stack.sent.items()],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Tags": want.stack.tag_list,
        "PermissionModel": "SERVICE_MANAGED",
        "AutoDeployment": AUTOMATIC,
        "CallAs": call_as,
    }
    failed = any(found.instances.get(account, "CURRENT") != "CURRENT" for account in want.accounts)
    if not found.body:
        send(want, lambda: cloudformation.create_stack_set(**definition))
    elif definition_changes(want, found) or failed:
        at_once = preferences(len(want.accounts))
        update = partial(cloudformation.update_stack_set, **definition, OperationPreferences=at_once)
        wait(cloudformation, want, send(want, update)["OperationId"])
    if want.unit not in found.units or any(account not in found.instances for account in want.accounts):
        targets: CreateStackInstancesInputTypeDef = {
            "StackSetName": name,
            "DeploymentTargets": {"OrganizationalUnitIds": [want.unit]},
            "Regions": [want.region],
            "OperationPreferences": preferences(len(want.accounts)),
            "CallAs": call_as,
        }
        wait(cloudformation, want, send(want, lambda: cloudformation.create_stack_instances(**targets))["OperationId"])


def preferences(accounts: int) -> StackSetOperationPreferencesTypeDef:
    """Every account at once, as far as AWS allows; one that fails holds no other up."""
    return {
        "RegionConcurrencyType": "PARALLEL",
        "FailureTolerancePercentage": 100,
        "MaxConcurrentPercentage": min(100, 100 * MOST_AT_ONCE // max(1, accounts)),
    }


def send(want: WantedStackSet, request: Callable[[], Answer]) -> Answer:
    """A request on the set, asked again while another operation runs or the organization's news has not arrived."""

    def passing(error: ClientError) -> bool:
        message = str(error).lower()
        return code(error) == "OperationInProgressException" or any(words in message for words in NOT_YET)

    try:
        return patiently(f"the stack set {want.stack.name}", request, passing, OPERATION)
    except ClientError as error:
        raise UserError(f"{want.stack.file}: stack set {want.stack.name}: {explain(error)}") from error


def wait_for_others(cloudformation: CloudFormationClient, want: WantedStackSet) -> bool:
    """Operations that an interrupted run, or an account that moved, began; whether there was one."""
    try:
        where = {"StackSetName": want.stack.name, "CallAs": want.call_as}
        listed = pages(cloudformation, "list_stack_set_operations", "Summaries", **where)
        running = [o["OperationId"] for o in listed if o["Status"] in UNFINISHED]
    except ClientError as error:
        if code(error) == "StackSetNotFoundException":
            return False
        raise
    for operation in reversed(running):
        wait(cloudformation, want, operation, strict=False)
    return bool(running)


def wait(cloudformation: CloudFormationClient, want: WantedStackSet, operation: str, strict: bool = True) -> None:
    """Until the operation has ended; with `strict`, UserError with each account that failed."""
    name = want.stack.name
    request: DescribeStackSetOperationInputTypeDef = {
        "StackSetName": name,
        "OperationId": operation,
        "CallAs": want.call_as,
    }

    def results() -> list[dict[str, Any]]:
        return list(pages(cloudformation, "list_stack_set_operation_results", "Summaries", **request))

    def ended() -> str | None:
        status = str(cloudformation.describe_stack_set_operation(**request)["StackSetOperation"]["Status"])
        return None if status in UNFINISHED else status

    line, asked = "at work", time.monotonic()

    def progress() -> str:
        """How many accounts are done; not asked every time, because it takes a request for every hundred of them."""
        nonlocal line, asked
        if len(want.accounts) >= 20 and time.monotonic() - asked >= PROGRESS:
            done = sum(result["Status"] in {"SUCCEEDED", "FAILED"} for result in results())
            line, asked = f"{done:,} of {len(want.accounts):,} accounts", time.monotonic()
        return line

    status = until(f"stack set {name}", ended, OPERATION, progress)
    failed = [result for result in results() if result["Status"] == "FAILED"]
    if not strict or not (failed or status != "SUCCEEDED"):
        return
    lines = []
    for group in alike(failed, lambda result: without_ids(result.get("StatusReason", ""))):
        shown = group if len(group) <= FEW else group[:SHOWN]
        lines += [f"    {result['Account']}: {result.get('StatusReason', '')}" for result in shown]
        if rest := len(group) - len(shown):
            lines.append(f"    {rest:,} more accounts: the same")
    if any("already exists" in line for line in lines):
        lines.append(
            "    An account that has these roles from a stack of its own keeps them with `target_roles: one-by-one`; "
            "to hand it over, delete its stack multi-account-deployment-target and run this command again"
        )
    raise UserError("\n".join([f"the stack set {name} ended {status}, failed in {len(failed):,} accounts:", *lines]))
