"""Buckets and objects as moto holds them: one owner for each name, whatever account asks."""

from __future__ import annotations

from typing import Any

from moto.s3.models import s3_backends

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call


def bucket_owner(bucket: str) -> str:
    """The account of a bucket; "" when there is none of this name."""
    return str(s3_backends.bucket_accounts.get(bucket, ("", ""))[1])


def bucket_state(bucket: str) -> Any:
    """moto's bucket, in whatever account, or None."""
    owner = bucket_owner(bucket)
    return moto_bridge.backend("s3", owner, "aws").buckets.get(bucket) if owner else None


def existing_bucket(bucket: str) -> Any:
    """moto's bucket; AwsError where there is none of this name."""
    found = bucket_state(bucket)
    if found is None:
        raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=bucket)
    return found


def object_state(bucket: str, key: str, version: str = "") -> Any:
    found = bucket_state(bucket)
    if found is None or key not in found.keys:
        return None
    if version:
        return next((k for k in found.keys.getlist(key) if str(k.version_id) == version), None)
    return found.keys[key]


def object_tags(bucket: str, key: str, version: str = "") -> dict[str, str]:
    """The tags of an object that exists."""
    found, owner = object_state(bucket, key, version), bucket_owner(bucket)
    if found is None or not hasattr(found, "arn"):  # none, or a delete marker
        return {}
    tagger = moto_bridge.backend("s3", owner, "aws").tagger
    return {str(k): str(v) for k, v in tagger.get_tag_dict_for_resource(found.arn).items()}


def default_key(bucket: str) -> str:
    """The key of a bucket's default encryption; "" for SSE-S3."""
    state = bucket_state(bucket)
    rule = (state.encryption or {}).get("Rule", {}) if state is not None else {}
    rule = rule[0] if isinstance(rule, list) else rule
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    return str(default.get("KMSMasterKeyID") or "alias/aws/s3") if "kms" in default.get("SSEAlgorithm", "") else ""


def bucket_key(call: Call, bucket: str) -> bool:
    """Whether an S3 Bucket Key serves the object: the encryption context is then the bucket."""
    state = bucket_state(bucket)
    rule = (state.encryption or {}).get("Rule", {}) if state is not None else {}
    rule = rule[0] if isinstance(rule, list) else rule
    asked = call.params.get("BucketKeyEnabled")
    return bool(asked) if asked is not None else str(rule.get("BucketKeyEnabled", "")).lower() == "true"
