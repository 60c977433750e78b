"""Objects that S3 refuses to write or to read, where moto would: content, ACL, and the state of their key.

KMS Developer Guide, "Key states of AWS KMS keys"; S3 API Reference, PutObject, CopyObject, GetObject, HeadObject.
"""

from __future__ import annotations

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.services.kms.state import key_arn, usable_key
from localaws.services.s3.access import copy_source
from localaws.services.s3.buckets import check_acl
from localaws.services.s3.checksums import whole
from localaws.services.s3.service import s3, written_object
from localaws.services.s3.state import bucket_owner, bucket_state, object_state

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
    bucket = bucket_state(call.params["Bucket"])
    if bucket is not None and call.params["UploadId"] not in bucket.multiparts:
        message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
        raise AwsError("NoSuchUpload", f"{message}aborted or completed.", 404, UploadId=call.params["UploadId"])
    if not 1 <= int(call.params["PartNumber"]) <= MOST_PARTS:
        message = f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive"
        raise AwsError("InvalidArgument", message, ArgumentName="partNumber")


@s3.before("PutObjectTagging", "PutBucketTagging")
def distinct_tags(call: Call) -> None:
    """A key has one value (S3 API Reference, PutObjectTagging, PutBucketTagging: InvalidTag)."""
    keys = [tag["Key"] for tag in call.params["Tagging"]["TagSet"]]
    if len(set(keys)) < len(keys):
        raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key")


@s3.before("CopyObject")
def copy_object(call: Call) -> None:
    started(call)
    readable(call, *copy_source(call.params))


@s3.before("UploadPartCopy")
def copy_part(call: Call) -> None:
    part_of_upload(call)
    readable(call, *copy_source(call.params))


@s3.before("GetObject", "HeadObject")
def read(call: Call) -> None:
    readable(call, call.params["Bucket"], call.params["Key"], call.params.get("VersionId", ""))


def readable(call: Call, bucket: str, key: str, version: str) -> None:
    """The key with which an object was encrypted (SSE-KMS) can be used."""
    found = object_state(bucket, key, version)
    named = str(getattr(found, "kms_key_id", "") or "")
    if named:
        usable_key(key_arn(bucket_owner(bucket), call.region, named))
