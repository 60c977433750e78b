"""SQS's checks before moto's answer."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.sqs.models import Queue

from awslang.bounded import is_number
from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.service import EVERY, Service
from localaws.shapes import Violation


def refused(call: Call, found: list[Violation]) -> AwsError | None:
    """API Reference, GetQueueAttributes (InvalidAttributeName); "Common Errors" (MissingParameter).

    The model gives ReceiveMessage the attributes of queues; its page has those of messages, which moto checks.
    """
    found = [one for one in found if call.operation != "ReceiveMessage" or one.missing]
    if not found:
        return None
    first = found[0]
    if first.missing:
        return AwsError("MissingParameter", f"The request must contain the parameter {first.path.title()}.")
    return AwsError("InvalidAttributeName", f"Unknown Attribute {first.value}.")


sqs = Service("sqs", moto=EVERY, invalid=refused)
_attributes = Queue.attributes.fget


def whole_seconds(queue: Any) -> dict[str, Any]:
    """Times as whole seconds (API Reference, GetQueueAttributes: epoch time in seconds); moto gives fractions."""
    shown: dict[str, Any] = _attributes(queue)
    return {name: int(value) if name.endswith("Timestamp") else value for name, value in shown.items()}


Queue.attributes = property(whole_seconds)

# What only the queue's own account may do, whatever its policy says (SQS Developer Guide, "Limitations of Amazon SQS
# custom policies").
OWN_ACCOUNT = {
    "AddPermission", "CancelMessageMoveTask", "CreateQueue", "DeleteQueue", "ListMessageMoveTasks", "ListQueues",
    "ListQueueTags", "RemovePermission", "SetQueueAttributes", "StartMessageMoveTask", "TagQueue", "UntagQueue",
}  # fmt: skip


def owner(call: Call) -> str:
    """The account of the queue: QueueUrl ends in ACCOUNT/NAME."""
    if call.operation in OWN_ACCOUNT:
        return call.account
    if call.operation == "GetQueueUrl":
        return str(call.params.get("QueueOwnerAWSAccountId") or call.account)
    parts = call.params.get("QueueUrl", "").rstrip("/").split("/")
    return parts[-2] if len(parts) > 1 and is_number(parts[-2]) else call.account


sqs.owner = owner

RANGES = {
    "DelaySeconds": (0, 900), "MaximumMessageSize": (1024, 1_048_576), "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20), "VisibilityTimeout": (0, 43_200),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}  # fmt: skip
QUEUE_SETTABLE = {*RANGES, "Policy", "RedrivePolicy", "RedriveAllowPolicy", "FifoQueue", "ContentBasedDeduplication",
                  "KmsMasterKeyId", "DeduplicationScope", "FifoThroughputLimit", "SqsManagedSseEnabled"}  # fmt: skip


NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


@sqs.before("CreateQueue", "SetQueueAttributes")
def queue_attributes(call: Call) -> None:
    """Names: API Reference, CreateQueue (a full stop is for the end of a FIFO queue's name alone)."""
    name, attributes = call.params.get("QueueName"), call.params.get("Attributes") or {}
    if name is not None and len(name) <= 80 and attributes.get("FifoQueue") == "true":
        name = name.removesuffix(".fifo")  # moto refuses a FIFO queue without it
    if name is not None and not NAME.fullmatch(name):
        message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        raise AwsError("InvalidParameterValue", message)
    for name, value in (call.params.get("Attributes") or {}).items():
        if name not in QUEUE_SETTABLE:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
        if name in RANGES:
            least, most = RANGES[name]
            if not is_number(str(value)) or not least <= int(value) <= most:
                raise AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
    check_type(call, attributes)
    if redrive := attributes.get("RedrivePolicy"):
        check_redrive(call, redrive)


OF_FIFO = ("ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")


def is_fifo(call: Call) -> bool:
    name = call.params.get("QueueName") or call.params["QueueUrl"].rstrip("/").rsplit("/", 1)[-1]
    return str(name).endswith(".fifo")


def check_type(call: Call, attributes: dict[str, str]) -> None:
    """What is a FIFO queue's alone, and that a queue stays what it is (API Reference, CreateQueue: FifoQueue, "If you
    don't specify this attribute, Amazon SQS creates a standard queue"; "only during queue creation").
    """
    fifo, asked = is_fifo(call), attributes.get("FifoQueue")
    if asked is not None and call.operation == "SetQueueAttributes" and (asked == "true") != fifo:
        what = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
        raise AwsError("InvalidAttributeValue", what)
    for name in ("FifoQueue", *OF_FIFO) if not fifo else ():
        if name in attributes:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")


def check_redrive(call: Call, text: str) -> None:
    """To a queue of the same account and Region, after 1 to 1,000 receives (SQS Developer Guide, "Configure a
    dead-letter queue"; API Reference, SetQueueAttributes: RedrivePolicy, InvalidParameterValue).
    """
    what = f"Value {text} for parameter RedrivePolicy is invalid. Reason:"
    try:
        policy = json.loads(text)
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise AwsError("InvalidParameterValue", f"{what} Redrive policy is not a valid JSON map.")
    target, most = policy.get("deadLetterTargetArn"), policy.get("maxReceiveCount")
    if most is not None and (not is_number(str(most)) or not 1 <= int(most) <= 1_000):
        message = f"{what} Invalid value for maxReceiveCount: {most}, valid values are from 1 to 1000 both inclusive."
        raise AwsError("InvalidParameterValue", message)
    known = moto_bridge.backend("sqs", call.account, call.region).queues.values()
    if target and all(queue.queue_arn != target for queue in list(known)):
        raise AwsError("InvalidParameterValue", f"{what} Dead letter target does not exist.")
    if target and str(target).endswith(".fifo") != is_fifo(call):
        raise AwsError("InvalidParameterValue", f"{what} Dead-letter queue must be same type of queue as the source.")
