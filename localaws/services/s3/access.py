"""S3: which actions an operation needs on which ARNs, and its condition keys.

Amazon S3 User Guide, "Required permissions for Amazon S3 API operations"; Service Authorization
Reference, "Actions, resources, and condition keys for Amazon S3"; KMS Developer Guide, "How Amazon
S3 uses AWS KMS" (GenerateDataKey to write, Decrypt to read, and both for a multipart upload); S3 User
Guide, "Enforce conditional writes on Amazon S3 buckets" (s3:if-none-match, s3:if-match, s3:ObjectCreationOperation),
"How to prevent object overwrites with conditional writes" (If-Match needs s3:GetObject as well).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from awslang.errors import AwsError
from awslang.policy.action_table import Table
from awslang.policy.document import Policy, parse_resource
from localaws.authorization.needs import tag_keys
from localaws.calls import Call
from localaws.cloud import Cloud
from localaws.service import Access, Need, policies_in_moto
from localaws.services.kms.state import key_arn, resource_aliases
from localaws.services.s3.service import CONDITIONAL, NOT_WELL_FORMED, s3
from localaws.services.s3.state import bucket_key, bucket_owner, bucket_state, default_key, object_state, object_tags

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
# Whether an operation that needs s3:PutObject makes an object: the condition key s3:ObjectCreationOperation.
CREATES = {
    "PutObject": True,
    "CopyObject": True,
    "CompleteMultipartUpload": True,
    "CreateMultipartUpload": False,
    "UploadPart": False,
    "UploadPartCopy": False,
}


@dataclass(frozen=True)
class Action:
    """One action on one ARN: bucket or object ("" for the key of a bucket action)."""

    action: str
    bucket: str
    key: str = ""
    version: str = ""

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.bucket}" + (f"/{self.key}" if self.key else "")


def actions_of(call: Call, known_actions: dict[str, list[str]]) -> list[Action]:
    """What the operation needs; [] when it is not known."""
    params, operation = call.params, call.operation
    bucket, key = params.get("Bucket", ""), params.get("Key", "")
    version = params.get("VersionId", "")
    if operation in ACCOUNT:
        return [Action(ACCOUNT[operation], "*")]
    if operation in BUCKET:
        return [Action(BUCKET[operation], bucket)]
    if operation == "DeleteObjects":
        if not params.get("Delete", {}).get("Objects"):
            raise AwsError("MalformedXML", NOT_WELL_FORMED)
        return [
            Action("DeleteObjectVersion" if item.get("VersionId") else "DeleteObject", bucket, item["Key"])
            for item in params.get("Delete", {}).get("Objects", [])
        ]
    if operation in ("CopyObject", "UploadPartCopy"):
        return [*_read_source(params), Action("PutObject", bucket, key), *_extra_writes(params, bucket, key)]
    action = OBJECT.get(operation, operation)
    if not key:
        found = [Action(action, bucket)] if action in known_actions and bucket else []
        if operation == "CreateBucket" and params.get("CreateBucketConfiguration", {}).get("Tags"):
            found.append(Action("TagResource", bucket))
        return found
    if version:
        action = VERSIONED.get(action, action)
    if action not in known_actions:
        return []
    found = [Action(action, bucket, key, version)]
    if operation in ("PutObject", "CreateMultipartUpload"):
        found += _extra_writes(params, bucket, key)
    if operation in CONDITIONAL and "IfMatch" in params:  # its answer tells the ETag
        found.append(Action("GetObject", bucket, key))
    return found


def copy_source(params: dict[str, Any]) -> tuple[str, str, str]:
    """Bucket, key and version of CopySource."""
    source = params["CopySource"]
    if isinstance(source, dict):
        return source["Bucket"], source["Key"], source.get("VersionId", "")
    path, _, query = source.partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return bucket, key, dict(parse_qsl(query)).get("versionId", "")


def _read_source(params: dict[str, Any]) -> list[Action]:
    bucket, key, version = copy_source(params)
    needs = [Action("GetObjectVersion" if version else "GetObject", bucket, key, version)]
    if params.get("TaggingDirective") != "REPLACE" and object_tags(bucket, key):
        needs.append(Action("GetObjectTagging", bucket, key))  # tags are copied along
    return needs


def _extra_writes(params: dict[str, Any], bucket: str, key: str) -> list[Action]:
    found = []
    copied = "CopySource" in params and params.get("TaggingDirective") != "REPLACE"
    if params.get("Tagging") or (copied and object_tags(*copy_source(params)[:2])):
        found.append(Action("PutObjectTagging", bucket, key))
    if params.get("ACL") or any(name.startswith("Grant") for name in params):
        found.append(Action("PutObjectAcl", bucket, key))
    if params.get("ObjectLockMode"):
        found.append(Action("PutObjectRetention", bucket, key))
    if params.get("ObjectLockLegalHoldStatus"):
        found.append(Action("PutObjectLegalHold", bucket, key))
    return found


def kms_key(call: Call, need: Action) -> str:
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


def condition_keys(call: Call, need: Action) -> dict[str, tuple[str, ...]]:
    """The condition keys of S3 that the request has."""
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
        "s3:resourceaccount": bucket_owner(need.bucket) or None,
        "s3:signatureversion": "AWS4-HMAC-SHA256",
        "s3:authtype": "REST-QUERY-STRING" if "X-Amz-Credential" in call.http.query else "REST-HEADER",
        "s3:tlsversion": "1.3",
    }
    if call.operation in ("CopyObject", "UploadPartCopy") and need.action == "PutObject":
        single["s3:x-amz-copy-source"] = "/".join(copy_source(params)[:2])
    if need.action == "PutObject" and call.operation in CREATES:
        single["s3:objectcreationoperation"] = str(CREATES[call.operation]).lower()
        if CREATES[call.operation]:
            single |= {"s3:if-none-match": params.get("IfNoneMatch"), "s3:if-match": params.get("IfMatch")}
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


def needs(call: Call, known: Table) -> Iterator[Need]:
    """Everything that the request needs, the keys of encrypted objects among it."""
    for action in actions_of(call, known.actions):
        taken = call.operation != "CreateBucket"  # another account's bucket of this name is not what it acts on
        owner = bucket_owner(action.bucket) if taken else ""
        owner = owner or call.account
        keys = condition_keys(call, action)
        if call.operation in ("PutBucketTagging", "CreateBucket", "TagResource"):
            keys |= tag_keys(call.params)
        yield Need(f"s3:{action.action}", action.arn, owner, keys)
        yield from _object_key(call, action, owner)
    if call.operation in ("GetObject", "HeadObject"):
        yield from _missing_object(call.params["Bucket"], call.params["Key"])


def _missing_object(bucket: str, key: str) -> Iterator[Need]:
    """A caller that may not list a bucket does not learn that an object is missing (GetObject: 403 instead of 404)."""
    if bucket_state(bucket) is not None and object_state(bucket, key) is None:
        yield Need("s3:ListBucket", f"arn:aws:s3:::{bucket}", bucket_owner(bucket))


def _object_key(call: Call, action: Action, owner: str) -> Iterator[Need]:
    """The key of an object encrypted with SSE-KMS: Decrypt to read, GenerateDataKey to write."""
    named = kms_key(call, action)
    if not named:
        return
    writes = action.action == "PutObject"
    key = key_arn(call.account or owner if writes else owner, call.region, named)
    context = f"arn:aws:s3:::{action.bucket}" if bucket_key(call, action.bucket) else action.arn
    keys = {
        "kms:encryptioncontext:aws:s3:arn": (context,),
        "kms:encryptioncontextkeys": ("aws:s3:arn",),
        "kms:encryptionalgorithm": ("SYMMETRIC_DEFAULT",),
        **resource_aliases(key),
    }
    actions = ["kms:GenerateDataKey"] if writes else ["kms:Decrypt"]
    if call.operation == "CreateMultipartUpload":
        actions.append("kms:Decrypt")
    for name in actions:
        yield Need(name, key, key.split(":")[4], keys, through="s3.amazonaws.com")


def policy(cloud: Cloud, name: str) -> Policy | None:
    bucket = name.removeprefix("arn:aws:s3:::").split("/")[0]
    found = bucket_state(bucket)
    text = found.policy.decode() if found is not None and found.policy else ""
    return parse_resource(text, f"bucket {bucket}", bucket_owner(bucket))


def tags(name: str) -> dict[str, str]:
    """An object's; a bucket's tags count only after PutBucketAbac."""
    bucket, _, key = name.removeprefix("arn:aws:s3:::").partition("/")
    return object_tags(bucket, key) if key else {}


s3.access = Access(needs=needs, policy=policy, tags=tags, rewrite=policies_in_moto("s3", "buckets"))
