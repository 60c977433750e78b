"""Deleting a stack, whatever state it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.kit.connect import Connection, if_there
from scripts.kit.console import AGAIN, UserError
from scripts.kit.patience import until
from scripts.kit.stacks import stack as stacks
from scripts.kit.stacks.stack import describe_stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

PATIENCE = 6 * 3600.0  # seconds: a stack may hold a stack set of a thousand accounts
GONE = {"", "DELETE_COMPLETE"}


def delete_stack(connection: Connection, name: str) -> None:
    """Delete a stack and wait, whatever state it is in; UserError with the reasons where it stays."""
    cloudformation = connection.client("cloudformation")
    stack = describe_stack(cloudformation, name)
    if stack is None:
        return
    id = stack["StackId"]

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=id)["Stacks"][0]["StackStatus"])

    def settled() -> str | None:
        now = status()
        return None if now.endswith("_IN_PROGRESS") else now

    if stack["StackStatus"].endswith("_IN_PROGRESS") and stack["StackStatus"] != "REVIEW_IN_PROGRESS":
        until(f"stack {name}", settled, PATIENCE, status)
    if status() not in GONE:
        require_unprotected(stack)
        require_role(connection, name, stack.get("RoleARN", ""))
        cloudformation.delete_stack(StackName=id)
    ended = until(f"stack {name}", settled, PATIENCE, status)
    if ended not in GONE:
        why = stacks.reasons(cloudformation, id, lambda logical_id: f"stack {name},")
        raise UserError(f"the stack {name} in {connection.account} ended {ended}:\n{why}\n  {AGAIN}")


def require_unprotected(stack: StackTypeDef) -> None:
    """UserError where a stack is protected: taking that off is a decision of its own."""
    if stack.get("EnableTerminationProtection"):
        name = stack["StackName"]
        raise UserError(
            f"the stack {name} is protected from deletion. `aws cloudformation update-termination-protection "
            f"--no-enable-termination-protection --stack-name {name}` takes that off. {AGAIN}"
        )


def require_role(connection: Connection, stack: str, role: str) -> None:
    """UserError where the role that made a stack is gone: CloudFormation cannot delete the stack without it."""
    name = role.rsplit("/", 1)[-1]
    if role and if_there(connection.client("iam").get_role, RoleName=name) is None:
        raise UserError(
            f"the stack {stack} cannot be deleted: CloudFormation needs the role that made it, {role}, which is gone: "
            f"`make accounts` makes it again. {AGAIN}"
        )
