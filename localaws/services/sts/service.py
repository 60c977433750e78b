"""STS: role sessions and caller identity (AWS STS API Reference: AssumeRole, GetCallerIdentity)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from awslang.principals import Principal
from localaws import moto_bridge
from localaws.authorization.state import role_named
from localaws.calls import Call, Service
from localaws.cloud import Cloud

sts = Service("sts")


def check_trust(
    cloud: Cloud, role_arn: str, by: Principal, *, external_id: str | None, tags: Mapping[str, str]
) -> None:
    """AccessDenied unless the role exists and its trust policy lets this principal assume it."""
    cloud.authorizer.assume_role(by, role_arn, role_named(role_arn), external_id=external_id, tags=tags)


@sts.operation("GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any]:
    user_id = call.account if call.principal.kind == "root" else f"AROAEXAMPLE:{call.principal.session_name}"
    return {"UserId": user_id, "Account": call.account, "Arn": call.principal.arn}


@sts.operation("AssumeRole")
def assume_role(call: Call) -> dict[str, Any]:
    params = call.params
    policies = [json.loads(params["Policy"])] if "Policy" in params else []
    for item in params.get("PolicyArns", []):
        account = item["arn"].split(":")[4]
        owner = call.account if account == "aws" else account
        policy = moto_bridge.backend("iam", owner, "aws").get_policy(item["arn"])
        policies.append(
            json.loads(next(v.document for v in policy.versions if v.version_id == policy.default_version_id))
        )
    session = call.cloud.assume_role(
        params["RoleArn"],
        params["RoleSessionName"],
        call.principal,
        call.region,
        external_id=params.get("ExternalId"),
        policies=tuple(policies),
        tags={tag["Key"]: tag["Value"] for tag in params.get("Tags", [])},
        seconds=params.get("DurationSeconds", 3600),
    )
    credentials = session.credentials
    return {
        "Credentials": {
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "SessionToken": credentials.session_token,
            "Expiration": credentials.expiration,
        },
        "AssumedRoleUser": {
            "AssumedRoleId": f"AROAEXAMPLE:{params['RoleSessionName']}",
            "Arn": session.principal.arn,
        },
    }
