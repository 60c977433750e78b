"""What SNS refuses of topics and subscriptions."""

from __future__ import annotations

import json
import re

from botocore import xform_name

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import EVERY, Service
from localaws.shapes import Violation, wording


def refused(call: Call, found: list[Violation]) -> AwsError:
    """API Reference, "Common Errors" (ValidationError, of what is missing); "Errors" of each operation."""
    if found[0].missing:
        return AwsError("ValidationError", wording(found))
    return AwsError("InvalidParameter", f"Invalid parameter: {wording(found)}")


sns = Service("sns", moto=EVERY, invalid=refused)

TOPIC_ATTRIBUTES = {
    "DeliveryPolicy", "DisplayName", "FifoTopic", "Policy", "SignatureVersion", "TracingConfig", "KmsMasterKeyId",
    "ArchivePolicy", "ContentBasedDeduplication", "FifoThroughputScope", "DataProtectionPolicy",
}  # fmt: skip
DISPLAY_NAME = 100  # characters (CloudFormation's AWS::SNS::Topic, DisplayName)
FEEDBACK = re.compile(r"(HTTP|Firehose|Lambda|Application|SQS)(Success|Failure)Feedback(RoleArn|SampleRate)")
QUEUE = re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+")
PLATFORM = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:app/[A-Z_]+/[A-Za-z0-9_.-]+")
PROTOCOLS = {"http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose"}


@sns.before("SetTopicAttributes")
def topic_attributes(call: Call) -> None:
    names = [
        *call.params.get("Attributes", {}),
        *([call.params["AttributeName"]] if "AttributeName" in call.params else []),
    ]
    shown = (call.params.get("Attributes") or {}).get("DisplayName") or call.params.get("AttributeValue") or ""
    if "DisplayName" in names and len(shown) > DISPLAY_NAME:
        raise AwsError("InvalidParameter", "Invalid parameter: DisplayName")
    if wrong := [name for name in names if name not in TOPIC_ATTRIBUTES and not FEEDBACK.fullmatch(name)]:
        raise AwsError("InvalidParameter", f"Invalid parameter: AttributeName ({wrong[0]})")


@sns.before("CreateTopic")
def same_topic(call: Call) -> None:
    """A topic that exists is answered again, if what the request asks for is what it has (API Reference, CreateTopic;
    the words are those of aws/aws-sdk users: localstack/localstack#2405, MassTransit/MassTransit#3721).
    """
    topic_attributes(call)
    params = call.params
    topic = arn("sns", call.region, call.account, params["Name"])
    found = moto_bridge.backend("sns", call.account, call.region).topics.get(topic)
    if found is None:
        return
    for one in params.get("Tags") or []:
        if found._tags.get(one["Key"]) != one["Value"]:
            what = "Invalid parameter: Tags Reason: Topic already exists with different tags"
            raise AwsError("InvalidParameter", what)
    for name, value in (params.get("Attributes") or {}).items():
        if plain(getattr(found, xform_name(name), "")) != plain(value):
            what = "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
            raise AwsError("InvalidParameter", what)


def plain(value: object) -> object:
    """An attribute's value, to compare: moto keeps some as they are asked for, others as booleans or as JSON."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        return json.loads(text)
    except ValueError:
        return text


def check_subscription(call: Call) -> None:
    protocol, endpoint = call.params["Protocol"], call.params.get("Endpoint", "")
    if protocol not in PROTOCOLS:
        raise AwsError("InvalidParameter", "Invalid parameter: Does not support this protocol string: " + protocol)
    if protocol == "lambda":
        check_function(endpoint, call.account)
    if protocol == "firehose":
        raise NotSupported("a delivery stream that subscribes to a topic")
    if protocol == "sqs" and not QUEUE.fullmatch(endpoint):
        raise AwsError("InvalidParameter", "Invalid parameter: SQS endpoint ARN")
    if protocol in ("email", "email-json") and not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+", endpoint):
        raise AwsError("InvalidParameter", "Invalid parameter: Email address")
    if protocol in ("http", "https") and not endpoint.startswith(f"{protocol}://"):
        raise AwsError("InvalidParameter", "Invalid parameter: Endpoint must match the specified protocol")
    for name, value in (call.params.get("Attributes") or {}).items():
        check_attribute(name, value)
    if (filtering := call.params.get("Attributes", {}).get("FilterPolicy")) is not None:
        try:
            json.loads(filtering)
        except ValueError as error:
            raise AwsError("InvalidParameter", "Invalid parameter: FilterPolicy: failed to parse JSON") from error


FUNCTION = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?")


def check_function(endpoint: str, account: str) -> None:
    if not FUNCTION.fullmatch(endpoint):
        raise AwsError("InvalidParameter", "Invalid parameter: Lambda endpoint ARN")
    if endpoint.split(":")[4] != account:
        raise NotSupported("a function of another account that subscribes to a topic")


VALUES = {"RawMessageDelivery": ("true", "false"), "FilterPolicyScope": ("MessageAttributes", "MessageBody")}


def check_attribute(name: str, value: str) -> None:
    """API Reference, SetSubscriptionAttributes: AttributeName, AttributeValue."""
    if name in VALUES and str(value).lower() not in [one.lower() for one in VALUES[name]]:
        what = f"{name}: Invalid value [{value}]. Must be {' or '.join(VALUES[name])}."
        raise AwsError("InvalidParameter", f"Invalid parameter: Attributes Reason: {what}")


@sns.operation("DeletePlatformApplication")
def delete_platform_application(call: Call) -> None:
    """With its endpoints; its page in the API Reference has no error for one that does not exist, and moto breaks."""
    named = call.params["PlatformApplicationArn"]
    if not PLATFORM.fullmatch(named):
        raise AwsError("InvalidParameter", "Invalid parameter: PlatformApplicationArn")
    backend = moto_bridge.backend("sns", call.account, call.region)
    if named in backend.applications:
        backend.delete_platform_application(named)


@sns.before("SetSubscriptionAttributes")
def subscription_attribute(call: Call) -> None:
    check_attribute(call.params["AttributeName"], call.params.get("AttributeValue", ""))


@sns.before("Unsubscribe")
def unsubscribed(call: Call) -> None:
    named = call.params["SubscriptionArn"]
    if named.count(":") < 5:
        what = f"An ARN must have at least 6 elements, not {named.count(':') + 1}"
        raise AwsError("InvalidParameter", f"Invalid parameter: SubscriptionArn Reason: {what}")
