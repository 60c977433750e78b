"""S3: which actions an operation needs on which ARNs, and its condition keys.

Amazon S3 User Guide, "Required permissions for Amazon S3 API operations"; Service Authorization
Reference, "Actions, resources, and condition keys for Amazon S3"; KMS Developer Guide, "How Amazon
S3 uses AWS KMS" (GenerateDataKey to write, Decrypt to read, and both for a multipart upload).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from localaws import moto_bridge
from localaws.calls import Call

# Operations whose action has another name, on the bucket.
BUCKET = {
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
}
for _kind in ("Analytics", "Inventory", "Metrics", "IntelligentTiering"):
    BUCKET |= {
        f"GetBucket{_kind}Configuration": f"Get{_kind}Configuration",
        f"ListBucket{_kind}Configurations": f"Get{_kind}Configuration",
        f"PutBucket{_kind}Configuration": f"Put{_kind}Configuration",
        f"DeleteBucket{_kind}Configuration": f"Put{_kind}Configuration",
    }
# The same on an object; with a VersionId some have an action of their own (VERSIONED).
OBJECT = {
    "HeadObject": "GetObject",
    "SelectObjectContent": "GetObject",
    "UploadPart": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
}
VERSIONED = {
    "GetObject": "GetObjectVersion",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "PutObjectAcl": "PutObjectVersionAcl",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObjectAttributes": "GetObjectVersionAttributes",
}
ACCOUNT = {"ListBuckets": "ListAllMyBuckets"}
READS = {"GetObject", "HeadObject", "SelectObjectContent"}
WRITES = {"PutObject", "CopyObject", "CreateMultipartUpload"}


@dataclass(frozen=True)
class Need:
    """One action on one ARN: bucket or object ("" for the key of a bucket action)."""

    action: str
    bucket: str
    key: str = ""
    version: str = ""

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.bucket}" + (f"/{self.key}" if self.key else "")


def needs(call: Call, known_actions: dict[str, list[str]]) -> list[Need]:
    """What the operation needs; [] when it is not known."""
    params, operation = call.params, call.operation
    bucket, key = params.get("Bucket", ""), params.get("Key", "")
    version = params.get("VersionId", "")
    if operation in ACCOUNT:
        return [Need(ACCOUNT[operation], "*")]
    if operation in BUCKET:
        return [Need(BUCKET[operation], bucket)]
    if operation == "DeleteObjects":
        return [
            Need("DeleteObjectVersion" if item.get("VersionId") else "DeleteObject", bucket, item["Key"])
            for item in params.get("Delete", {}).get("Objects", [])
        ]
    if operation in ("CopyObject", "UploadPartCopy"):
        return [*_read_source(params), Need("PutObject", bucket, key), *_extra_writes(params, bucket, key)]
    action = OBJECT.get(operation, operation)
    if not key:
        found = [Need(action, bucket)] if action in known_actions and bucket else []
        if operation == "CreateBucket" and params.get("CreateBucketConfiguration", {}).get("Tags"):
            found.append(Need("TagResource", bucket))
        return found
    if version:
        action = VERSIONED.get(action, action)
    if action not in known_actions:
        return []
    found = [Need(action, bucket, key, version)]
    if operation in ("PutObject", "CreateMultipartUpload"):
        found += _extra_writes(params, bucket, key)
    return found


def copy_source(params: dict[str, Any]) -> tuple[str, str, str]:
    """Bucket, key and version of CopySource."""
    source = params["CopySource"]
    if isinstance(source, dict):
        return source["Bucket"], source["Key"], source.get("VersionId", "")
    path, _, query = source.partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return bucket, key, dict(parse_qsl(query)).get("versionId", "")


def _read_source(params: dict[str, Any]) -> list[Need]:
    bucket, key, version = copy_source(params)
    needs = [Need("GetObjectVersion" if version else "GetObject", bucket, key, version)]
    if params.get("TaggingDirective") != "REPLACE" and object_tags(bucket, key):
        needs.append(Need("GetObjectTagging", bucket, key))  # tags are copied along
    return needs


def _extra_writes(params: dict[str, Any], bucket: str, key: str) -> list[Need]:
    found = []
    copied = "CopySource" in params and params.get("TaggingDirective") != "REPLACE"
    if params.get("Tagging") or (copied and object_tags(*copy_source(params)[:2])):
        found.append(Need("PutObjectTagging", bucket, key))
    if params.get("ACL") or any(name.startswith("Grant") for name in params):
        found.append(Need("PutObjectAcl", bucket, key))
    if params.get("ObjectLockMode"):
        found.append(Need("PutObjectRetention", bucket, key))
    if params.get("ObjectLockLegalHoldStatus"):
        found.append(Need("PutObjectLegalHold", bucket, key))
    return found


# -- moto's state -------------------------------------------------------------------------------------


def bucket_owner(bucket: str) -> str:
    """The account of a bucket; "" when there is none of this name."""
    from moto.s3.models import s3_backends

    return str(s3_backends.bucket_accounts.get(bucket, ("", ""))[1])


def bucket_state(bucket: str) -> Any:
    """moto's bucket, in whatever account, or None."""
    owner = bucket_owner(bucket)
    return moto_bridge.backend("s3", owner, "aws").buckets.get(bucket) if owner else None


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


def kms_key(call: Call, need: Need) -> str:
    """The key (as named: ARN, id or alias) that the operation on this object uses; "" without SSE-KMS."""
    if call.operation in READS or (
        call.operation in ("CopyObject", "UploadPartCopy") and need.action.startswith("Get")
    ):
        found = object_state(need.bucket, need.key, need.version)
        kms = found is not None and str(getattr(found, "encryption", "") or "").startswith("aws:kms")
        return str(found.kms_key_id or "alias/aws/s3") if kms else ""
    if call.operation not in WRITES or need.action != "PutObject":
        return ""
    if asked := call.params.get("ServerSideEncryption"):
        return (
            str(call.params.get("SSEKMSKeyId") or default_key(need.bucket) or "alias/aws/s3") if "kms" in asked else ""
        )
    return default_key(need.bucket)


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


def keys(call: Call, need: Need) -> dict[str, tuple[str, ...]]:
    """The s3: condition keys of the request."""
    params = call.params
    single = {
        "s3:prefix": params.get("Prefix"),
        "s3:delimiter": params.get("Delimiter"),
        "s3:max-keys": params.get("MaxKeys"),
        "s3:versionid": need.version or None,
        "s3:x-amz-acl": params.get("ACL"),
        "s3:x-amz-server-side-encryption": params.get("ServerSideEncryption"),
        "s3:x-amz-server-side-encryption-aws-kms-key-id": params.get("SSEKMSKeyId"),
        "s3:x-amz-storage-class": params.get("StorageClass"),
        "s3:x-amz-metadata-directive": params.get("MetadataDirective"),
        "s3:x-amz-object-ownership": params.get("ObjectOwnership"),
        "s3:x-amz-grant-full-control": params.get("GrantFullControl"),
        "s3:x-amz-grant-read": params.get("GrantRead"),
        "s3:object-lock-mode": params.get("ObjectLockMode"),
        "s3:locationconstraint": params.get("CreateBucketConfiguration", {}).get("LocationConstraint"),
        "s3:if-none-match": params.get("IfNoneMatch") if call.operation == "PutObject" else None,
        "s3:resourceaccount": bucket_owner(need.bucket) or None,
        "s3:signatureversion": "AWS4-HMAC-SHA256",
        "s3:authtype": "REST-QUERY-STRING" if "X-Amz-Credential" in call.http.query else "REST-HEADER",
        "s3:tlsversion": "1.3",
    }
    if call.operation in ("CopyObject", "UploadPartCopy") and need.action == "PutObject":
        single["s3:x-amz-copy-source"] = "/".join(copy_source(params)[:2])
    found: dict[str, tuple[str, ...]] = {name: (str(value),) for name, value in single.items() if value is not None}
    if need.action.startswith(("PutObjectTagging", "PutObjectVersionTagging", "PutObject")):
        tags = request_tags(params)
        found |= {f"s3:requestobjecttag/{k.lower()}": (v,) for k, v in tags.items()}
        if tags:
            found["s3:requestobjecttagkeys"] = tuple(tags)
    return found


def request_tags(params: dict[str, Any]) -> dict[str, str]:
    """The object tags that the request sets: a header in URL form, or a TagSet."""
    tagging = params.get("Tagging")
    if isinstance(tagging, str):
        return dict(parse_qsl(tagging, keep_blank_values=True))
    return {tag["Key"]: tag["Value"] for tag in (tagging or {}).get("TagSet", [])}
