"""Objects that S3 refuses to write or to read, where moto would: content, ACL, and the state of their key.

KMS Developer Guide, "Key states of AWS KMS keys"; S3 API Reference, PutObject, CopyObject, GetObject, HeadObject.
"""

from __future__ import annotations

from localaws.calls import Call
from localaws.services.kms.state import key_arn, usable_key
from localaws.services.s3.access import copy_source
from localaws.services.s3.buckets import check_acl
from localaws.services.s3.checksums import whole
from localaws.services.s3.service import s3, written_object
from localaws.services.s3.state import bucket_owner, object_state


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
    whole(call)


@s3.before("CopyObject")
def copy_object(call: Call) -> None:
    started(call)
    readable(call, *copy_source(call.params))


@s3.before("UploadPartCopy")
def copy_part(call: Call) -> None:
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
