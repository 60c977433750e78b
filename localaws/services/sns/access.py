"""What authorization asks of SNS: a topic's policy and its tags."""

from __future__ import annotations

from awslang.policy.document import Policy, parse_resource
from localaws import moto_bridge
from localaws.cloud import Cloud
from localaws.service import Access, policies_in_moto
from localaws.services.sns.service import sns


def policy(cloud: Cloud, topic: str) -> Policy | None:
    _, _, _, region, account, name = topic.split(":", 5)
    found = moto_bridge.backend("sns", account, region).topics.get(topic)
    return parse_resource(found.policy if found is not None else "", f"topic {name}", account)


sns.access = Access(policy=policy, rewrite=policies_in_moto("sns", "topics"))
