"""Secrets Manager's Service object: a secret is named by its ARN from another account.

Secrets Manager User Guide, "Access AWS Secrets Manager secrets from a different account".
"""

from __future__ import annotations

from localaws.calls import Call
from localaws.service import EVERY, Service

secretsmanager = Service("secretsmanager", moto=EVERY, invalid="ValidationException")


def owner(call: Call) -> str:
    secret = call.params.get("SecretId", "")
    return secret.split(":")[4] if secret.count(":") >= 6 else call.account


secretsmanager.owner = owner
