"""The operations of STS."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.principals import Credentials, Principal
from localaws import moto_bridge
from localaws.authorization import state
from localaws.calls import Call
from localaws.cloud import SESSION_SECONDS
from localaws.service import Service

HALF_A_DAY = 43_200  # seconds: API Reference, GetSessionToken
MFA = "aws:multifactorauthpresent"
sts = Service("sts", invalid="ValidationError")


@sts.operation("GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any]:
    return {"UserId": user_id(call.principal), "Account": call.account, "Arn": call.principal.arn}


def user_id(principal: Principal) -> str:
    """The unique id of the caller; with the session's name for a role (IAM User Guide, "IAM identifiers")."""
    unique = state.identity_of(principal).unique_id
    return {"root": principal.account, "role": f"{unique}:{principal.session_name}"}.get(principal.kind, unique)


@sts.operation("AssumeRole")
def assume_role(call: Call) -> dict[str, Any]:
    params = call.params
    if params.get("TransitiveTagKeys"):
        raise NotSupported("sts:AssumeRole with TransitiveTagKeys")
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
        tags=session_tags(params),
        seconds=params.get("DurationSeconds", SESSION_SECONDS),
    )
    check_duration(call, params.get("DurationSeconds", SESSION_SECONDS))
    return {
        "Credentials": shown(session.credentials),
        "AssumedRoleUser": {
            "AssumedRoleId": user_id(session.principal),
            "Arn": session.principal.arn,
        },
    }


def check_duration(call: Call, seconds: int) -> None:
    """How long a session may be: an hour where a role assumes a role, else what the role allows.

    STS API Reference, AssumeRole (DurationSeconds); IAM User Guide, "Update the maximum session duration for a role".
    """
    _, _, _, _, account, resource = call.params["RoleArn"].split(":", 5)
    role = moto_bridge.backend("iam", account, "aws").get_role(resource.rpartition("/")[2])
    what = "The requested DurationSeconds exceeds the "
    if call.principal.kind == "role" and seconds > SESSION_SECONDS:
        raise AwsError("ValidationError", what + "1 hour session limit for roles assumed by role chaining")
    if seconds > int(role.max_session_duration or SESSION_SECONDS):
        raise AwsError("ValidationError", what + "MaxSessionDuration set for this role.")


def shown(credentials: Credentials) -> dict[str, Any]:
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expiration,
    }


@sts.operation("GetSessionToken")
def get_session_token(call: Call) -> dict[str, Any]:
    """Of a user for half a day, of the root user for an hour at most (API Reference, GetSessionToken)."""
    if call.principal.kind not in ("user", "root") or call.principal.session_keys:
        raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
    if {"SerialNumber", "TokenCode"} & set(call.params):
        raise NotSupported("sts:GetSessionToken with an MFA device")
    seconds = call.params.get("DurationSeconds", HALF_A_DAY)
    seconds = min(seconds, SESSION_SECONDS) if call.principal.kind == "root" else seconds
    principal = replace(call.principal, session_keys={MFA: "false"})
    return {"Credentials": shown(call.cloud.issue(principal, seconds))}


def session_tags(params: dict[str, Any]) -> dict[str, str]:
    """The tags of a session: keys differ in more than their case, and are not AWS's own (API Reference, AssumeRole)."""
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in params.get("Tags", [])}
    if len({key.lower() for key in tags}) < len(params.get("Tags", [])):
        message = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        raise AwsError("InvalidParameterValue", message)
    if any(key.lower().startswith("aws:") for key in tags):
        raise AwsError("InvalidParameterValue", "Tag keys prefixed with 'aws:' are reserved for AWS")
    return tags
