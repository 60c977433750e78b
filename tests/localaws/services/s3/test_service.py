"""Conditional writes: an object is written only where there is none of its key, and a bucket policy can demand it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud

BUCKET = "sagemaker-conditional"
RECORD = {"Bucket": BUCKET, "Key": "record/1.json"}
UNCONDITIONAL = {"Null": {"s3:if-none-match": "true"}}
CREATION = {"Bool": {"s3:ObjectCreationOperation": "true"}}


@pytest.fixture
def s3(cloud: Cloud) -> Any:
    client = cloud.root("111111111111", "us-east-1").client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def refused(act: Callable[[], object]) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        act()
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def demand(s3: Any, condition: dict[str, Any]) -> None:
    statement = {"Sid": "WrittenOnce", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                 "Resource": f"arn:aws:s3:::{BUCKET}/record/*", "Condition": condition}  # fmt: skip
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def upload(s3: Any, **condition: str) -> None:
    """An upload in one part, which the request that completes it makes conditional."""
    begun = s3.create_multipart_upload(**RECORD)["UploadId"]
    part = s3.upload_part(**RECORD, UploadId=begun, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**RECORD, UploadId=begun, MultipartUpload=parts, **condition)


def content(s3: Any) -> bytes:
    return bytes(s3.get_object(**RECORD)["Body"].read())


def test_the_first_write_stays(s3: Any) -> None:
    s3.put_object(**RECORD, Body=b"first", IfNoneMatch="*")
    assert refused(lambda: s3.put_object(**RECORD, Body=b"second", IfNoneMatch="*")) == ("PreconditionFailed", 412)
    assert refused(lambda: upload(s3, IfNoneMatch="*")) == ("PreconditionFailed", 412)
    assert content(s3) == b"first"


def test_an_object_that_was_deleted_may_be_written_again(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(**RECORD, Body=b"first", IfNoneMatch="*")
    s3.delete_object(**RECORD)
    s3.put_object(**RECORD, Body=b"second", IfNoneMatch="*")
    assert content(s3) == b"second"


def test_if_none_match_takes_the_asterisk_alone(s3: Any) -> None:
    etag = s3.put_object(**RECORD, Body=b"first")["ETag"]
    assert refused(lambda: s3.put_object(**RECORD, Body=b"second", IfNoneMatch=etag)) == ("NotImplemented", 501)


def test_if_match_replaces_what_was_seen_and_nothing_else(s3: Any) -> None:
    assert refused(lambda: s3.put_object(**RECORD, Body=b"x", IfMatch='"0"')) == ("NoSuchKey", 404)
    etag = s3.put_object(**RECORD, Body=b"first")["ETag"]
    assert refused(lambda: s3.put_object(**RECORD, Body=b"x", IfMatch='"0"')) == ("PreconditionFailed", 412)
    assert refused(lambda: upload(s3, IfMatch='"0"')) == ("PreconditionFailed", 412)
    s3.put_object(**RECORD, Body=b"second", IfMatch=etag)
    assert content(s3) == b"second"


def test_a_conditional_copy_is_not_supported(s3: Any) -> None:
    s3.put_object(**RECORD, Body=b"first")
    source = {"CopySource": f"{BUCKET}/record/1.json", "Bucket": BUCKET, "Key": "copy"}
    assert refused(lambda: s3.copy_object(**source, IfNoneMatch="*")) == ("NotSupported", 501)


def test_a_policy_demands_conditional_writes(s3: Any) -> None:
    """Without the exemption for parts, an upload of parts cannot begin."""
    demand(s3, UNCONDITIONAL)
    assert refused(lambda: s3.put_object(**RECORD, Body=b"x")) == ("AccessDenied", 403)
    assert refused(lambda: s3.put_object(**RECORD, Body=b"x", IfMatch='"0"')) == ("AccessDenied", 403)
    assert refused(lambda: upload(s3, IfNoneMatch="*")) == ("AccessDenied", 403)
    s3.put_object(Bucket=BUCKET, Key="other", Body=b"x")
    copy = {"CopySource": f"{BUCKET}/other", **RECORD}
    assert refused(lambda: s3.copy_object(**copy)) == ("AccessDenied", 403)
    s3.put_object(**RECORD, Body=b"first", IfNoneMatch="*")
    assert content(s3) == b"first"


def test_a_policy_may_exempt_the_parts_of_an_upload(s3: Any) -> None:
    demand(s3, UNCONDITIONAL | CREATION)
    assert refused(lambda: upload(s3)) == ("AccessDenied", 403)
    assert refused(lambda: s3.put_object(**RECORD, Body=b"x")) == ("AccessDenied", 403)
    upload(s3, IfNoneMatch="*")
    assert content(s3) == b"part"
