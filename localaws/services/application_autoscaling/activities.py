"""Scaling activities: what scaled a variant and what did not, as DescribeScalingActivities shows it.

Application Auto Scaling API Reference, "DescribeScalingActivities"; User Guide, "Scaling activities for Application
Auto Scaling". The descriptions follow the page's example, with SageMaker's words for the capacity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloud import Cloud, new_id
from localaws.services.application_autoscaling.service import application_autoscaling
from localaws.services.application_autoscaling.targets import DIMENSION

MOST = 50


@dataclass
class Activities:
    """Of an account and Region, the newest last."""

    found: list[dict[str, Any]] = field(default_factory=list)


def note(cloud: Cloud, account: str, region: str, resource: str, cause: str, **more: Any) -> None:
    """Remember an activity; one that did not scale, or failed, is noted once, until its reason changes."""
    known = cloud.state(Activities, account, region).found
    activity = {
        "ActivityId": new_id(),
        "ServiceNamespace": "sagemaker",
        "ResourceId": resource,
        "ScalableDimension": DIMENSION,
        "Cause": cause,
        "StartTime": datetime.now(UTC),
        **more,
    }
    before: dict[str, Any] = next((one for one in reversed(known) if one["ResourceId"] == resource), {})
    said = ("StatusCode", "StatusMessage", "NotScaledReasons", "Cause")
    if activity["StatusCode"] != "Failed" or any(before.get(one) != activity.get(one) for one in said):
        known.append(activity)


def scaled(cloud: Cloud, account: str, region: str, resource: str, cause: str, count: int) -> None:
    what = f"desired instance count to {count}."
    note(
        cloud, account, region, resource, cause, Description=f"Setting {what}", EndTime=datetime.now(UTC),
        StatusCode="Successful",
        StatusMessage=f"Successfully set {what} Change successfully fulfilled by sagemaker.",
    )  # fmt: skip


def failed(cloud: Cloud, account: str, region: str, resource: str, cause: str, count: int, why: str) -> None:
    what = f"desired instance count to {count}."
    note(
        cloud, account, region, resource, cause, Description=f"Setting {what}", EndTime=datetime.now(UTC),
        StatusCode="Failed", StatusMessage=f"Failed to set {what} Reason: {why}",
    )  # fmt: skip


def not_scaled(cloud: Cloud, account: str, region: str, resource: str, cause: str, reason: Mapping[str, Any]) -> None:
    description = "Attempting to scale due to alarm triggered"
    reasons = [dict(reason)]
    note(
        cloud, account, region, resource, cause, Description=description, StatusCode="Failed", NotScaledReasons=reasons
    )


@application_autoscaling.operation("DescribeScalingActivities")
def describe_scaling_activities(call: Call) -> dict[str, Any]:
    """The newest first."""
    params = call.params
    if "ScalableDimension" in params and "ResourceId" not in params:
        raise AwsError("ValidationException", "ResourceId is required where ScalableDimension is specified.")
    size = params.get("MaxResults", MOST)
    if not 1 <= size <= MOST:
        raise AwsError("ValidationException", f"MaxResults must be between 1 and {MOST}.")
    found = [
        one
        for one in reversed(call.cloud.state(Activities, call.account, call.region).found)
        if one["ServiceNamespace"] == params["ServiceNamespace"]
        and one["ResourceId"] == params.get("ResourceId", one["ResourceId"])
        and one["ScalableDimension"] == params.get("ScalableDimension", one["ScalableDimension"])
        and (params.get("IncludeNotScaledActivities") or "NotScaledReasons" not in one)
    ]
    begin = int(params.get("NextToken", "0"))
    end = begin + size
    more = {"NextToken": str(end)} if end < len(found) else {}
    return {"ScalingActivities": found[begin:end], **more}
