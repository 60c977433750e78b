"""The stacks of an account and Region: what is known of each, and its events.

The records follow the CloudFormation API Reference ("Stack", "StackEvent", "StackResource",
"ChangeSetSummary"); deploy.py changes them, service.py shows them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from awslang.errors import AwsError
from awslang.template.template import Template
from localaws.cloud import Cloud, arn, new_id

THREADS = 8  # resources that a stack works on at the same time
STACK_TYPE = "AWS::CloudFormation::Stack"
MAX_STACKS = 2000  # per account and Region (CloudFormation User Guide, "Understand CloudFormation quotas")


BEGINS = {  # a stack's status: the type of the operation that begins with it
    "CREATE_IN_PROGRESS": "CREATE_STACK",
    "UPDATE_IN_PROGRESS": "UPDATE_STACK",
    "DELETE_IN_PROGRESS": "DELETE_STACK",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK",
    "UPDATE_ROLLBACK_IN_PROGRESS": "ROLLBACK",
}
RECENT = 50  # events that may be of the same millisecond


def now() -> datetime:
    return datetime.now(UTC)


def stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


@dataclass
class Resource:
    """One resource of a stack, as it is deployed.

    properties: as sent, every intrinsic resolved
    attributes: what Fn::GetAtt may read
    tags: the stack's tags that it was given
    depends: the logical ids that must outlive it
    new: made by the operation that runs now
    """

    logical_id: str
    type: str
    physical_id: str = ""
    status: str = ""
    reason: str = ""
    updated: datetime = field(default_factory=now)
    properties: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metadata: Any = None
    description: str = ""
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    creation_policy: Any = None
    depends: frozenset[str] = frozenset()
    new: bool = False

    @property
    def ref(self) -> Any:
        return self.attributes.get("Ref", self.physical_id)


@dataclass(frozen=True)
class Operation:
    """What is done to a stack; an automatic rollback is one too (User Guide, "View stack events by operation")."""

    id: str
    type: str


@dataclass(frozen=True)
class Event:
    """operation: what it belongs to; None before the first one of its stack."""

    event_id: str
    time: datetime
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str = ""
    properties: str = ""
    token: str = ""
    operation: Operation | None = None


@dataclass(frozen=True)
class Output:
    key: str
    value: str
    description: str = ""
    export: str = ""


@dataclass
class ChangeSet:
    """A change set: what UpdateStack or CreateStack would be asked, and what it would change.

    detailed: the changes with the values of the properties; operation: its creation, of type CREATE_CHANGESET
    refused: what its validation found, as the resource and the reason
    """

    id: str
    name: str
    kind: str  # CREATE | UPDATE | IMPORT
    request: dict[str, Any]
    body: str
    status: str
    reason: str = ""
    execution: str = "UNAVAILABLE"
    changes: list[dict[str, Any]] = field(default_factory=list)
    detailed: list[dict[str, Any]] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    created: datetime = field(default_factory=now)
    planned: datetime = field(default_factory=now)
    goal: Any = None  # goals.Goal
    operation: Operation = field(default_factory=lambda: Operation(new_id(), "CREATE_CHANGESET"))
    refused: list[tuple[Resource, str]] = field(default_factory=list)


@dataclass
class Stack:
    """One stack.

    given: parameter values as the caller gave them, for UsePreviousValue
    shown: parameter values as DescribeStacks shows them (NoEcho masked)
    resolved: what an SSM parameter type's name stood for
    secrets: the values of NoEcho parameters and of secrets that were looked up
    replaced: resources that an update replaced or removed, to be deleted in its clean-up
    imports: the names of the exports that it reads
    owner: the stack set or parent stack that it belongs to; empty for a user's own
    policy: the stack policy; empty for none
    signals: by logical id and unique id, those that SignalResource brought
    cancelled: CancelUpdateStack was asked of the update that runs
    stable: the resources before an update that failed and was not rolled back
    """

    id: str
    name: str
    account: str
    region: str
    body: str = ""
    template: Template | None = None
    given: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    resolved: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    role_arn: str = ""
    status: str = ""
    reason: str = ""
    created: datetime = field(default_factory=now)
    updated: datetime | None = None
    deleted: datetime | None = None
    disable_rollback: bool = False
    on_failure: str = "ROLLBACK"
    retain_except_on_create: bool = False
    timeout_minutes: int = 0
    protected: bool = False
    token: str = ""
    last: tuple[str, str] = ("", "")  # operation and client request token of the last request
    change_set_id: str = ""
    owner: str = ""
    policy: str = ""
    signals: dict[str, dict[str, Any]] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    gone: dict[str, Resource] = field(default_factory=dict)
    replaced: list[Resource] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    imports: frozenset[str] = frozenset()
    events: list[Event] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    cancelled: bool = False
    stuck: Any = None  # deploy.Update, where its rollback failed
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def description(self) -> str:
        return self.template.description if self.template else ""

    @property
    def alive(self) -> bool:
        return self.status != "DELETE_COMPLETE"

    @property
    def busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def at_once(self) -> int:
        """The resources that are worked on at the same time: one in a stack set, where the stacks go side by side."""
        return 1 if ":stackset/" in self.owner else THREADS

    def outdate(self) -> None:
        """Its change sets are obsolete, "because the stack was already updated" (API Reference, ChangeSetSummary)."""
        for change_set in self.change_sets.values():
            if change_set.execution == "AVAILABLE":
                change_set.execution = "OBSOLETE"

    def become(self, status: str, reason: str = "") -> None:
        """A new status of the stack, with its event."""
        with self.lock:
            if kind := BEGINS.get(status):
                continued = kind == "ROLLBACK" and self.status == "UPDATE_ROLLBACK_FAILED"
                self.operations.append(Operation(new_id(), "CONTINUE_ROLLBACK" if continued else kind))
            event = Event(
                new_id(), now(), self.name, self.id, STACK_TYPE, status, reason, token=self.token,
                operation=self.operation,
            )  # fmt: skip
            self.events.append(event)
            self.status, self.reason = status, reason

    @property
    def operation(self) -> Operation | None:
        return self.operations[-1] if self.operations else None

    def note(self, resource: Resource, status: str, reason: str = "") -> None:
        """A new status of one of its resources, with its event; NoEcho values are not shown."""
        with self.lock:
            time = now()
            properties = json.dumps(resource.properties, default=str, separators=(",", ":"))
            for secret in sorted(self.secrets, key=len, reverse=True):
                properties = properties.replace(json.dumps(secret)[1:-1], "****")
            taken = {event.event_id for event in self.events[-RECENT:]}
            while (event_id := f"{resource.logical_id}-{status}-{stamp(time)}") in taken:  # in the same millisecond
                time += timedelta(milliseconds=1)
            event = Event(
                event_id=event_id,
                time=time,
                logical_id=resource.logical_id,
                physical_id=resource.physical_id,
                type=resource.type,
                status=status,
                reason=reason,
                properties=properties,
                token=self.token,
                operation=self.operation,
            )
            self.events.append(event)
            resource.status, resource.reason, resource.updated = status, reason, time


@dataclass
class Stacks:
    """Every stack of one account and Region, deleted ones too, by id."""

    by_id: dict[str, Stack] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def alive(self) -> list[Stack]:
        with self.lock:
            return [stack for stack in self.by_id.values() if stack.alive]

    def find(self, name_or_id: str) -> Stack | None:
        """The stack of this id, or the living one of this name."""
        with self.lock:
            if name_or_id in self.by_id:
                return self.by_id[name_or_id]
            return next((s for s in self.by_id.values() if s.alive and s.name == name_or_id), None)

    def exports(self) -> Iterator[tuple[Stack, Output]]:
        for stack in self.alive():
            for output in list(stack.outputs):
                if output.export:
                    yield stack, output

    def importers(self, export: str) -> list[Stack]:
        return [stack for stack in self.alive() if export in stack.imports]

    def holder(self, type_name: str, physical_id: str, but: Resource) -> Stack | None:
        """The stack that has this resource of this type already."""
        for stack in self.alive():
            with stack.lock:
                held = [*stack.resources.values(), *stack.replaced]
            for resource in held:
                if resource is not but and resource.type == type_name and resource.physical_id == physical_id:
                    return stack
        return None


def stacks_of(cloud: Cloud, account: str, region: str) -> Stacks:
    return cloud.state(Stacks, account, region)


def find_stack(cloud: Cloud, account: str, region: str, name_or_id: str, message: str = "") -> Stack:
    """The stack, or AWS's ValidationError."""
    stack = stacks_of(cloud, account, region).find(name_or_id)
    if stack is None:
        raise AwsError("ValidationError", message or f"Stack with id {name_or_id} does not exist")
    return stack


def new_stack(cloud: Cloud, account: str, region: str, name: str) -> Stack:
    """A stack that exists from now on; AlreadyExistsException where the name is taken."""
    state = stacks_of(cloud, account, region)
    with state.lock:
        if state.find(name) is not None:
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
        if len(state.alive()) >= MAX_STACKS:
            raise AwsError("LimitExceededException", f"Limit for stack has been exceeded ({MAX_STACKS})")
        stack_id = arn("cloudformation", region, account, f"stack/{name}/{new_id()}")
        stack = Stack(stack_id, name, account, region)
        stack.status = "REVIEW_IN_PROGRESS"
        state.by_id[stack_id] = stack
        return stack
