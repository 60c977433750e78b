"""The work on a provisioned product's stack, as the launch constraint's role, and how it ends.

Service Catalog Administrator Guide, "Launch constraints": with a launch role, the stack is made with that role's
permissions; without one, with the end user's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.cloud import Cloud, Session
from localaws.services.servicecatalog.state import Catalog, Provisioned, Record, given, now

SERVICE = "servicecatalog.amazonaws.com"
STACK_OUTPUT = {"Description": "The ARN of the launched Cloudformation Stack", "OutputKey": "CloudformationStackARN"}
FIRST_POLL, LAST_POLL = 0.02, 0.1  # seconds between two looks at the stack


@dataclass(frozen=True)
class Launch:
    """One piece of work on a provisioned product's stack."""

    cloud: Cloud
    catalog: Catalog
    provisioned: Provisioned
    record: Record
    user: Session  # the caller's own permissions, for products without a launch constraint
    region: str

    def session(self) -> Session:
        """Acts on the stack: the launch role's session (AwsError when it cannot be assumed), or the caller's."""
        if not self.provisioned.launch_role:
            return self.user
        session = self.cloud.service_role(
            self.provisioned.launch_role,
            f"SC-{self.provisioned.id}",
            SERVICE,
            self.region,
        )
        return self.cloud.session_for(session.principal.through(SERVICE), self.region)


class LaunchFailed(Exception):
    """The stack did not come out as asked. status: what becomes of the provisioned product."""

    def __init__(self, status: str, message: str, code: str = "ResourceError") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


def perform(launch: Launch, work: Callable[..., None], *args: Any) -> None:
    """Do the work and write down how it ended."""
    provisioned, record = launch.provisioned, launch.record
    with launch.catalog.lock:
        record.status = "IN_PROGRESS"
    status, message, errors = "AVAILABLE", "", []
    try:
        work(launch, *args)
    except LaunchFailed as error:
        status, message = error.status, error.message
        errors = [{"Code": error.code, "Description": message}]
    except (AwsError, ClientError) as error:  # the launch role cannot be assumed, or may not do this
        status, message = ("TAINTED" if provisioned.stack_id else "ERROR"), plain(error)
        errors = [{"Code": "AccessDeniedException", "Description": message}]
    with launch.catalog.lock:
        record.errors, record.status, record.updated = errors, "FAILED" if errors else "SUCCEEDED", now()
        provisioned.status, provisioned.message = status, message
        if not errors and record.type != "TERMINATE_PROVISIONED_PRODUCT":
            provisioned.last_successful_record = record.id


def plain(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"].get("Message", error))
    return error.message if isinstance(error, AwsError) else str(error)


def create_stack(launch: Launch, request: dict[str, Any]) -> None:
    cloudformation = launch.session().client("cloudformation")
    try:
        launch.provisioned.stack_id = cloudformation.create_stack(**request)["StackId"]
    except ClientError as error:
        raise LaunchFailed("ERROR", plain(error), error.response["Error"]["Code"]) from error
    finish(launch, cloudformation, "CREATE_COMPLETE", "ERROR")


def update_stack(launch: Launch, request: dict[str, Any]) -> None:
    cloudformation = launch.session().client("cloudformation")
    try:
        cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" not in plain(error):
            raise LaunchFailed("TAINTED", plain(error), error.response["Error"]["Code"]) from error
        finish(launch, cloudformation, "", "TAINTED")
    else:
        finish(launch, cloudformation, "UPDATE_COMPLETE", "TAINTED")
    launch.provisioned.artifact = launch.record.artifact


def finish(launch: Launch, cloudformation: Any, wanted: str, otherwise: str) -> None:
    """Wait for the stack; its outputs become the record's. LaunchFailed unless its status is the one wanted."""
    began = now()
    stack = settled(launch.cloud, cloudformation, launch.provisioned.stack_id)
    if stack["StackStatus"] != wanted and wanted:
        raise LaunchFailed(otherwise, failures(cloudformation, stack))
    outputs = [
        given(OutputKey=o["OutputKey"], OutputValue=o["OutputValue"], Description=o.get("Description"))
        for o in stack.get("Outputs", [])
    ]
    launch.record.outputs = [*outputs, {**STACK_OUTPUT, "OutputValue": stack["StackId"]}]
    launch.record.updated = began


def delete_stack(launch: Launch, ignore_errors: bool) -> None:
    """Delete the stack, then forget the provisioned product; its records stay."""
    provisioned = launch.provisioned
    try:
        if provisioned.stack_id:
            cloudformation = launch.session().client("cloudformation")
            cloudformation.delete_stack(StackName=provisioned.stack_id)
            stack = settled(launch.cloud, cloudformation, provisioned.stack_id)
            if stack["StackStatus"] != "DELETE_COMPLETE":
                raise LaunchFailed("TAINTED", failures(cloudformation, stack))
    except (LaunchFailed, AwsError, ClientError):
        if not ignore_errors:
            raise
    with launch.catalog.lock:
        launch.catalog.provisioned.pop(provisioned.id, None)


def settled(cloud: Cloud, cloudformation: Any, stack_id: str) -> dict[str, Any]:
    """The stack once nothing is in progress any more."""
    pause = FIRST_POLL
    while True:
        stack: dict[str, Any] = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        if cloud.stopping.wait(pause):
            raise LaunchFailed("ERROR", "The embedded AWS was stopped.")
        pause = min(LAST_POLL, pause * 1.5)


def failures(cloudformation: Any, stack: dict[str, Any]) -> str:
    """Why a stack failed: its own reason, and those of the resources that failed first."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack["StackId"])
    events = [event for page in pages for event in page["StackEvents"]]
    reasons = [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
        and event.get("PhysicalResourceId") != stack["StackId"]
        and "cancelled" not in event.get("ResourceStatusReason", "").lower()
    ]
    return "; ".join([f"{stack['StackStatus']}: {stack.get('StackStatusReason', '')}".rstrip(": "), *reasons])
