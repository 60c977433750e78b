"""Uploads in parts, listed by key and by when they were started.

S3 API Reference, ListMultipartUploads: at most 1,000 a page, prefixes up to a delimiter, markers of the next page.
moto lists all of them, each with a time in 2010 and an initiator that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from moto.s3.models import OWNER

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.services.s3.service import conditional_write, s3
from localaws.services.s3.state import bucket_state, existing_bucket

MOST = 1_000  # uploads and prefixes of one answer
STARTED = "rehearsal_started"  # on an upload of moto's: when, and by which principal


@s3.after("CreateMultipartUpload")
def started(call: Call, _: Any) -> None:
    for upload in list(bucket_state(call.params["Bucket"]).multiparts.values()):
        if not hasattr(upload, STARTED):
            setattr(upload, STARTED, (datetime.now(UTC), call.principal.arn))


def ongoing(call: Call) -> None:
    """NoSuchUpload for an upload that is over or never was (API Reference, "Error responses")."""
    bucket = bucket_state(call.params["Bucket"])
    if bucket is not None and call.params["UploadId"] not in bucket.multiparts:
        message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
        raise AwsError("NoSuchUpload", f"{message}aborted or completed.", 404, UploadId=call.params["UploadId"])


@s3.before("CompleteMultipartUpload")
def completed(call: Call) -> datetime | None:
    """Parts in the order of their numbers (API Reference, CompleteMultipartUpload: InvalidPartOrder).

    When the upload began, which is the LastModified of its object (S3 User Guide, "System-defined object metadata").
    """
    conditional_write(call)
    ongoing(call)
    numbers = [part.get("PartNumber", 0) for part in (call.params.get("MultipartUpload") or {}).get("Parts") or []]
    if not numbers:
        raise AwsError("InvalidRequest", "You must specify at least one part")
    if any(after <= before for before, after in pairwise(numbers)):
        message = "The list of parts was not in ascending order. The parts list must be specified in order by part "
        raise AwsError("InvalidPartOrder", f"{message}number.")
    bucket = bucket_state(call.params["Bucket"])
    begun = bucket.multiparts.get(call.params["UploadId"]) if bucket is not None else None
    return started_of(begun)[0] if begun is not None else None


def whole(text: str) -> str:
    return text


@s3.operation("ListMultipartUploads")
def list_multipart_uploads(call: Call) -> dict[str, Any]:
    params, bucket = call.params, existing_bucket(call.params["Bucket"])
    most = params.get("MaxUploads", MOST)
    if not 0 <= most <= 2**31 - 1:
        raise AwsError("InvalidArgument", "Argument max-uploads must be an integer between 0 and 2147483647")
    prefix, delimiter, most = params.get("Prefix", ""), params.get("Delimiter", ""), min(most, MOST)
    uploads = [one for one in list(bucket.multiparts.values()) if one.key_name.startswith(prefix)]
    uploads = after(sorted(uploads, key=lambda one: (one.key_name, *started_of(one))), params)
    write: Callable[[str], str] = quote if params.get("EncodingType") == "url" else whole
    shown: list[dict[str, Any]] = []
    prefixes: dict[str, None] = {}
    last, more = None, False
    for one in uploads:
        cut = one.key_name.find(delimiter, len(prefix)) if delimiter else -1
        common = one.key_name[: cut + len(delimiter)] if cut >= 0 else ""
        if common in prefixes:
            last = one
            continue
        if len(shown) + len(prefixes) >= most:
            more = True
            break
        last = one
        if common:
            prefixes[common] = None
        else:
            shown.append(upload(one, write))
    marks = {"NextKeyMarker": write(last.key_name), "NextUploadIdMarker": last.id} if more and last else {}
    asked = ("Prefix", "Delimiter", "EncodingType")
    return {
        "Bucket": params["Bucket"], "KeyMarker": params.get("KeyMarker", ""), "MaxUploads": most, "IsTruncated": more,
        "UploadIdMarker": params.get("UploadIdMarker", ""), "Uploads": shown, **marks,
        "CommonPrefixes": [{"Prefix": write(one)} for one in prefixes],
        **{name: params[name] for name in asked if name in params},
    }  # fmt: skip


def started_of(one: Any) -> tuple[datetime, str]:
    found: tuple[datetime, str] = getattr(one, STARTED)
    return found


def after(uploads: list[Any], params: dict[str, Any]) -> list[Any]:
    """Those after the markers: of the marked key too, where an upload's id is a marker and stands before them."""
    key, id = params.get("KeyMarker", ""), params.get("UploadIdMarker", "")
    for place, one in enumerate(uploads):
        if key and id and (one.key_name, one.id) == (key, id):
            return uploads[place + 1 :]
    return [one for one in uploads if one.key_name > key]


def upload(one: Any, write: Callable[[str], str]) -> dict[str, Any]:
    time, by = started_of(one)
    kind = one.metadata.get("x-amz-checksum-algorithm")
    return {
        "Key": write(one.key_name), "UploadId": one.id, "Initiated": time, "StorageClass": one.storage or "STANDARD",
        "Initiator": {"ID": by, "DisplayName": by.rsplit("/", 1)[-1]}, "Owner": {"ID": OWNER},
        **({"ChecksumAlgorithm": kind} if kind else {}),
    }  # fmt: skip
