"""Queues."""

from __future__ import annotations

from localaws.cloud import Cloud
from tests.support.providers import ACCOUNT, REGION, create_resource, update_resource


def test_a_queue_changes_its_attributes_and_tags(cloud: Cloud) -> None:
    old = {"VisibilityTimeout": "60", "Tags": [{"Key": "a", "Value": "b"}]}
    made = create_resource(cloud, "AWS::SQS::Queue", old)
    sqs = cloud.root(ACCOUNT, REGION).client("sqs")
    assert sqs.list_queue_tags(QueueUrl=made.physical_id)["Tags"] == {"a": "b", "project": "shop"}
    update_resource(cloud, "AWS::SQS::Queue", made.physical_id, old, {"VisibilityTimeout": 90})
    got = sqs.get_queue_attributes(QueueUrl=made.physical_id, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert got == {"VisibilityTimeout": "90"}
    assert sqs.list_queue_tags(QueueUrl=made.physical_id)["Tags"] == {"project": "shop"}
