"""Target tracking: metrics, alarms and cooldown periods (User Guide, "How target tracking scaling … works")."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.cloud import Cloud
from localaws.services.application_autoscaling import scaling
from tests.support.corrections_world import REGION, A, World, refusal

INVOCATIONS = "SageMakerVariantInvocationsPerInstance"
CONCURRENCY = "SageMakerVariantConcurrentRequestsPerModelHighResolution"


def track(world: World, names: dict[str, str], metric: str, **more: Any) -> str:
    tracking = {"TargetValue": 10.0, "PredefinedMetricSpecification": {"PredefinedMetricType": metric}, **more}
    put = world.client("application-autoscaling").put_scaling_policy(
        **names, PolicyName="p", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=tracking
    )
    return str(put["PolicyARN"])


def test_what_a_policy_added_counts_as_part_of_the_next_addition_and_it_waits_between_two_of_its_removals(
    cloud: Cloud,
) -> None:
    cloud.waits = 1.0
    world = World(cloud)
    names = world.endpoint("ml.m5.large")
    world.client("application-autoscaling").register_scalable_target(**names, MinCapacity=1, MaxCapacity=20)
    policy = track(world, names, INVOCATIONS, ScaleOutCooldown=300, ScaleInCooldown=300)

    def after(value: float) -> int | None:
        scaling.act(cloud, A, REGION, policy, "alarm", value, 10.0)
        return scaling.count_of(cloud, A, REGION, names["ResourceId"])

    assert after(30.0) == 3
    assert after(20.0) == 4, "three more, of which two were added"
    assert after(10.0) == 4
    assert after(7.5) == 3
    assert after(5.0) == 3, "it took one away, and waits"
    assert after(30.0) == 8, "it adds at once, and the wait is over"
    assert after(5.0) == 4
    policy = track(world, names, INVOCATIONS, ScaleOutCooldown=0, ScaleInCooldown=0)
    assert [after(20.0), after(20.0), after(5.0), after(5.0)] == [8, 16, 8, 4]


@pytest.mark.parametrize(
    ("metric", "name", "statistic", "periods"),
    [
        (INVOCATIONS, "InvocationsPerInstance", "Sum", [60, 60]),
        (CONCURRENCY, "ConcurrentRequestsPerModel", "Maximum", [10, 60]),
    ],
)
def test_a_metric_of_high_resolution_scales_out_sooner(
    cloud: Cloud, metric: str, name: str, statistic: str, periods: list[int]
) -> None:
    world = World(cloud)
    names = world.endpoint("ml.m5.large")
    world.client("application-autoscaling").register_scalable_target(**names, MinCapacity=1, MaxCapacity=2)
    track(world, names, metric)
    prefix = f"TargetTracking-{names['ResourceId']}"
    alarms = world.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
    assert {(one["MetricName"], one["Statistic"]) for one in alarms} == {(name, statistic)}
    assert sorted(one["Period"] for one in alarms) == periods


def test_other_metrics_and_other_dimensions_of_sagemaker_are_refused_by_name(cloud: Cloud) -> None:
    world = World(cloud)
    names = world.endpoint("ml.m5.large")
    autoscaling = world.client("application-autoscaling")
    autoscaling.register_scalable_target(**names, MinCapacity=1, MaxCapacity=2)
    assert refusal(lambda: track(world, names, "SageMakerInferenceComponentInvocationsPerCopy")) == "NotSupported"
    other = {**names, "ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency"}
    register = autoscaling.register_scalable_target
    assert refusal(lambda: register(**other, MinCapacity=1, MaxCapacity=2)) == "NotSupported"
