"""Subscriptions: those of a mailbox or a web address wait until its owner confirms them with the token sent there.

SNS Developer Guide, "Creating a subscription to an Amazon SNS topic"; API Reference, Subscribe (SubscriptionArn,
"pending confirmation"), ConfirmSubscription, ListSubscriptions ("up to 100"), GetTopicAttributes.
What is sent to a mailbox is a line of mail.jsonl in the embedded AWS's folder: nothing leaves this machine.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from moto.core.exceptions import ServiceException
from moto.sns.models import Subscription

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge, private
from localaws.calls import Call
from localaws.services.sns.service import check_subscription, sns

CONFIRMED_BY_OWNER = ("email", "email-json", "http", "https")
PAGE = 100
TOKEN = "rehearsal_token"  # on a subscription of moto's: what confirms it
_publish = Subscription.publish


def publish_to_confirmed(subscription: Any, *args: Any, **kwargs: Any) -> None:
    """moto would send messages before a subscription is confirmed, and fail Publish where a queue is gone.

    A message whose endpoint was deleted is lost, without a redrive policy; Publish knows nothing of it (SNS Developer
    Guide, "Amazon SNS dead-letter queues": client-side errors).
    """
    if not pending(subscription) and not without_queue(subscription):
        _publish(subscription, *args, **kwargs)


Subscription.publish = publish_to_confirmed


def without_queue(subscription: Any) -> bool:
    """Whether it is for a queue of its own account that does not exist."""
    if subscription.protocol != "sqs":
        return False
    _, _, _, region, account, name = subscription.endpoint.split(":", 5)
    known = moto_bridge.backend("sqs", account, region).queues
    return bool(account == subscription.account_id and name not in known)


def pending(subscription: Any) -> bool:
    return bool(subscription.attributes.get("PendingConfirmation"))


def subscriptions(call: Call) -> list[Any]:
    """moto's subscriptions of the account and Region."""
    return list(moto_bridge.backend("sns", call.account, call.region).subscriptions.values())


@sns.operation("Subscribe")
def subscribe(call: Call) -> dict[str, Any]:
    check_subscription(call)
    params, state = call.params, moto_bridge.backend("sns", call.account, call.region)
    try:
        made = state.subscribe(params["TopicArn"], params.get("Endpoint", ""), params["Protocol"])
        for name, value in sorted(params.get("Attributes", {}).items(), reverse=True):  # a policy's scope before it
            state.set_subscription_attributes(made.arn, name, value)
    except ServiceException as error:
        raise AwsError(error.code, error.message, 404 if error.code == "NotFound" else 400) from error
    if params["Protocol"] in CONFIRMED_BY_OWNER and not hasattr(made, TOKEN):
        ask_to_confirm(call, made)
    whole = params.get("ReturnSubscriptionArn") or not pending(made)
    return {"SubscriptionArn": made.arn if whole else "pending confirmation"}


def ask_to_confirm(call: Call, subscription: Any) -> None:
    subscription.attributes["PendingConfirmation"] = True
    setattr(subscription, TOKEN, secrets.token_hex(64))
    message = {"to": subscription.endpoint, "topic": subscription.topic_arn, "token": getattr(subscription, TOKEN)}
    with private.closed_to_others(), (call.cloud.folder / "mail.jsonl").open("a") as mail:
        mail.write(json.dumps(message) + "\n")


@sns.operation("ConfirmSubscription")
def confirm_subscription(call: Call) -> dict[str, Any]:
    params = call.params
    if params.get("AuthenticateOnUnsubscribe", "false") != "false":
        raise NotSupported("a subscription that only its owner ends (AuthenticateOnUnsubscribe)")
    for one in subscriptions(call):
        if one.topic_arn == params["TopicArn"] and secrets.compare_digest(getattr(one, TOKEN, ""), params["Token"]):
            one.attributes["PendingConfirmation"] = False
            return {"SubscriptionArn": one.arn}
    raise AwsError("InvalidParameter", "Invalid parameter: Token")


@sns.operation("ListSubscriptions")
def list_subscriptions(call: Call) -> dict[str, Any]:
    return page(call, subscriptions(call))


@sns.operation("ListSubscriptionsByTopic")
def list_subscriptions_by_topic(call: Call) -> dict[str, Any]:
    if call.params["TopicArn"] not in moto_bridge.backend("sns", call.account, call.region).topics:
        raise AwsError("NotFound", "Topic does not exist", 404)
    return page(call, [one for one in subscriptions(call) if one.topic_arn == call.params["TopicArn"]])


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
    topic = moto_bridge.backend("sns", call.account, call.region).topics.get(call.params["TopicArn"])
    if topic is not None:
        found = [pending(one) for one in subscriptions(call) if one.topic_arn == topic.arn]
        topic.subscriptions_pending, topic.subscriptions_confimed = found.count(True), found.count(False)
