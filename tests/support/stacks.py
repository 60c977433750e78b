"""Stacks through the API, of queues that fail when asked to, and what became of them."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloudformation.provider import Context, Made, ResourceFailed
from tests.support.waiting import until

ACCOUNT, REGION = "111111111111", "us-east-1"
QUEUE = "AWS::SQS::Queue"


class FakeQueues:
    """A provider whose queues fail when asked to: a delay of 13 at create and update, of 14 at delete."""

    carried = frozenset({"DelaySeconds", "MessageRetentionPeriod", "QueueName", "Tags", "VisibilityTimeout"})

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.done: list[str] = []
        self.broken: set[str] = set()
        self.lock = threading.Lock()

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        name = properties.get("QueueName") or context.generated_name(80)
        if properties.get("DelaySeconds") == 13:
            raise ResourceFailed(f"{name} cannot wait 13 seconds")
        with self.lock:
            self.made[name] = properties
            self.tags[name] = context.tags
            self.done.append(f"create {context.logical_id}")
        return Made(name, {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "QueueName": name, "QueueUrl": name})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        if new.get("DelaySeconds") == 13 or physical_id in self.broken:
            raise ResourceFailed(f"{physical_id} cannot be changed")
        with self.lock:
            self.made[physical_id] = new
            self.tags[physical_id] = context.tags
            self.done.append(f"update {context.logical_id}")
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{physical_id}"
        return Made(physical_id, {"Arn": arn, "QueueName": physical_id, "QueueUrl": physical_id})

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        if properties.get("DelaySeconds") == 14:
            raise ResourceFailed("the queue is in use")
        with self.lock:
            self.made.pop(physical_id, None)
            self.done.append(f"delete {context.logical_id}")


def template_of(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", **sections, "Resources": resources})


def queue_resource(delay: Any = 0, **more: Any) -> dict[str, Any]:
    names = ("DeletionPolicy", "UpdateReplacePolicy", "DependsOn")
    attributes: dict[str, Any] = {name: more.pop(name) for name in names if name in more}
    return {"Type": QUEUE, **attributes, "Properties": {"DelaySeconds": delay, **more}}


def settled_stack(client: Any, name: str) -> dict[str, Any]:
    """The stack, once nothing happens to it any more."""

    def ended() -> dict[str, Any] | None:
        stack: dict[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    return dict(until(ended))


def create_stack(client: Any, template: str, name: str = "shop", **more: Any) -> dict[str, Any]:
    stack_id = client.create_stack(StackName=name, TemplateBody=template, **more)["StackId"]
    return settled_stack(client, stack_id)


def update_stack(client: Any, template: str, name: str = "shop", **more: Any) -> dict[str, Any]:
    client.update_stack(StackName=name, TemplateBody=template, **more)
    return settled_stack(client, name)


def stack_events(client: Any, name: str) -> list[tuple[str, str, str]]:
    """Logical id, status and reason, the oldest first."""
    found = client.describe_stack_events(StackName=name)["StackEvents"]
    return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in found[::-1]]


def refusal(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return f"{caught.value.response['Error']['Code']}: {caught.value.response['Error']['Message']}"
