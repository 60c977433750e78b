"""Scaling policies of SageMaker endpoints' variants: the alarms of target tracking, and what an alarm sets off.

Application Auto Scaling User Guide, "How target tracking scaling for Application Auto Scaling works" (two alarms, which
the policy creates and deletes; it adds in proportion to the metric, and takes away more slowly), "How step scaling
works". SageMaker Developer Guide, "Autoscale an asynchronous endpoint". How many periods an alarm of target tracking
looks at is not documented: three and fifteen minutes are what AWS's console shows. moto holds policies and targets.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import Cloud, new_id
from localaws.services.application_autoscaling import activities
from localaws.services.application_autoscaling.absent import check_registered
from localaws.services.application_autoscaling.service import application_autoscaling
from localaws.services.application_autoscaling.targets import DIMENSION, held

INVOCATIONS = "SageMakerVariantInvocationsPerInstance"
HIGH, LOW = ("AlarmHigh", "GreaterThanThreshold", 3, 1.0), ("AlarmLow", "LessThanThreshold", 15, 0.9)
COOLING = "rehearsal_cooling"  # on a policy of moto's: until when (monotonic) it does nothing


@application_autoscaling.before("PutScalingPolicy")
def former(call: Call) -> Any:
    """The policy of this name, None for a new one."""
    check_registered(call)
    return policies(call.account, call.region).get(key_of(call.params))


@application_autoscaling.after("PutScalingPolicy")
def keep_alarms(call: Call, before: Any) -> None:
    """A policy that is put again keeps its ARN; one of target tracking gets the alarms of its metric and target."""
    if call.params["ServiceNamespace"] != "sagemaker":
        return
    policy = policies(call.account, call.region)[key_of(call.params)]
    if before is not None:
        policy.policy_arn = before.policy_arn
        before.delete_alarms(call.account, call.region)
    tracking = policy.target_tracking_scaling_policy_configuration
    if not tracking:
        return
    cloudwatch, target = moto_bridge.backend("cloudwatch", call.account, call.region), float(tracking["TargetValue"])
    for kind, comparison, periods, part in (HIGH, LOW):
        alarm = cloudwatch.put_metric_alarm(
            name=f"TargetTracking-{policy.resource_id}-{kind}-{new_id()}",
            comparison_operator=comparison,
            evaluation_periods=periods,
            period=60,
            threshold=target * part,
            description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.policy_arn}.",
            alarm_actions=[policy.policy_arn],
            metric_data_queries=[],
            **metric_of(policy.resource_id, tracking),
        )
        alarm.state_value = "INSUFFICIENT_DATA"
        policy.alarms.append(alarm)


def policies(account: str, region: str) -> dict[str, Any]:
    found: dict[str, Any] = moto_bridge.backend("application-autoscaling", account, region).policies
    return found


def key_of(params: Mapping[str, Any]) -> str:
    """How moto names a policy."""
    return "\t".join(params[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension", "PolicyName"))


def metric_of(resource: str, tracking: Mapping[str, Any]) -> dict[str, Any]:
    """The metric that a policy tracks, as an alarm names it."""
    if custom := tracking.get("CustomizedMetricSpecification"):
        return {
            "namespace": custom["Namespace"],
            "metric_name": custom["MetricName"],
            "dimensions": custom.get("Dimensions", []),
            "statistic": custom["Statistic"],
        }
    _, endpoint, _, variant = resource.split("/")
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
    metric = {"namespace": "AWS/SageMaker", "metric_name": "InvocationsPerInstance", "statistic": "Sum"}
    return {**metric, "dimensions": dimensions}


# -- what an alarm sets off ------------------------------------------------------------------------


def act(cloud: Cloud, account: str, region: str, arn: str, alarm: str, value: float, threshold: float) -> None:
    """Scale by the policy with this ARN. alarm: its name; value: of its metric, of which threshold was crossed"""
    policy = next((one for one in policies(account, region).values() if one.policy_arn == arn), None)
    target = held(account, region).get(policy.resource_id) if policy else None
    if policy is None or target is None or time.monotonic() < getattr(policy, COOLING, 0.0):
        return
    now = count_of(cloud, account, region, policy.resource_id)
    if now is None:
        return
    if tracking := policy.target_tracking_scaling_policy_configuration:
        wanted = math.ceil(now * value / float(tracking["TargetValue"]))
    else:
        step = policy.step_scaling_policy_configuration
        wanted = now + adjustment(step, value - threshold)
        setattr(policy, COOLING, time.monotonic() + step.get("Cooldown", 0) * cloud.waits)
    within = min(max(wanted, target.min_capacity), target.max_capacity)
    cause = f"monitor alarm {alarm} in state ALARM triggered policy {policy.policy_name}"
    if within != now:
        set_count(cloud, account, region, policy.resource_id, within, cause)
    else:
        reason = why_not(wanted, now, target)
        activities.not_scaled(cloud, account, region, policy.resource_id, cause, reason)


def why_not(wanted: int, now: int, target: Any) -> dict[str, Any]:
    """User Guide, "Scaling activities for Application Auto Scaling", Reason codes."""
    if wanted > now:
        return {"Code": "AlreadyAtMaxCapacity", "MaxCapacity": target.max_capacity}
    if wanted < now:
        return {"Code": "AlreadyAtMinCapacity", "MinCapacity": target.min_capacity}
    return {"Code": "AlreadyAtDesiredCapacity", "CurrentCapacity": now}


def count_of(cloud: Cloud, account: str, region: str, resource: str) -> int | None:
    """The instances of a variant; None while its endpoint cannot be scaled."""
    _, endpoint, _, variant = resource.split("/")
    shown = cloud.root(account, region).client("sagemaker").describe_endpoint(EndpointName=endpoint)
    if shown["EndpointStatus"] != "InService":
        return None
    counts = {one["VariantName"]: one["CurrentInstanceCount"] for one in shown["ProductionVariants"]}
    return int(counts[variant])


def set_count(cloud: Cloud, account: str, region: str, resource: str, count: int, cause: str) -> None:
    """As the service-linked role, whose policy is AWS's own and cannot be changed."""
    _, endpoint, _, variant = resource.split("/")
    capacity = {"VariantName": variant, "DesiredInstanceCount": count}
    cloud.root(account, region).client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=endpoint, DesiredWeightsAndCapacities=[capacity]
    )
    activities.scaled(cloud, account, region, resource, cause, count)


@application_autoscaling.after("RegisterScalableTarget")
def keep_within(call: Call, _: Any) -> None:
    """A variant outside the target's bounds is scaled to the nearer one (API Reference, RegisterScalableTarget)."""
    params, resource = call.params, call.params["ResourceId"]
    if params["ServiceNamespace"] != "sagemaker" or params["ScalableDimension"] != DIMENSION:
        return
    target, now = held(call.account, call.region)[resource], count_of(call.cloud, call.account, call.region, resource)
    if now is not None and not target.min_capacity <= now <= target.max_capacity:
        bound, count = (
            ("minimum", target.min_capacity) if now < target.min_capacity else ("maximum", target.max_capacity)
        )
        cause = f"{bound} capacity was set to {count}"
        set_count(call.cloud, call.account, call.region, resource, count, cause)


def adjustment(step: Mapping[str, Any], beyond: float) -> int:
    """By how many instances a policy of steps changes; beyond: how far the metric is from the threshold"""
    for part in step["StepAdjustments"]:
        least, most = part.get("MetricIntervalLowerBound", -math.inf), part.get("MetricIntervalUpperBound", math.inf)
        if least <= beyond < most:
            return int(part["ScalingAdjustment"])
    return 0
