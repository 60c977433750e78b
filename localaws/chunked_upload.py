"""Uploads to S3 in signed chunks (aws-chunked): their signatures are checked, and the object's bytes put together.

Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple
Chunks (Chunked Upload)" and "Signature calculations for trailing headers (chunked uploads)". The tests recompute
the examples of both pages.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, replace

from awslang.errors import AwsError
from localaws.calls import HttpRequest
from localaws.refusals import refusal

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
KINDS = frozenset({SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER})
HEAD = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
TRAILER = re.compile(rb"(x-amz-[a-z0-9-]{1,100}):([^\r\n]{0,1000})\r?\n")
EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass
class Signing:
    """What the signature of the headers hands on: the key and scope, and itself as the first of the chain."""

    key: bytes
    moment: str
    scope: str
    previous: str

    def check(self, kind: str, stated: str, *parts: str) -> None:
        text = "\n".join([kind, self.moment, self.scope, self.previous, *parts])
        made = hmac.digest(self.key, text.encode(), "sha256").hex()
        if not hmac.compare_digest(made, stated):
            raise refusal("s3", "mismatch")
        self.previous = made


def put_together(request: HttpRequest, signing: Signing) -> HttpRequest:
    """The request with the object's bytes as its body, and its trailers as headers."""
    kind, body = request.headers["x-amz-content-sha256"], request.body
    stated = request.headers.get("x-amz-decoded-content-length", "")
    if not re.fullmatch("[0-9]{1,19}", stated):
        raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
    content, position = _chunks(body, signing if kind != UNSIGNED_TRAILER else None)
    if len(content) != int(stated):
        raise _incomplete()
    trailers = _trailers(body, position, signing if kind == SIGNED_TRAILER else None) if kind != SIGNED else {}
    announced = {name.strip() for name in request.headers.get("x-amz-trailer", "").lower().split(",")} - {""}
    if kind != SIGNED and trailers.keys() != announced:
        raise AwsError("MalformedTrailerError", "The request contained trailing data that was not well-formed.")
    coding = [c for c in request.headers.get("content-encoding", "").split(",") if c.strip() != "aws-chunked"]
    dropped = {"content-encoding", "x-amz-decoded-content-length", "x-amz-trailer"}
    headers = {name: value for name, value in request.headers.items() if name not in dropped}
    headers |= {"content-encoding": ",".join(coding).strip()} if coding and any(coding) else {}
    headers |= {**trailers, "content-length": str(len(content)), "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    return replace(request, headers=headers, body=content)


def _incomplete() -> AwsError:
    return AwsError(
        "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header"
    )


def _chunks(body: bytes, signing: Signing | None) -> tuple[bytes, int]:
    """The content, and where the trailers begin."""
    parts: list[bytes] = []
    position = 0
    while True:
        end = body.find(b"\r\n", position, position + 200)
        found = HEAD.fullmatch(body[position:end]) if end >= 0 else None
        if not found:
            raise _incomplete()
        size, start = int(found[1], 16), end + 2
        content = body[start : start + size]
        if len(content) != size:
            raise _incomplete()
        if signing is not None:
            stated, digest = (found[2] or b"").decode(), hashlib.sha256(content).hexdigest()
            signing.check("AWS4-HMAC-SHA256-PAYLOAD", stated, EMPTY, digest)
        if size == 0:
            return b"".join(parts), start
        if body[start + size : start + size + 2] != b"\r\n":
            raise _incomplete()
        parts.append(content)
        position = start + size + 2


def _trailers(body: bytes, position: int, signing: Signing | None) -> dict[str, str]:
    """The trailing headers; their signature is checked where there is one to be."""
    found: dict[str, str] = {}
    while line := TRAILER.match(body, position):
        found[line[1].decode()] = line[2].decode("latin-1").strip()
        position = line.end()
    stated = found.pop("x-amz-trailer-signature", "")
    if signing is not None:
        text = "".join(f"{name}:{value}\n" for name, value in found.items())
        signing.check("AWS4-HMAC-SHA256-TRAILER", stated, hashlib.sha256(text.encode()).hexdigest())
    return found
