"""Bucket policies that S3 refuses: actions on what they do not act on, and public access where it is blocked.

Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage" (the meaning of public); S3 API Reference,
"Error responses".
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from awslang.errors import AwsError
from awslang.policy.action_table import table
from awslang.policy.document import MalformedPolicy, parse
from localaws.calls import Call
from localaws.services.s3.service import s3
from localaws.services.s3.state import bucket_owner, bucket_state

# Condition keys that keep a statement for everybody from being public, where their values are fixed.
NOT_PUBLIC = {
    "aws:principalorgid", "aws:principalarn", "aws:principalaccount", "aws:sourceip", "aws:sourcearn", "aws:sourcevpc",
    "aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount", "aws:userid", "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
}  # fmt: skip


@s3.before("GetBucketPolicy", "DeleteBucketPolicy")
def owners(call: Call) -> None:
    """Of the bucket's owner: another account may not, whatever allows it (S3 API Reference, GetBucketPolicy)."""
    if bucket_owner(call.params["Bucket"]) not in ("", call.account):
        raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)


@s3.before("PutBucketPolicy")
def bucket_policy(call: Call) -> None:
    """The owner's; actions that S3 has, on what they act on; nothing public where the bucket blocks it."""
    owners(call)
    known = table("s3")
    assert known is not None
    try:
        statements = parse(call.params["Policy"], "the policy", call.account, "resource").statements
    except MalformedPolicy as error:
        raise AwsError("MalformedPolicy", str(error)) from error
    for statement in statements:
        kinds: set[str] = set()
        for action in statement.actions:
            pattern = action.lower().removeprefix("s3:")
            found = [name for name in known.actions if fnmatchcase(name.lower(), pattern)]
            if not found:
                raise AwsError("MalformedPolicy", "Policy has invalid action")
            kinds |= {kind for name in found for kind in known.actions[name]}
        objects = any("/" in resource or resource.endswith("*") for resource in statement.resources or ())
        buckets = any("/" not in resource for resource in statement.resources or ())
        fits = (objects and "object" in kinds) or (buckets and "bucket" in kinds)
        if statement.resources and not statement.not_resources and not statement.not_actions and not fits:
            raise AwsError(
                "MalformedPolicy",
                "Action does not apply to any resource(s) in statement",  # english: quoted
            )
    bucket = bucket_state(call.params["Bucket"])
    blocks = (
        bucket is not None and bucket.public_access_block is not None and bucket.public_access_block.block_public_policy
    )
    if blocks and any(map(public, json_statements(call.params["Policy"]))):
        raise AwsError(
            "AccessDenied",
            f"User: {call.principal.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
            f'"arn:aws:s3:::{call.params["Bucket"]}" because public policies are prevented by the BlockPublicPolicy '
            "setting in S3 Block Public Access.",
            403,
        )


def json_statements(text: str) -> list[Mapping[str, Any]]:
    found = json.loads(text)["Statement"]
    return found if isinstance(found, list) else [found]


def public(statement: Mapping[str, Any]) -> bool:
    """Whether a statement allows something to everybody, as S3 understands it."""
    if statement["Effect"] != "Allow":
        return False
    principal = statement.get("Principal", {})
    named = principal.get("AWS", []) if isinstance(principal, dict) else principal
    if "NotPrincipal" not in statement and "*" not in (named if isinstance(named, list) else [named]):
        return False
    for operator, tests in (statement.get("Condition") or {}).items():
        positive = not re.search(r"Not|Null|IfExists", operator)
        for key, value in tests.items():
            values = value if isinstance(value, list) else [value]
            if positive and key.lower() in NOT_PUBLIC and all(fixed(key.lower(), str(one)) for one in values):
                return False
    return True


def fixed(key: str, value: str) -> bool:
    if key == "aws:sourceip":
        network = ipaddress.ip_network(value, strict=False)
        return network.is_private or network.prefixlen >= (8 if network.version == 4 else 32)
    if key in ("s3:dataaccesspointarn", "aws:sourcearn", "aws:principalarn"):
        return "*" not in ":".join(value.split(":")[:5]) and "${" not in value
    return not re.search(r"[*?]|\$\{", value)
