"""What authorization asks of SQS: the queue that a request acts on, its policy and its tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from awslang.policy.document import Policy, parse_resource
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.service import Access, Need, policies_in_moto
from localaws.services.kms.state import through_service
from localaws.services.sqs.service import sqs


def resources(call: Call, types: list[str]) -> list[str]:
    params = call.params
    if "QueueUrl" in params:
        account, _, name = params["QueueUrl"].rstrip("/").rpartition("/")
        return [arn("sqs", call.region, account.rpartition("/")[2] or call.account, name)]
    owner = params.get("QueueOwnerAWSAccountId", call.account)
    return [arn("sqs", call.region, owner, params["QueueName"])] if "QueueName" in params else []


def _queue(queue: str) -> Any:
    """moto's queue of this ARN, or None."""
    _, _, _, region, account, name = queue.split(":", 5)
    return moto_bridge.backend("sqs", account, region).queues.get(name)


def policy(cloud: Cloud, queue: str) -> Policy | None:
    found = _queue(queue)
    text = found.policy if found is not None else ""
    return parse_resource(text or "", f"queue {queue.split(':')[5]}", queue.split(":")[4])


# SQS Developer Guide, "Key management": of a producer and of a consumer.
USES = {
    "SendMessage": ("GenerateDataKey", "Decrypt"), "SendMessageBatch": ("GenerateDataKey", "Decrypt"),
    "ReceiveMessage": ("Decrypt",),
}  # fmt: skip


def further(call: Call, arns: list[str], keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """The key of an encrypted queue."""
    for queue in arns if call.operation in USES else ():
        key = getattr(_queue(queue), "kms_master_key_id", "")
        yield from through_service(call, key or "", queue.split(":")[4], USES[call.operation])


sqs.access = Access(resources=resources, further=further, policy=policy, rewrite=policies_in_moto("sqs", "queues"))
