"""What comes in at the port, read with limits."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Mapping

import pytest

from localaws.intake import HEADERS_LIMIT, MIB, Refused, TooLarge, check_head, foreign_origin, read_body

CHUNKED = {"transfer-encoding": "chunked"}
HOST = ("Host", "127.0.0.1:4000")


def body(content: bytes, limit: int = MIB, headers: Mapping[str, str] = CHUNKED) -> bytes:
    return read_body(headers, io.BytesIO(content), limit)


def test_a_body_is_read_by_its_length_or_its_chunks() -> None:
    assert body(b"abcdef", headers={"content-length": "3"}) == b"abc"
    assert body(b"", headers={"content-length": "0"}) == body(b"", headers={}) == b""
    assert body(b"3;note=1\r\nabc\r\n00A \r\n0123456789\r\n0\r\nX: 1\r\nY: 2\r\n\r\n") == b"abc0123456789"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"3", b"3\r\n", b"3\r\nab", b"3\r\nabcd\r\n0\r\n\r\n", b"3\nabc\n0\n\n", b"-3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n", b"+3\r\nabc\r\n", b"3 3\r\nabc\r\n", b"\r\n", b"g\r\n", b"1_0\r\n", b"\xd9\xa3\r\nabc\r\n",
        b"f" * 17 + b"\r\n", b"3;" + b"x" * 300 + b"\r\nabc\r\n", b"0\r\n" + b"X: 1\r\n" * 5000 + b"\r\n",
        b"0\r\nX: " + b"1" * 9000 + b"\r\n\r\n", b"0\r\nX: 1",
    ],
)  # fmt: skip
def test_chunks_that_are_none_are_refused(content: bytes) -> None:
    with pytest.raises(Refused) as refused:
        body(content)
    assert refused.value.status == 400


def test_a_body_above_the_limit_is_refused_before_it_is_read() -> None:
    for headers, content in (({"content-length": "11"}, b"x" * 11), (CHUNKED, b"b\r\n"), (CHUNKED, b"100000000\r\n")):
        stream = io.BytesIO(content)
        with pytest.raises(TooLarge, match="at most 0 MiB"):
            read_body(headers, stream, 10)
    with pytest.raises(TooLarge):
        body(b"6\r\nabcdef\r\n5\r\nabcde\r\n0\r\n\r\n", 10)
    assert body(b"6\r\nabcdef\r\n4\r\nabcd\r\n0\r\n\r\n", 10) == b"abcdefabcd"
    with pytest.raises(Refused, match="the body ends 3 bytes early"):
        body(b"ab", headers={"content-length": "5"})


def test_any_bytes_are_a_body_or_refused() -> None:
    chosen = random.Random(7)
    parts = [b"\r\n", b"\n", b"0", b"3", b"abc", b"f" * 15, b";", b"-", b"100000000", b"\x00", b"X: 1"]
    for _ in range(3000):
        content = b"".join(chosen.choices(parts, k=chosen.randint(0, 12)))
        with contextlib.suppress(Refused, TooLarge):
            assert len(body(content, 100)) <= 100


@pytest.mark.parametrize(
    "host", ["127.0.0.1:4000", "localhost:4000", "LOCALHOST:4000", "[::1]:4000", "sts.amazonaws.com"]
)
def test_a_request_for_one_of_its_names_is_taken(host: str) -> None:
    check_head([("Host", host)], 4000, {"sts.amazonaws.com"})


@pytest.mark.parametrize(
    "host", ["evil.example:4000", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.example:4000", "", "127.0.0.1:4000,x"]
)
def test_a_request_for_another_name_is_refused(host: str) -> None:
    with pytest.raises(Refused, match="is not a name of this server") as refused:
        check_head([("Host", host)], 4000)
    assert refused.value.status == 403


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    for items in ([], [HOST, HOST]):
        with pytest.raises(Refused, match="is not a name of this server"):
            check_head(items, 4000)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Content-Length", "-1")], 400),
        ([("Content-Length", "1e3")], 400),
        ([("Content-Length", "²")], 400),
        ([("Content-Length", "9" * 20)], 400),
        ([("Content-Length", "3"), ("Content-Length", "4")], 400),
        ([("Content-Length", "3"), ("Transfer-Encoding", "chunked")], 400),
        ([("Transfer-Encoding", "gzip, chunked")], 501),
        ([("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")], 501),
        ([("X", "y" * HEADERS_LIMIT)], 431),
    ],
)
def test_a_head_that_is_ambiguous_or_too_long_is_refused(headers: list[tuple[str, str]], status: int) -> None:
    with pytest.raises(Refused) as refused:
        check_head([HOST, *headers], 4000)
    assert refused.value.status == status


def test_an_origin_is_foreign_unless_it_is_the_servers_own() -> None:
    own = {"host": "127.0.0.1:4000"}
    assert foreign_origin(own) == foreign_origin(own | {"origin": "http://127.0.0.1:4000"}) == ""
    for origin in ("https://evil.example", "null", "http://127.0.0.1:4001", "http://localhost:4000"):
        assert foreign_origin(own | {"origin": origin}) == origin
