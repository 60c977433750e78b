"""The project's record: who approved and rejected what, what the gate decided, how deployments ended.

It is in the project's bucket below record/, one JSON object for each entry, and is written once: S3 writes an object
only where there is none of its key (Amazon S3 User Guide, "How to prevent object overwrites with conditional writes"),
and the bucket's policy refuses every other write there ("Enforce conditional writes on Amazon S3 buckets").
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.console import UserError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

APPROVALS, DECISIONS, OUTCOMES = "record/approvals/", "record/decisions/", "record/outcomes/"
# The time of the change in UTC, the version's number, and the status that it took; the starter (template 11) writes it.
DATE, SECONDS = r"([0-9]{4}-[0-9]{2}-[0-9]{2}T)", r"([0-9]{2}(?:[.][0-9]+)?)Z"
APPROVAL = re.compile(rf"{DATE}([0-9]{{2}})-([0-9]{{2}})-{SECONDS}-([1-9][0-9]{{0,8}})-(Approved|Rejected)[.]json")
REJECTED = "Rejected"
LARGEST = 10_000_000  # bytes of an entry
TRIES, PAUSE = 5, 0.5  # after "409 Conflict", which S3 answers while another request for the same key is under way


@dataclass(frozen=True)
class Entry:
    """What the key of an approval or rejection says, so that it need not be read."""

    key: str
    at: str
    version: int
    status: str


def write(s3: S3Client, bucket: str, key: str, document: dict[str, Any]) -> bool:
    """Write an entry; False where there is one of this key already, which stays as it is."""
    body = (json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
    if len(body) > LARGEST:  # each part is bounded where it is made; an entry that no step could read stops the project
        raise UserError(f"{key} would have {len(body):,} bytes, and an entry of the record has at most {LARGEST:,}")
    for tried in range(1, TRIES + 1):
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*")
            return True
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "PreconditionFailed":
                return False
            if code != "ConditionalRequestConflict" or tried == TRIES:
                raise
            time.sleep(PAUSE)
    raise AssertionError("the last try returns or raises")


def keys(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    """The keys of the entries below a prefix, sorted."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return sorted(item["Key"] for page in pages for item in page.get("Contents", []))


def entry(s3: S3Client, bucket: str, key: str) -> dict[str, Any]:
    """One entry. UserError where the object is no JSON object, which no role of the kit writes."""
    answer = s3.get_object(Bucket=bucket, Key=key)
    try:
        document = json.loads(answer["Body"].read(LARGEST)) if answer["ContentLength"] <= LARGEST else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise foreign(bucket, key)
    return document


def foreign(bucket: str, key: str) -> UserError:
    return UserError(
        f"s3://{bucket}/{key} is no entry of the project's record, which the kit's roles alone write: let an "
        "administrator of the account find out who wrote it (CloudTrail) before anything is deployed"
    )


def read(s3: S3Client, bucket: str, prefix: str) -> list[dict[str, Any]]:
    """The entries below a prefix, sorted by key."""
    return [entry(s3, bucket, key) for key in keys(s3, bucket, prefix)]


def entries(s3: S3Client, bucket: str) -> list[Entry]:
    """Every approval and rejection as its key names it, the newest last; none of them is read."""
    found = []
    for key in keys(s3, bucket, APPROVALS):
        named = APPROVAL.fullmatch(key.removeprefix(APPROVALS))
        if not named:
            raise foreign(bucket, key)
        date, hours, minutes, seconds, number, status = named.groups()
        found.append(Entry(key, f"{date}{hours}:{minutes}:{seconds}Z", int(number), status))
    return sorted(found, key=lambda one: (one.at.rstrip("Z"), one.version, one.status))


def rejected(found: Iterable[Entry]) -> set[str]:
    """The numbers of the versions whose newest entry is a rejection. found: of entries()"""
    newest = {one.version: one.status for one in found}
    return {str(version) for version, status in newest.items() if status == REJECTED}


def approvals(s3: S3Client, bucket: str) -> list[dict[str, Any]]:
    """Every approval and rejection, the newest last."""
    return [entry(s3, bucket, found.key) for found in entries(s3, bucket)]


def decisions(s3: S3Client, bucket: str) -> list[dict[str, Any]]:
    """What the gate decided, the newest last."""
    return by_time(read(s3, bucket, DECISIONS))


def outcomes(s3: S3Client, bucket: str, stage: str) -> list[dict[str, Any]]:
    """How the deployments of a stage ended, the newest last."""
    named = [key for key in keys(s3, bucket, OUTCOMES) if key.rsplit("/", 1)[1].startswith(f"{stage}-")]
    return by_time([entry(s3, bucket, key) for key in named])


def by_time(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda document: str(document.get("at", "")))
