"""Scalable targets and scaling policies."""

from __future__ import annotations

from localaws.cloud import Cloud
from tests.support.providers import client_of, create_resource, delete_resource, update_resource


def test_a_target_may_be_scaled_and_its_policy_deleted(cloud: Cloud) -> None:
    """What counts is that target and policy come and go."""
    create_table = client_of(cloud, "dynamodb").create_table
    create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    names = {
        "ResourceId": "table/t",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
        "ServiceNamespace": "dynamodb",
    }
    old = {**names, "MinCapacity": 1, "MaxCapacity": "3"}
    target = create_resource(cloud, "AWS::ApplicationAutoScaling::ScalableTarget", old)
    assert target.physical_id == "table/t|dynamodb:table:ReadCapacityUnits|dynamodb"
    update_resource(
        cloud, "AWS::ApplicationAutoScaling::ScalableTarget", target.physical_id, old, {**old, "MaxCapacity": 5}
    )
    scaling = client_of(cloud, "application-autoscaling")
    night = {
        "ScheduledActionName": "night", "Schedule": "cron(0 22 * * ? *)", "ScalableTargetAction": {"MinCapacity": "1"},
    }  # fmt: skip
    planned = {**old, "MaxCapacity": 5, "ScheduledActions": [night]}
    for before, after, names_of_actions in (({**old, "MaxCapacity": 5}, planned, ["night"]), (planned, old, [])):
        update_resource(
            cloud,
            "AWS::ApplicationAutoScaling::ScalableTarget",
            target.physical_id,
            before,
            {**after, "MaxCapacity": 5},
        )
        actions = scaling.describe_scheduled_actions(ServiceNamespace="dynamodb")["ScheduledActions"]
        assert [action["ScheduledActionName"] for action in actions] == names_of_actions
    found = scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"][0]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 5)
    given = {
        "PolicyName": "p",
        "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": target.physical_id,
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": "70",
            "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
        },
    }
    policy = create_resource(cloud, "AWS::ApplicationAutoScaling::ScalingPolicy", given)
    assert policy.physical_id.startswith("arn:aws:autoscaling:")
    delete_resource(cloud, "AWS::ApplicationAutoScaling::ScalingPolicy", policy.physical_id, given)
    delete_resource(cloud, "AWS::ApplicationAutoScaling::ScalableTarget", target.physical_id, old)
    assert scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"] == []
