"""Topics, their policies and subscriptions."""

from __future__ import annotations

import json

import pytest

from localaws.cloud import Cloud
from localaws.cloudformation.provider import Made, ResourceFailed
from tests.support.providers import ACCOUNT, REGION, create_resource, delete_resource, update_resource


def test_a_topic_with_policy_and_subscription(cloud: Cloud) -> None:
    old = {"TopicName": "approvals", "KmsMasterKeyId": "alias/aws/sns", "DisplayName": "Approvals"}
    made = create_resource(cloud, "AWS::SNS::Topic", old)
    sns = cloud.root(ACCOUNT, REGION).client("sns")
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:approvals"
    assert made == Made(arn, {"TopicArn": arn, "TopicName": "approvals"})
    with pytest.raises(ResourceFailed, match="already exists"):
        create_resource(cloud, "AWS::SNS::Topic", old)
    update_resource(cloud, "AWS::SNS::Topic", arn, old, {**old, "DisplayName": "Other"})
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"] == "Other"
    who = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": arn}
    policy = {"Topics": [arn], "PolicyDocument": {"Version": "2012-10-17", "Statement": [who]}}
    held = create_resource(cloud, "AWS::SNS::TopicPolicy", policy)
    assert json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]) == policy["PolicyDocument"]
    delete_resource(cloud, "AWS::SNS::TopicPolicy", held.physical_id, policy)
    restored = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    assert restored["Statement"][0]["Sid"] == "__default_statement_ID"
    queue = create_resource(cloud, "AWS::SQS::Queue", {"QueueName": "q", "VisibilityTimeout": 60})
    subscription = {"TopicArn": arn, "Protocol": "sqs", "Endpoint": queue.attributes["Arn"], "RawMessageDelivery": True}
    subscribed = create_resource(cloud, "AWS::SNS::Subscription", subscription)
    found = sns.get_subscription_attributes(SubscriptionArn=subscribed.physical_id)["Attributes"]
    assert found["RawMessageDelivery"] == "true"
    delete_resource(cloud, "AWS::SNS::Subscription", subscribed.physical_id, subscription)
    delete_resource(cloud, "AWS::SQS::Queue", queue.physical_id, {})
    delete_resource(cloud, "AWS::SNS::Topic", arn, {})
