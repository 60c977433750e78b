"""Requests that IAM refuses and moto takes: names, and the sizes and numbers of a role's policies.

IAM User Guide, "IAM and AWS STS quotas".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.iam.service import iam

ROLE_POLICIES, MANAGED_POLICY, MANAGED_PER_ROLE = 10_240, 6_144, 10  # characters without white space; policies


def plain(text: str) -> int:
    """The length of a policy, white space left out, as IAM counts it."""
    return len(re.sub(r"\s", "", text))


def managed_policy(call: Call) -> None:
    if plain(call.params["PolicyDocument"]) > MANAGED_POLICY:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for PolicySize: {MANAGED_POLICY}", 409)


@iam.before("DeleteRolePermissionsBoundary", "DeleteRolePolicy", "DetachRolePolicy", "UpdateAssumeRolePolicy")
def modifiable(call: Call) -> None:
    """A service-linked role is its service's to change (IAM API Reference, DeleteRole: UnmodifiableEntity)."""
    backend, name = moto_bridge.backend("iam", call.account, "aws"), call.params.get("RoleName")
    if any(role.name == name and role.path.startswith("/aws-service-role/") for role in list(backend.roles.values())):
        what = f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        raise AwsError("UnmodifiableEntity", what)


@iam.before("PutRolePolicy")
def inline_policy(call: Call) -> None:
    modifiable(call)
    role = list(moto_bridge.backend("iam", call.account, "aws").roles.values())
    found = next((one for one in role if one.name == call.params["RoleName"]), None)
    others = {} if found is None else {k: v for k, v in found.policies.items() if k != call.params["PolicyName"]}
    if sum(map(plain, [*others.values(), call.params["PolicyDocument"]])) > ROLE_POLICIES:
        raise AwsError(
            "LimitExceeded",
            f"Maximum policy size of {ROLE_POLICIES} bytes exceeded for role {call.params['RoleName']}",
            409,
        )


@iam.before("AttachRolePolicy")
def attached_policy(call: Call) -> None:
    modifiable(call)
    roles = list(moto_bridge.backend("iam", call.account, "aws").roles.values())
    found = next((one for one in roles if one.name == call.params["RoleName"]), None)
    known = found.managed_policies if found is not None else {}
    if len(known) >= MANAGED_PER_ROLE and call.params["PolicyArn"] not in known:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for PoliciesPerRole: {MANAGED_PER_ROLE}", 409)


@iam.before("PutRolePermissionsBoundary", "PutUserPermissionsBoundary")
def boundary(call: Call) -> None:
    """A policy that exists (IAM API Reference, PutRolePermissionsBoundary: NoSuchEntity)."""
    modifiable(call)
    arn = call.params["PermissionsBoundary"]
    if arn not in moto_bridge.backend("iam", call.account, "aws").managed_policies:
        raise AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)


@iam.before("CreatePolicyVersion", "DeletePolicyVersion", "SetDefaultPolicyVersion")
def of_the_account(call: Call) -> None:
    """AWS's own policies are AWS's to change (IAM User Guide, "Managed policies and inline policies")."""
    if ":iam::aws:" in call.params["PolicyArn"]:
        raise AwsError("AccessDenied", "Policy is outside your own account.", 403)


@iam.before("DeletePolicy")
def deleted_policy(call: Call) -> None:
    """Attached to nothing, and of one version (IAM API Reference, DeletePolicy)."""
    of_the_account(call)
    backend, arn = moto_bridge.backend("iam", call.account, "aws"), call.params["PolicyArn"]
    holders = [*backend.users.values(), *backend.groups.values(), *backend.roles.values()]
    if any(arn in holder.managed_policies for holder in holders):
        raise conflict("Cannot delete a policy attached to entities.")
    policy = backend.managed_policies.get(arn)
    if policy is not None and len(policy.versions) > 1:
        raise conflict("This policy has more than one version. Delete the versions other than the default first.")


@iam.before("DeleteGroup")
def deleted_group(call: Call) -> None:
    """Without users and policies (IAM API Reference, DeleteGroup)."""
    group = moto_bridge.backend("iam", call.account, "aws").groups.get(call.params["GroupName"])
    if group is not None and (group.users or group.policies or group.managed_policies):
        raise conflict("Cannot delete entity, must remove users and policies from group first.")


def deleted_user(user: Any, groups: Iterable[Any]) -> None:
    """Without access keys, password and groups; moto looks at the policies (IAM API Reference, DeleteUser)."""
    if user.access_keys or user.password or any(user in group.users for group in groups):
        raise conflict("Cannot delete entity, must delete access keys, login profile and group memberships first.")


def conflict(message: str) -> AwsError:
    return AwsError("DeleteConflict", message, 409)
