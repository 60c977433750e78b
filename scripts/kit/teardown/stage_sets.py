"""Taking down a stack set: a stage's with its endpoints, or the one of the target accounts' roles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection, if_there, pages
from scripts.kit.console import AGAIN, UserError, counted
from scripts.kit.organization import members
from scripts.kit.patience import until
from scripts.kit.projects import project as projects
from scripts.kit.stacks import stack as stacks
from scripts.kit.stacks.stack import describe_stack
from scripts.kit.stacks.stackset import UNFINISHED, preferences
from scripts.kit.teardown.parts import TeardownPart, deleted
from scripts.kit.teardown.stacks import PATIENCE, delete_stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CallAsType
    from mypy_boto3_cloudformation.type_defs import DescribeStackSetInputTypeDef


@dataclass
class ActiveAccounts:
    """Which accounts are (still) in the organization; unknown where these credentials may not ask."""

    active: set[str] | None = None
    asked: bool = field(default=False, repr=False)

    def left(self, connection: Connection, account: str) -> bool:
        if not self.asked:
            self.asked = True
            try:
                listed = pages(connection.client("organizations"), "list_accounts", "Accounts")
                self.active = {account["Id"] for account in listed if members.state(account) == "ACTIVE"}
            except ClientError:
                self.active = None
        return self.active is not None and account not in self.active


def stage_parts(
    connection: Connection, name: str, call_as: CallAsType, organization: ActiveAccounts, kind: str = "endpoint"
) -> Iterator[TeardownPart]:
    """A stack that holds a stack set of the same name, or either of them alone. kind: of what each instance holds"""
    cloudformation = connection.client("cloudformation")
    stack = describe_stack(cloudformation, name)
    by = (projects.call_as(stack) if stack else None) or call_as
    found = instances(cloudformation, name, by)
    if found is None and stack is None:
        return
    units = [instance for instance in found or [] if instance.get("OrganizationalUnitId")]  # none if self-managed
    left = [instance for instance in units if organization.left(connection, instance["Account"])]
    for instance in left:
        place = f"{instance['Account']} {instance['Region']} of {name}"
        why = "the account is no longer active in the organization: what is in it stays there"
        yield deleted("instance", place, why, partial(forget, cloudformation, name, by, instance))
    places = [f"{i['Account']} {i['Region']}{condition(i)}" for i in found or [] if i not in left]
    detail = (
        f"{counted(len(places), kind)}: {', '.join(places[:4])}{' …' if len(places) > 4 else ''}" if places else "empty"
    )
    if stack is not None:
        state = "" if stack["StackStatus"] in stacks.SETTLED else f"{stack['StackStatus']}; "
        yield deleted("stage", name, state + detail, partial(delete_stage, connection, name, by))
    else:
        yield deleted("stack set", name, detail, partial(delete_stack_set, cloudformation, name, by))


def condition(instance: dict[str, Any]) -> str:
    """What is not as it should be with an instance, to follow its place."""
    status = instance.get("Status", "CURRENT")
    return "" if status == "CURRENT" else f" ({status})"


def delete_stage(connection: Connection, name: str, call_as: CallAsType) -> None:
    """Delete the stage's stack; UserError with what each account says where it stays."""
    try:
        delete_stack(connection, name)
    except UserError:
        found = instances(connection.client("cloudformation"), name, call_as)
        if failed := [instance for instance in found or [] if instance.get("Status") == "INOPERABLE"]:
            raise stuck(name, call_as, failed) from None
        raise


def instances(cloudformation: CloudFormationClient, name: str, call_as: CallAsType) -> list[dict[str, Any]] | None:
    """The instances of a stack set; None where there is no such set."""
    set_of: DescribeStackSetInputTypeDef = {"StackSetName": name, "CallAs": call_as}
    described = if_there(cloudformation.describe_stack_set, **set_of)
    if described is None or described["StackSet"]["Status"] != "ACTIVE":
        return None
    return list(pages(cloudformation, "list_stack_instances", "Summaries", **set_of))


def forget(cloudformation: CloudFormationClient, name: str, call_as: CallAsType, instance: dict[str, Any]) -> None:
    """Take an instance out of its set and leave its stack, which can no longer be reached."""
    targets = {"DeploymentTargets": within([instance["OrganizationalUnitId"]], [instance["Account"]])}
    delete_instances(cloudformation, name, call_as, targets, [instance["Region"]], 1, retain=True)


def within(units: list[str], accounts: list[str]) -> dict[str, Any]:
    """DeploymentTargets of some accounts: AWS deletes none by their ids alone (github.com/aws/aws-cli, issue 8248)."""
    return {"OrganizationalUnitIds": units, "Accounts": accounts, "AccountFilterType": "INTERSECTION"}


def delete_instances(
    cloudformation: CloudFormationClient,
    name: str,
    call_as: CallAsType,
    targets: dict[str, Any],
    regions: list[str],
    accounts: int,
    retain: bool = False,
) -> None:
    """Delete instances and wait; UserError with each account that failed and why.

    targets: members of the request; accounts: how many there are
    """
    wait_for_operations(cloudformation, name, call_as)
    begun = if_there(
        cloudformation.delete_stack_instances,
        StackSetName=name,
        CallAs=call_as,
        Regions=regions,
        RetainStacks=retain,
        OperationPreferences=preferences(accounts),
        **targets,
    )
    if begun is None:
        return
    wait_for_operations(cloudformation, name, call_as)
    detail = {"StackSetName": name, "CallAs": call_as, "OperationId": begun["OperationId"]}
    results = pages(cloudformation, "list_stack_set_operation_results", "Summaries", **detail)
    if failed := [result for result in results if result["Status"] == "FAILED"]:
        raise stuck(name, call_as, failed)


def stuck(name: str, call_as: CallAsType, failed: list[dict[str, Any]]) -> UserError:
    """What a person does about instances that cannot be deleted: put it right, or leave the stack there.

    CloudFormation API Reference, StackInstance, Status INOPERABLE: DeleteStackInstances with RetainStacks, and
    then the stack by hand
    """
    lines = [f"{one['Account']} {one['Region']}: {one.get('StatusReason', '')}" for one in failed]
    accounts = sorted({one["Account"] for one in failed})
    regions = " ".join(sorted({one["Region"] for one in failed}))
    if units := sorted({one["OrganizationalUnitId"] for one in failed if one.get("OrganizationalUnitId")}):
        targets = within([",".join(units)], [",".join(accounts)])
        shown = (f"{name}={value if isinstance(value, str) else value[0]}" for name, value in targets.items())
        where = f"--deployment-targets {','.join(shown)}"
    else:
        where = f"--accounts {' '.join(accounts)}"
    let_go = (
        f"aws cloudformation delete-stack-instances --stack-set-name {name} --call-as {call_as} --retain-stacks "
        f"{where} --regions {regions}"
    )
    advice = [AGAIN, "or leave the stacks where they are, to be deleted by hand in their accounts:", f"  {let_go}"]
    return UserError("\n  ".join([f"{name} could not be deleted everywhere:", *lines, *advice]))


def wait_for_operations(cloudformation: CloudFormationClient, name: str, call_as: CallAsType) -> None:
    def quiet() -> bool | None:
        operations = pages(cloudformation, "list_stack_set_operations", "Summaries", StackSetName=name, CallAs=call_as)
        return None if any(o["Status"] in UNFINISHED for o in operations) else True

    if_there(lambda: until(f"stack set {name}", quiet, PATIENCE))


def delete_stack_set(cloudformation: CloudFormationClient, name: str, call_as: CallAsType) -> None:
    """The set with all of its instances."""
    found = instances(cloudformation, name, call_as)
    if found is None:
        return
    if found:
        units = sorted({i["OrganizationalUnitId"] for i in found if i.get("OrganizationalUnitId")})
        accounts = sorted({i["Account"] for i in found})
        regions = sorted({i["Region"] for i in found})
        # API Reference, DeleteStackInstances: DeploymentTargets where AWS manages the permissions, Accounts where not
        targets = {"DeploymentTargets": {"OrganizationalUnitIds": units}} if units else {"Accounts": accounts}
        delete_instances(cloudformation, name, call_as, targets, regions, len(accounts))
    if_there(cloudformation.delete_stack_set, StackSetName=name, CallAs=call_as)
