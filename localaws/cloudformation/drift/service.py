"""DetectStackDrift, DetectStackResourceDrift, DescribeStackDriftDetectionStatus and DescribeStackResourceDrifts.

CloudFormation API Reference, the page of each; EventBridge events: User Guide, "Drift Detection Status Change event
detail".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from awslang.template import schemas
from localaws.calls import Call
from localaws.cloud import Session, new_id
from localaws.cloudformation.drift import compare, readers
from localaws.cloudformation.provider import Context
from localaws.cloudformation.requests import SERVICE, clean, page, stack_for
from localaws.cloudformation.service import cloudformation
from localaws.cloudformation.stacks import Resource, Stack, now
from localaws.services.events.service import emit

DETECTABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED")
NESTED = "AWS::CloudFormation::"  # nested stacks, stack sets and wait conditions are not checked with their parent


@dataclass
class Drifts:
    """What detections found: each detection by its id, and the last drift of each resource by stack and logical id."""

    detections: dict[str, dict[str, Any]] = field(default_factory=dict)
    last: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    stacks: dict[str, tuple[str, datetime]] = field(default_factory=dict)


def known(call: Call) -> Drifts:
    return call.cloud.state(Drifts, call.account, call.region)


def of_stack(call: Call, stack: Stack) -> dict[str, Any]:
    """DriftInformation of a stack."""
    status, time = known(call).stacks.get(stack.id, ("NOT_CHECKED", None))
    return clean({"StackDriftStatus": status, "LastCheckTimestamp": time})


def of_resource(call: Call, stack: Stack, resource: Resource) -> dict[str, Any]:
    """DriftInformation of a resource."""
    found = known(call).last.get(stack.id, {}).get(resource.logical_id, {})
    status = found.get("StackResourceDriftStatus", "NOT_CHECKED")
    return clean({"StackResourceDriftStatus": status, "LastCheckTimestamp": found.get("Timestamp")})


def checkable(resource: Resource, region: str) -> bool:
    """Whether CloudFormation itself can check the type: its registry schema has a read handler."""
    if resource.type.startswith(("Custom::", NESTED)) or not schemas.known(resource.type, region):
        return False
    return "read" in schemas.schema(resource.type, region).document.get("handlers", {})


def drift_of(call: Call, session: Session, stack: Stack, resource: Resource) -> dict[str, Any]:
    """One StackResourceDrift."""
    context = Context(
        session, call.cloud, stack.account, stack.region, stack.id, stack.name, resource.logical_id, stack.tags,
        new_id(), type=resource.type,
    )  # fmt: skip
    expected = readers.compared(resource, stack.region)
    found: dict[str, Any] = {
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "Timestamp": now(),
        "ExpectedProperties": json.dumps(expected, default=str),
    }
    reader = readers.READERS.get(resource.type)
    if reader is None:
        reason = f"Not supported by the embedded AWS: drift of {resource.type}"
        return found | {"StackResourceDriftStatus": "UNKNOWN", "DriftStatusReason": reason}
    try:
        actual = reader(context, resource, stack)
    except (ClientError, readers.Gone) as error:
        if readers.is_gone(error):
            return found | {"StackResourceDriftStatus": "DELETED"}
        return found | {"StackResourceDriftStatus": "UNKNOWN", "DriftStatusReason": str(error)}
    if "Tags" in expected:
        actual["Tags"] = readers.tags(context, resource)
    different = list(compare.differences(expected, actual))
    return found | {
        "ActualProperties": json.dumps(compare.projected(expected, actual), default=str),
        "PropertyDifferences": different,
        "StackResourceDriftStatus": "MODIFIED" if different else "IN_SYNC",
    }


def detectable(call: Call) -> Stack:
    stack = stack_for(call)
    if stack.status not in DETECTABLE:
        raise AwsError(
            "ValidationError", f"Drift detection cannot be performed on stack [{stack.name}] while in {stack.status}"
        )
    return stack


def named(stack: Stack, logical_id: str) -> Resource:
    if logical_id not in stack.resources:
        raise AwsError("ValidationError", f"Resource {logical_id} does not exist for stack {stack.name}")
    return stack.resources[logical_id]


@cloudformation.operation("DetectStackResourceDrift")
def detect_stack_resource_drift(call: Call) -> dict[str, Any]:
    stack = detectable(call)
    resource = named(stack, call.params["LogicalResourceId"])
    if not checkable(resource, stack.region):
        raise AwsError("ValidationError", f"Drift detection is not supported for {resource.type}")
    found = drift_of(call, call.forward(SERVICE), stack, resource)
    known(call).last.setdefault(stack.id, {})[resource.logical_id] = found
    return {"StackResourceDrift": found}


@cloudformation.operation("DetectStackDrift")
def detect_stack_drift(call: Call) -> dict[str, Any]:
    stack, drifts = detectable(call), known(call)
    wanted = [named(stack, one) for one in call.params.get("LogicalResourceIds") or list(stack.resources)]
    running = (one for one in drifts.detections.values() if one["StackId"] == stack.id)
    if any(one["DetectionStatus"] == "DETECTION_IN_PROGRESS" for one in running):
        raise AwsError("ValidationError", f"Drift detection is already in progress for stack [{stack.name}]")
    detection: dict[str, Any] = {
        "StackId": stack.id,
        "StackDriftDetectionId": new_id(),
        "DetectionStatus": "DETECTION_IN_PROGRESS",
        "Timestamp": now(),
    }
    drifts.detections[detection["StackDriftDetectionId"]] = detection
    call.cloud.background(f"drift of {stack.name}", detect, call, call.forward(SERVICE), stack, wanted, detection)
    return {"StackDriftDetectionId": detection["StackDriftDetectionId"]}


def detect(call: Call, session: Session, stack: Stack, wanted: list[Resource], detection: dict[str, Any]) -> None:
    drifts = known(call)
    last = drifts.last.setdefault(stack.id, {})
    found = [drift_of(call, session, stack, one) for one in wanted if checkable(one, stack.region)]
    last.update({one["LogicalResourceId"]: one for one in found})
    drifted = sum(one["StackResourceDriftStatus"] in ("MODIFIED", "DELETED") for one in last.values())
    unknown = [one for one in found if one["StackResourceDriftStatus"] == "UNKNOWN"]
    status = "DRIFTED" if drifted else "UNKNOWN" if unknown else "IN_SYNC"
    drifts.stacks[stack.id] = status, detection["Timestamp"]
    detection |= {"StackDriftStatus": status, "DriftedStackResourceCount": drifted}
    if unknown:
        names = ", ".join(one["LogicalResourceId"] for one in unknown)
        detection["DetectionStatusReason"] = f"Failed to detect drift on resources [{names}]"
    detection["DetectionStatus"] = "DETECTION_FAILED" if unknown else "DETECTION_COMPLETE"
    emit(
        call.cloud, call.account, call.region, source="aws.cloudformation", resources=[stack.id],
        detail_type="CloudFormation Drift Detection Status Change",
        detail={
            "stack-id": stack.id,
            "stack-drift-detection-id": detection["StackDriftDetectionId"],
            "status-details": {"stack-drift-status": status, "detection-status": detection["DetectionStatus"]},
            "drift-detection-details": {"drifted-stack-resource-count": drifted},
            "client-request-token": "",
        },
    )  # fmt: skip


@cloudformation.operation("DescribeStackDriftDetectionStatus")
def describe_stack_drift_detection_status(call: Call) -> dict[str, Any]:
    found = known(call).detections.get(call.params["StackDriftDetectionId"])
    if found is None:
        raise AwsError("ValidationError", f"Drift detection {call.params['StackDriftDetectionId']} does not exist")
    return dict(found)


@cloudformation.operation("DescribeStackResourceDrifts")
def describe_stack_resource_drifts(call: Call) -> dict[str, Any]:
    """Those that were checked at all."""
    stack, wanted = stack_for(call), call.params.get("StackResourceDriftStatusFilters")
    found = list(known(call).last.get(stack.id, {}).values())
    kept = [one for one in found if not wanted or one["StackResourceDriftStatus"] in wanted]
    return page(call, "StackResourceDrifts", kept)
