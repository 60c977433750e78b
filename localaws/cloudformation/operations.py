"""DescribeEvents: the events of a stack grouped by operation, an automatic rollback being one of its own.

CloudFormation User Guide, "View stack events by operation", "Validate stack deployments" (the events of a change set);
API Reference, OperationEvent.
"""

from __future__ import annotations

import uuid
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloudformation.changesets import find_change_set
from localaws.cloudformation.requests import clean, page, stack_for
from localaws.cloudformation.service import cloudformation
from localaws.cloudformation.stacks import STACK_TYPE, ChangeSet, Event, Operation, Stack, stacks_of


def last_operations(stack: Stack) -> list[dict[str, str]]:
    """The newest one first; before an automatic rollback, what it rolls back."""
    found = stack.operations[:-3:-1]
    if found and found[0].type != "ROLLBACK":
        found = found[:1]
    return [{"OperationType": one.type, "OperationId": one.id} for one in found]


def of_event(stack: Stack, event: Event) -> dict[str, Any]:
    """What both views of an event say, by stack and by operation."""
    return {
        "StackId": stack.id,
        "EventId": event.event_id,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.type,
        "Timestamp": event.time,
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ResourceProperties": event.properties,
        "ClientRequestToken": event.token,
    }


def shown(stack: Stack, operation: Operation, event: Event) -> dict[str, Any]:
    own = event.type == STACK_TYPE and event.physical_id == stack.id
    failed = event.status.endswith("FAILED")
    about: dict[str, Any] = {
        **of_event(stack, event),
        "OperationId": operation.id,
        "OperationType": operation.type,
        "EventType": "STACK_EVENT" if own else "PROVISIONING_ERROR" if failed else "PROGRESS_EVENT",
    }
    if own:
        ended = "FAILED" if failed else "SUCCEEDED"
        about["OperationStatus"] = "IN_PROGRESS" if event.status.endswith("IN_PROGRESS") else ended
    return clean(about)


def of_change_set(stack: Stack, change_set: ChangeSet) -> list[dict[str, Any]]:
    """What its validation found, and how its creation ended."""
    known: dict[str, Any] = {
        "StackId": stack.id,
        "OperationId": change_set.operation.id,
        "OperationType": change_set.operation.type,
    }
    known["Timestamp"] = change_set.planned
    status = "SUCCEEDED" if change_set.status == "CREATE_COMPLETE" else "FAILED"
    times = {"StartTime": change_set.created, "EndTime": change_set.planned}
    found: list[dict[str, Any]] = [
        {
            "LogicalResourceId": resource.logical_id, "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type, "ValidationFailureMode": "FAIL", "ValidationStatus": "FAILED",
            "ValidationName": "PROPERTY_VALIDATION", "ValidationStatusReason": reason,
            "ValidationPath": f"/Resources/{resource.logical_id}/Properties", "EventType": "VALIDATION_ERROR",
        }
        for resource, reason in change_set.refused
    ]  # fmt: skip
    found.append({"EventType": "STACK_EVENT", "OperationStatus": status, **times})
    ids = [str(uuid.uuid5(uuid.NAMESPACE_OID, f"{change_set.id} {number}")) for number in range(len(found))]
    return [{**known, "EventId": id, **event} for id, event in zip(ids, found, strict=True)]


def has_failed(event: dict[str, Any]) -> bool:
    return str(event.get("ResourceStatus", "")).endswith("FAILED") or event["EventType"] == "VALIDATION_ERROR"


@cloudformation.operation("DescribeEvents")
def describe_events(call: Call) -> dict[str, Any]:
    """The newest first."""
    params, wanted = call.params, call.params.get("OperationId")
    if not (params.get("StackName") or wanted or params.get("ChangeSetName")):
        raise AwsError("ValidationError", "One of ChangeSetName, OperationId or StackName must be specified")
    if params.get("ChangeSetName"):
        found = of_change_set(*find_change_set(call))
    else:
        stacks = [stack_for(call)] if params.get("StackName") else all_stacks(call)
        found = [event for stack in stacks for event in of_stack(stack)]
    found = [event for event in found if wanted in (None, event["OperationId"])]
    if wanted and not found:
        raise AwsError("ValidationError", f"Operation {wanted} does not exist")
    if (params.get("Filters") or {}).get("FailedEvents"):
        found = [event for event in found if has_failed(event)]
    return page(call, "OperationEvents", found[::-1])


def all_stacks(call: Call) -> list[Stack]:
    return list(stacks_of(call.cloud, call.account, call.region).by_id.values())


def of_stack(stack: Stack) -> list[dict[str, Any]]:
    """In the order in which they were written: its own, and those of the change sets that are left."""
    found = [shown(stack, event.operation, event) for event in list(stack.events) if event.operation is not None]
    for change_set in stack.change_sets.values():
        place = sum(1 for event in found if event["Timestamp"] <= change_set.planned)
        found[place:place] = of_change_set(stack, change_set)
    return found
