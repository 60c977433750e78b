"""GetAccountAuthorizationDetails: every user, group, role and policy of the account, page by page.

IAM API Reference, "GetAccountAuthorizationDetails": a page holds 100 of them where MaxItems says nothing, whatever
their kind. Of AWS's own policies it shows those that are attached, as the page's example does; moto shows all 1,300.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from localaws import moto_bridge
from localaws.authorization.state import tag_list
from localaws.calls import Call
from localaws.services.iam.service import PAGE, iam

MEMBERS = {  # the value of Filter: the member of the answer
    "User": "UserDetailList",
    "Group": "GroupDetailList",
    "Role": "RoleDetailList",
    "LocalManagedPolicy": "Policies",
    "AWSManagedPolicy": "Policies",
}


@iam.operation("GetAccountAuthorizationDetails")
def get_account_authorization_details(call: Call) -> dict[str, Any]:
    params = call.params
    wanted = set(params.get("Filter") or MEMBERS)
    items = [(kind, shown) for kind, shown in everything(call) if kind in wanted]
    marker = params.get("Marker", "0")
    first = int(marker)
    last = first + params.get("MaxItems", PAGE)
    answer: dict[str, Any] = {member: [] for member in MEMBERS.values()}
    for kind, shown in items[first:last]:
        answer[MEMBERS[kind]].append(shown)
    more = {"Marker": str(last)} if last < len(items) else {}
    return {**answer, "IsTruncated": bool(more), **more}


def everything(call: Call) -> Iterator[tuple[str, dict[str, Any]]]:
    """The kind of each entity, as Filter has it, and its details."""
    backend = moto_bridge.backend("iam", call.account, "aws")
    users, groups, roles = (list(of.values()) for of in (backend.users, backend.groups, backend.roles))
    for user in users:
        yield "User", user_detail(user, [group.name for group in groups if user in group.users])
    for group in groups:
        yield "Group", group_detail(group)
    profiles = list(backend.instance_profiles.values())
    for role in roles:
        mine = [profile_detail(one) for one in profiles if any(holder.name == role.name for holder in one.roles)]
        yield "Role", role_detail(role, mine)
    attached: dict[str, int] = {}
    for holder in (*users, *groups, *roles):
        for arn in holder.managed_policies:
            attached[arn] = attached.get(arn, 0) + 1
    for policy in list(backend.managed_policies.values()):
        own = ":aws:policy/" not in policy.arn
        if own or policy.arn in attached:
            kind = "LocalManagedPolicy" if own else "AWSManagedPolicy"
            yield kind, policy_detail(policy, attached.get(policy.arn, 0))


def document(text: Any) -> str:
    """A policy as IAM sends it: URL-encoded (RFC 3986)."""
    return quote(text if isinstance(text, str) else json.dumps(text))


def common(thing: Any, prefix: str) -> dict[str, Any]:
    names = {f"{prefix}Name": thing.name, f"{prefix}Id": thing.id}
    return {**names, "Arn": thing.arn, "Path": thing.path, "CreateDate": thing.create_date}


def policies(holder: Any, member: str) -> dict[str, Any]:
    inline = [{"PolicyName": name, "PolicyDocument": document(text)} for name, text in holder.policies.items()]
    attached = [{"PolicyName": one.name, "PolicyArn": arn} for arn, one in holder.managed_policies.items()]
    return {member: inline, "AttachedManagedPolicies": attached}


def boundary(holder: Any) -> dict[str, Any]:
    found = getattr(holder, "permissions_boundary_arn", None) or getattr(holder, "permissions_boundary", None)
    if not found:
        return {}
    arn = found if isinstance(found, str) else found["PermissionsBoundaryArn"]
    return {"PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}}


def tags(holder: Any) -> list[dict[str, str]]:
    return [{"Key": tag["Key"], "Value": tag["Value"]} for tag in tag_list(holder)]


def user_detail(user: Any, groups: list[str]) -> dict[str, Any]:
    own = {**common(user, "User"), **policies(user, "UserPolicyList"), **boundary(user)}
    return {**own, "GroupList": groups, "Tags": tags(user)}


def group_detail(group: Any) -> dict[str, Any]:
    return {**common(group, "Group"), **policies(group, "GroupPolicyList")}


def role_detail(role: Any, profiles: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **common(role, "Role"),
        **policies(role, "RolePolicyList"),
        **boundary(role),
        "AssumeRolePolicyDocument": document(role.assume_role_policy_document),
        "InstanceProfileList": profiles,
        "Tags": tags(role),
        "RoleLastUsed": {},
    }


def profile_detail(profile: Any) -> dict[str, Any]:
    trusts = [
        {**common(role, "Role"), "AssumeRolePolicyDocument": document(role.assume_role_policy_document)}
        for role in profile.roles
    ]
    return {**common(profile, "InstanceProfile"), "Roles": trusts}


def policy_detail(policy: Any, attached: int) -> dict[str, Any]:
    versions = [
        {
            "VersionId": one.version_id,
            "Document": document(one.document),
            "IsDefaultVersion": one.version_id == policy.default_version_id,
            "CreateDate": one.create_date,
        }
        for one in policy.versions
    ]
    return {
        **common(policy, "Policy"),
        "DefaultVersionId": policy.default_version_id,
        "AttachmentCount": attached,
        "IsAttachable": True,
        "UpdateDate": policy.update_date,
        "PolicyVersionList": versions,
    }
