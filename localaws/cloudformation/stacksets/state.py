"""Stack sets as they are kept: the set, its instances, its operations, and whose they are.

CloudFormation User Guide, "StackSets concepts". A service-managed set belongs to the management
account, also when a delegated administrator made it: its ARN carries the management account's id.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.services.organizations import service as organizations

MOST_SETS = 1000  # stack sets in an administrator account (User Guide, "Understand CloudFormation quotas")
MOST_INSTANCES = 100_000  # stack instances of a set (the same page)
FINISHED = {"SUCCEEDED", "FAILED", "STOPPED"}


@dataclass
class Instance:
    """One account and Region of a set.

    status: CURRENT | OUTDATED | INOPERABLE; detailed: PENDING | RUNNING | SUCCEEDED | FAILED | CANCELLED | …
    unit: the unit that the deployment targets named; empty for a self-managed set
    """

    account: str
    region: str
    unit: str
    stack_name: str
    stack_id: str = ""
    status: str = "OUTDATED"
    detailed: str = "PENDING"
    reason: str = ""
    overrides: dict[str, str] = field(default_factory=dict)
    last_operation: str = ""


@dataclass
class Result:
    """What one operation did to one instance."""

    account: str
    region: str
    unit: str
    status: str = "PENDING"
    reason: str = ""


@dataclass
class Operation:
    """One operation on a set; action: CREATE | UPDATE | DELETE."""

    id: str
    action: str
    preferences: dict[str, Any]
    targets: dict[str, Any] = field(default_factory=dict)
    retain: bool | None = None
    after: list[Operation] = field(default_factory=list)  # other sets' operations that must succeed before
    status: str = "RUNNING"
    reason: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    behind: Operation | None = None  # the same set's operation that must have ended before
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


@dataclass
class StackSet:
    """One stack set; owner is the account in its ARN."""

    name: str
    id: str
    owner: str
    region: str
    permission_model: str
    body: str = ""
    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()  # parameters with NoEcho
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    administration_role: str = ""
    execution_role: str = ""
    auto_deployment: dict[str, Any] = field(default_factory=dict)
    managed_execution: bool = False
    deleted: bool = False
    token: str = ""
    instances: dict[tuple[str, str], Instance] = field(default_factory=dict)
    targets: dict[str, set[str]] = field(default_factory=dict)  # unit: Regions, for automatic deployments
    excluded: dict[str, frozenset[str]] = field(
        default_factory=dict
    )  # unit: accounts that the last deployment left out
    operations: dict[str, Operation] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def service_managed(self) -> bool:
        return self.permission_model == "SERVICE_MANAGED"

    @property
    def arn(self) -> str:
        return arn("cloudformation", self.region, self.owner, f"stackset/{self.id}")

    def running(self) -> Operation | None:
        return next((operation for operation in self.operations.values() if not operation.finished), None)


@dataclass
class StackSets:
    """The sets of one account and Region, by id."""

    by_id: dict[str, StackSet] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def find(self, name_or_id: str) -> StackSet | None:
        name_or_id = name_or_id.rsplit("stackset/", 1)[-1]
        if name_or_id in self.by_id:
            return self.by_id[name_or_id]
        alive = (s for s in self.by_id.values() if s.name == name_or_id and not s.deleted)
        return next(alive, None)


def sets_of(cloud: Cloud, owner: str, region: str) -> StackSets:
    return cloud.state(StackSets, owner, region)


def owner_of(call: Call) -> str:
    """Whose sets the call speaks of: CallAs SELF the caller's, DELEGATED_ADMIN the organization's.

    API Reference, CreateStackSet: CallAs. AwsError unless the caller is a registered administrator and may ask
    Organizations for them (User Guide, "Register a delegated administrator member account"): AWS gives the same
    answer to both (github.com/hashicorp/terraform-provider-aws, pull request 37069).
    """
    if call.params.get("CallAs", "SELF") != "DELEGATED_ADMIN":
        return call.account
    management = organizations.management_of(call.account)
    refusal = "Account used is not a delegated administrator"
    if not management or not organizations.is_delegated(management, call.account, organizations.STACK_SETS):
        raise AwsError("ValidationError", f"{refusal} ({call.account}, of {organizations.STACK_SETS})")
    try:
        session = call.cloud.session_for(call.principal, call.region)
        session.permit("organizations:ListDelegatedAdministrators", "*")
    except AwsError as error:
        raise AwsError("ValidationError", f"{refusal} ({error.message})") from error
    return management


def require_organization(call: Call) -> None:
    """What a service-managed set needs: the management account or its delegate, and trusted access."""
    management = organizations.management_of(call.account)
    as_delegate = call.params.get("CallAs", "SELF") == "DELEGATED_ADMIN"
    if not management or (not as_delegate and management != call.account):
        raise AwsError(
            "ValidationError",
            "You must be the management account or delegated admin account of an organization before operating "
            "a SERVICE_MANAGED stack set",
        )
    if not organizations.is_trusted(management, organizations.STACK_SETS):
        raise AwsError("ValidationError", "You must enable organizations access to operate a service managed stack set")


def find_set(call: Call) -> StackSet:
    """The set that the call names; StackSetNotFoundException."""
    owner = owner_of(call)
    found = sets_of(call.cloud, owner, call.region).find(str(call.params["StackSetName"]))
    if found is None or (call.params.get("CallAs") == "DELEGATED_ADMIN" and not found.service_managed):
        raise AwsError("StackSetNotFoundException", f"StackSet {call.params['StackSetName']} not found", 404)
    return found


def alive_set(call: Call) -> StackSet:
    """The set, to be changed: not deleted, and for a service-managed one with its preconditions."""
    found = find_set(call)
    if found.deleted:
        raise AwsError("StackSetNotFoundException", f"StackSet {call.params['StackSetName']} not found", 404)
    if found.service_managed:
        require_organization(call)
    return found


def find_operation(call: Call, stack_set: StackSet) -> Operation:
    found = stack_set.operations.get(str(call.params["OperationId"]))
    if found is None:
        raise AwsError("OperationNotFoundException", f"Operation {call.params['OperationId']} not found", 404)
    return found
