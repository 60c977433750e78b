"""What authorization asks of CloudWatch: the alarms and dashboards that a request acts on."""

from __future__ import annotations

from localaws.authorization.needs import strings
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access
from localaws.services.cloudwatch.service import cloudwatch


def resources(call: Call, types: list[str]) -> list[str]:
    params = call.params
    if "alarm" in types:
        names = strings(params.get("AlarmName") or params.get("AlarmNames") or [])
        found = [arn("cloudwatch", call.region, call.account, f"alarm:{name}") for name in names]
        return found or [arn("cloudwatch", call.region, call.account, "alarm:*")]
    if "dashboard" in types:
        names = strings(params.get("DashboardName") or params.get("DashboardNames") or [])
        return [arn("cloudwatch", "", call.account, f"dashboard/{name}") for name in names]
    return []


cloudwatch.access = Access(resources=resources)
