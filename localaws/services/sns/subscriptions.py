"""Subscriptions: those of a mailbox, a web address or another account's queue wait until their owner confirms them.

SNS Developer Guide, "Creating a subscription to an Amazon SNS topic", "Sending Amazon SNS messages to an Amazon SQS
queue in a different account" (the owner of a queue need not confirm); API Reference, Subscribe (SubscriptionArn,
"pending confirmation"), ConfirmSubscription, ListSubscriptions ("up to 100"), GetTopicAttributes.
What is sent to a mailbox or a web address is kept on this machine (delivery.py).
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from moto.core.exceptions import ServiceException

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.kms.state import check_for_service
from localaws.services.sns.delivery import keep, pending, send, to_queue
from localaws.services.sns.service import check_subscription, plain, sns

CONFIRMED_BY_OWNER = ("email", "email-json", "http", "https")
PAGE = 100
TOKEN = "rehearsal_token"  # on a subscription of moto's: what confirms it


def owner(call: Call) -> str:
    """The account that holds a subscription: the topic's, in its ARN."""
    named = str(call.params.get("SubscriptionArn", ""))
    return named.split(":")[4] if named.count(":") > 4 else call.account


sns.owner = owner


def subscriptions(call: Call, topic: str) -> list[Any]:
    """moto's subscriptions to the topic, whose account holds them; NotFound where there is no such topic."""
    state = state_of(call, topic)
    if topic not in state.topics:
        raise AwsError("NotFound", "Topic does not exist", 404)
    return [one for one in list(state.subscriptions.values()) if one.topic_arn == topic]


def state_of(call: Call, topic: str) -> Any:
    """moto's state of the topic's account."""
    account = topic.split(":")[4] if topic.count(":") == 5 else call.account
    return moto_bridge.backend("sns", account, call.region)


@sns.operation("Subscribe")
def subscribe(call: Call) -> dict[str, Any]:
    check_subscription(call)
    params = call.params
    state, endpoint = state_of(call, params["TopicArn"]), str(params.get("Endpoint", ""))
    for one in list(state.subscriptions.values()):
        if (one.topic_arn, one.endpoint, one.protocol) == (params["TopicArn"], endpoint, params["Protocol"]):
            same_attributes(one, params.get("Attributes") or {})
    try:
        made = state.subscribe(params["TopicArn"], endpoint, params["Protocol"])
        for name, value in sorted(params.get("Attributes", {}).items(), reverse=True):  # a policy's scope before it
            state.set_subscription_attributes(made.arn, name, value)
    except ServiceException as error:
        raise AwsError(error.code, error.message, 404 if error.code == "NotFound" else 400) from error
    if not hasattr(made, TOKEN):
        made.owner = made.attributes["Owner"] = call.account
        others = params["Protocol"] == "sqs" and endpoint.split(":")[4] != call.account
        ask_to_confirm(call, made, waits=others or params["Protocol"] in CONFIRMED_BY_OWNER)
    whole = params.get("ReturnSubscriptionArn") or not pending(made)
    return {"SubscriptionArn": made.arn if whole else "pending confirmation"}


def same_attributes(subscription: Any, asked: dict[str, str]) -> None:
    """A subscription that exists is answered again, with the attributes that it has (as CreateTopic does)."""
    for name, value in asked.items():
        if plain(subscription.attributes.get(name, "")) != plain(value):
            what = "Invalid parameter: Attributes Reason: Subscription already exists with different attributes"
            raise AwsError("InvalidParameter", what)


def ask_to_confirm(call: Call, subscription: Any, waits: bool) -> None:
    """Send the token that confirms the subscription, where it waits for that."""
    token, topic = secrets.token_hex(64), subscription.topic_arn
    subscription.attributes["PendingConfirmation"] = waits
    setattr(subscription, TOKEN, token)
    if waits and subscription.protocol == "sqs":
        url = f"https://sns.{call.region}.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}"
        message = {"Type": "SubscriptionConfirmation", "TopicArn": topic, "Token": token, "SubscribeURL": url}
        message["Message"] = f"The subscription to {topic} waits for its confirmation: open the SubscribeURL."
        to_queue(call.cloud, subscription, subscription.endpoint, json.dumps(message), {})
    elif waits:
        keep(call.cloud, subscription, token=token)


@sns.operation("ConfirmSubscription")
def confirm_subscription(call: Call) -> dict[str, Any]:
    params = call.params
    if params.get("AuthenticateOnUnsubscribe", "false") != "false":
        raise NotSupported("a subscription that only its owner ends (AuthenticateOnUnsubscribe)")
    for one in subscriptions(call, params["TopicArn"]):
        if secrets.compare_digest(getattr(one, TOKEN, ""), params["Token"]):
            one.attributes["PendingConfirmation"] = False
            return {"SubscriptionArn": one.arn}
    raise AwsError("InvalidParameter", "Invalid parameter: Token")


@sns.operation("ListSubscriptions")
def list_subscriptions(call: Call) -> dict[str, Any]:
    """Those that the caller's account made, to topics of every account."""
    states = [state for state in moto_bridge.every("sns") if state.region_name == call.region]
    found = [one for state in states for one in list(state.subscriptions.values())]
    return page(call, [one for one in found if one.owner == call.account])


@sns.operation("ListSubscriptionsByTopic")
def list_subscriptions_by_topic(call: Call) -> dict[str, Any]:
    return page(call, subscriptions(call, call.params["TopicArn"]))


def page(call: Call, found: list[Any]) -> dict[str, Any]:
    first = int(call.params.get("NextToken") or 0)
    shown = [
        {
            "SubscriptionArn": "PendingConfirmation" if pending(one) else one.arn,
            "Owner": one.owner,
            "Protocol": one.protocol,
            "Endpoint": one.endpoint,
            "TopicArn": one.topic_arn,
        }
        for one in found[first : first + PAGE]
    ]
    return {"Subscriptions": shown} | ({"NextToken": str(first + PAGE)} if first + PAGE < len(found) else {})


@sns.before("GetTopicAttributes")
def counted(call: Call) -> None:
    """How many subscriptions are confirmed and how many wait."""
    topic = state_of(call, call.params["TopicArn"]).topics.get(call.params["TopicArn"])
    if topic is not None:
        found = [pending(one) for one in subscriptions(call, topic.arn)]
        topic.subscriptions_pending, topic.subscriptions_confimed = found.count(True), found.count(False)


@sns.before("Publish", "PublishBatch")
def published(call: Call) -> None:
    """Who delivers; and a message must not be empty (API Reference, Publish: InvalidParameter)."""
    send(call.cloud)
    entries = call.params.get("PublishBatchRequestEntries")
    if entries == []:
        raise AwsError("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    for one in entries or [call.params]:
        if re.search("[\x00-\x1f\x7f]", one.get("Subject") or ""):
            raise AwsError("InvalidParameter", "Invalid parameter: Subject")
    if call.params.get("Message") == "":
        raise AwsError("InvalidParameter", "Invalid parameter: Empty message")
    arn = call.params.get("TopicArn")
    if arn and arn not in state_of(call, arn).topics:
        raise AwsError("NotFound", "Topic does not exist", 404)
    if arn:
        topic = state_of(call, arn).topics[arn]
        check_for_service(topic.kms_master_key_id or "", topic.account_id, call.region, "KMS")
    if call.params.get("MessageStructure") == "json":
        check_structure(call.params["Message"])


def check_structure(message: str) -> None:
    """A message for each protocol, and one for the others (API Reference, Publish: MessageStructure)."""
    what = "Invalid parameter: Message Structure - "
    try:
        by_protocol = json.loads(message)
    except ValueError as error:
        raise AwsError("InvalidParameter", what + "JSON message body failed to parse") from error
    if not isinstance(by_protocol, dict) or not isinstance(by_protocol.get("default"), str):
        raise AwsError("InvalidParameter", what + "No default entry in JSON message body")
