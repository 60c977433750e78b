"""Deliveries to queues and functions, in the name of sns.amazonaws.com: as their own policies and keys allow.

SNS Developer Guide, "Subscribing an Amazon SQS queue to an Amazon SNS topic" (the policy of the queue must allow
sqs:SendMessage, for aws:SourceArn of the topic), "Amazon SNS dead-letter queues" (what cannot be delivered for a
client-side error, such as a policy, is lost without a redrive policy; Publish knows nothing of it), "Amazon SNS raw
message delivery", "Message deduplication for FIFO topics"; Lambda Developer Guide, "Invoking Lambda functions with
Amazon SNS notifications" (the event; asynchronous).
What goes to a mailbox, a web address, a telephone or an app becomes a line of mail.jsonl in the embedded AWS's folder:
nothing leaves this machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
from contextvars import ContextVar
from typing import Any

from botocore.exceptions import ClientError
from moto.sns.models import Subscription

from localaws import private
from localaws.cloud import Cloud
from localaws.services.sqs.sending import send_to_queue

PRINCIPAL = "sns.amazonaws.com"
MAIL = "mail.jsonl"  # in the embedded AWS's folder: what AWS would have sent to the outside
_cloud: ContextVar[Cloud] = ContextVar("cloud of the request that publishes")
_publish = Subscription.publish


def send(cloud: Cloud) -> None:
    """What this request publishes is delivered in this embedded AWS: moto, which carries it out, knows none."""
    _cloud.set(cloud)


def pending(subscription: Any) -> bool:
    return bool(subscription.attributes.get("PendingConfirmation"))


def publish(subscription: Any, message: str, message_id: str, **given: Any) -> None:
    """In place of moto's: it would send before a subscription is confirmed, into queues that do not allow it, and to
    web addresses.
    """
    if pending(subscription):
        return
    attributes = given.get("message_attributes") or {}
    matcher = subscription._filter_policy_matcher
    if matcher is not None and not matcher.matches(attributes, message):
        return
    if given.get("message_structure") == "json":
        message = subscription._parse_message_structure(message, subscription.protocol)
    if subscription.protocol == "lambda":
        shown = subscription.get_post_data(message, message_id, given.get("subject"), message_attributes=attributes)
        to_function(_cloud.get(), subscription, shown)
        return
    if subscription.protocol != "sqs":
        extra = {"subject": given["subject"]} if given.get("subject") else {}
        keep(_cloud.get(), subscription, message=message, **extra)
        return
    group, token = given.get("group_id"), given.get("deduplication_id")
    if subscription.topic.fifo_topic:
        token = token or hashlib.sha256(message.encode()).hexdigest()
    extra = {
        **({"MessageGroupId": group} if group else {}),
        **({"MessageDeduplicationId": token} if token else {}),
    }
    if subscription.attributes.get("RawMessageDelivery") in (True, "true"):
        extra["MessageAttributes"] = {name: raw(value) for name, value in attributes.items()}
        body = message
    else:
        shown = subscription.get_post_data(message, message_id, given.get("subject"), message_attributes=attributes)
        body = json.dumps(shown, sort_keys=True, indent=2)
    deliver(_cloud.get(), subscription, body, extra)


Subscription.publish = publish


def keep(cloud: Cloud, subscription: Any, **content: str) -> None:
    """A line of the kept mail: to (the endpoint), topic (its ARN), and token, or message and subject."""
    line = {"to": subscription.endpoint, "topic": subscription.topic_arn, **content}
    with private.closed_to_others(), (cloud.folder / MAIL).open("a") as mail:
        mail.write(json.dumps(line) + "\n")


def raw(value: dict[str, Any]) -> dict[str, Any]:
    """A message attribute of SNS as one of SQS; moto keeps a binary one in base64."""
    if value["Type"].startswith("Binary"):
        return {"DataType": value["Type"], "BinaryValue": base64.b64decode(value["Value"])}
    return {"DataType": value["Type"], "StringValue": str(value["Value"])}


def deliver(cloud: Cloud, subscription: Any, body: str, extra: dict[str, Any]) -> None:
    """To the queue, else to the dead-letter queue of the subscription's redrive policy, else nowhere."""
    if to_queue(cloud, subscription, subscription.endpoint, body, extra):
        return
    to_dead_letters(cloud, subscription, body, extra)


def to_dead_letters(cloud: Cloud, subscription: Any, body: str, extra: dict[str, Any]) -> None:
    redrive = subscription.attributes.get("RedrivePolicy")
    if redrive:
        redrive = json.loads(redrive) if isinstance(redrive, str) else redrive
        to_queue(cloud, subscription, redrive["deadLetterTargetArn"], body, extra)


RENAMED = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}  # as functions know them


def to_function(cloud: Cloud, subscription: Any, shown: dict[str, Any]) -> None:
    """Invoke a function asynchronously, as its policy allows; else to the subscription's dead-letter queue."""
    _, _, _, region, account, _ = subscription.topic_arn.split(":", 5)
    record = {
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "EventSource": "aws:sns",
        "Sns": {"Subject": None, "MessageAttributes": {}}
        | {RENAMED.get(name, name): value for name, value in shown.items()},
    }
    session = cloud.as_service(PRINCIPAL, account, region, SourceArn=subscription.topic_arn)
    try:
        session.client("lambda", subscription.endpoint.split(":")[3]).invoke(
            FunctionName=subscription.endpoint,
            InvocationType="Event",
            Payload=json.dumps({"Records": [record]}).encode(),
        )
    except ClientError:
        to_dead_letters(cloud, subscription, json.dumps(shown, sort_keys=True, indent=2), {})


def to_queue(cloud: Cloud, subscription: Any, queue: str, body: str, extra: dict[str, Any]) -> bool:
    """Whether SNS could send it to the queue."""
    _, _, _, region, account, _ = subscription.topic_arn.split(":", 5)
    session = cloud.as_service(PRINCIPAL, account, region, SourceArn=subscription.topic_arn)
    try:
        send_to_queue(session, queue, body, extra)
    except ClientError:
        return False
    return True
