"""What an organization's own rules ask of the kit's roles: a boundary that is there, and a path that cannot change.

Checked before the first stack is touched (docs/decisions/0033-*.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scripts.kit.connect import Connection, enter, if_there
from scripts.kit.console import UserError
from scripts.kit.names import ROLES_STACK, TARGET_STACK, target_role, target_set_name
from scripts.kit.regions import partition
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import stack as stacks
from scripts.kit.stages import Stage


def boundary_arn(settings: Settings, account: str) -> str:
    """The policy that bounds the kit's roles in an account."""
    return f"arn:{partition(settings.region)}:iam::{account}:policy/{settings.roles.permissions_boundary}"


def check(connection: Connection, home: Connection, settings: Settings) -> None:
    """UserError where the boundary is missing in the data science account, or roles are there at another path."""
    name = settings.roles.permissions_boundary
    arn = boundary_arn(settings, home.account)
    if name and if_there(home.client("iam").get_policy, PolicyArn=arn) is None:
        raise UserError(
            f"the policy {name} (roles.permissions_boundary) does not exist in account {home.account}. "
            "Create it there and in every target account: IAM refuses a role whose boundary is missing"
        )
    was = parameters_of(home, ROLES_STACK)
    if was and was.get("RolePath", "/") != settings.roles.path:
        for stage, found in target_parameters(connection, home, settings):
            refuse_move(settings, stage, found)


def refuse_move(settings: Settings, stage: Stage, found: Mapping[str, str]) -> None:
    """UserError where template 20 has made a stage's roles at another path. found: its parameters there

    A role's path never changes, and CloudFormation replaces no resource whose name is given (CloudFormation User Guide,
    "Name type").
    """
    roles, path = settings.roles, found.get("RolePath", "/")
    suffix = roles.suffix.of(stage)
    if found.get("SageMakerRoleSuffix") == suffix and path != roles.path:
        raise UserError(
            f"roles.path is {roles.path}, but the roles {target_role(suffix)} of {stage.key} are at {path}, and no "
            f"role's path can change. Write `path: {path}`, or name another suffix (roles.suffix.{stage.key}) with it"
        )


def target_parameters(
    connection: Connection, home: Connection, settings: Settings
) -> Iterator[tuple[Stage, Mapping[str, str]]]:
    """The parameters of template 20 where it is deployed: of the stack sets, or of the accounts that are listed."""
    for stage in settings.stages:
        for account in settings.targets.of(stage) if settings.targets else ():
            try:
                there = enter(connection, account, settings.roles.access)
            except UserError:  # its own plan says what to do
                continue
            yield stage, parameters_of(there, TARGET_STACK)
        if settings.targets is None:
            cloudformation, call_as = home.client("cloudformation"), settings.stack_set_administrator
            name = target_set_name(stage)
            found = if_there(cloudformation.describe_stack_set, StackSetName=name, CallAs=call_as)
            yield stage, stacks.parameters(found["StackSet"]) if found else {}


def parameters_of(connection: Connection, name: str) -> dict[str, str]:
    """A stack's parameters; {} where there is none."""
    return stacks.parameters(stacks.describe_stack(connection.client("cloudformation"), name) or {})
