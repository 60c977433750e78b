"""An update of a stack: in place, by replacement with a clean-up after it, or back to exactly what was.

CloudFormation User Guide: "Understand update behaviors of stack resources", "Continue rolling back an update",
"UpdateReplacePolicy attribute", "Choose how to handle failures when provisioning resources".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from awslang.template import schemas
from localaws.cloud import Cloud, Session, new_id
from localaws.cloudformation import changes
from localaws.cloudformation.deployment import KEPT, Deployment, adopt, failing, remove, settle, take_back
from localaws.cloudformation.goals import Goal
from localaws.cloudformation.stack_policies import DELETE, MODIFY, REPLACE, denial
from localaws.cloudformation.stacks import Resource, Stack, now
from localaws.cloudformation.steps import EXPECTED, StepFailed, Steps, walk


class Update(Deployment):
    """Updates the stack, cleans up after it, or brings it back to exactly what it was."""

    def __init__(
        self, cloud: Cloud, session: Session, stack: Stack, goal: Goal, *, validate: bool = True, policy: str = ""
    ) -> None:
        """policy: a stack policy for this update only"""
        super().__init__(cloud, session, stack, goal, validate=validate)
        self.policy = policy or stack.policy
        stack.cancelled = False
        self.before = {i: r for i, r in stack.resources.items() if r.status != "CREATE_FAILED"}
        stack.replaced += [r for r in stack.resources.values() if r.status == "CREATE_FAILED" and r.physical_id]
        stack.resources = dict(self.before)
        self.outputs, self.imports = list(stack.outputs), stack.imports
        self.former: dict[str, Any] = {}
        self.changed: dict[str, tuple[Resource, Resource]] = {}  # in place: before and after
        self.made: list[Resource] = []

    def run(self) -> None:
        stack = self.stack
        self.former = adopt(stack, self.goal)
        stack.updated = now()
        if stack.status != "UPDATE_IN_PROGRESS":
            stack.become("UPDATE_IN_PROGRESS", "User Initiated")
        if reason := self.validated(self.before):
            self.fail(reason)
            return
        if protected := self.protected():
            self.fail(failing("update", protected))
            return
        failed = walk(self.order, self.settle_one, stack.at_once)
        if stack.cancelled:
            stack.become("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
            self.roll_back()
            return
        if failed:
            self.fail(failing("update" if set(failed) & set(self.before) else "create", failed))
            return
        try:
            self.publish()
        except EXPECTED as error:
            self.fail(f"{str(error).rstrip('. ')}. ")
            return
        removed = [r for i, r in self.before.items() if i not in self.goal.depends]
        for resource in removed:
            stack.resources.pop(resource.logical_id, None)
        stack.become("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        doomed = [r for r in removed if r.deletion_policy not in KEPT]
        doomed += [r for r in stack.replaced if r.replace_policy not in KEPT]
        spared = [r for r in [*removed, *stack.replaced] if r not in doomed]
        failed_deletions = remove(self.steps, stack, doomed, spared)
        stack.replaced = []
        stack.gone.update({r.logical_id: r for r in removed})
        settle(stack)
        stack.become("UPDATE_COMPLETE", failing("delete", failed_deletions) if failed_deletions else "")

    def settle_one(self, logical_id: str) -> None:
        """One resource becomes what the goal wants: made, changed, replaced or left alone."""
        if self.stack.cancelled:
            raise StepFailed("Resource update cancelled")
        old = self.before.get(logical_id)
        if old is None:
            try:
                self.create_one(logical_id)
            finally:
                self.made.append(self.stack.resources[logical_id])
            return
        new = self.wanted(logical_id, "UPDATE")
        difference = changes.compare(old, new, self.goal.tags, self.stack.region)
        new.physical_id, new.attributes, new.tags = old.physical_id, dict(old.attributes), dict(old.tags)
        new.status, new.reason, new.updated = old.status, old.reason, old.updated
        if difference.replaced_by:
            self.replace(old, new)
        elif difference.touches:
            self.change(old, new)
        else:
            self.stack.resources[logical_id] = new

    def protected(self) -> list[str]:
        """The resources that this update would remove and the stack's policy keeps."""
        found = [r for i, r in self.before.items() if i not in self.goal.depends]
        reasons = {r.logical_id: denial(self.policy, DELETE, r.logical_id, r.type) for r in found}
        for resource in found:
            if reasons[resource.logical_id]:
                self.stack.note(replace(resource), "UPDATE_FAILED", reasons[resource.logical_id])  # it stays as it is
        return [logical_id for logical_id, reason in reasons.items() if reason]

    def let_through(self, resource: Resource, action: str) -> None:
        """StepFailed where the stack's policy does not allow it."""
        if reason := denial(self.policy, action, resource.logical_id, resource.type):
            self.stack.note(resource, "UPDATE_FAILED", reason)
            raise StepFailed(reason)

    def change(self, old: Resource, new: Resource) -> None:
        self.let_through(new, MODIFY)
        self.stack.note(new, "UPDATE_IN_PROGRESS")
        self.changed[new.logical_id] = old, new
        try:
            former_id = self.steps.update(old, new)
        except StepFailed:
            new.tags = dict(self.goal.tags)  # some may have arrived: the rollback takes them away
            old.status, old.reason = new.status, new.reason
            raise
        self.stack.resources[new.logical_id] = new
        if former_id:  # the service gave another id: the old resource goes in the clean-up
            del self.changed[new.logical_id]
            self.made.append(new)
            self.queue(old, new)

    def replace(self, old: Resource, new: Resource) -> None:
        self.let_through(new, REPLACE)
        reason = "Requested update requires the creation of a new physical resource; hence creating one."
        self.stack.note(new, "UPDATE_IN_PROGRESS", reason)
        if same := custom_name(old, new, self.stack.region):
            reason = (
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {same} and update the stack again."
            )
            self.stack.note(new, "UPDATE_FAILED", reason)
            raise StepFailed(reason)
        new.physical_id, new.attributes = "", {}
        try:
            self.steps.create(new, replaces=True)
        finally:
            if new.physical_id:
                self.made.append(new)
        self.stack.resources[new.logical_id] = new
        self.queue(old, new)

    def queue(self, old: Resource, new: Resource) -> None:
        """Remember a replaced resource for the clean-up, under the new template's policy."""
        self.stack.replaced.append(replace(old, replace_policy=new.replace_policy))

    def fail(self, reason: str) -> None:
        if self.stack.disable_rollback:
            self.stack.become("UPDATE_FAILED", reason.strip())
        else:
            self.stack.become("UPDATE_ROLLBACK_IN_PROGRESS", reason.strip())
            self.roll_back()

    def roll_back(self, skip: Iterable[str] = ()) -> None:
        """Back to the exact former state; ContinueUpdateRollback comes here again."""
        stack = self.stack
        for name, value in self.former.items():
            setattr(stack, name, value)
        stack.outputs, stack.imports, stack.stuck = self.outputs, self.imports, None
        self.steps = Steps(self.cloud, self.session, stack, stack.tags, new_id())
        for logical_id in skip:
            self.changed.pop(logical_id, None)
        depends = {i: self.before[i].depends for i in self.changed}
        if failed := walk(depends, self.undo, stack.at_once, keep_going=True):
            stack.stuck = self
            stack.become("UPDATE_ROLLBACK_FAILED", failing("update", failed).strip())
            return
        in_use = {(r.logical_id, r.physical_id) for r in self.before.values()}
        stack.replaced = [r for r in stack.replaced if (r.logical_id, r.physical_id) not in in_use]
        stack.resources = dict(self.before)
        stack.become("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        failed_deletions = take_back(self, self.made)
        settle(stack)
        stack.become("UPDATE_ROLLBACK_COMPLETE", failing("delete", failed_deletions) if failed_deletions else "")

    def undo(self, logical_id: str) -> None:
        """Change a resource back to what it was before the update."""
        old, new = self.changed[logical_id]
        self.stack.note(old, "UPDATE_IN_PROGRESS")
        new.physical_id = new.physical_id or old.physical_id
        self.steps.update(new, old)
        del self.changed[logical_id]

    def kept(self, resource: Resource) -> bool:
        return super().kept(resource) and resource.logical_id not in self.before


def custom_name(old: Resource, new: Resource, region: str) -> str:
    """The name that a template gives to a resource and keeps, although the resource must be replaced."""
    for path in schemas.schema(new.type, region).primary_identifier:
        given = new.properties.get(path)
        if not isinstance(given, str) or given != old.properties.get(path):
            return ""
    identifiers = schemas.schema(new.type, region).primary_identifier
    return str(new.properties[identifiers[0]]) if identifiers else ""
