"""Secrets Manager's Service object: a secret is named by its ARN from another account.

Secrets Manager User Guide, "Access AWS Secrets Manager secrets from a different account".
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.service import EVERY, Service
from localaws.services.kms.state import key_arn, usable_key
from localaws.services.s3.bucket_policy import json_statements, public

secretsmanager = Service("secretsmanager", moto=EVERY, invalid="ValidationException")


def owner(call: Call) -> str:
    secret = call.params.get("SecretId", "")
    return secret.split(":")[4] if secret.count(":") >= 6 else call.account


secretsmanager.owner = owner


NAME = re.compile(r"[A-Za-z0-9/_+=.@-]+")


def secret_of(call: Call) -> Any:
    """moto's secret that a request names, or None."""
    known = moto_bridge.backend("secretsmanager", owner(call), call.region).secrets
    return known.get(call.params["SecretId"])


@secretsmanager.before("DeleteResourcePolicy", "GetResourcePolicy", "UntagResource", "UpdateSecretVersionStage")
def not_deleted(call: Call) -> None:
    """The "Errors" of each operation: InvalidRequestException, "The secret is scheduled for deletion"."""
    found = secret_of(call)
    if found is not None and found.is_deleted():
        message = "You can't perform this operation on the secret because it was marked for deletion."
        raise AwsError("InvalidRequestException", message)


@secretsmanager.before("ReplicateSecretToRegions", "TagResource")
def named_parts(call: Call) -> None:
    """A tag has a key, and a replica a Region, which the model does not require (API Reference, CreateSecret,
    ReplicateSecretToRegions, TagResource: InvalidParameterException)."""
    not_deleted(call)
    check_parts(call)


@secretsmanager.before("BatchGetSecretValue", "ListSecrets")
def check_parts(call: Call) -> None:
    for member, part in (("Tags", "Key"), ("AddReplicaRegions", "Region"), ("Filters", "Key")):
        if not all(one.get(part) for one in call.params.get(member) or []):
            raise AwsError("InvalidParameterException", f"Each of {member} needs a {part}")


def usable(call: Call, key: str | None, code: str, what: str) -> None:
    """The secret's key can be used (the "Errors" of each operation: EncryptionFailure, DecryptionFailure)."""
    try:
        usable_key(key_arn(call.account, call.region, key or "alias/aws/secretsmanager"))
    except AwsError as error:
        raise AwsError(code, f"Secrets Manager can't {what} the secret value: {error.message}") from error


@secretsmanager.before("GetSecretValue")
def readable(call: Call) -> None:
    found = secret_of(call)
    if found is not None and not found.is_deleted():
        usable(replace(call, account=owner(call)), found.kms_key_id, "DecryptionFailure", "decrypt")


@secretsmanager.before("PutSecretValue", "UpdateSecret")
def new_value(call: Call) -> None:
    not_deleted(call)
    one_value(call)
    found = secret_of(call)
    if found is not None:
        key = call.params.get("KmsKeyId") or found.kms_key_id
        usable(replace(call, account=owner(call)), key, "EncryptionFailure", "encrypt")


def one_value(call: Call) -> None:
    """A secret is a text or bytes (API Reference, CreateSecret: "but not both")."""
    if {"SecretString", "SecretBinary"} <= call.params.keys():
        message = "You can't specify both a binary secret value and a string secret value in the same secret."
        raise AwsError("InvalidParameterException", message)


@secretsmanager.before("PutResourcePolicy")
def secret_policy(call: Call) -> None:
    """For everybody only where the request lets it be (API Reference, PutResourcePolicy: PublicPolicyException)."""
    not_deleted(call)
    if call.params.get("BlockPublicPolicy") and any(map(public, json_statements(call.params["ResourcePolicy"]))):
        raise AwsError("PublicPolicyException", "This resource policy grants broad access to your secret.")


@secretsmanager.before("RotateSecret")
def rotated(call: Call) -> None:
    """By a function that the request or the secret names (API Reference, RotateSecret: InvalidRequestException)."""
    not_deleted(call)
    found = secret_of(call)
    if found is not None and not (call.params.get("RotationLambdaARN") or found.rotation_lambda_arn):
        raise AwsError("InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")


@secretsmanager.operation("ListSecretVersionIds")
def list_secret_version_ids(call: Call) -> dict[str, Any]:
    """moto gives the name as the ARN (API Reference, ListSecretVersionIds)."""
    found = secret_of(call)
    if found is None:
        raise AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    old = call.params.get("IncludeDeprecated", False)
    versions = [
        {"VersionId": id, "VersionStages": one["version_stages"], "CreatedDate": one["createdate"]}
        for id, one in found.versions.items()
        if one["version_stages"] or old
    ]
    return {"ARN": found.arn, "Name": found.name, "Versions": versions}


@secretsmanager.before("CreateSecret")
def not_scheduled(call: Call) -> None:
    """A name of the allowed characters, which is free once its secret is gone (API Reference, CreateSecret)."""
    one_value(call)
    check_parts(call)
    if not NAME.fullmatch(call.params["Name"]):
        message = "Invalid name. A name contains alphanumeric characters, or any of the following: -/_+=.@"
        raise AwsError("ValidationException", message)
    there = moto_bridge.backend("secretsmanager", call.account, call.region).secrets.get(call.params["Name"])
    if there is not None and there.is_deleted():
        message = "You can't create this secret because a secret with this name is already scheduled for deletion."
        raise AwsError("InvalidRequestException", message)
    usable(call, call.params.get("KmsKeyId"), "EncryptionFailure", "encrypt")
