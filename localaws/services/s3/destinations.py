"""Where a bucket's events go: a destination that exists and lets S3 send, tried with s3:TestEvent.

S3 API Reference, PutBucketNotificationConfiguration ("Amazon S3 first verifies that any Amazon SNS or Amazon SQS
destination exists, and that the bucket owner has permission to publish to it by sending a test notification";
SkipDestinationValidation); S3 User Guide, "Amazon S3 Event Notifications" (the test event).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from moto.s3 import notifications

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.services.s3.service import s3
from localaws.services.s3.state import bucket_owner, bucket_state
from localaws.services.sqs.sending import send_to_queue

PRINCIPAL = "s3.amazonaws.com"
_test_event = notifications.send_test_event
notifications.send_test_event = lambda account_id, bucket: None  # moto asks no policy, and knows one account


@s3.before("PutBucketNotificationConfiguration")
def bucket_notification(call: Call) -> None:
    configuration = call.params.get("NotificationConfiguration") or {}
    if configuration.get("LambdaFunctionConfigurations"):
        raise NotSupported("a bucket that calls a function")
    bucket = bucket_state(call.params["Bucket"])
    if bucket is None or call.params.get("SkipDestinationValidation"):
        return
    wrong = [arn for arn in dict.fromkeys(destinations(configuration)) if not takes(call, bucket, arn)]
    if wrong:
        message = "Unable to validate the following destination configurations"
        raise AwsError("InvalidArgument", message, ArgumentName=", ".join(wrong), ArgumentValue="null")


def destinations(configuration: dict[str, Any]) -> Iterator[str]:
    for kind, name in (("QueueConfigurations", "QueueArn"), ("TopicConfigurations", "TopicArn")):
        yield from (one[name] for one in configuration.get(kind) or [])


def takes(call: Call, bucket: Any, arn: str) -> bool:
    """Whether S3 may send its test event there."""
    parts, owner = arn.split(":"), bucket_owner(bucket.name)
    if len(parts) != 6 or parts[2] not in ("sqs", "sns") or parts[3] != bucket.region_name:
        return False
    session = call.cloud.as_service(PRINCIPAL, owner, parts[3], SourceArn=bucket.arn)
    event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": datetime.now(UTC).isoformat()}
    text = json.dumps(event | {"Bucket": bucket.name, "RequestId": call.request_id})
    try:
        if parts[2] == "sqs":
            send_to_queue(session, arn, text, {})
        else:
            session.client("sns").publish(TopicArn=arn, Message=text, Subject="Amazon S3 Notification")
    except ClientError:
        return False
    return True
