"""Carries out the operations of stack sets: Regions, concurrency, tolerance, one real stack per instance.

CloudFormation User Guide, "StackSet operation options", "Choose the Concurrency Mode for AWS
CloudFormation StackSets", "StackSets status codes", "Enable trusted access for StackSets"
(the stacksets-exec role in every target account), "Grant self-managed permissions".
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from awslang.principals import Principal
from localaws import moto_bridge
from localaws.cloud import PARTITION, Cloud, Session, arn
from localaws.cloudformation.deploy import run_stack
from localaws.cloudformation.stacksets.state import Instance, Operation, Result, StackSet
from localaws.services.organizations import service as organizations

SERVICE = "cloudformation.amazonaws.com"
ADMINISTRATION_ROLE = "AWSCloudFormationStackSetAdministrationRole"
EXECUTION_ROLE = "AWSCloudFormationStackSetExecutionRole"
LINKED_ROLE = "AWSServiceRoleForCloudFormationStackSetsOrgMember"
LINKED_PATH = f"/aws-service-role/{organizations.STACK_SETS}/"
THREADS = 4  # at the same time on this machine, whatever the operation allows
CANCELLED = "Cancelled since failure tolerance has exceeded"
GONE = "The stack instance was deleted while the operation waited"
_roles_lock = threading.Lock()
Act = Callable[[Cloud, StackSet, Operation, Result], None]  # what an operation does to one instance


@dataclass(frozen=True)
class Pace:
    """How fast an operation may go in one Region: tolerated failures and accounts at the same time."""

    tolerance: int
    most: int
    strict: bool

    def at_once(self, failed: int) -> int:
        """Strict: the number of failed accounts never exceeds the tolerance + 1."""
        return min(self.most, self.tolerance + 1 - failed) if self.strict else self.most


def pace(preferences: dict[str, object], accounts: int) -> Pace:
    """API Reference, "StackSetOperationPreferences": percentages are rounded down, but at least 1 at once."""
    tolerance = int(str(preferences.get("FailureToleranceCount", 0)))
    if "FailureTolerancePercentage" in preferences:
        tolerance = accounts * int(str(preferences["FailureTolerancePercentage"])) // 100
    most = int(str(preferences.get("MaxConcurrentCount", 1)))
    if "MaxConcurrentPercentage" in preferences:
        most = max(1, accounts * int(str(preferences["MaxConcurrentPercentage"])) // 100)
    return Pace(tolerance, most, preferences.get("ConcurrencyMode") != "SOFT_FAILURE_TOLERANCE")


def begin_operation(
    cloud: Cloud, stack_set: StackSet, operation: Operation, places: list[tuple[str, str]], work: Act
) -> None:
    """Note the operation on the set and its instances, and carry it out in the background, in its turn."""
    operation.behind = next((one for one in reversed(stack_set.operations.values()) if not one.finished), None)
    if operation.behind or operation.after:
        operation.status = "QUEUED"
    for place in places:
        instance = stack_set.instances[place]
        instance.detailed, instance.last_operation = "PENDING", operation.id
        operation.results[place] = Result(*place, instance.unit)
    stack_set.operations[operation.id] = operation
    act = partial(work, cloud, stack_set, operation)
    cloud.background(f"stack set {stack_set.name} {operation.action}", run, cloud, stack_set, operation, act)


def run(cloud: Cloud, stack_set: StackSet, operation: Operation, act: Callable[[Result], None]) -> None:
    """The whole operation, one Region after the other unless the preferences say PARALLEL.

    act does one instance and raises AwsError or ClientError where it fails.
    """
    for other in [*operation.after, *([operation.behind] if operation.behind else [])]:
        other.done.wait()
    if operation.status == "QUEUED":
        operation.status = "RUNNING"
    broken = True
    try:
        if all(other.status == "SUCCEEDED" for other in operation.after):
            broken = run_regions(cloud, operation, act)
        else:
            operation.reason = "A stack set that this one depends on was not deployed"
    finally:
        for result in operation.results.values():
            if result.status == "PENDING":
                end(stack_set, result, "CANCELLED", operation.reason or CANCELLED)
        with stack_set.lock:
            stopped = operation.status == "STOPPING"
            operation.status = "STOPPED" if stopped else "FAILED" if broken else "SUCCEEDED"
            operation.ended = datetime.now(UTC)
        operation.done.set()
        cloud.changed(operation.id)


def run_regions(cloud: Cloud, operation: Operation, act: Callable[[Result], None]) -> bool:
    """Deploy to every Region until the preferences end it; True when one failed."""
    regions: dict[str, list[Result]] = {}
    for region in operation.preferences.get("RegionOrder") or []:
        regions[region] = []
    for result in operation.results.values():
        regions.setdefault(result.region, []).append(result)
    if operation.preferences.get("RegionConcurrencyType") == "PARALLEL":
        with ThreadPoolExecutor(max(1, len(regions))) as pool:
            return any(list(pool.map(lambda results: run_region(cloud, operation, results, act), regions.values())))
    return any(run_region(cloud, operation, results, act) for results in regions.values())


def run_region(cloud: Cloud, operation: Operation, results: list[Result], act: Callable[[Result], None]) -> bool:
    """The instances of one Region as a sliding window; True when more failed than is tolerated."""
    allowed, todo, failed = pace(operation.preferences, len(results)), list(results), 0
    window: set[Future[None]] = set()
    with ThreadPoolExecutor(max(1, min(THREADS, allowed.most, len(results)))) as pool:
        while todo or window:
            may_start = failed <= allowed.tolerance and operation.status == "RUNNING" and not cloud.stopping.is_set()
            while todo and may_start and len(window) < allowed.at_once(failed):
                window.add(pool.submit(act, todo.pop(0)))
            if not window:
                break
            done, window = wait(window, return_when=FIRST_COMPLETED)
            for one in done:
                one.result()
            failed = sum(result.status == "FAILED" for result in results)
    return failed > allowed.tolerance


def end(stack_set: StackSet, result: Result, status: str, reason: str = "") -> None:
    """Note an instance's end on the result and on the instance."""
    with stack_set.lock:
        result.status, result.reason = status, reason
        instance = stack_set.instances.get((result.account, result.region))
        if instance is not None:
            instance.detailed, instance.reason = status, reason
            if status == "SUCCEEDED":
                instance.status = "CURRENT"
            elif instance.status == "CURRENT":
                instance.status = "OUTDATED"


def begin(stack_set: StackSet, operation: Operation, result: Result) -> Instance | None:
    """The instance, at work now; None where it has gone while the operation was queued."""
    with stack_set.lock:
        instance = stack_set.instances.get((result.account, result.region))
        if instance is None:
            result.status, result.reason = "CANCELLED", GONE
            return None
        result.status = "RUNNING"
        instance.detailed, instance.reason, instance.last_operation = "RUNNING", "", operation.id
        return instance


def deploy(cloud: Cloud, stack_set: StackSet, operation: Operation, result: Result) -> None:
    """Create or update the stack of one instance."""
    instance = begin(stack_set, operation, result)
    if instance is None:
        return
    if suspended(stack_set, instance.account):
        end(stack_set, result, "SUCCEEDED")
        instance.detailed, instance.status = "SKIPPED_SUSPENDED_ACCOUNT", "OUTDATED"
        return
    try:
        session = acting(cloud, stack_set, instance)
        ask(session, stack_set, instance, "UpdateStack" if instance.stack_id else "CreateStack")
        done = run_stack(
            cloud,
            session,
            instance.account,
            instance.region,
            instance.stack_id or instance.stack_name,
            stack_set.body,
            {**stack_set.parameters, **instance.overrides},
            stack_set.tags,
            stack_set.capabilities,
            action="update" if instance.stack_id else "create",
            owner=stack_set.arn,
        )
    except (AwsError, ClientError) as error:
        end(stack_set, result, "FAILED", message_of(error))
        return
    instance.stack_id = done.stack_id
    good = done.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    end(stack_set, result, "SUCCEEDED" if good else "FAILED", "" if good else done.reason or done.status)


def remove(cloud: Cloud, stack_set: StackSet, operation: Operation, result: Result) -> None:
    """Delete one instance and its stack; with RetainStacks the stack stays."""
    instance = begin(stack_set, operation, result)
    if instance is None:
        return
    try:
        if instance.stack_id and not operation.retain:
            session = acting(cloud, stack_set, instance)
            ask(session, stack_set, instance, "DeleteStack")
            done = run_stack(cloud, session, instance.account, instance.region, instance.stack_id, action="delete")
            if done.status != "DELETE_COMPLETE":
                raise AwsError(done.status, done.reason or done.status)
    except (AwsError, ClientError) as error:
        end(stack_set, result, "FAILED", message_of(error))
        instance.status = "INOPERABLE"
        return
    with stack_set.lock:
        result.status = "SUCCEEDED"
        stack_set.instances.pop((result.account, result.region), None)


def message_of(error: AwsError | ClientError) -> str:
    return error.message if isinstance(error, AwsError) else str(error)


def suspended(stack_set: StackSet, account: str) -> bool:
    if not stack_set.service_managed:
        return False
    member = moto_bridge.member(organizations.organization(stack_set.owner), account)
    return member is not None and member.status == "SUSPENDED"


# -- who acts --------------------------------------------------------------------------------------


def acting(cloud: Cloud, stack_set: StackSet, instance: Instance) -> Session:
    """The identity that works in the target account."""
    if stack_set.service_managed:
        role = linked_role(instance.account)
        name = role.rsplit("/", 1)[1]
        session_arn = f"arn:{PARTITION}:sts::{instance.account}:assumed-role/{name}/{stack_set.name[:64]}"
        principal = Principal("role", instance.account, session_arn, role, stack_set.name[:64])
        return cloud.session_for(principal, instance.region)
    role = f"arn:{PARTITION}:iam::{instance.account}:role/{stack_set.execution_role or EXECUTION_ROLE}"
    administrator = (
        stack_set.administration_role or f"arn:{PARTITION}:iam::{stack_set.owner}:role/{ADMINISTRATION_ROLE}"
    )
    try:
        # StackSets' own message for this: User Guide, "Grant self-managed permissions"
        source = {"SourceArn": stack_set.arn, "SourceAccount": stack_set.owner}
        by = cloud.service_role(administrator, stack_set.name[:64], SERVICE, stack_set.region, **source)
        given = by.client("sts").assume_role(RoleArn=role, RoleSessionName=stack_set.name[:64])["Credentials"]
    except (AwsError, ClientError) as error:
        raise AwsError(
            "AccessDenied",
            f"Account {instance.account} should have '{role.rsplit('/', 1)[1]}' role with trust relationship to "
            f"Role '{administrator.rsplit('/', 1)[1]}'. ({message_of(error)})",
        ) from error
    credentials = cloud.credentials(given["AccessKeyId"])
    assert credentials is not None
    return Session(cloud, credentials, instance.region)


def ask(session: Session, stack_set: StackSet, instance: Instance, operation: str) -> None:
    """AwsError unless the execution role of a self-managed set may run the stack itself, beside what is in it.

    User Guide, "Grant self-managed permissions": it "always needs full CloudFormation permissions, which include
    permissions to create, update, delete, and describe stacks". The service's own role may do everything.
    """
    if stack_set.service_managed:
        return
    stack = instance.stack_id or arn(
        "cloudformation", instance.region, instance.account, f"stack/{instance.stack_name}/*"
    )
    for action in (operation, "DescribeStacks"):
        session.permit(f"cloudformation:{action}", stack)


def linked_role(account: str) -> str:
    """The ARN of the account's stacksets-exec role, which CloudFormation makes when it first needs it."""
    iam = moto_bridge.backend("iam", account, "aws")
    name = f"stacksets-exec-{hashlib.sha256(account.encode()).hexdigest()[:32]}"
    linked = f"arn:{PARTITION}:iam::{account}:role{LINKED_PATH}{LINKED_ROLE}"
    with _roles_lock:
        if not any(role.name == name for role in iam.roles.values()):
            if not any(role.name == LINKED_ROLE for role in iam.roles.values()):
                trust = {"Service": organizations.STACK_SETS}
                make_role(iam, LINKED_ROLE, LINKED_PATH, trust, "Service linked role for CloudFormation StackSets")
            make_role(iam, name, "/", {"AWS": linked}, "Role created by AWSCloudFormation StackSets")
            iam.managed_policies[organizations.ADMINISTRATOR_ACCESS].attach_to(iam.get_role(name))
    return f"arn:{PARTITION}:iam::{account}:role/{name}"


def make_role(iam: object, name: str, path: str, principal: dict[str, str], description: str) -> None:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_role(  # type: ignore[attr-defined]  # moto's backend
        role_name=name,
        assume_role_policy_document=trust,
        path=path,
        permissions_boundary=None,
        description=description,
        tags=[],
        max_session_duration="3600",
    )
