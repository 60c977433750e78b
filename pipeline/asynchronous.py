"""Golden payloads for an asynchronous endpoint: the requests and the answers go through S3.

SageMaker Developer Guide, "Invoke an Asynchronous Endpoint", "Check prediction results". The folder of the endpoint's
requests is next to those of its answers and failures, as 50-endpoint.yaml names them; 20-target-account.yaml lets the
tester's role use these.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from pipeline.answers import read_answer, wrong
from pipeline.clients import AccountClients
from pipeline.payloads import Payload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PATIENCE = 15 * 60.0  # seconds: an endpoint without an instance has to start one first
FIRST_LOOK, SELDOM = 0.1, 5.0  # seconds between two looks for an answer: the first, and the most


def parameters(part: Mapping[str, Any]) -> Mapping[str, str]:
    """The settings of a stage. part: of the manifest"""
    found: Mapping[str, str] = part["config"].get("Parameters", {})
    return found


def place(given: str, folder: str, account: str, region: str) -> str:
    """The S3 URI that a setting means in an account and Region, as 50-endpoint.yaml reads it."""
    return f"s3://endpoint-data-{account}-{region}/{folder}" if given == "account" else given


def check_bucket(there: AccountClients, uri: str, endpoint: str) -> str:
    """Why the bucket of captured data or asynchronous answers cannot be used; "" where it can.

    uri: AsyncOutputS3Uri or DataCaptureS3Uri there; the tester may list the endpoint's own folder of it
    """
    bucket, _, folder = uri.removeprefix("s3://").partition("/")
    try:
        there("s3").list_objects_v2(Bucket=bucket, Prefix=f"{folder}/{endpoint}/".lstrip("/"), MaxKeys=1)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket":
            return f"the bucket {bucket} does not exist: create it in the account"
        return (
            f"the account's roles may not use the bucket {bucket} ({code}): name it in the environment file, as "
            "endpoints.data_bucket, and run make accounts"
        )
    return ""


def check_key(there: AccountClients, uri: str, endpoint: str, key: str) -> str:
    """Why the key of captured data or asynchronous answers cannot be used; "" where it can.

    An object of the tester's is encrypted with it: of a key that it may not use, the model's role may write nothing
    either (20-target-account.yaml). Without this, captured data would be missing, and answers waited for. The object
    is among the requests: beside captured data the tester may write nothing.

    uri: as for check_bucket; key: DataKmsKeyId
    """
    bucket, name = uri.removeprefix("s3://").partition("/")[0], f"asynchronous/{endpoint}/requests/key"
    try:
        there("s3").put_object(Bucket=bucket, Key=name, Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return (
            f"the account's roles may not encrypt with the key {key} ({code}): name it in the environment file, as "
            "endpoints.data_key, run make accounts, and let the key's policy allow them"
        )
    return ""


def ask(there: AccountClients, endpoint: str, uri: str, payload: Payload, answers: dict[str, Any]) -> str:
    """What is wrong with the endpoint's answer to a payload, or "". Its latency counts nothing: requests wait in line.

    uri: AsyncOutputS3Uri in the account and Region; answers: by the payload's name, to which this one is added
    """
    s3, request = there("s3"), f"{uri}/{endpoint}/requests/{uuid4()}"
    put(s3, request, payload)
    accept: dict[str, Any] = {"Accept": payload.accept} if payload.accept else {}
    asked = there("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=endpoint, InputLocation=request, ContentType=payload.content_type, **accept
    )
    ends, pause = time.monotonic() + PATIENCE, FIRST_LOOK
    while time.monotonic() < ends:
        if (found := read(s3, asked["OutputLocation"])) is not None:
            kind, body = found
            answers[payload.name] = read_answer(payload.accept or kind, body)
            return wrong(payload, answers[payload.name])
        if (failed := read(s3, asked.get("FailureLocation", ""))) is not None:
            return f"the endpoint failed: {failed[1].decode('utf-8', 'replace')[:200]}"
        time.sleep(pause)
        pause = min(pause * 1.5, SELDOM)
    return f"no answer after {PATIENCE / 60:g} minutes, at {asked['OutputLocation']}"


def put(s3: S3Client, url: str, payload: Payload) -> None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    s3.put_object(Bucket=bucket, Key=key, Body=payload.body.encode(), ContentType=payload.content_type)


def read(s3: S3Client, url: str) -> tuple[str, bytes] | None:
    """Content type and content of an object; None while it is not there.

    It is listed first: S3 refuses to read a key that does not exist (403) where the caller may not list the bucket
    without a prefix (S3 API Reference, GetObject).
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not key:
        return None
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    if not listed or listed[0]["Key"] != key:
        return None
    found = s3.get_object(Bucket=bucket, Key=key)
    return found.get("ContentType", ""), found["Body"].read()
