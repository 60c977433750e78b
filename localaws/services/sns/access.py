"""What authorization asks of SNS: a topic's policy and its tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from awslang.errors import AwsError
from awslang.policy.document import Policy, parse_resource
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import Cloud
from localaws.service import Access, Need, policies_in_moto
from localaws.services.kms.state import through_service
from localaws.services.sns.service import sns


def _topic(topic: str) -> Any:
    """moto's topic of this ARN, or None."""
    _, _, _, region, account, _ = topic.split(":", 5)
    return moto_bridge.backend("sns", account, region).topics.get(topic)


def policy(cloud: Cloud, topic: str) -> Policy | None:
    found, (account, name) = _topic(topic), topic.split(":")[4:6]
    return parse_resource(found.policy if found is not None else "", f"topic {name}", account)


def further(call: Call, arns: list[str], keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """The key of an encrypted topic (SNS Developer Guide, "Amazon SNS key management")."""
    for topic in arns if call.operation in ("Publish", "PublishBatch") and ":" in "".join(arns) else ():
        key = getattr(_topic(topic), "kms_master_key_id", "")
        yield from through_service(call, key, topic.split(":")[4], ("GenerateDataKey", "Decrypt"))


def resources(call: Call, types: list[str]) -> list[str]:
    """The formats of the Service Authorization Reference, but for what names nothing (API Reference, Publish)."""
    if call.operation == "Publish" and not call.params.keys() & {"PhoneNumber", "TargetArn", "TopicArn"}:
        what = "TopicArn or TargetArn Reason: no value for required parameter"
        raise AwsError("InvalidParameter", f"Invalid parameter: {what}")
    return []


sns.access = Access(resources=resources, policy=policy, further=further, rewrite=policies_in_moto("sns", "topics"))
