"""What an endpoint with a shadow captured: the answers of both variants to the same requests, as counts alone.

Captured data are JSON Lines in a folder of each variant: s3://PLACE/ENDPOINT/VARIANT/yyyy/mm/dd/hh/NAME.jsonl
(SageMaker Developer Guide, "Data capture"). A copy and its original are known by the caller's InferenceId where both
have one, else by the request itself. No request and no answer leaves this step: it says how many there are.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.answers import difference, read_answer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LIVE, SHADOW = "AllTraffic", "Shadow"  # the variants of 50-endpoint.yaml
MOST = 5_000  # requests of a variant that are compared
LARGEST = 50_000_000  # bytes of a file that is read
RELATIVE = 1e-6  # how far two numbers of an answer may be apart: instances of one type may differ in the last digits


@dataclass(frozen=True)
class Captured:
    """One request and its answer; request: what tells it from others."""

    request: str
    answer: Any


@dataclass
class Variant:
    """What was read of a variant so far: the answers by request, in order; seen: the keys of the files."""

    seen: set[str] = field(default_factory=set)
    answers: dict[str, list[Any]] = field(default_factory=dict)
    count: int = 0


def read(s3: S3Client, bucket: str, folder: str, since: datetime, variant: Variant) -> None:
    """Read what has come since the last time. folder: of the variant; since: captured earlier is not of the shadow

    No page says in which order files come, and each instance writes its own: one may come after one of a later name.
    """
    start = f"{folder}{since:%Y/%m/%d/%H}/"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, StartAfter=start):
        for item in page.get("Contents", []):
            if variant.count >= MOST:
                return
            known = item["Key"] in variant.seen
            variant.seen.add(item["Key"])
            if known or item["Size"] > LARGEST:
                continue
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            for one in parse(body.decode("utf-8", "replace"), since):
                variant.answers.setdefault(one.request, []).append(one.answer)
                variant.count += 1


def parse(text: str, since: datetime) -> Iterator[Captured]:
    """The requests of a file that were asked since a time and have an answer; a line of another form is passed over."""
    for line in text.splitlines():
        try:
            document = json.loads(line)
            meta, data = document["eventMetadata"], document["captureData"]
            asked = datetime.fromisoformat(str(meta["inferenceTime"]))
            asked = asked if asked.tzinfo else asked.replace(tzinfo=UTC)
            question, answer = content(data["endpointInput"]), content(data["endpointOutput"])
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if asked < since:
            continue
        kind = str(data["endpointOutput"].get("observedContentType", ""))
        hashed = hashlib.sha256(question).hexdigest()
        yield Captured(str(meta.get("inferenceId") or hashed), read_answer(kind, answer))


def content(part: Mapping[str, Any]) -> bytes:
    """The bytes of a captured request or answer."""
    text = str(part["data"])
    return base64.b64decode(text, validate=True) if part.get("encoding") == "BASE64" else text.encode()


def compared(live: Variant, shadow: Variant) -> dict[str, int]:
    """How many requests both variants have answered, and on how many of them the answers agree."""
    both = agree = 0
    for request, answers in shadow.answers.items():
        pairs = list(zip(live.answers.get(request, []), answers, strict=False))
        both += len(pairs)
        agree += sum(not differs(was, new) for was, new in pairs)
    return {"compared": both, "agree": agree}


def differs(live: Any, new: Any) -> bool:
    try:
        return bool(difference(live, new, 0.0, RELATIVE))
    except (ArithmeticError, RecursionError):  # an answer is anything: a number of 400 digits, say
        return True
