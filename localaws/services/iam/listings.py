"""What IAM lists: who has a policy, page by page; pages that do not exist; names that differ in their case alone.

IAM API Reference, ListEntitiesForPolicy (EntityFilter, PathPrefix, MaxItems), CreateRole ("Names are not distinguished
by case"); "Common Errors" (ValidationError).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.iam.checks import managed_policy
from localaws.services.iam.service import PAGE, iam

ENTITIES = {  # the value of EntityFilter: the member of the answer, and what names an entity there
    "User": ("PolicyUsers", "UserName", "UserId"),
    "Role": ("PolicyRoles", "RoleName", "RoleId"),
    "Group": ("PolicyGroups", "GroupName", "GroupId"),
}


def state(call: Call) -> Any:
    return moto_bridge.backend("iam", call.account, "aws")


@iam.operation("ListEntitiesForPolicy")
def list_entities_for_policy(call: Call) -> dict[str, Any]:
    params = call.params
    if params.get("PolicyUsageFilter", "PermissionsPolicy") != "PermissionsPolicy":
        raise NotSupported("ListEntitiesForPolicy with PolicyUsageFilter PermissionsBoundary")
    arn, wanted = params["PolicyArn"], params.get("EntityFilter")
    if arn not in state(call).managed_policies:
        raise AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
    if wanted is not None and wanted not in (*ENTITIES, "LocalManagedPolicy", "AWSManagedPolicy"):
        raise AwsError("ValidationError", f"Invalid EntityFilter {wanted}")
    holders = {"User": state(call).users, "Role": state(call).roles, "Group": state(call).groups}
    items = [
        (kind, holder)
        for kind, of in holders.items()
        if wanted in (None, kind)
        for holder in list(of.values())
        if arn in holder.managed_policies and holder.path.startswith(params.get("PathPrefix", "/"))
    ]
    first = int(params.get("Marker", "0"))
    last = first + params.get("MaxItems", PAGE)
    answer: dict[str, Any] = {member: [] for member, _, _ in ENTITIES.values()}
    for kind, holder in items[first:last]:
        member, name, id = ENTITIES[kind]
        answer[member].append({name: holder.name, id: holder.id})
    more = {"Marker": str(last)} if last < len(items) else {}
    return {**answer, "IsTruncated": bool(more), **more}


def refuse_name(kind: str, name: str, known: Iterable[str]) -> None:
    """moto itself refuses a name that is the very same."""
    if any(one.lower() == name.lower() and one != name for one in known):
        raise AwsError("EntityAlreadyExists", f"{kind} with name {name} already exists.", 409)


def names(of: Callable[[Any], dict[str, Any]], call: Call) -> list[str]:
    return [str(one.name) for one in list(of(state(call)).values())]


@iam.before("CreateRole")
def new_role(call: Call) -> None:
    refuse_name("Role", call.params["RoleName"], names(lambda iam: iam.roles, call))


@iam.before("CreateUser")
def new_user(call: Call) -> None:
    refuse_name("User", call.params["UserName"], names(lambda iam: iam.users, call))


@iam.before("CreateGroup")
def new_group(call: Call) -> None:
    refuse_name("Group", call.params["GroupName"], names(lambda iam: iam.groups, call))


@iam.before("CreateInstanceProfile")
def new_profile(call: Call) -> None:
    known = names(lambda iam: iam.instance_profiles, call)
    refuse_name("Instance Profile", call.params["InstanceProfileName"], known)


@iam.before("CreatePolicy")
def new_policy(call: Call) -> None:
    managed_policy(call)
    own = f"arn:aws:iam::{call.account}:policy/"
    known = [str(one.name) for arn, one in list(state(call).managed_policies.items()) if arn.startswith(own)]
    refuse_name("A policy", call.params["PolicyName"], known)
