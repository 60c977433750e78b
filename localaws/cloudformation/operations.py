"""DescribeEvents: the events of a stack grouped by operation, an automatic rollback being one of its own.

CloudFormation User Guide, "View stack events by operation"; API Reference, OperationEvent. The events of a change set
are not supported.
"""

from __future__ import annotations

from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloudformation.requests import clean, page, stack_for
from localaws.cloudformation.service import cloudformation
from localaws.cloudformation.stacks import STACK_TYPE, Event, Operation, Stack, stacks_of


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


@cloudformation.operation("DescribeEvents")
def describe_events(call: Call) -> dict[str, Any]:
    """The newest first."""
    params, wanted = call.params, call.params.get("OperationId")
    if params.get("ChangeSetName"):
        raise NotSupported("cloudformation:DescribeEvents of a change set")
    if not (params.get("StackName") or wanted):
        raise AwsError("ValidationError", "One of ChangeSetName, OperationId or StackName must be specified")
    known = stacks_of(call.cloud, call.account, call.region)
    stacks = [stack_for(call)] if params.get("StackName") else list(known.by_id.values())
    found = [
        shown(stack, event.operation, event)
        for stack in stacks
        for event in list(stack.events)
        if event.operation is not None and wanted in (None, event.operation.id)
    ]
    if wanted and not found:
        raise AwsError("ValidationError", f"Operation {wanted} does not exist")
    if (params.get("Filters") or {}).get("FailedEvents"):
        found = [event for event in found if event["ResourceStatus"].endswith("FAILED")]
    return page(call, "OperationEvents", found[::-1])
