"""What authorization asks of IAM: roles, users, groups, policies and providers, and the tags of roles and policies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access, policies_in_moto
from localaws.services.iam.service import iam


def resources(call: Call, types: list[str]) -> list[str]:
    params, path = call.params, call.params.get("Path", "/")
    backend = moto_bridge.backend("iam", call.account, "aws")

    def made(kind: str, name: str, existing: Iterable[Any]) -> str:
        known = next((item.arn for item in [*existing] if item.name == name), None)
        return str(known) if known else arn("iam", "", call.account, f"{kind}{path}{name}")

    if "policy" in types and "PolicyArn" in params and not {"RoleName", "UserName", "GroupName"} & set(params):
        return [params["PolicyArn"]]
    if "oidc-provider" in types:
        host = str(params.get("Url", "")).removeprefix("https://")
        return [params.get("OpenIDConnectProviderArn") or arn("iam", "", call.account, f"oidc-provider/{host}")]
    if call.operation == "CreateServiceLinkedRole":
        service = params["AWSServiceName"]
        return [arn("iam", "", call.account, f"role/aws-service-role/{service}/*")]
    if "instance-profile" in types and "InstanceProfileName" in params:
        return [made("instance-profile", params["InstanceProfileName"], backend.instance_profiles.values())]
    if "RoleName" in params:
        return [made("role", params["RoleName"], backend.roles.values())]
    if "UserName" in params:
        return [made("user", params["UserName"], backend.users.values())]
    if "GroupName" in params:
        return [made("group", params["GroupName"], backend.groups.values())]
    if "PolicyName" in params and "policy" in types:
        return [arn("iam", "", call.account, f"policy{path}{params['PolicyName']}")]
    if "PolicySourceArn" in params:
        return [params["PolicySourceArn"]]
    if "user" in types:  # the caller itself: GetUser, ListAccessKeys without a name
        return [call.principal.arn]
    return []


trusts = policies_in_moto("iam", "roles", "assume_role_policy_document")
iam.access = Access(resources=resources, rewrite=trusts)
