"""The port, byte by byte: for whom it answers, and that nothing that is sent to it takes memory or others' time."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from localaws import gateway
from localaws.cloud import Cloud
from tests.support.port import client, connected, host, received, sent

ACCOUNT, REGION = "111111111111", "us-east-1"
STS = b"POST / HTTP/1.1\r\n"
MEMORY = 64 * 1024  # KiB that the process may grow by


def memory() -> int:
    """KiB of this process, in which the embedded AWS runs."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def endless(piece: bytes, total: int) -> Iterator[bytes]:
    return itertools.repeat(piece, total // len(piece))


def status(answer: bytes) -> int:
    return int(answer.split()[1]) if answer else 0


HOSTILE: dict[str, tuple[bytes, Iterator[bytes] | bytes, int]] = {
    "a chunk of 4 GiB": (b"Transfer-Encoding: chunked\r\n\r\n100000000\r\n", endless(b"x" * 65536, 2**27), 400),
    "a chunk of 16 EiB": (b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", b"x", 400),
    "a negative chunk": (b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"x", 400),
    "garbage for a chunk": (b"Transfer-Encoding: chunked\r\n\r\nsize\r\n", b"x", 400),
    "an endless line before a chunk": (b"Transfer-Encoding: chunked\r\n\r\n", endless(b"1" * 65536, 2**27), 400),
    "endless trailers": (b"Transfer-Encoding: chunked\r\n\r\n0\r\n", endless(b"X: 1\r\n" * 10_000, 2**27), 400),
    "endless chunks": (
        b"Transfer-Encoding: chunked\r\n\r\n",
        endless(b"10000\r\n" + b"x" * 65536 + b"\r\n", 2**27),
        400,
    ),
    "a length of 4 GiB": (b"Content-Length: 4294967296\r\n\r\n", endless(b"x" * 65536, 2**27), 400),
    "a negative length": (b"Content-Length: -1\r\n\r\n", b"x", 400),
    "an endless header": (b"X: ", endless(b"x" * 65536, 2**27), 431),
    "headers without end": (b"", endless(b"X: 1\r\n" * 10_000, 2**27), 431),
    "headers of 90 KiB": (b"", b"".join(b"X%d: %s\r\n" % (i, b"x" * 1000) for i in range(90)) + b"\r\n", 431),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_request_is_refused_and_takes_no_memory(cloud: Cloud, name: str) -> None:
    head, rest, expected = HOSTILE[name]
    client(cloud.root(ACCOUNT, REGION), "sts").get_caller_identity()
    before = memory()
    found = sent(cloud, STS + host(cloud) + head, rest)
    assert memory() - before < MEMORY
    assert status(found) == expected, found
    client(cloud.root(ACCOUNT, REGION), "sts").get_caller_identity()


def test_a_body_may_be_large_only_with_a_known_key(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    root, size = cloud.root(ACCOUNT, REGION), gateway.STRANGERS_LIMIT + 1
    s3 = client(root, "s3")
    s3.create_bucket(Bucket="sagemaker-large")
    s3.put_object(Bucket="sagemaker-large", Key="k", Body=b"x" * size)
    stranger = client(root, "s3", aws_access_key_id="AKIANOTKNOWN")
    with pytest.raises(ClientError, match="the embedded AWS takes at most 1 MiB"):
        stranger.put_object(Bucket="sagemaker-large", Key="k", Body=b"x" * size)
    monkeypatch.setattr(gateway, "OBJECT_LIMIT", 2**21)
    with pytest.raises(ClientError, match=r"\(EntityTooLarge\).*maximum allowed size.*at most 2 MiB"):
        s3.put_object(Bucket="sagemaker-large", Key="k", Body=b"x" * (2**21 + 1))
    monkeypatch.setattr(gateway, "BODY_LIMIT", 2**20)
    for service, operation in (("ssm", "put_parameter"), ("cloudformation", "validate_template")):
        given = (
            {"Name": "x", "Value": "x" * size, "Type": "String"} if service == "ssm" else {"TemplateBody": "x" * size}
        )
        with pytest.raises(ClientError, match=r"RequestEntityTooLargeException.*at most 1 MiB") as refused:
            getattr(client(root, service), operation)(**given)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_slow_client_does_not_keep_others_waiting(cloud: Cloud) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(cloud)) for _ in range(30)]
        for number, wire in enumerate(slow):
            half = STS + host(cloud) + b"Content-Length: 100\r\n\r\nx"
            wire.sendall(half if number % 2 else half[:20])
        began = time.monotonic()
        client(cloud.root(ACCOUNT, REGION), "sts").get_caller_identity()
        assert time.monotonic() - began < 10
        slow[1].sendall(b"y" * 99)
        assert status(received(slow[1])) == 404, "S3 has no such operation, and says so in its own time"


def test_a_client_that_says_nothing_is_left(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localaws.server.RequestHandler.timeout", 0.2)
    assert sent(cloud, STS + host(cloud)) == b""
    assert sent(cloud, STS + host(cloud) + b"Content-Length: 5\r\n\r\nab") == b""


# -- for whom, and from where ------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b"evil.example", b"evil.example:%d", b"127.0.0.1", b"169.254.169.254"])
def test_a_name_that_was_bound_to_this_address_is_refused(cloud: Cloud, name: bytes) -> None:
    port = urlsplit(cloud.endpoint).port
    made = name.replace(b"%d", str(port).encode())
    found = sent(cloud, b"GET / HTTP/1.1\r\nHost: " + made + b"\r\n\r\n")
    assert status(found) == 403
    assert f"is not a name of this server: use {cloud.endpoint}".encode() in found
    assert status(sent(cloud, b"GET / HTTP/1.1\r\n\r\n")) == 403
    assert status(sent(cloud, b"GET http://evil.example/ HTTP/1.1\r\nHost: " + made + b"\r\n\r\n")) == 403


def test_its_own_names_are_known(cloud: Cloud) -> None:
    port = urlsplit(cloud.endpoint).port
    for name in ("127.0.0.1", "localhost", "[::1]"):
        found = sent(cloud, f"GET / HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode())
        assert b"<Code>AccessDenied</Code>" in found, "S3's own answer to a request that is not signed"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_a_page_of_another_site_is_refused_whatever_it_is_signed_with(cloud: Cloud, origin: str) -> None:
    root = cloud.root(ACCOUNT, REGION)
    s3 = root.client("s3")
    s3.create_bucket(Bucket="sagemaker-page")
    s3.put_object(Bucket="sagemaker-page", Key="k", Body=b"1")
    url = urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": "sagemaker-page", "Key": "k"}))
    for given, expected in (({"Origin": origin}, 403), ({"Origin": cloud.endpoint}, 200), ({}, 200)):
        connection = HTTPConnection(url.netloc, timeout=30)
        connection.request("GET", f"{url.path}?{url.query}", headers=given)
        response = connection.getresponse()
        assert response.status == expected, response.read()
    identity = client(root, "sts")
    identity.meta.events.register("before-send", lambda request, **_: request.headers.update(Origin=origin))
    with pytest.raises(ClientError, match="may not use the embedded AWS"):
        identity.get_caller_identity()


def test_what_is_refused_is_recorded(cloud: Cloud) -> None:
    with pytest.raises(ClientError):
        client(cloud.root(ACCOUNT, REGION), "sts", aws_secret_access_key="wrong").get_caller_identity()
    lines = [json.loads(line) for line in (cloud.folder / "requests.jsonl").read_text().splitlines()]
    assert (lines[-1]["operation"], lines[-1]["principal"]) == ("GetCallerIdentity", "?")
    assert lines[-1]["error"] == "SignatureDoesNotMatch"
