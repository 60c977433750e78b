"""DescribeScalingActivities (API Reference; User Guide, "Scaling activities for Application Auto Scaling")."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.application_autoscaling import scaling
from localaws.services.servicequotas.service import Quotas, code_of
from tests.support.corrections_world import REGION, A, World, refusal


def test_what_scaled_a_variant_and_what_did_not(cloud: Cloud) -> None:
    world = World(cloud)
    target = world.endpoint("ml.m5.large")
    autoscaling = world.client("application-autoscaling")

    def listed(**more: Any) -> list[dict[str, Any]]:
        return list(autoscaling.describe_scaling_activities(**target, **more)["ScalingActivities"])

    autoscaling.register_scalable_target(**target, MinCapacity=2, MaxCapacity=3)
    (first,) = listed()
    assert (first["Description"], first["Cause"], first["StatusCode"]) == (
        "Setting desired instance count to 2.", "minimum capacity was set to 2", "Successful",
    )  # fmt: skip
    step = {"StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]}
    policy = autoscaling.put_scaling_policy(
        **target, PolicyName="more", PolicyType="StepScaling",
        StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity", **step},
    )["PolicyARN"]  # fmt: skip
    for _ in range(3):  # to three instances, and twice no further
        scaling.act(cloud, A, REGION, policy, "busy", 10.0, 5.0)
    assert [one["Description"] for one in listed()] == [
        "Setting desired instance count to 3.", "Setting desired instance count to 2.",
    ]  # fmt: skip
    newest = listed(IncludeNotScaledActivities=True)
    assert newest[0]["NotScaledReasons"] == [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 3}]
    assert newest[0]["Cause"] == "monitor alarm busy in state ALARM triggered policy more"
    assert len(newest) == 3  # "only the first not scaled activity will be recorded"
    page = autoscaling.describe_scaling_activities(**target, MaxResults=1)
    assert listed(MaxResults=1, NextToken=page["NextToken"])[0]["ActivityId"] == first["ActivityId"]
    assert autoscaling.describe_scaling_activities(ServiceNamespace="ecs")["ScalingActivities"] == []
    assert refusal(lambda: listed(NextToken="bogus")) == "InvalidNextTokenException"
    with pytest.raises(ClientError, match="ValidationException"):
        autoscaling.describe_scaling_activities(
            ServiceNamespace="sagemaker", ScalableDimension=target["ScalableDimension"]
        )


def test_what_the_quota_does_not_allow_fails_and_is_noted_once(cloud: Cloud) -> None:
    world = World(cloud)
    target = world.endpoint("ml.m5.large")
    autoscaling = world.client("application-autoscaling")
    cloud.state(Quotas, A, REGION).values[code_of("ml.m5.large for endpoint usage")] = 1.0
    for _ in range(2):
        autoscaling.register_scalable_target(**target, MinCapacity=2, MaxCapacity=3)
    (failed,) = autoscaling.describe_scaling_activities(**target)["ScalingActivities"]
    assert failed["StatusCode"] == "Failed"
    assert "is 1 Instances, with current utilization of 1 Instances" in failed["StatusMessage"]
