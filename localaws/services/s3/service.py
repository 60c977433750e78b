"""S3's checks before and consequences after moto's answer.

Amazon S3 User Guide, "General purpose bucket naming rules", "Specifying server-side encryption"; S3 API Reference,
"Error responses", PutBucketEncryption, PutBucketLifecycleConfiguration; "How to prevent object overwrites with
conditional writes".
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from moto.core.utils import get_service_model
from moto.s3.models import FakeDeleteMarker

from awslang.errors import AwsError, NotSupported
from localaws import shapes
from localaws.calls import Call
from localaws.service import EVERY, Service
from localaws.services.kms.state import key_arn, usable_key
from localaws.services.s3 import notifications
from localaws.services.s3.state import default_key, existing_bucket, object_state
from localaws.shapes import Violation

# What S3 says of a header or query parameter with a value that it does not know; InvalidArgument for the others.
OF_CHECKS = {"ACL", "ServerSideEncryption", "Key"}  # which a check below refuses in S3's own words
CODES = {
    "StorageClass": ("InvalidStorageClass", "The storage class you specified is not valid"),
    "ChecksumAlgorithm": ("InvalidRequest", "Checksum algorithm provided is unsupported."),
    "EncodingType": ("InvalidArgument", "Invalid Encoding Method specified in Request"),
}


def refused(call: Call, found: list[Violation]) -> AwsError | None:
    """A configuration that does not keep to S3's schema, or a parameter that S3 does not know (API Reference, "Error
    responses": MalformedXML, InvalidStorageClass, InvalidArgument). A body without content is read as no body.
    """
    shape = get_service_model("s3").operation_model(call.operation).input_shape
    members = {shapes.lower(name): (name, member) for name, member in shape.members.items()}
    for one in found:
        if one.path.endswith(".locationConstraint"):
            return AwsError("InvalidLocationConstraint", "The specified location-constraint is not valid")
        if one.path.endswith(".member.events"):
            return AwsError("InvalidArgument", f"The event '{one.value}' is not supported for notifications")
        name, member = members[one.path.split(".")[0]]
        if member.serialization.get("location"):
            if not one.missing and name not in OF_CHECKS:
                return AwsError(*CODES.get(name, ("InvalidArgument", f"Invalid value of {name}: {one.value}")))
        elif "." in one.path:
            return AwsError("MalformedXML", NOT_WELL_FORMED)
    return None


UNPLAYED = (  # moto needs a package for the first, and nothing comes of the others
    "SelectObjectContent", "PutBucketReplication", "PutBucketWebsite",
)  # fmt: skip
s3 = Service("s3", moto=EVERY, refused=UNPLAYED, invalid=refused)

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
TAKEN_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
TAKEN_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
KEY_BYTES = 1024
METADATA_BYTES = 2048  # of a user's own (S3 User Guide, "Working with object metadata")
NOT_WELL_FORMED = "The XML you provided was not well-formed or did not validate against our published schema"


def bucket_name(call: Call) -> None:
    name = call.params["Bucket"]
    address = re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+", name)
    wrong = not BUCKET.fullmatch(name) or ".." in name or address
    if wrong or name.startswith(TAKEN_STARTS) or name.endswith(TAKEN_ENDS):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.")


def written_object(call: Call) -> None:
    """PutObject, CopyObject, CreateMultipartUpload: the key, the encryption, the condition."""
    params = call.params
    if len(params["Key"].encode()) > KEY_BYTES:
        raise AwsError("KeyTooLongError", "Your key is too long")
    metadata = sum(len(name.encode()) + len(value.encode()) for name, value in (params.get("Metadata") or {}).items())
    if metadata > METADATA_BYTES:
        raise AwsError("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
    asked, key = params.get("ServerSideEncryption"), params.get("SSEKMSKeyId")
    if asked and asked not in enumeration("ServerSideEncryption"):
        raise AwsError("InvalidArgument", "The encryption method specified is not supported")
    if key and "kms" not in (asked or ""):
        raise AwsError(
            "InvalidArgument",
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : "
            "aws:kms",
        )
    aws_own = "alias/aws/s3" if "kms" in (asked or "") else ""  # PutObject: where the request names no key
    named = str(key or aws_own or ("" if asked else default_key(params["Bucket"])))
    if named:
        found = key_arn(call.account, call.region, named)
        usable_key(found)
        if asked and isinstance(call.http.headers, dict):  # what moto answers as SSEKMSKeyId, and keeps
            call.http.headers["x-amz-server-side-encryption-aws-kms-key-id"] = found
    conditional_write(call)


CONDITIONAL = ("PutObject", "CompleteMultipartUpload")


def conditional_write(call: Call) -> None:
    """If-None-Match takes * alone, If-Match an ETag. moto compares, except for an upload of parts with If-Match.

    The API Reference lets a copy be conditional too; the User Guide's page on enforcing it says 501 Not Implemented.
    """
    none, etag = call.params.get("IfNoneMatch"), call.params.get("IfMatch")
    if call.operation not in CONDITIONAL and (none or etag):
        raise NotSupported(f"a conditional {call.operation}")
    if none is not None and etag is not None:
        raise NotSupported("a write with If-Match and If-None-Match")
    if none not in (None, "*"):
        raise AwsError("NotImplemented", "A header you provided implies functionality that is not implemented", 501)
    if etag is None:
        return
    found = object_state(call.params["Bucket"], call.params["Key"])
    if found is None or isinstance(found, FakeDeleteMarker):
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=call.params["Key"])
    if str(found.etag).strip('"') != etag.strip('"'):
        raise AwsError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412)


@s3.after("PutObject", "CopyObject", "CompleteMultipartUpload")
def object_written(call: Call, began: Any) -> None:
    """An object remembers its key by ARN, however it was named: a key's alias may change afterwards. Its bucket may
    announce it. began: when its upload in parts did"""
    found = object_state(call.params["Bucket"], call.params["Key"])
    if isinstance(began, datetime):
        found.last_modified = began.replace(tzinfo=None)
    key = getattr(found, "kms_key_id", None)
    if key:
        found.kms_key_id = key_arn(call.account, call.region, key)
    notifications.created(call)


def enumeration(shape: str) -> list[str]:
    return list(get_service_model("s3").shape_for(shape).metadata["enum"])


def canned_acl(call: Call, shape: str) -> None:
    if (asked := call.params.get("ACL")) and asked not in enumeration(shape):
        raise AwsError("InvalidArgument", f"The canned ACL {asked} is not supported")


@s3.before("PutBucketVersioning")
def bucket_versioning(call: Call) -> None:
    if (call.params.get("VersioningConfiguration") or {}).get("MFADelete") == "Enabled":
        raise NotSupported("a bucket whose versions are deleted with an MFA device alone (MFADelete)")


@s3.before("PutBucketEncryption")
def bucket_encryption(call: Call) -> None:
    for rule in call.params["ServerSideEncryptionConfiguration"].get("Rules", []):
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        if default.get("KMSMasterKeyID") and "kms" not in default.get("SSEAlgorithm", ""):
            raise AwsError(
                "InvalidArgument",
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            )


def needs_body(call: Call, member: str) -> None:
    """What the API's model calls optional (API Reference, "Error responses": MissingRequestBodyError)."""
    existing_bucket(call.params["Bucket"])
    if not call.params.get(member):
        raise AwsError("MissingRequestBodyError", "Request Body is empty")


@s3.before("RestoreObject")
def restored(call: Call) -> None:
    needs_body(call, "RestoreRequest")


LIFECYCLE_ACTIONS = ("Expiration", "Transitions", "NoncurrentVersionExpiration", "NoncurrentVersionTransitions",
                     "AbortIncompleteMultipartUpload")  # fmt: skip
INFREQUENT = 30  # days before an object may go there (S3 User Guide, "Lifecycle transition constraints")


@s3.before("PutBucketLifecycleConfiguration")
def bucket_lifecycle(call: Call) -> None:
    needs_body(call, "LifecycleConfiguration")
    rules = call.params["LifecycleConfiguration"].get("Rules", [])
    ids = [rule["ID"] for rule in rules if rule.get("ID")]
    if len(set(ids)) < len(ids):
        raise AwsError("InvalidArgument", "Rule ID must be unique. Found same ID for one or more rules")
    for rule in rules:
        if not any(rule.get(action) for action in LIFECYCLE_ACTIONS):
            raise AwsError("InvalidRequest", "At least one action needs to be specified in a rule")
        if rule.get("Expiration", {}).get("Days", 1) <= 0:
            raise AwsError("InvalidArgument", "'Days' for Expiration action must be a positive integer")
        for move in rule.get("Transitions", []):
            if move.get("Days", INFREQUENT) < INFREQUENT and move["StorageClass"] in ("STANDARD_IA", "ONEZONE_IA"):
                what = f"must be greater than or equal to {INFREQUENT} for storageClass '{move['StorageClass']}'"
                raise AwsError("InvalidArgument", f"'Days' in Transition action {what}")
