"""AWS managed keys: alias/aws/SERVICE, made in an account when its service first uses one, or by DescribeKey.

KMS API Reference, DescribeKey ("If you specify a predefined AWS alias (an AWS alias with no key ID), KMS associates the
alias with an AWS managed key and returns its KeyId and Arn"), ListAliases (predefined aliases have no TargetKeyId);
KMS Developer Guide, "AWS KMS keys" (AWS managed keys: seen, and not changed; rotated every year); Secrets Manager User
Guide, "Secret encryption and decryption" (the standard elements of the policy of an AWS managed key).
The id that such a key will have is known before there is the key, so that a request that names it can be decided.
"""

from __future__ import annotations

import json
import uuid
from functools import cache
from typing import Any

from moto.kms.models import Alias, Key
from moto.kms.utils import RESERVED_ALIASES

from localaws import moto_bridge

# What moto knows, and the aliases of the other services of this embedded AWS that have one.
PREDEFINED = frozenset({*RESERVED_ALIASES, "alias/aws/codecommit", "alias/aws/sns", "alias/aws/sqs"})


@cache
def id_of(account: str, region: str, alias: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{account} {region} {alias}"))


@cache
def alias_of(account: str, region: str, key: str) -> str:
    """The predefined alias whose key has this id; "" for every other key."""
    return next((alias for alias in PREDEFINED if id_of(account, region, alias) == key), "")


def policy(account: str, region: str, alias: str) -> dict[str, Any]:
    """Any principal of the account through the service; the account itself sees the key, and revokes grants."""
    service = alias.rsplit("/", 1)[1]
    only = {"kms:CallerAccount": account, "kms:ViaService": f"{service}.{region}.amazonaws.com"}
    use = ["Encrypt", "Decrypt", "ReEncrypt*", "GenerateDataKey*", "CreateGrant", "DescribeKey"]
    see = ["Describe*", "Get*", "List*", "RevokeGrant"]
    statements = [
        {"Sid": "ThroughTheService", "Principal": {"AWS": "*"}, "Condition": {"StringEquals": only}, "Action": use},
        {"Sid": "Metadata", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": see},
    ]
    whole = [
        {**one, "Effect": "Allow", "Action": [f"kms:{name}" for name in one["Action"]], "Resource": "*"}
        for one in statements
    ]
    return {"Version": "2012-10-17", "Statement": whole}


def make(arn: str) -> None:
    """The key, where the ARN is an AWS managed one's and there is none yet."""
    _, _, _, region, account, name = arn.split(":", 5)
    id = name.removeprefix("key/")
    alias, keys = alias_of(account, region, id), moto_bridge.backend("kms", account, region).keys
    if not alias or id in keys:
        return
    service = alias.rsplit("/", 1)[1]
    words = f"Default key that protects my {service} data when no other key is defined"
    text = json.dumps(policy(account, region, alias))
    key = Key(text, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", words, account, region)
    key.id, key.arn, key.key_manager, key.key_rotation_status = id, arn, "AWS", True
    key.aliases[alias] = Alias(account, region, alias, key)
    keys[id] = key
