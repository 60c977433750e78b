"""Messages that SQS refuses and moto takes.

SQS API Reference, SendMessage (MessageBody's characters: InvalidMessageContents; MessageDeduplicationId "applies only
to FIFO"), ListQueues (MaxResults); SQS Developer Guide, "Amazon SQS message metadata" (10 attributes, none empty).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.kms.state import check_for_service
from localaws.services.sqs.service import owner, sqs

TAKEN = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
MOST_ATTRIBUTES, MOST_QUEUES = 10, 1_000


@sqs.before("SendMessage")
def sent(call: Call) -> None:
    key_of_queue(call)
    check(call.params["QueueUrl"], call.params)


@sqs.before("SendMessageBatch")
def sent_together(call: Call) -> None:
    key_of_queue(call)
    for entry in call.params.get("Entries") or []:
        check(call.params["QueueUrl"], entry)


@sqs.before("ReceiveMessage")
def key_of_queue(call: Call) -> None:
    """The key of an encrypted queue can be used (the "Errors" of each operation: KmsDisabled, KmsInvalidState)."""
    account = owner(call)
    queues = moto_bridge.backend("sqs", account, call.region).queues
    queue = queues.get(str(call.params.get("QueueUrl", "")).rpartition("/")[2])
    check_for_service(getattr(queue, "kms_master_key_id", None) or "", account, call.region, "Kms")


def check(queue: str, message: Mapping[str, Any]) -> None:
    text, attributes = message.get("MessageBody"), message.get("MessageAttributes") or {}
    if text == "":
        raise AwsError("MissingParameter", "The request must contain the parameter MessageBody.")
    if text is not None and not TAKEN.fullmatch(text):
        raise AwsError("InvalidMessageContents", "The message contains characters outside the allowed set.")
    if message.get("MessageDeduplicationId") and not queue.endswith(".fifo"):
        what = f"Value {message['MessageDeduplicationId']} for parameter MessageDeduplicationId is invalid. Reason: The"
        raise AwsError(
            "InvalidParameterValue", f"{what} request include parameter that is not valid for this queue type."
        )
    if len(attributes) > MOST_ATTRIBUTES:
        what = f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{MOST_ATTRIBUTES}]."
        raise AwsError("InvalidParameterValue", what)
    for name, value in attributes.items():
        if not value.get("StringValue") and not value.get("BinaryValue"):
            kind = value.get("DataType", "")
            what = f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
            raise AwsError("InvalidParameterValue", what)


@sqs.before("ListQueues")
def listed(call: Call) -> None:
    if not 1 <= call.params.get("MaxResults", 1) <= MOST_QUEUES:
        what = f"MaxResults must be an integer between 1 and {MOST_QUEUES}"
        raise AwsError("InvalidParameterValue", f"Value for parameter MaxResults is invalid. Reason: {what}")
