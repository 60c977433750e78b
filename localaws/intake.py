"""What comes in at the port, read with limits: whom a request is for, where it comes from, and its body.

Programs of other users, and pages in a browser, reach a loopback port as well. A page of a foreign site may send
requests to it, under a name of its own that resolves to 127.0.0.1 (DNS rebinding): so the Host header must be a name
of the server's, and the Origin header its own. Messages are framed as RFC 9112 has it, sections 6 and 7; what is
ambiguous there is refused. Nothing is kept of a body before its length is known to be within the limit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import IO

MIB = 1024 * 1024
HEADERS_LIMIT = 64 * 1024  # bytes of all headers; S3 takes 8 KB, and a session token may be long
LINE_LIMIT = 256  # bytes of the line before a chunk, with its extensions
TRAILERS_LIMIT = 8 * 1024  # bytes of what follows the last chunk
PIECE = 64 * 1024
OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
SIZE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(;[^\r\n]*)?")
NUMBER = re.compile(r"[0-9]{1,19}")


Answer = tuple[int, dict[str, str], bytes]


class Unread(Exception):
    """A request that is answered without being read to its end."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer[2].decode())
        self.answer = answer


class Refused(Unread):  # reads as what it says
    """A request that is not HTTP as the server takes it: the status, and why."""

    def __init__(self, status: int, why: str) -> None:
        text = f"{why}\n".encode()
        super().__init__((status, {"Content-Type": "text/plain", "Content-Length": str(len(text))}, text))
        self.status = status


class TooLarge(Exception):
    """The body is larger than the limit, in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the embedded AWS takes at most {limit // MIB} MiB in this request")
        self.limit = limit


def joined(items: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; those that are sent more than once with all their values, as RFC 9110 has it."""
    found: dict[str, str] = {}
    for name, value in items:
        name = name.lower()
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def check_head(items: Sequence[tuple[str, str]], port: int, further: Collection[str] = ()) -> None:
    """Refused for a request that is not for this server, or whose headers are too long or ambiguous.

    further: names besides the server's own, which it was made known by
    """
    if sum(len(name) + len(value) + 4 for name, value in items) > HEADERS_LIMIT:
        raise Refused(431, f"the headers are longer than {HEADERS_LIMIT // 1024} KiB")
    headers = joined(items)
    host = headers.get("host", "").lower()
    if host not in {f"{name}:{port}" for name in OWN_NAMES} and host not in further:
        raise Refused(403, f"{host!r} is not a name of this server: use http://127.0.0.1:{port}")
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None and coding.strip().lower() != "chunked":
        raise Refused(501, f"the transfer coding {coding!r} is not supported, only chunked")
    if coding is not None and length is not None:
        raise Refused(400, "a request has Content-Length or Transfer-Encoding, not both")
    if length is not None and not NUMBER.fullmatch(length):
        raise Refused(400, f"the Content-Length {length!r} is not a number")


def foreign_origin(headers: Mapping[str, str]) -> str:
    """The origin of the page that sends the request; "" for none, and for the server's own."""
    origin = headers.get("origin", "")
    return "" if origin == f"http://{headers.get('host', '')}" else origin


def check_length(headers: Mapping[str, str], limit: int) -> None:
    """TooLarge for a body whose stated length is above the limit."""
    if int(headers.get("content-length") or 0) > limit:
        raise TooLarge(limit)


def read_body(headers: Mapping[str, str], stream: IO[bytes], limit: int) -> bytes:
    """The body; TooLarge as soon as it is known to be larger than the limit."""
    check_length(headers, limit)
    if "transfer-encoding" in headers:
        return b"".join(chunks(stream, limit))
    return b"".join(exactly(stream, int(headers.get("content-length") or 0)))


def exactly(stream: IO[bytes], length: int) -> Iterator[bytes]:
    """So many bytes, in pieces: no more memory than what has arrived."""
    while length:
        piece = stream.read(min(length, PIECE))
        if not piece:
            raise Refused(400, f"the body ends {length} bytes early")
        length -= len(piece)
        yield piece


def line_of(stream: IO[bytes], limit: int, what: str) -> bytes:
    """One line, without its end."""
    line = stream.readline(limit + 2)
    if not line.endswith(b"\r\n"):
        raise Refused(400, f"{what} is longer than {limit} bytes, or does not end with CRLF")
    return line[:-2]


def chunks(stream: IO[bytes], limit: int) -> Iterator[bytes]:
    """The content of a chunked body. Its trailers are read and dropped, as RFC 9110 allows."""
    read = 0
    while True:
        found = SIZE.fullmatch(line_of(stream, LINE_LIMIT, "the line before a chunk"))
        if not found:
            raise Refused(400, "a chunk begins with its size, in hexadecimal digits")
        size = int(found[1], 16)
        if size == 0:
            break
        read += size
        if read > limit:
            raise TooLarge(limit)
        yield from exactly(stream, size)
        if line_of(stream, 0, "the end of a chunk"):
            raise Refused(400, "a chunk is longer than its size")
    left = TRAILERS_LIMIT
    while line := line_of(stream, left, "the trailer"):
        left -= len(line) + 2
        if left <= 0:
            raise Refused(400, f"the trailers are longer than {TRAILERS_LIMIT // 1024} KiB")
