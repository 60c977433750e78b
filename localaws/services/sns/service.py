"""What SNS refuses of topics and subscriptions."""

from __future__ import annotations

import json
import re

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.service import EVERY, Service

sns = Service("sns", moto=EVERY)

TOPIC_ATTRIBUTES = {
    "DeliveryPolicy", "DisplayName", "FifoTopic", "Policy", "SignatureVersion", "TracingConfig", "KmsMasterKeyId",
    "ArchivePolicy", "ContentBasedDeduplication", "FifoThroughputScope", "DataProtectionPolicy",
}  # fmt: skip
FEEDBACK = re.compile(r"(HTTP|Firehose|Lambda|Application|SQS)(Success|Failure)Feedback(RoleArn|SampleRate)")
QUEUE = re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+")
PROTOCOLS = {"http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose"}


@sns.before("CreateTopic", "SetTopicAttributes")
def topic_attributes(call: Call) -> None:
    names = [
        *call.params.get("Attributes", {}),
        *([call.params["AttributeName"]] if "AttributeName" in call.params else []),
    ]
    if wrong := [name for name in names if name not in TOPIC_ATTRIBUTES and not FEEDBACK.fullmatch(name)]:
        raise AwsError("InvalidParameter", f"Invalid parameter: AttributeName ({wrong[0]})")


def check_subscription(call: Call) -> None:
    protocol, endpoint = call.params["Protocol"], call.params.get("Endpoint", "")
    if protocol not in PROTOCOLS:
        raise AwsError("InvalidParameter", "Invalid parameter: Does not support this protocol string: " + protocol)
    if protocol == "lambda":
        raise NotSupported("a function that subscribes to a topic")
    if protocol == "sqs" and not QUEUE.fullmatch(endpoint):
        raise AwsError("InvalidParameter", "Invalid parameter: SQS endpoint ARN")
    if protocol in ("email", "email-json") and not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+", endpoint):
        raise AwsError("InvalidParameter", "Invalid parameter: Email address")
    if protocol in ("http", "https") and not endpoint.startswith(f"{protocol}://"):
        raise AwsError("InvalidParameter", "Invalid parameter: Endpoint must match the specified protocol")
    if (filtering := call.params.get("Attributes", {}).get("FilterPolicy")) is not None:
        try:
            json.loads(filtering)
        except ValueError as error:
            raise AwsError("InvalidParameter", "Invalid parameter: FilterPolicy: failed to parse JSON") from error
