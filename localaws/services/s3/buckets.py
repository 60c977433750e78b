"""What every bucket has from its first day, and the list of an account's buckets.

Amazon S3 User Guide, "Controlling ownership of objects and disabling ACLs for your bucket", "Setting default
server-side encryption behavior for Amazon S3 buckets", "Blocking public access to your Amazon S3
storage"; S3 API Reference, ListBuckets, CreateBucket, GetBucketNotificationConfiguration.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from moto.s3.models import OWNER

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.s3.service import bucket_name, canned_acl, s3
from localaws.services.s3.state import bucket_owner, bucket_state, existing_bucket

PUBLIC_ACCESS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
ENFORCED = "BucketOwnerEnforced"
GRANTEE = re.compile(r'\s*(id|uri|emailAddress)="?[^"=]+"?\s*', re.IGNORECASE)  # API Reference, PutBucketAcl
OWN = (None, "bucket-owner-full-control")
MOST = 10_000  # buckets of one answer


@s3.before("CreateBucket")
def new_bucket(call: Call) -> bool:
    """Whether there is none of this name: an account that creates its own again is answered as before."""
    bucket_name(call)
    ownership = call.params.get("ObjectOwnership", ENFORCED)
    if ownership == ENFORCED and (call.params.get("ACL", "private") != "private" or grants(call)):
        raise AwsError(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )
    return not bucket_owner(call.params["Bucket"])


@s3.after("CreateBucket")
def first_day(call: Call, new: bool) -> None:
    """A new bucket blocks public access, has no ACLs, and encrypts with S3's own key."""
    if not new:
        return
    backend, name = moto_bridge.backend("s3", call.account, "aws"), call.params["Bucket"]
    backend.put_public_access_block(name, dict.fromkeys(PUBLIC_ACCESS, True))
    bucket = backend.buckets[name]
    bucket.ownership_rule = bucket.ownership_rule or ENFORCED
    encrypted_by_s3(call, None)


@s3.after("DeleteBucketEncryption")
def encrypted_by_s3(call: Call, _: Any) -> None:
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}
    bucket_state(call.params["Bucket"]).encryption = {"Rule": default}


def grants(call: Call) -> list[str]:
    return [name for name in call.params if name.startswith("Grant") or name == "AccessControlPolicy"]


def check_acl(call: Call, shape: str = "ObjectCannedACL") -> None:
    """AwsError for an ACL that S3 does not have, and for any but the owner's own where the bucket has none."""
    canned_acl(call, shape)
    for name in grants(call):
        if name != "AccessControlPolicy" and not all(map(GRANTEE.fullmatch, call.params[name].split(","))):
            raise AwsError("InvalidArgument", "Argument format not recognized")
    bucket = bucket_state(call.params["Bucket"])
    if bucket is not None and bucket.ownership_rule == ENFORCED and (call.params.get("ACL") not in OWN or grants(call)):
        raise AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs")


@s3.before("PutBucketAcl")
def bucket_acl(call: Call) -> None:
    check_acl(call, "BucketCannedACL")
    some_acl(call)


def some_acl(call: Call) -> None:
    """An ACL in a header or in the body, of which S3 has no default ("Error responses": MissingSecurityHeader)."""
    existing_bucket(call.params["Bucket"])
    if not call.params.get("ACL") and not grants(call):
        raise AwsError("MissingSecurityHeader", "Your request was missing a required header")


@s3.before("PutObjectAcl")
def object_acl(call: Call) -> None:
    check_acl(call)
    some_acl(call)
    if call.params.get("AccessControlPolicy"):
        raise NotSupported("an object's ACL in the body of the request (AccessControlPolicy)")  # moto passes over it


@s3.operation("ListBuckets")
def list_buckets(call: Call) -> dict[str, Any]:
    """The caller's buckets by name; a token for the next ones where the request asked for so many at most."""
    params = call.params
    after, most = after_token(params.get("ContinuationToken", "")), params.get("MaxBuckets", MOST)
    if not 1 <= most <= MOST:
        raise AwsError("InvalidArgument", f"Argument maxBuckets must be an integer between 1 and {MOST}")
    found = sorted(moto_bridge.backend("s3", call.account, "aws").buckets.values(), key=lambda bucket: bucket.name)
    found = [
        bucket
        for bucket in found
        if bucket.name > after
        and bucket.name.startswith(params.get("Prefix", ""))
        and params.get("BucketRegion") in (None, bucket.region_name)
    ]
    shown = [
        {"Name": bucket.name, "CreationDate": bucket.creation_date, "BucketRegion": bucket.region_name}
        for bucket in found[:most]
    ]
    more = {"ContinuationToken": token_after(shown[-1]["Name"])} if len(found) > most else {}
    prefix = {"Prefix": params["Prefix"]} if "Prefix" in params else {}
    return {"Buckets": shown, "Owner": {"ID": OWNER}, **more, **prefix}


def token_after(name: str) -> str:
    return base64.b64encode(f"after {name}".encode()).decode()


def after_token(token: str) -> str:
    """The name after which the list goes on."""
    return base64.b64decode(token).decode().removeprefix("after ")


@s3.operation("GetBucketNotificationConfiguration")
def get_notifications(call: Call) -> dict[str, Any]:
    """Whom the bucket tells of its events; moto leaves EventBridge out."""
    kept = existing_bucket(call.params["Bucket"]).notification_configuration
    if kept is None:
        return {}
    topics, queues = ([shown(one, kind) for one in of] for kind, of in (("Topic", kept.topic), ("Queue", kept.queue)))
    found = {"TopicConfigurations": topics, "QueueConfigurations": queues}
    bridge: dict[str, Any] = {} if kept.event_bridge is None else {"EventBridgeConfiguration": {}}
    return {**{name: items for name, items in found.items() if items}, **bridge}


def shown(one: Any, kind: str) -> dict[str, Any]:
    """A topic or queue that gets a bucket's events. one: as moto keeps it"""
    rules = {"Filter": {"Key": {"FilterRules": one.filters["S3Key"]["FilterRule"]}}} if one.filters else {}
    return {"Id": one.id, f"{kind}Arn": one.arn, "Events": one.events, **rules}
