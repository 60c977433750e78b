"""What authorization asks of Application Auto Scaling: a scalable target, and what its caller must be allowed beside.

SageMaker Developer Guide, "Auto scaling prerequisites"; Application Auto Scaling User Guide, "Permissions validation
for Application Auto Scaling API calls on target resources" and "Service-linked roles".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from localaws.authorization.needs import linked_role
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access, Need
from localaws.services.application_autoscaling.service import application_autoscaling

SCALING = "sagemaker.application-autoscaling.amazonaws.com"
SCALING_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


def resources(call: Call, types: list[str]) -> list[str]:
    return [arn("application-autoscaling", call.region, call.account, "scalable-target/*")] if any(types) else []


def further(call: Call, arns: list[str], keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """What the caller must be allowed on the endpoint, and on the alarms of CloudWatch."""
    if call.params.get("ServiceNamespace") != "sagemaker":
        return
    if call.operation == "RegisterScalableTarget":
        endpoint = arn("sagemaker", call.region, call.account, "/".join(call.params["ResourceId"].split("/")[:2]))
        for action in ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities"):
            yield Need(f"sagemaker:{action}", endpoint, call.account)
        yield linked_role(call, SCALING, SCALING_ROLE)
    elif call.operation == "PutScalingPolicy" and call.params.get("PolicyType") == "TargetTrackingScaling":
        name = f"alarm:TargetTracking-{call.params['ResourceId']}-AlarmHigh"
        for action in ("DescribeAlarms", "PutMetricAlarm", "DeleteAlarms"):
            yield Need(f"cloudwatch:{action}", arn("cloudwatch", call.region, call.account, name), call.account)


application_autoscaling.access = Access(resources=resources, further=further)
