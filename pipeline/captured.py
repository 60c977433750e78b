"""What an endpoint with a shadow captured: the answers of both variants to the same requests, as counts alone.

Captured data are JSON Lines in a folder of each variant: s3://PLACE/ENDPOINT/VARIANT/yyyy/mm/dd/hh/NAME.jsonl
(SageMaker Developer Guide, "Data capture"). A copy and its original are known by the caller's InferenceId where both
have one, else by the request itself. No request and no answer leaves this step: it says how many there are.

A candidate's answers are its own, and may be made to fill memory or time: 6 MB of empty lists, say. So what is kept and
what is read at once is bounded, and so is the time. What is left out is counted.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipeline.answers import difference, number_or_text, read_answer
from pipeline.comparison import ANSWER, HASH, storable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LIVE, SHADOW = "AllTraffic", "Shadow"  # the variants of 50-endpoint.yaml
MOST = 5_000  # requests of a variant that are compared
FILES = 4  # that are read for each of these; an instance begins a file every few minutes
LARGEST = 2_000_000_000  # bytes of a variant that are read
# Bytes of a line: SageMaker takes 6 MB of a request and of an answer (API Reference, InvokeEndpoint), each in Base64.
LONGEST = 20_000_000
CHUNK = 1_000_000  # bytes that are read at once
SKEW = timedelta(seconds=10)  # by which clocks may differ
RELATIVE = 1e-6  # how far two numbers of an answer may be apart: instances of one type may differ in the last digits
ONE_AT_A_TIME = Lock()  # a line may need 30 times its bytes while it is read, and places are read side by side


@dataclass(frozen=True)
class Captured:
    """One request and its answer. request: what tells it from others; answer: JSON, of kept()"""

    request: str
    answer: str


@dataclass
class Variant:
    """What was read of a variant so far: the answers by request, in order.

    seen: the keys of the files; bytes: of these; left: lines of another form, too long or of a time to come
    unread: whether there are more files than are read
    """

    seen: set[str] = field(default_factory=set)
    answers: dict[str, list[str]] = field(default_factory=dict)
    count: int = 0
    bytes: int = 0
    left: int = 0
    unread: bool = False


def read(
    s3: S3Client,
    bucket: str,
    folder: str,
    since: datetime,
    variant: Variant,
    most: int = MOST,
    ends: float = math.inf,
) -> None:
    """Read what has come since the last time. folder: of the variant; since: captured earlier is not of the shadow

    most: requests of the variant; ends: when, in time.monotonic(), nothing more is read
    No page says in which order files come, and each instance writes its own: one may come after one of a later name.
    """
    start = f"{folder}{since:%Y/%m/%d/%H}/"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, StartAfter=start):
        for item in page.get("Contents", []):
            if variant.count >= most:
                return
            if item["Key"] in variant.seen:
                continue
            if len(variant.seen) >= most * FILES or variant.bytes > LARGEST or time.monotonic() > ends:
                variant.unread = True
                return
            variant.seen.add(item["Key"])
            variant.bytes += item["Size"]
            until = datetime.now(UTC) + SKEW
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"]
            for line in lines(body):
                if variant.count >= most or time.monotonic() > ends:
                    break
                take(variant, line, since, until)


def lines(body: Any) -> Iterator[bytes | None]:
    """The lines of a file that are not empty; None for one that is too long."""
    held, too_long = bytearray(), False
    while chunk := body.read(CHUNK):
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            held += b"" if too_long else part
            if too_long or held:
                yield None if too_long or len(held) > LONGEST else bytes(held)
            held, too_long = bytearray(), False
        held += b"" if too_long else rest
        if len(held) > LONGEST:
            held, too_long = bytearray(), True
    if too_long or held:
        yield None if too_long else bytes(held)


def take(variant: Variant, line: bytes | None, since: datetime, until: datetime) -> None:
    """Add a line to what was read of a variant, or count it among what is left out."""
    try:
        with ONE_AT_A_TIME:
            one = parse(line, since, until) if line is not None else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        variant.left += 1
        return
    if line is None:
        variant.left += 1
    elif one:
        variant.answers.setdefault(one.request, []).append(one.answer)
        variant.count += 1


def parse(line: bytes, since: datetime, until: datetime) -> Captured | None:
    """A request with its answer; None for one that was asked before. ValueError and others for a line of another form.

    until: no request was asked later
    """
    document = json.loads(line.decode("utf-8", "replace"))
    meta, data = document["eventMetadata"], document["captureData"]
    asked = datetime.fromisoformat(str(meta["inferenceTime"]))
    asked = asked if asked.tzinfo else asked.replace(tzinfo=UTC)
    if asked > until:
        raise ValueError("it was asked in the future")
    if asked < since:
        return None
    answer, kind = content(data["endpointOutput"]), str(data["endpointOutput"].get("observedContentType", ""))
    hashed = hashlib.sha256(content(data["endpointInput"])).hexdigest()
    return Captured(str(meta.get("inferenceId") or hashed)[:1000], kept(kind, answer))


def content(part: Mapping[str, Any]) -> bytes:
    """The bytes of a captured request or answer."""
    text = str(part["data"])
    return base64.b64decode(text, validate=True) if part.get("encoding") == "BASE64" else text.encode()


def kept(kind: str, body: bytes) -> str:
    """What is kept of an answer, as JSON: its type and itself, or the hash of a large one. kind: its content type

    CSV is kept by rows: two rows of two values are another answer than four rows of one.
    """
    kind = kind.split(";")[0].strip().lower()
    found = read_answer(kind, body) if kind == "application/json" else rows(body.decode("utf-8", "replace").strip())
    return json.dumps(storable([kind, found]))


def rows(text: str) -> list[list[float | str]] | str:
    try:
        return [[number_or_text(value) for value in row] for row in csv.reader(io.StringIO(text, newline=""))]
    except csv.Error:  # a value of more than 128 KiB
        return text


def compared(live: Variant, shadow: Variant) -> dict[str, int]:
    """How many requests both variants have answered, and on how many of them the answers agree."""
    both = agree = 0
    for request, answers in shadow.answers.items():
        pairs = list(zip(live.answers.get(request, []), answers, strict=False))
        both += len(pairs)
        agree += sum(not differs(was, new) for was, new in pairs)
    return {"compared": both, "agree": agree}


def differs(live: str, new: str) -> bool:
    """Whether two answers are others. live, new: of kept()"""
    was, is_now = json.loads(live), json.loads(new)
    if HASH in was or HASH in is_now:
        return bool(was != is_now)
    if ANSWER not in was or ANSWER not in is_now:  # JSON has no word for it (NaN)
        return True
    try:
        return bool(difference(was[ANSWER], is_now[ANSWER], 0.0, RELATIVE))
    except ArithmeticError:  # an answer is anything: a number of 400 digits, say
        return True
