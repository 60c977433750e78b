"""The operations of STS."""

from __future__ import annotations

import json
from typing import Any

from localaws import moto_bridge
from localaws.calls import Call
from localaws.service import Service

sts = Service("sts")


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
