"""Scaling policies of SageMaker endpoints' variants: the alarms of target tracking, and what an alarm sets off.

Application Auto Scaling User Guide, "How target tracking scaling for Application Auto Scaling works" (two alarms, which
the policy creates and deletes; it adds in proportion to the metric, and takes away more slowly; cooldown periods), "How
step scaling works". SageMaker Developer Guide, "Autoscale an asynchronous endpoint", "Define a scaling policy" (a
metric of high resolution comes every ten seconds, scales out sooner, and in as slowly as the others). How many periods
an alarm of target tracking looks at is not documented: three and fifteen minutes are what AWS's console shows. moto
holds policies and targets.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import Cloud, new_id
from localaws.services.application_autoscaling import activities
from localaws.services.application_autoscaling.absent import check_registered
from localaws.services.application_autoscaling.service import application_autoscaling
from localaws.services.application_autoscaling.targets import held
from localaws.variants import variants_of

# By the predefined metric of a variant: its metric in CloudWatch, the statistic, and the seconds between its points.
# "Valid statistics: Min, Max" of the second (SageMaker Developer Guide, "Amazon SageMaker AI metrics in CloudWatch").
PREDEFINED = {
    "SageMakerVariantInvocationsPerInstance": ("InvocationsPerInstance", "Sum", 60),
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": ("ConcurrentRequestsPerModel", "Maximum", 10),
}
HIGH, LOW = ("AlarmHigh", "GreaterThanThreshold", 3, 1.0), ("AlarmLow", "LessThanThreshold", 15, 0.9)
COOLDOWN = 300  # seconds: User Guide, "Define cooldown periods", default of SageMaker endpoint variants
COOLING = "rehearsal_cooling"  # on a policy of moto's: until when (monotonic) it does nothing
SCALED_OUT, SCALED_IN = "rehearsal_scaled_out", "rehearsal_scaled_in"  # on one: until when it cools down, and how many


@application_autoscaling.operation("PutScalingPolicy")
def put_scaling_policy(call: Call) -> dict[str, Any]:
    """A policy that is put again keeps its ARN, which moto replaces, and what the request leaves out."""
    check_registered(call)
    params, state = call.params, moto_bridge.backend("application-autoscaling", call.account, call.region)
    known = state.policies.get(key_of(params))
    kind = params.get("PolicyType") or (known.policy_type if known else "")
    if kind == "PredictiveScaling":
        raise NotSupported("PolicyType PredictiveScaling")
    given = params.get(f"{kind}PolicyConfiguration") or (body_of(known) if known else None)
    if not kind or not given:
        raise AwsError("ValidationException", "A new policy needs PolicyType, and the configuration of that type.")
    check_metric(params["ServiceNamespace"], given)
    policy = state.put_scaling_policy(
        policy_name=params["PolicyName"], service_namespace=params["ServiceNamespace"],
        resource_id=params["ResourceId"], scalable_dimension=params["ScalableDimension"],
        policy_body=given, policy_type=kind,
    )  # fmt: skip
    if known is not None:
        policy.policy_arn = known.policy_arn
        known.delete_alarms(call.account, call.region)
    if params["ServiceNamespace"] == "sagemaker" and kind == "TargetTrackingScaling":
        make_alarms(call, policy, given)
    alarms = [{"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn} for alarm in policy.alarms]
    return {"PolicyARN": policy.policy_arn, "Alarms": alarms}


def body_of(policy: Any) -> Any:
    return policy.target_tracking_scaling_policy_configuration or policy.step_scaling_policy_configuration


def check_metric(namespace: str, given: Mapping[str, Any]) -> None:
    predefined = given.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    if namespace == "sagemaker" and predefined and predefined not in PREDEFINED:
        raise NotSupported(f"the predefined metric {predefined} for a variant of SageMaker")


def make_alarms(call: Call, policy: Any, tracking: Mapping[str, Any]) -> None:
    """The two alarms on the metric that a policy tracks."""
    cloudwatch, target = moto_bridge.backend("cloudwatch", call.account, call.region), float(tracking["TargetValue"])
    for kind, comparison, periods, part in (HIGH, LOW):
        alarm = cloudwatch.put_metric_alarm(
            name=f"TargetTracking-{policy.resource_id}-{kind}-{new_id()}",
            comparison_operator=comparison,
            evaluation_periods=periods,
            period=seconds_of(tracking) if kind == "AlarmHigh" else 60,
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
    name, statistic, _ = PREDEFINED[tracking["PredefinedMetricSpecification"]["PredefinedMetricType"]]
    return {"namespace": "AWS/SageMaker", "metric_name": name, "statistic": statistic, "dimensions": dimensions}


def seconds_of(tracking: Mapping[str, Any]) -> int:
    """The period of the alarm that scales out."""
    predefined = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    return PREDEFINED[predefined][2] if predefined else 60


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
        wanted = after_cooldown(policy, now, math.ceil(now * value / float(tracking["TargetValue"])))
    else:
        step = policy.step_scaling_policy_configuration
        wanted = now + adjustment(step, value - threshold)
        setattr(policy, COOLING, time.monotonic() + step.get("Cooldown", 0) * cloud.waits)
    within = min(max(wanted, target.min_capacity), target.max_capacity)
    cause = f"monitor alarm {alarm} in state ALARM triggered policy {policy.policy_name}"
    if within != now:
        if tracking:
            cool_down(cloud, policy, tracking, within - now)
        set_count(cloud, account, region, policy.resource_id, within, cause)
    else:
        reason = why_not(wanted, now, target)
        activities.not_scaled(cloud, account, region, policy.resource_id, cause, reason)


def after_cooldown(policy: Any, now: int, wanted: int) -> int:
    """How many instances a policy of target tracking asks for while it cools down.

    What it added last counts as a part of the next addition, and it takes nothing away after it took away; an addition
    ends that wait (API Reference, TargetTrackingScalingPolicyConfiguration).
    """
    if wanted < now:
        return now if time.monotonic() < getattr(policy, SCALED_IN, 0.0) else wanted
    until, added = getattr(policy, SCALED_OUT, (0.0, 0))
    return max(wanted - added, now) if time.monotonic() < until else wanted


def cool_down(cloud: Cloud, policy: Any, tracking: Mapping[str, Any], change: int) -> None:
    """Begin the wait that follows a change of a variant's instances."""
    member = "ScaleOutCooldown" if change > 0 else "ScaleInCooldown"
    until = time.monotonic() + tracking.get(member, COOLDOWN) * cloud.waits
    if change > 0:
        setattr(policy, SCALED_OUT, (until, change))
        setattr(policy, SCALED_IN, 0.0)
    else:
        setattr(policy, SCALED_IN, until)


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
    counts = {one["VariantName"]: one["CurrentInstanceCount"] for one in variants_of(shown)}
    return int(counts[variant])


def set_count(cloud: Cloud, account: str, region: str, resource: str, count: int, cause: str) -> None:
    """As the service-linked role, whose policy is AWS's own and cannot be changed."""
    _, endpoint, _, variant = resource.split("/")
    capacity = {"VariantName": variant, "DesiredInstanceCount": count}
    try:
        cloud.root(account, region).client("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=endpoint, DesiredWeightsAndCapacities=[capacity]
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceLimitExceeded":
            raise
        activities.failed(cloud, account, region, resource, cause, count, error.response["Error"]["Message"])
        return
    activities.scaled(cloud, account, region, resource, cause, count)


@application_autoscaling.after("RegisterScalableTarget")
def registered(call: Call, _: Any) -> None:
    if call.params["ServiceNamespace"] == "sagemaker":
        keep_within(call.cloud, call.account, call.region, call.params["ResourceId"])


def keep_within(cloud: Cloud, account: str, region: str, resource: str) -> None:
    """A variant outside the target's bounds is scaled to the nearer one (API Reference, RegisterScalableTarget)."""
    target, now = held(account, region)[resource], count_of(cloud, account, region, resource)
    if now is not None and not target.min_capacity <= now <= target.max_capacity:
        bound, count = (
            ("minimum", target.min_capacity) if now < target.min_capacity else ("maximum", target.max_capacity)
        )
        cause = f"{bound} capacity was set to {count}"
        set_count(cloud, account, region, resource, count, cause)


def adjustment(step: Mapping[str, Any], beyond: float) -> int:
    """By how many instances a policy of steps changes; beyond: how far the metric is from the threshold"""
    for part in step["StepAdjustments"]:
        least, most = part.get("MetricIntervalLowerBound", -math.inf), part.get("MetricIntervalUpperBound", math.inf)
        if least <= beyond < most:
            return int(part["ScalingAdjustment"])
    return 0
