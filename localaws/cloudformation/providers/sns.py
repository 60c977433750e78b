"""SNS's resource types (CloudFormation Template Reference)."""

from __future__ import annotations

from typing import Any

from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import (
    attribute,
    document,
    only,
    retag_resource,
    tagging,
    truth,
    undone_by,
    unless,
)

ABSENT_TOPIC = {"NotFound", "NotFoundException"}
TOPIC_ACTIONS = (
    "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe",
    "ListSubscriptionsByTopic", "Publish",
)  # fmt: skip


@provides("AWS::SNS::Topic")
class Topic:
    attributes = (
        "DisplayName", "KmsMasterKeyId", "FifoTopic", "ContentBasedDeduplication", "SignatureVersion", "TracingConfig",
        "FifoThroughputScope",
    )  # fmt: skip
    carried = frozenset({*attributes, "TopicName", "Subscription", "Tags"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SNS::Topic", properties, self.carried)
        sns = context.client("sns")
        suffix = ".fifo" if truth(properties.get("FifoTopic")) else ""
        name = str(properties.get("TopicName") or context.generated_name(256 - len(suffix)) + suffix)
        arn = f"arn:aws:sns:{context.region}:{context.account}:{name}"
        if unless(ABSENT_TOPIC, sns.get_topic_attributes, TopicArn=arn):
            raise ResourceFailed(f"{arn} already exists")
        given = {k: attribute(properties[k]) for k in self.attributes if k in properties}
        sns.create_topic(Name=name, Attributes=given, **tagging(context, properties))
        with undone_by(lambda: sns.delete_topic(TopicArn=arn)):
            for subscription in properties.get("Subscription") or []:
                sns.subscribe(TopicArn=arn, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SNS::Topic", new, self.carried)
        sns, arn = context.client("sns"), physical_id
        for name in self.attributes:
            if old.get(name) != new.get(name):
                sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=attribute(new.get(name, "")))
        before, after = old.get("Subscription") or [], new.get("Subscription") or []
        for subscription in [s for s in after if s not in before]:
            sns.subscribe(TopicArn=arn, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])
        gone = {(s["Protocol"], s["Endpoint"]) for s in before if s not in after}
        if gone:
            for listed in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
                held = listed["SubscriptionArn"].startswith("arn:")  # one that waits for its owner cannot be ended
                if held and (listed["Protocol"], listed["Endpoint"]) in gone:
                    sns.unsubscribe(SubscriptionArn=listed["SubscriptionArn"])
        retag_resource(context, old, new, sns, ResourceArn=arn)
        return Made(arn, {"TopicArn": arn, "TopicName": arn.rsplit(":", 1)[1]})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(ABSENT_TOPIC, context.client("sns").delete_topic, TopicArn=physical_id)


@provides("AWS::SNS::Subscription")
class Subscription:
    attributes = ("DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy")
    carried = frozenset({*attributes, "TopicArn", "Protocol", "Endpoint", "Region"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SNS::Subscription", properties, self.carried)
        sns = context.session.client("sns", str(properties.get("Region") or context.region))
        arn = sns.subscribe(
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties.get("Endpoint", ""),
            Attributes={k: attribute(properties[k]) for k in self.attributes if k in properties},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return Made(arn, {"Arn": arn})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SNS::Subscription", new, self.carried)
        sns = context.session.client("sns", str(new.get("Region") or context.region))
        for name in self.attributes:
            if old.get(name) != new.get(name):
                value = attribute(new.get(name, {} if name.endswith("Policy") else ""))
                sns.set_subscription_attributes(SubscriptionArn=physical_id, AttributeName=name, AttributeValue=value)
        return Made(physical_id, {"Arn": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        sns = context.session.client("sns", str(properties.get("Region") or context.region))
        unless(ABSENT_TOPIC, sns.unsubscribe, SubscriptionArn=physical_id)


def default_topic_policy(topic: str, account: str) -> dict[str, Any]:
    """The policy that SNS gives to a new topic (SNS Developer Guide, "Example cases for access control")."""
    return {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in TOPIC_ACTIONS],
                "Resource": topic,
                "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
            }
        ],
    }


@provides("AWS::SNS::TopicPolicy")
class TopicPolicy:
    carried = frozenset({"PolicyDocument", "Topics"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        physical_id = context.generated_name(128)
        return self.update(context, physical_id, {}, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SNS::TopicPolicy", new, self.carried)
        sns = context.client("sns")
        for topic in new["Topics"]:
            policy = document(new["PolicyDocument"])
            sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        self._restore(context, [topic for topic in old.get("Topics", []) if topic not in new["Topics"]])
        return Made(physical_id, {"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        self._restore(context, properties["Topics"])

    def _restore(self, context: Context, topics: list[str]) -> None:
        for topic in topics:
            unless(
                ABSENT_TOPIC,
                context.client("sns").set_topic_attributes,
                TopicArn=topic,
                AttributeName="Policy",
                AttributeValue=document(default_topic_policy(topic, context.account)),
            )
