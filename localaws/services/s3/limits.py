"""What S3 refuses in lists, configurations and copies by its own limits, which the API's model does not state.

S3 API Reference: ListObjectsV2 (MaxKeys), ListParts, PutBucketCors, PutBucketLifecycleConfiguration (ID), DeleteObjects
("up to 1,000 keys"), CopyObject (the four conditions on its source); "Error responses".
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.services.s3.service import NOT_WELL_FORMED, s3

NUMBERS = {"MaxKeys": "maxKeys", "MaxParts": "max-parts"}
MOST, MOST_KEYS = 2**31 - 1, 1_000


@s3.before("ListObjects", "ListObjectsV2", "ListObjectVersions", "ListParts")
def page_size(call: Call) -> None:
    for name, shown in NUMBERS.items():
        if not 0 <= call.params.get(name, 0) <= MOST:
            message = f"Argument {shown} must be an integer between 0 and {MOST}"
            raise AwsError("InvalidArgument", message, ArgumentName=shown)


@s3.before("DeleteObjects")
def deleted_objects(call: Call) -> None:
    if len(call.params["Delete"]["Objects"]) > MOST_KEYS:
        raise AwsError("MalformedXML", NOT_WELL_FORMED)


@s3.before("PutBucketCors")
def cors(call: Call) -> None:
    for rule in (call.params.get("CORSConfiguration") or {}).get("CORSRules") or []:
        for name in ("AllowedOrigins", "AllowedHeaders"):
            for value in rule.get(name) or []:
                if value.count("*") > 1:
                    message = f'{name[:-1]} "{value}" can not have more than one wildcard.'
                    raise AwsError("InvalidRequest", message)


def check_source(call: Call, source: Any) -> None:
    """PreconditionFailed where a condition on a copy's source does not hold.

    If-Match that holds outweighs If-Unmodified-Since, If-None-Match that does not hold If-Modified-Since (CopyObject).
    """
    params, etag = call.params, str(getattr(source, "etag", "")).strip('"')
    match, none = params.get("CopySourceIfMatch"), params.get("CopySourceIfNoneMatch")
    since, until = params.get("CopySourceIfModifiedSince"), params.get("CopySourceIfUnmodifiedSince")
    written: datetime | None = getattr(source, "last_modified", None)
    if written is None:
        return
    written = written.replace(microsecond=0, tzinfo=None)
    wrong = match.strip('"') != etag if match else until is not None and written > until.replace(tzinfo=None)
    wrong = wrong or (none.strip('"') == etag if none else since is not None and written <= since.replace(tzinfo=None))
    if wrong:
        raise AwsError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412)
