"""Smithy's RPC v2 protocol with CBOR, which botocore speaks to the newest services and moto does not know.

Smithy 2.0, "Smithy RPC v2 CBOR protocol": POST /service/NAME/operation/OPERATION; RFC 8949 for the encoding.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.parsers import BaseCBORParser

from awslang.errors import AwsError
from localaws.calls import HttpRequest

HEADERS = {"smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}
PATH = re.compile(r"/service/[^/]+/operation/([a-zA-Z0-9_]+)")
UNSIGNED, NEGATIVE, BYTES, TEXT, LIST, MAP, TAG = range(7)
EPOCH = 1  # the tag of a time in seconds


def spoken(request: HttpRequest) -> bool:
    return request.headers.get("smithy-protocol") == "rpc-v2-cbor"


def operation(request: HttpRequest) -> str:
    """The operation's name; "" where the path names none."""
    found = PATH.search(request.path)
    return found.group(1) if found else ""


def decoded(body: bytes) -> Any:
    return BaseCBORParser().parse_data_item(io.BufferedReader(io.BytesIO(body))) if body else {}


def _head(kind: int, size: int) -> bytes:
    for limit, code, form in ((24, None, ">B"), (1 << 8, 24, ">B"), (1 << 16, 25, ">H"), (1 << 32, 26, ">I")):
        if size < limit:
            return bytes([kind << 5 | size]) if code is None else bytes([kind << 5 | code]) + struct.pack(form, size)
    return bytes([kind << 5 | 27]) + struct.pack(">Q", size)


def encoded(value: Any) -> bytes:
    """What an answer may hold: members that are None are left out."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(UNSIGNED, value) if value >= 0 else _head(NEGATIVE, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, datetime):
        return _head(TAG, EPOCH) + encoded(value.timestamp())
    if isinstance(value, bytes):
        return _head(BYTES, len(value)) + value
    if isinstance(value, str):
        return _head(TEXT, len(value.encode())) + value.encode()
    if isinstance(value, Mapping):
        given = {key: item for key, item in value.items() if item is not None}
        return _head(MAP, len(given)) + b"".join(encoded(key) + encoded(item) for key, item in given.items())
    items = list(value)
    return _head(LIST, len(items)) + b"".join(encoded(item) for item in items)


def answer(result: Mapping[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return 200, dict(HEADERS), encoded(result)


def refusal(error: AwsError) -> tuple[int, dict[str, str], bytes]:
    status = error.status if error.status >= 400 else 400
    return status, dict(HEADERS), encoded({"__type": error.code, "message": error.message})
