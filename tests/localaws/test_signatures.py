"""Whose a request is: signatures that hold, and each way in which one does not, in the service's own words."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError

from localaws import signatures
from localaws.calls import HttpRequest
from localaws.chunked_upload import SIGNED
from localaws.cloud import Cloud, Session
from localaws.signatures import Claim, claim_of, signing_key
from tests.support.port import client

ACCOUNT, REGION = "111111111111", "us-east-1"
ASKS: dict[str, Any] = {  # one harmless request in each protocol
    "sts": lambda made: made.get_caller_identity(),  # query
    "ssm": lambda made: made.describe_parameters(),  # JSON
    "lambda": lambda made: made.list_functions(),  # REST with JSON
    "s3": lambda made: made.list_buckets(),  # REST with XML
    "cloudwatch": lambda made: made.describe_alarms(),  # CBOR
    "sagemaker": lambda made: made.list_endpoints(),
}


@pytest.fixture
def root(cloud: Cloud) -> Session:
    return cloud.root(ACCOUNT, REGION)


def refused(service: str, made: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        ASKS[service](made)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


@pytest.mark.parametrize("service", ASKS)
def test_a_right_signature_is_accepted_in_every_protocol(root: Session, service: str) -> None:
    assert ASKS[service](client(root, service))["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("sts", "SignatureDoesNotMatch", 403),
        ("ssm", "InvalidSignatureException", 400),
        ("lambda", "InvalidSignatureException", 403),
        ("s3", "SignatureDoesNotMatch", 403),
        ("cloudwatch", "InvalidSignatureException", 400),
    ],
)
def test_a_wrong_secret_is_refused(root: Session, service: str, code: str, status: int) -> None:
    found = refused(service, client(root, service, aws_secret_access_key="wrong"))
    assert found[:2] == (code, status)
    assert "The request signature we calculated does not match the signature you provided" in found[2]


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("sts", "InvalidClientTokenId", 403),
        ("ssm", "UnrecognizedClientException", 400),
        ("lambda", "UnrecognizedClientException", 403),
        ("s3", "InvalidAccessKeyId", 403),
        ("cloudwatch", "UnrecognizedClientException", 400),
    ],
)
def test_an_unknown_key_is_refused(root: Session, service: str, code: str, status: int) -> None:
    assert refused(service, client(root, service, aws_access_key_id="AKIANOTKNOWN"))[:2] == (code, status)


@pytest.mark.parametrize(
    ("service", "code"),
    [("sts", "InvalidClientTokenId"), ("ssm", "UnrecognizedClientException"), ("s3", "InvalidToken")],
)
def test_a_session_token_must_be_the_keys_own(cloud: Cloud, root: Session, service: str, code: str) -> None:
    other = cloud.root("222222222222", REGION).credentials.session_token
    assert other
    assert refused(service, client(root, service, aws_session_token=other))[0] == code
    assert refused(service, client(root, service, aws_session_token=""))[0] == code


@pytest.mark.parametrize("service", ["sts", "ssm", "s3"])
def test_a_session_that_has_ended_is_refused(cloud: Cloud, root: Session, service: str) -> None:
    ended = Session(cloud, cloud.issue(root.principal, -1), REGION)
    assert refused(service, client(ended, service))[0] == (
        "ExpiredToken" if service == "s3" else "ExpiredTokenException"
    )


@pytest.mark.parametrize(
    ("service", "code"),
    [("sts", "SignatureDoesNotMatch"), ("ssm", "InvalidSignatureException"), ("s3", "RequestTimeTooSkewed")],
)
@pytest.mark.parametrize(("minutes", "words"), [(16, "Signature expired"), (-16, "Signature not yet current")])
def test_a_clock_that_is_wrong_is_refused(
    root: Session, monkeypatch: pytest.MonkeyPatch, service: str, code: str, minutes: int, words: str
) -> None:
    made, present = client(root, service), signatures.now()
    monkeypatch.setattr(signatures, "now", lambda: present + timedelta(minutes=minutes))
    found = refused(service, made)
    assert found[0] == code
    assert service == "s3" or words in found[2]
    monkeypatch.setattr(signatures, "now", lambda: present + timedelta(minutes=minutes * 14 / 16))
    ASKS[service](made)


@pytest.mark.parametrize(
    ("service", "code"),
    [("sts", "MissingAuthenticationToken"), ("ssm", "MissingAuthenticationTokenException"),
     ("lambda", "MissingAuthenticationTokenException"), ("cloudwatch", "MissingAuthenticationTokenException"),
     ("s3", "AccessDenied")],
)  # fmt: skip
def test_a_request_without_a_signature_is_refused(root: Session, service: str, code: str) -> None:
    made = client(root, service, Config(signature_version=UNSIGNED))
    assert refused(service, made)[0] == code


def test_what_nobody_has_to_sign_is_not_refused_for_it(root: Session) -> None:
    made = client(root, "sts", Config(signature_version=UNSIGNED))
    given = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/x", "RoleSessionName": "me", "WebIdentityToken": "token"}
    with pytest.raises(ClientError, match="Not supported by the embedded AWS: sts:AssumeRoleWithWebIdentity"):
        made.assume_role_with_web_identity(**given)


def test_a_public_object_is_read_without_a_signature(root: Session) -> None:
    s3 = root.client("s3")
    s3.create_bucket(Bucket="sagemaker-open")
    s3.put_object(Bucket="sagemaker-open", Key="k", Body=b"1")
    everybody = client(root, "s3", Config(signature_version=UNSIGNED))
    with pytest.raises(ClientError, match=r"AccessDenied.*: Access Denied\n"):  # without the reason, for a stranger
        everybody.get_object(Bucket="sagemaker-open", Key="k")
    other = root.cloud.root("999999999999", REGION).client("s3")
    with pytest.raises(ClientError, match=r"AccessDenied.*: Access Denied\n"):  # nor for another organization's account
        other.get_object(Bucket="sagemaker-open", Key="k")
    s3.delete_public_access_block(Bucket="sagemaker-open")
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::sagemaker-open/*"}
    s3.put_bucket_policy(Bucket="sagemaker-open", Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    assert everybody.get_object(Bucket="sagemaker-open", Key="k")["Body"].read() == b"1"


def test_a_user_signs_with_the_secret_of_an_access_key(root: Session) -> None:
    iam = root.client("iam")
    iam.create_user(UserName="ci")
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    made = client(root, "sts", aws_session_token="", **keys)
    assert made.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ci"
    assert refused("sts", client(root, "sts", aws_session_token="", **keys | {"aws_secret_access_key": "no"}))[0] == (
        "SignatureDoesNotMatch"
    )
    iam.update_access_key(UserName="ci", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refused("sts", made)[0] == "InvalidClientTokenId"


# -- what is signed is what arrives ------------------------------------------------------------------


def signed(session: Session, service: str, method: str, path: str, body: bytes, **headers: str) -> AWSRequest:
    credentials = session.credentials
    keys = ReadOnlyCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    request = AWSRequest(method, session.cloud.endpoint + path, dict(headers), body)
    SigV4Auth(keys, service, REGION).add_auth(request)
    return request


def answer(session: Session, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
    connection = HTTPConnection(urlsplit(session.cloud.endpoint).netloc, timeout=30)
    connection.request(method, path, body, dict(headers.items()))
    response = connection.getresponse()
    return response.status, response.read()


def test_a_body_a_path_a_query_or_a_header_that_was_changed_is_refused(root: Session) -> None:
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    request = signed(root, "sts", "POST", "/", body, **form)
    assert answer(root, "POST", "/", request.headers, body)[0] == 200
    for method, path, content in (
        ("POST", "/", body + b"&X=1"),
        ("POST", "/?x=1", body),
        ("POST", "/x", body),
        ("PUT", "/", body),
    ):
        status, text = answer(root, method, path, request.headers, content)
        assert (status, b"SignatureDoesNotMatch" in text) == (403, True), text
    request.headers.replace_header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
    assert answer(root, "POST", "/", request.headers, body)[0] == 403


def test_s3_takes_a_path_as_it_is_and_other_services_normalize_it(root: Session) -> None:
    s3 = client(root, "s3")
    s3.create_bucket(Bucket="sagemaker-paths")
    for key in ("a b/ü+c.txt", "a//b", "a/%41", "~x/(y)", "deep/./er"):
        s3.put_object(Bucket="sagemaker-paths", Key=key, Body=key.encode())
        assert s3.get_object(Bucket="sagemaker-paths", Key=key)["Body"].read() == key.encode()
    functions = client(root, "lambda")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        functions.get_function(FunctionName=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:none")


def test_an_object_that_is_not_what_its_hash_says_is_refused(root: Session) -> None:
    client(root, "s3").create_bucket(Bucket="sagemaker-hash")
    request = signed(root, "s3", "PUT", "/sagemaker-hash/k", b"one", **{"X-Amz-Content-SHA256": "0" * 64})
    status, text = answer(root, "PUT", "/sagemaker-hash/k", request.headers, b"one")
    assert (status, b"XAmzContentSHA256Mismatch" in text) == (400, True)
    request = signed(root, "s3", "PUT", "/sagemaker-hash/k", b"one")
    status, text = answer(root, "PUT", "/sagemaker-hash/k", request.headers, b"one")
    assert (status, b"x-amz-content-sha256" in text) == (400, True)
    unsigned = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    request = signed(root, "s3", "PUT", "/sagemaker-hash/k", b"", **unsigned)
    assert answer(root, "PUT", "/sagemaker-hash/k", request.headers, b"anything")[0] == 200
    request = signed(root, "s3", "PUT", "/sagemaker-hash/k", b"", **unsigned)
    request.headers["x-amz-acl"] = "public-read"
    status, text = answer(root, "PUT", "/sagemaker-hash/k", request.headers, b"anything")
    assert (status, b"headers present in the request which were not signed" in text) == (403, True)


def test_an_upload_with_a_checksum_arrives_whole(root: Session) -> None:
    s3 = client(root, "s3", Config(request_checksum_calculation="when_supported"))
    s3.create_bucket(Bucket="sagemaker-sums")
    s3.put_object(Bucket="sagemaker-sums", Key="k", Body=io.BytesIO(b"x" * 100_000), ChecksumAlgorithm="SHA256")
    assert s3.head_object(Bucket="sagemaker-sums", Key="k")["ContentLength"] == 100_000


def test_an_upload_in_signed_chunks_arrives_whole(root: Session) -> None:
    """As the SDKs for Java and the CLI's own transfer client send it."""
    client(root, "s3").create_bucket(Bucket="sagemaker-chunks")
    stated = {"X-Amz-Content-SHA256": SIGNED, "x-amz-decoded-content-length": "5", "content-encoding": "aws-chunked"}
    request = signed(root, "s3", "PUT", "/sagemaker-chunks/k", b"", **stated)
    scope = "/".join(request.headers["Authorization"].split("Credential=")[1].split(",")[0].split("/")[1:])
    key = signing_key(root.credentials.secret_access_key, scope)
    seed = request.headers["Authorization"].split("Signature=")[1]
    body = b""
    for part in (b"abc", b"de", b""):
        hashes = [hashlib.sha256(content).hexdigest() for content in (b"", part)]
        parts = ["AWS4-HMAC-SHA256-PAYLOAD", request.headers["X-Amz-Date"], scope, seed, *hashes]
        seed = hmac.digest(key, "\n".join(parts).encode(), "sha256").hex()
        body += f"{len(part):x};chunk-signature={seed}\r\n".encode() + part + b"\r\n"
    assert answer(root, "PUT", "/sagemaker-chunks/k", request.headers, body)[0] == 200
    assert root.client("s3").get_object(Bucket="sagemaker-chunks", Key="k")["Body"].read() == b"abcde"
    status, text = answer(root, "PUT", "/sagemaker-chunks/k", request.headers, body.replace(b"abc", b"abd", 1))
    assert (status, b"SignatureDoesNotMatch" in text) == (403, True)


@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=x",
        "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/sts/aws4_request, SignedHeaders=, Signature=é",
        "AWS4-HMAC-SHA256 Credential=K/99999999/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=1",
        "AWS4-ECDSA-P256-SHA256 Credential=K/20260101/sts/aws4_request, SignedHeaders=host, Signature=1",
        "AWS key:signature",
        "Bearer x",
        "",
    ],
)
@pytest.mark.parametrize("date", ["20260101T000000Z", "00010101T000000Z", "99991231T235959Z", "yesterday", ""])
def test_a_header_that_cannot_be_read_is_refused_and_breaks_nothing(cloud: Cloud, header: str, date: str) -> None:
    headers = {"Authorization": header.encode(), "X-Amz-Date": date}
    status, text = answer(cloud.root(ACCOUNT, REGION), "GET", "/", headers, b"")
    assert 400 <= status < 500, text
    assert not cloud.faults


# -- presigned URLs ----------------------------------------------------------------------------------


@pytest.fixture
def place(root: Session) -> dict[str, str]:
    s3 = root.client("s3")
    s3.create_bucket(Bucket="sagemaker-urls")
    s3.put_object(Bucket="sagemaker-urls", Key="a b/k", Body=b"content")
    return {"Bucket": "sagemaker-urls", "Key": "a b/k"}


def fetched(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, str]:
    try:
        with urlopen(Request(url, body, {"Content-Type": "", **headers}, method=method)) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_holds_for_its_time_and_no_longer(
    root: Session, place: dict[str, str], version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = client(root, "s3", Config(signature_version=version))
    url = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=600)
    assert fetched(url) == (200, "content")
    present = signatures.now()
    monkeypatch.setattr(signatures, "now", lambda: present + timedelta(seconds=590))
    assert fetched(url)[0] == 200
    monkeypatch.setattr(signatures, "now", lambda: present + timedelta(seconds=610))
    status, text = fetched(url)
    assert (status, "<Code>AccessDenied</Code>" in text, "Request has expired" in text) == (403, True, True)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_is_for_one_method_and_one_object(root: Session, place: dict[str, str], version: str) -> None:
    s3 = client(root, "s3", Config(signature_version=version))
    url = s3.generate_presigned_url("put_object", Params=place)
    assert fetched(url, "PUT", b"new")[0] == 200
    for other, method in ((url, "GET"), (url.replace("/k?", "/other?"), "PUT"), (url + "0", "PUT")):
        status, text = fetched(other, method, b"new" if method == "PUT" else None)
        assert (status, "SignatureDoesNotMatch" in text or "AccessDenied" in text) == (403, True), other
    wrong = client(root, "s3", Config(signature_version=version), aws_secret_access_key="wrong")
    status, text = fetched(wrong.generate_presigned_url("get_object", Params=place))
    assert (status, "SignatureDoesNotMatch" in text) == (403, True)


@pytest.mark.parametrize("seconds", ["604801", "0", "-1", "²", "9" * 5000, ""])
def test_a_presigned_url_is_valid_for_a_week_at_most(root: Session, place: dict[str, str], seconds: str) -> None:
    made = client(root, "s3", Config(signature_version="s3v4"))
    url = made.generate_presigned_url("get_object", Params=place, ExpiresIn=604_800)
    assert fetched(url) == (200, "content")
    status, text = fetched(url.replace("X-Amz-Expires=604800", f"X-Amz-Expires={quote(seconds)}"))
    assert (status, "AuthorizationQueryParametersError" in text) == (400, True), text


def test_a_presigned_url_from_a_clock_that_is_ahead_is_not_valid_yet(
    root: Session, place: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = client(root, "s3", Config(signature_version="s3v4")).generate_presigned_url("get_object", Params=place)
    present = signatures.now()
    monkeypatch.setattr(signatures, "now", lambda: present - timedelta(minutes=16))
    assert "Request is not yet valid" in fetched(url)[1]


def test_a_presigned_identity_of_sts_is_checked_too(root: Session) -> None:
    credentials = root.credentials
    keys = ReadOnlyCredentials(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    url = f"{root.cloud.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url)
    SigV4QueryAuth(keys, "sts", REGION, expires=60).add_auth(request)
    assert fetched(str(request.url))[0] == 200
    assert "SignatureDoesNotMatch" in fetched(str(request.url).replace("GetCallerIdentity", "GetSessionToken"))[1]


# -- the computation ---------------------------------------------------------------------------------


def test_the_signature_of_the_users_guide_is_computed() -> None:
    """S3 API Reference, "Signature Calculations … Transferring Payload in a Single Chunk", Example: GET Object."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = {
        "host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9", "x-amz-content-sha256": empty,
        "x-amz-date": "20130524T000000Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    }  # fmt: skip
    request = HttpRequest("GET", "/test.txt", "", headers, b"")
    claim = claim_of(request)
    assert isinstance(claim, Claim)
    made = signatures.signature(request, claim, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", empty)
    assert made == claim.signature


def test_a_signing_key_is_computed_once() -> None:
    before = signing_key.cache_info().hits
    keys = {signing_key("secret", "20260101/us-east-1/s3/aws4_request") for _ in range(3)}
    assert (len(keys), signing_key.cache_info().hits - before >= 2) == (1, True)
