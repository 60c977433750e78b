"""A stack is created and deleted, in the background or for a stack set; updates.py changes it.

CloudFormation User Guide: "Choose how to handle failures when provisioning resources", "DeletionPolicy
attribute", "Stack status codes". The session acts: the stack's role, or the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from awslang.errors import AwsError
from localaws.cloud import Cloud, Session, new_id
from localaws.cloudformation import changes
from localaws.cloudformation.deployment import (
    ENDED,
    KEPT,
    Deployment,
    adopt,
    check_exports,
    failing,
    remove,
    settle,
    take_back,
)
from localaws.cloudformation.goals import Goal, prepare
from localaws.cloudformation.stacks import Stack, find_stack, new_stack, now, stacks_of
from localaws.cloudformation.steps import EXPECTED, StepFailed, Steps, walk
from localaws.cloudformation.updates import Update

UPDATABLE = {
    "CREATE_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
}  # fmt: skip
NEVER_MADE = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"}
FAILED_AFTER = {
    "CREATE_IN_PROGRESS": "ROLLBACK_FAILED",
    "IMPORT_IN_PROGRESS": "IMPORT_ROLLBACK_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
}


class Creation(Deployment):
    """Creates the stack; on failure rolls back, deletes or leaves it, as it was asked to."""

    def run(self) -> None:
        stack = self.stack
        adopt(stack, self.goal)
        if stack.status != "CREATE_IN_PROGRESS":
            stack.become("CREATE_IN_PROGRESS", "User Initiated")
        if reason := self.validated({}):
            self.fail(reason)
            return
        failed = walk(self.order, self.create_one, stack.at_once)
        if failed:
            self.fail(failing("create", failed))
            return
        try:
            self.publish()
        except EXPECTED as error:
            self.fail(f"{str(error).rstrip('. ')}. ")
            return
        settle(stack)
        stack.become("CREATE_COMPLETE")

    def fail(self, reason: str) -> None:
        stack = self.stack
        if stack.disable_rollback or stack.on_failure == "DO_NOTHING":
            stack.become("CREATE_FAILED", reason.strip())
        elif stack.on_failure == "DELETE":
            stack.become("CREATE_FAILED", f"{reason}Delete requested by user.")
            Deletion(self.cloud, self.session, stack).run()
        else:
            stack.become("ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
            left = take_back(self, list(stack.resources.values()))
            stack.become(
                "ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE", failing("delete", left).strip() if left else ""
            )


class Deletion:
    """Deletes the stack; what cannot be deleted leaves it DELETE_FAILED, with the reason.

    An export that another stack imports cancels the deletion: nothing is deleted, and the stack has its former status
    (CloudFormation User Guide, "Get exported outputs"; the words and the status are those that users report).
    """

    def __init__(
        self, cloud: Cloud, session: Session, stack: Stack, *, retain: Iterable[str] = (), force: bool = False
    ) -> None:
        self.cloud, self.session, self.stack = cloud, session, stack
        self.retain, self.force, self.before = frozenset(retain), force, stack.status

    def run(self) -> None:
        stack = self.stack
        if stack.status != "DELETE_IN_PROGRESS":
            stack.become("DELETE_IN_PROGRESS", "User Initiated")
        state = stacks_of(self.cloud, stack.account, stack.region)
        with state.lock:
            try:
                check_exports(self.cloud, stack, [])
            except StepFailed as error:
                stack.become(self.before, str(error))
                return
        steps = Steps(self.cloud, self.session, stack, stack.tags, new_id())
        existing = [r for r in [*stack.resources.values(), *stack.replaced] if r.physical_id]
        spared = [r for r in existing if r.deletion_policy in KEPT or r.logical_id in self.retain]
        failed = remove(steps, stack, [r for r in existing if r not in spared], spared, force=self.force)
        for logical_id in [i for i, r in stack.resources.items() if r.status in ENDED]:
            stack.gone[logical_id] = stack.resources.pop(logical_id)
        stack.replaced = [r for r in stack.replaced if r.status not in ENDED]
        if failed:
            stack.become("DELETE_FAILED", failing("delete", failed).strip())
            return
        stack.gone |= stack.resources
        stack.resources, stack.outputs, stack.imports = {}, [], frozenset()
        stack.deleted = now()
        stack.become("DELETE_COMPLETE")


def begin(cloud: Cloud, stack: Stack, status: str, work: Callable[[], None]) -> None:
    """Set the stack's status and have the work done in the background; a defect of ours ends it too."""
    stack.become(status, "User Initiated")

    def guarded() -> None:
        try:
            work()
        except Exception as error:
            stack.become(FAILED_AFTER[status], f"Internal Failure: {error!r}")
            raise
        finally:
            cloud.changed(stack.id)

    cloud.background(f"cloudformation {status} {stack.name}", guarded)


@dataclass(frozen=True)
class StackResult:
    """How an operation on a stack ended: the stack's status, and the first failure's reason."""

    stack_id: str
    status: str
    reason: str = ""

    @property
    def succeeded(self) -> bool:
        return self.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"}


def first_failure(stack: Stack, since: int = 0) -> str:
    """Why the stack failed, as a stack instance's status reason says it."""
    for event in stack.events[since:]:
        if event.status.endswith("_FAILED") and event.physical_id != stack.id:
            return (
                f"ResourceLogicalId:{event.logical_id}, ResourceType:{event.type}, ResourceStatusReason:{event.reason}."
            )
    return next((e.reason for e in stack.events[since:] if e.reason and e.reason != "User Initiated"), "")


def run_stack(
    cloud: Cloud,
    session: Session,
    account: str,
    region: str,
    name: str,
    template_body: str = "",
    parameters: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    capabilities: tuple[str, ...] = (),
    *,
    action: Literal["create", "update", "delete"],
    owner: str = "",
    disable_rollback: bool = False,
    retain_resources: bool = False,
) -> StackResult:
    """Create, update or delete a stack and wait for it; session is the identity that acts.

    owner: the ARN of the stack set or stack that it belongs to. What CloudFormation refuses before
    it begins comes as AwsError; an update that changes nothing ends as UPDATE_COMPLETE. A stack whose
    creation failed is created again by the next update, as stack sets do it.
    retain_resources: a delete that leaves every resource alone and forgets the stack.
    """
    found = stacks_of(cloud, account, region).find(name) if action == "update" else None
    if found is not None and found.status in NEVER_MADE:
        Deletion(cloud, session, found).run()
        name, action = found.name, "create"
    if action == "create":
        stack = new_stack(cloud, account, region, name)
        try:
            goal = prepare(cloud, session, stack, template_body, parameters or {}, None, tags or {}, capabilities)
        except AwsError:
            forget(cloud, stack)
            raise
        stack.owner, stack.disable_rollback = owner, disable_rollback
        Creation(cloud, session, stack, goal).run()
        return StackResult(stack.id, stack.status, "" if stack.status == "CREATE_COMPLETE" else first_failure(stack))
    stack = find_stack(cloud, account, region, name)
    since = len(stack.events)
    if action == "update":
        if stack.status not in UPDATABLE:
            raise AwsError("ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        goal = prepare(cloud, session, stack, template_body, parameters or {}, None, tags or {}, capabilities)
        if not changes_anything(stack, goal):
            return StackResult(stack.id, "UPDATE_COMPLETE", "No updates are to be performed.")
        Update(cloud, session, stack, goal).run()
    else:
        Deletion(cloud, session, stack, retain=stack.resources if retain_resources else ()).run()
    canceled = action == "delete" and not stack.status.startswith("DELETE_")
    status = "DELETE_FAILED" if canceled else stack.status
    done = status in {"UPDATE_COMPLETE", "DELETE_COMPLETE"}
    return StackResult(stack.id, status, "" if done else first_failure(stack, since))


def changes_anything(stack: Stack, goal: Goal) -> bool:
    """Whether an update has something to do; a ValidationError where a resource's type would change."""
    if wrong := changes.retyped(goal, stack.resources):
        raise AwsError(
            "ValidationError",
            "Update of resource type is not permitted. The new template modifies resource type of the following "
            f"resources: [{', '.join(wrong)}]",
        )
    if stack.status == "UPDATE_FAILED" or dict(stack.tags) != dict(goal.tags):
        return True
    try:
        if changes.foresee(goal, stack.resources):
            return True
        outputs = {o.key: o for o in goal.outputs()}
    except EXPECTED:
        return True  # the update itself will tell what is wrong
    return outputs != {o.key: o for o in stack.outputs}


def forget(cloud: Cloud, stack: Stack) -> None:
    """A stack whose creation was refused never was."""
    state = stacks_of(cloud, stack.account, stack.region)
    with state.lock:
        state.by_id.pop(stack.id, None)
