"""SNS, SQS, SSM and CloudWatch Logs resource types (CloudFormation Template Reference)."""

from __future__ import annotations

from typing import Any

from localaws.cloudformation.provider import Context, Made, ResourceFailed
from localaws.cloudformation.providers.shapes import (
    all_tags,
    document,
    fill,
    only,
    retag,
    tag_list,
    tagging,
    truth,
    undone_by,
    unless,
    without,
)

ABSENT_TOPIC = {"NotFound", "NotFoundException"}
ABSENT_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
TOPIC_ACTIONS = (
    "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe",
    "ListSubscriptionsByTopic", "Publish",
)  # fmt: skip


def text(value: Any) -> str:
    """An attribute as SNS and SQS take it: always a string."""
    return str(value).lower() if isinstance(value, bool) else document(value) if isinstance(value, dict) else str(value)


class Topic:
    attributes = (
        "DisplayName", "KmsMasterKeyId", "FifoTopic", "ContentBasedDeduplication", "SignatureVersion", "TracingConfig",
        "FifoThroughputScope",
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SNS::Topic", properties, {*self.attributes, "TopicName", "Subscription", "Tags"})
        sns = context.client("sns")
        suffix = ".fifo" if truth(properties.get("FifoTopic")) else ""
        name = str(properties.get("TopicName") or context.generated_name(256 - len(suffix)) + suffix)
        arn = f"arn:aws:sns:{context.region}:{context.account}:{name}"
        if unless(ABSENT_TOPIC, sns.get_topic_attributes, TopicArn=arn):
            raise ResourceFailed(f"{arn} already exists")
        given = {k: text(properties[k]) for k in self.attributes if k in properties}
        sns.create_topic(Name=name, Attributes=given, **tagging(context, properties))
        with undone_by(lambda: sns.delete_topic(TopicArn=arn)):
            for subscription in properties.get("Subscription") or []:
                sns.subscribe(TopicArn=arn, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SNS::Topic", new, {*self.attributes, "TopicName", "Subscription", "Tags"})
        sns, arn = context.client("sns"), physical_id
        for name in self.attributes:
            if old.get(name) != new.get(name):
                sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=text(new.get(name, "")))
        before, after = old.get("Subscription") or [], new.get("Subscription") or []
        for subscription in [s for s in after if s not in before]:
            sns.subscribe(TopicArn=arn, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"])
        gone = {(s["Protocol"], s["Endpoint"]) for s in before if s not in after}
        if gone:
            for listed in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
                if (listed["Protocol"], listed["Endpoint"]) in gone:
                    sns.unsubscribe(SubscriptionArn=listed["SubscriptionArn"])
        retag(
            context,
            old,
            new,
            lambda tags: sns.tag_resource(ResourceArn=arn, Tags=tag_list(tags)),
            lambda keys: sns.untag_resource(ResourceArn=arn, TagKeys=keys),
        )
        return Made(arn, {"TopicArn": arn, "TopicName": arn.rsplit(":", 1)[1]})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(ABSENT_TOPIC, context.client("sns").delete_topic, TopicArn=physical_id)


class Subscription:
    attributes = ("DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy")

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SNS::Subscription", properties, {*self.attributes, "TopicArn", "Protocol", "Endpoint", "Region"})
        sns = context.session.client("sns", str(properties.get("Region") or context.region))
        arn = sns.subscribe(
            TopicArn=properties["TopicArn"],
            Protocol=properties["Protocol"],
            Endpoint=properties.get("Endpoint", ""),
            Attributes={k: text(properties[k]) for k in self.attributes if k in properties},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return Made(arn, {"Arn": arn})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SNS::Subscription", new, {*self.attributes, "TopicArn", "Protocol", "Endpoint", "Region"})
        sns = context.session.client("sns", str(new.get("Region") or context.region))
        for name in self.attributes:
            if old.get(name) != new.get(name):
                value = text(new.get(name, {} if name.endswith("Policy") else ""))
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


class TopicPolicy:
    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        physical_id = context.generated_name(128)
        return self.update(context, physical_id, {}, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SNS::TopicPolicy", new, {"PolicyDocument", "Topics"})
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


class Queue:
    attributes = (
        "ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoQueue", "FifoThroughputLimit",
        "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize", "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled",
        "VisibilityTimeout",
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SQS::Queue", properties, {*self.attributes, "QueueName", "Tags"})
        sqs = context.client("sqs")
        suffix = ".fifo" if truth(properties.get("FifoQueue")) else ""
        name = str(properties.get("QueueName") or context.generated_name(80 - len(suffix)) + suffix)
        if unless(ABSENT_QUEUE, sqs.get_queue_url, QueueName=name):
            raise ResourceFailed(f"{name} already exists")
        given = {k: text(properties[k]) for k in self.attributes if k in properties}
        url = sqs.create_queue(QueueName=name, Attributes=given, tags=all_tags(context.tags, properties))["QueueUrl"]
        return self._made(context, url)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SQS::Queue", new, {*self.attributes, "QueueName", "Tags"})
        sqs = context.client("sqs")
        changed = {k: text(new.get(k, "")) for k in self.attributes if old.get(k) != new.get(k)}
        if changed:
            sqs.set_queue_attributes(QueueUrl=physical_id, Attributes=changed)
        retag(
            context,
            old,
            new,
            lambda tags: sqs.tag_queue(QueueUrl=physical_id, Tags=tags),
            lambda keys: sqs.untag_queue(QueueUrl=physical_id, TagKeys=keys),
        )
        return self._made(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(ABSENT_QUEUE, context.client("sqs").delete_queue, QueueUrl=physical_id)

    def _made(self, context: Context, url: str) -> Made:
        name = url.rsplit("/", 1)[1]
        arn = f"arn:aws:sqs:{context.region}:{context.account}:{name}"
        return Made(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})


class QueuePolicy:
    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        return self.update(context, context.generated_name(128), {}, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SQS::QueuePolicy", new, {"PolicyDocument", "Queues"})
        self._put(context, new["Queues"], document(new["PolicyDocument"]))
        self._put(context, [queue for queue in old.get("Queues", []) if queue not in new["Queues"]], "")
        return Made(physical_id, {"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        self._put(context, properties["Queues"], "")

    def _put(self, context: Context, queues: list[str], policy: str) -> None:
        gone = () if policy else ABSENT_QUEUE
        for queue in queues:
            unless(gone, context.client("sqs").set_queue_attributes, QueueUrl=queue, Attributes={"Policy": policy})


class Parameter:
    """AWS::SSM::Parameter."""

    carried = frozenset({"AllowedPattern", "DataType", "Description", "Name", "Tags", "Tier", "Type", "Value"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SSM::Parameter", properties, self.carried)
        ssm = context.client("ssm")
        name = str(properties.get("Name") or f"CFN-{context.generated_name(500)}")
        tags = tag_list(all_tags(context.tags, properties))
        arguments = {**properties, "Name": name, **({"Tags": tags} if tags else {})}
        ssm.put_parameter(**fill(ssm, "PutParameter", arguments, "AWS::SSM::Parameter"))
        return self._made(context, name, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SSM::Parameter", new, self.carried)
        ssm = context.client("ssm")
        if without(old, "Tags") != without(new, "Tags"):
            arguments = {**without(new, "Tags"), "Name": physical_id, "Overwrite": True}
            ssm.put_parameter(**fill(ssm, "PutParameter", arguments, "AWS::SSM::Parameter"))
        target = {"ResourceType": "Parameter", "ResourceId": physical_id}
        retag(
            context,
            old,
            new,
            lambda tags: ssm.add_tags_to_resource(**target, Tags=tag_list(tags)),
            lambda keys: ssm.remove_tags_from_resource(**target, TagKeys=keys),
        )
        return self._made(context, physical_id, new)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless({"ParameterNotFound"}, context.client("ssm").delete_parameter, Name=physical_id)

    def _made(self, context: Context, name: str, properties: dict[str, Any]) -> Made:
        arn = f"arn:aws:ssm:{context.region}:{context.account}:parameter/{name.lstrip('/')}"
        return Made(name, {"Arn": arn, "Type": properties["Type"], "Value": properties["Value"]})


class LogGroup:
    carried = frozenset({"KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::Logs::LogGroup", properties, self.carried)
        logs = context.client("logs")
        name = str(properties.get("LogGroupName") or context.generated_name(512))
        arguments = without(properties, "RetentionInDays", "Tags") | {"LogGroupName": name}
        if tags := all_tags(context.tags, properties):
            arguments["Tags"] = tags
        logs.create_log_group(**fill(logs, "CreateLogGroup", arguments, "AWS::Logs::LogGroup"))
        with undone_by(lambda: logs.delete_log_group(logGroupName=name)):
            if days := properties.get("RetentionInDays"):
                logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
        return self._made(context, name)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::Logs::LogGroup", new, self.carried)
        logs, made = context.client("logs"), self._made(context, physical_id)
        if old.get("RetentionInDays") != new.get("RetentionInDays"):
            if days := new.get("RetentionInDays"):
                logs.put_retention_policy(logGroupName=physical_id, retentionInDays=int(days))
            else:
                logs.delete_retention_policy(logGroupName=physical_id)
        if old.get("KmsKeyId") != new.get("KmsKeyId"):
            if key := new.get("KmsKeyId"):
                logs.associate_kms_key(logGroupName=physical_id, kmsKeyId=key)
            else:
                logs.disassociate_kms_key(logGroupName=physical_id)
        arn = made.attributes["Arn"].removesuffix(":*")
        retag(
            context,
            old,
            new,
            lambda tags: logs.tag_resource(resourceArn=arn, tags=tags),
            lambda keys: logs.untag_resource(resourceArn=arn, tagKeys=keys),
        )
        return made

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless({"ResourceNotFoundException"}, context.client("logs").delete_log_group, logGroupName=physical_id)

    def _made(self, context: Context, name: str) -> Made:
        return Made(name, {"Arn": f"arn:aws:logs:{context.region}:{context.account}:log-group:{name}:*"})
