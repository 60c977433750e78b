"""Objects that S3 refuses to write or to read, where moto would: content, ACL, and the state of their key.

KMS Developer Guide, "Key states of AWS KMS keys"; S3 API Reference, PutObject, CopyObject, GetObject, HeadObject.
"""

from __future__ import annotations

import re
from typing import Any

from moto.core.exceptions import ServiceException
from moto.s3.models import FakeDeleteMarker

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.kms.state import key_arn, usable_key
from localaws.services.s3.access import copy_source
from localaws.services.s3.buckets import check_acl
from localaws.services.s3.checksums import whole
from localaws.services.s3.limits import check_source
from localaws.services.s3.multipart import ongoing
from localaws.services.s3.service import s3, written_object
from localaws.services.s3.state import bucket_owner, bucket_state, existing_bucket, object_state

MOST_PARTS = 10_000


@s3.before("PutObject")
def put_object(call: Call) -> None:
    started(call)
    whole(call)


@s3.before("CreateMultipartUpload")
def started(call: Call) -> None:
    written_object(call)
    check_acl(call)


@s3.before("UploadPart")
def upload_part(call: Call) -> None:
    """Of an upload that goes on, with a number (S3 User Guide, "Amazon S3 multipart upload limits")."""
    part_of_upload(call)
    whole(call)


def part_of_upload(call: Call) -> None:
    ongoing(call)
    if not 1 <= int(call.params["PartNumber"]) <= MOST_PARTS:
        message = f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive"
        raise AwsError("InvalidArgument", message, ArgumentName="partNumber")


@s3.before("PutBucketTagging")
def distinct_tags(call: Call) -> dict[str, str]:
    """A key has one value (S3 API Reference, PutObjectTagging, PutBucketTagging: InvalidTag)."""
    tags = (call.params.get("Tagging") or {}).get("TagSet") or []
    found = {tag["Key"]: tag["Value"] for tag in tags}
    if len(found) < len(tags):
        raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key")
    return found


@s3.before("DeleteObjectTagging")
def tagged_object(call: Call) -> Any:
    """moto's object that the request names (API Reference, "Error responses": NoSuchKey, NoSuchVersion)."""
    bucket, key, version = call.params["Bucket"], call.params["Key"], call.params.get("VersionId", "")
    existing_bucket(bucket)
    found = object_state(bucket, key, version)
    if found is None:
        code, what = ("NoSuchVersion", "version") if version else ("NoSuchKey", "key")
        raise AwsError(code, f"The specified {what} does not exist.", 404, Key=key)
    if isinstance(found, FakeDeleteMarker):
        raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
    return found


@s3.operation("PutObjectTagging")
def put_object_tagging(call: Call) -> dict[str, Any]:
    """The new set in place of the former one, none of them too (API Reference, PutObjectTagging); moto breaks then."""
    bucket, tags, found = call.params["Bucket"], distinct_tags(call), tagged_object(call)
    try:
        moto_bridge.backend("s3", bucket_owner(bucket), "aws").put_object_tagging(found, tags)
    except ServiceException as error:
        raise AwsError(error.code, error.message) from error
    return {"VersionId": str(found.version_id)} if bucket_state(bucket).is_versioned else {}


@s3.before("CopyObject")
def copy_object(call: Call) -> None:
    started(call)
    bucket, key, version = copy_source(call.params)
    readable(call, bucket, key, version)
    check_source(call, object_state(bucket, key, version))
    if (bucket, key, version) == (call.params["Bucket"], call.params["Key"], "") and not changed(call):
        message = "This copy request is illegal because it is trying to copy an object to itself without changing the "
        what = "object's metadata, storage class, website redirect location or encryption attributes."
        raise AwsError("InvalidRequest", message + what)


# What a copy of an object to itself may change.
CHANGES = ("StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption", "SSECustomerAlgorithm",
           "ChecksumAlgorithm", "ObjectLockMode", "ObjectLockLegalHoldStatus")  # fmt: skip


def changed(call: Call) -> bool:
    directives = {call.params.get("MetadataDirective"), call.params.get("TaggingDirective")}
    return "REPLACE" in directives or any(call.params.get(name) for name in CHANGES)


@s3.before("UploadPartCopy")
def copy_part(call: Call) -> None:
    part_of_upload(call)
    readable(call, *copy_source(call.params))
    check_source(call, object_state(*copy_source(call.params)))


RANGE = re.compile(r"bytes=([0-9]+-[0-9]*|-[0-9]+)")


@s3.before("GetObject", "HeadObject")
def read(call: Call) -> None:
    """Of a Range of bytes, the one form that moto reads (API Reference, GetObject, which points to RFC 9110)."""
    if (given := call.params.get("Range")) and not RANGE.fullmatch(given):
        raise NotSupported(f"a Range that is not of bytes ({given})")
    readable(call, call.params["Bucket"], call.params["Key"], call.params.get("VersionId", ""))


def readable(call: Call, bucket: str, key: str, version: str) -> None:
    """The key with which an object was encrypted (SSE-KMS) can be used."""
    found = object_state(bucket, key, version)
    named = str(getattr(found, "kms_key_id", "") or "")
    if named:
        usable_key(key_arn(bucket_owner(bucket), call.region, named))
