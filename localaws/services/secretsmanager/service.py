"""Secrets Manager's Service object: a secret is named by its ARN from another account.

Secrets Manager User Guide, "Access AWS Secrets Manager secrets from a different account".
"""

from __future__ import annotations

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.service import EVERY, Service

secretsmanager = Service("secretsmanager", moto=EVERY, invalid="ValidationException")


def owner(call: Call) -> str:
    secret = call.params.get("SecretId", "")
    return secret.split(":")[4] if secret.count(":") >= 6 else call.account


secretsmanager.owner = owner


@secretsmanager.before("CreateSecret")
def not_scheduled(call: Call) -> None:
    """A name is free again once its secret is gone (API Reference, CreateSecret: InvalidRequestException)."""
    there = moto_bridge.backend("secretsmanager", call.account, call.region).secrets.get(call.params["Name"])
    if there is not None and there.is_deleted():
        message = "You can't create this secret because a secret with this name is already scheduled for deletion."
        raise AwsError("InvalidRequestException", message)
