"""SQS's resource types (CloudFormation Template Reference)."""

from __future__ import annotations

from typing import Any

from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import (
    all_tags,
    attribute,
    document,
    only,
    retag,
    truth,
    unless,
)

ABSENT_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


@provides("AWS::SQS::Queue")
class Queue:
    attributes = (
        "ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoQueue", "FifoThroughputLimit",
        "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize", "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled",
        "VisibilityTimeout",
    )  # fmt: skip
    carried = frozenset({*attributes, "QueueName", "Tags"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SQS::Queue", properties, self.carried)
        sqs = context.client("sqs")
        suffix = ".fifo" if truth(properties.get("FifoQueue")) else ""
        name = str(properties.get("QueueName") or context.generated_name(80 - len(suffix)) + suffix)
        if unless(ABSENT_QUEUE, sqs.get_queue_url, QueueName=name):
            raise ResourceFailed(f"{name} already exists")
        given = {k: attribute(properties[k]) for k in self.attributes if k in properties}
        url = sqs.create_queue(QueueName=name, Attributes=given, tags=all_tags(context.tags, properties))["QueueUrl"]
        return self._made(context, url)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SQS::Queue", new, self.carried)
        sqs = context.client("sqs")
        changed = {k: attribute(new.get(k, "")) for k in self.attributes if old.get(k) != new.get(k)}
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


@provides("AWS::SQS::QueuePolicy")
class QueuePolicy:
    carried = frozenset({"PolicyDocument", "Queues"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        return self.update(context, context.generated_name(128), {}, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SQS::QueuePolicy", new, self.carried)
        self._put(context, new["Queues"], document(new["PolicyDocument"]))
        self._put(context, [queue for queue in old.get("Queues", []) if queue not in new["Queues"]], "")
        return Made(physical_id, {"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        self._put(context, properties["Queues"], "")

    def _put(self, context: Context, queues: list[str], policy: str) -> None:
        gone = () if policy else ABSENT_QUEUE
        for queue in queues:
            unless(gone, context.client("sqs").set_queue_attributes, QueueUrl=queue, Attributes={"Policy": policy})
