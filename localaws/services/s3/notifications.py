"""Events of a bucket that sends them to EventBridge: "Object Created".

Amazon S3 User Guide, "Enabling Amazon EventBridge", "EventBridge event message structure". A bucket sends them where
its notification configuration has EventBridgeConfiguration; the event has the key as it is, not encoded.
"""

from __future__ import annotations

import time
from typing import Any

from localaws.calls import Call
from localaws.services.events.service import emit
from localaws.services.s3.state import bucket_owner, bucket_state, object_state


def created(call: Call) -> None:
    """Tell the bus of the bucket's account, in the bucket's Region, that an object was written."""
    name, key = call.params["Bucket"], call.params["Key"]
    bucket, written = bucket_state(name), object_state(name, key)
    configuration = getattr(bucket, "notification_configuration", None)
    if written is None or configuration is None or configuration.event_bridge is None:
        return
    shown: dict[str, Any] = {"key": key, "size": written.size, "etag": str(written.etag).strip('"')}
    if bucket.is_versioned:
        shown["version-id"] = str(written.version_id)
    emit(
        call.cloud,
        bucket_owner(name),
        bucket.region_name,
        source="aws.s3",
        detail_type="Object Created",
        resources=[f"arn:aws:s3:::{name}"],
        detail={
            "version": "0",
            "bucket": {"name": name},
            "object": {**shown, "sequencer": f"{time.time_ns():016X}"},
            "request-id": call.request_id,
            "requester": call.account,
            "source-ip-address": "127.0.0.1",
            "reason": call.operation,
        },
    )
