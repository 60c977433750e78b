"""Uploads whose content is not what the request says of it: BadDigest.

Amazon S3 User Guide, "Checking object integrity for data uploads in Amazon S3"; S3 API Reference, PutObject
(Content-MD5), "Error responses".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from functools import cache, reduce

from awslang.errors import AwsError
from localaws.calls import Call


@cache
def table(polynomial: int) -> tuple[int, ...]:
    """The remainders of each byte, for a polynomial with its bits reversed."""

    def remainder(byte: int) -> int:
        return reduce(lambda value, _: (value >> 1) ^ (polynomial if value & 1 else 0), range(8), byte)

    return tuple(map(remainder, range(256)))


def crc(content: bytes, polynomial: int, bits: int) -> bytes:
    remainders, value, ones = table(polynomial), (1 << bits) - 1, (1 << bits) - 1
    for byte in content:
        value = (value >> 8) ^ remainders[(value ^ byte) & 0xFF]
    return (value ^ ones).to_bytes(bits // 8, "big")


CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda content: zlib.crc32(content).to_bytes(4, "big"),
    "CRC32C": lambda content: crc(content, 0x82F63B78, 32),
    "CRC64NVME": lambda content: crc(content, 0x9A6C9329AC4BC9B5, 64),
    "SHA1": lambda content: hashlib.sha1(content, usedforsecurity=False).digest(),
    "SHA256": lambda content: hashlib.sha256(content).digest(),
}


def whole(call: Call) -> None:
    """The body is what the request's checksums say."""
    headers, body = call.http.headers, call.http.body
    for name, compute in CHECKSUMS.items():
        stated = headers.get(f"x-amz-checksum-{name.lower()}")
        if stated is None:
            continue
        made = compute(body)
        if len(decoded(stated)) != len(made):
            raise AwsError("InvalidRequest", f"Value for x-amz-checksum-{name.lower()} header is invalid.")
        if decoded(stated) != made:
            raise AwsError("BadDigest", f"The {name} you specified did not match the calculated checksum.")
    stated = headers.get("content-md5")
    if stated is None:
        return
    if len(decoded(stated)) != hashlib.md5(usedforsecurity=False).digest_size:
        raise AwsError("InvalidDigest", "The Content-MD5 you specified was invalid.")
    if decoded(stated) != hashlib.md5(body, usedforsecurity=False).digest():
        raise AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.")


def decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
