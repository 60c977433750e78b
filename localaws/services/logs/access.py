"""What authorization asks of CloudWatch Logs: the log group or stream that a request acts on, and its tags."""

from __future__ import annotations

from localaws.authorization.needs import strings
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access
from localaws.services.logs.service import logs


def resources(call: Call, types: list[str]) -> list[str]:
    """Log groups: "arn…:log-group:NAME:*" for all but the tagging operations (CloudWatch Logs User
    Guide, "CloudWatch Logs resources and operations"), so a policy without the last part does not match."""
    params = call.params
    group = params.get("logGroupName") or params.get("logGroupIdentifier") or ""
    if group.startswith("arn:"):
        return [group if group.endswith(":*") else f"{group}:log-stream:"]
    if not group:
        groups = strings(params.get("logGroupNames") or [])
        return [arn("logs", call.region, call.account, f"log-group:{name}:log-stream:") for name in groups]
    if call.operation in ("ListTagsLogGroup", "TagLogGroup", "UntagLogGroup"):
        return [arn("logs", call.region, call.account, f"log-group:{group}")]
    stream = params.get("logStreamName", "") if "log-stream" in types else ""
    return [arn("logs", call.region, call.account, f"log-group:{group}:log-stream:{stream}")]


logs.access = Access(resources=resources)
