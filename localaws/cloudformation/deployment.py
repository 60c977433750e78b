"""What creating, updating and rolling back a stack share: checks before, single resources, exports, removal.

CloudFormation User Guide: "DeletionPolicy attribute", "Validate stack deployments", "Get exported outputs
from a deployed CloudFormation stack". Resources that do not need each other are worked on at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from awslang.template import schemas, sequence
from localaws.cloud import Cloud, Session, new_id
from localaws.cloudformation import changes
from localaws.cloudformation.goals import Goal
from localaws.cloudformation.stacks import Output, Resource, Stack, stacks_of
from localaws.cloudformation.steps import EXPECTED, StepFailed, Steps, reversed_graph, walk

KEPT = {"Retain", "RetainExceptOnCreate"}
ENDED = {"DELETE_COMPLETE", "DELETE_SKIPPED"}
GOAL_FIELDS = ("body", "template", "given", "shown", "resolved", "secrets", "tags", "capabilities")


def adopt(stack: Stack, goal: Goal) -> dict[str, Any]:
    """The stack takes on the goal's template, parameters and tags; gives what it had before."""
    former = {name: getattr(stack, name) for name in GOAL_FIELDS}
    stack.body, stack.template = goal.body, goal.template
    stack.given, stack.shown = dict(goal.parameters.given), dict(goal.parameters.shown)
    stack.resolved, stack.secrets = dict(goal.parameters.resolved), goal.secrets
    stack.tags, stack.capabilities = dict(goal.tags), goal.capabilities
    return former


def failing(verb: str, failed: Iterable[str]) -> str:
    return f"The following resource(s) failed to {verb}: [{', '.join(sorted(failed))}]. "  # english: quoted


class Deployment:
    """What creating and updating a stack share."""

    def __init__(self, cloud: Cloud, session: Session, stack: Stack, goal: Goal, *, validate: bool = True) -> None:
        self.cloud, self.session, self.stack, self.goal, self.validate = cloud, session, stack, goal, validate
        self.operation = new_id()
        self.steps = Steps(cloud, session, stack, goal.tags, self.operation)
        self.fine: dict[str, dict[str, Any]] = {}  # by logical id: the properties that the schemas let pass before
        self.order: dict[str, set[str]] = goal.depends  # what each resource waits for; validated() makes it the latest
        self.deadline = time.monotonic() + stack.timeout_minutes * 60 if stack.timeout_minutes else None

    def attribute(self, logical_id: str, attribute: str) -> Any:
        """What Ref and Fn::GetAtt give while the stack is at work."""
        resource = self.stack.resources[logical_id]
        if attribute == "Ref":
            return resource.ref
        if attribute not in resource.attributes and schemas.registered(resource.type) == schemas.CUSTOM:
            raise StepFailed(
                f"CustomResource attribute error: Vendor response doesn't contain {attribute} attribute in object "
                f"{self.stack.id}|{logical_id}"
            )
        if attribute not in resource.attributes:
            raise StepFailed(f"Attribute {attribute} of {logical_id} ({resource.type}) has no value")
        return resource.attributes[attribute]

    def validated(self, before: Mapping[str, Resource]) -> str:
        """The reason not to begin: what the schemas refuse, noted on the resources; empty when nothing."""
        try:
            foreseen = changes.foresee(self.goal, before)
            found = changes.problems(self.goal, foreseen) if self.validate else []
        except EXPECTED as error:
            return f"{str(error).rstrip('. ')}. "
        finally:
            self.goal.lookup = self.attribute
        for resource, problem in found:
            verb = "UPDATE" if resource.logical_id in before else "CREATE"
            resource.physical_id = before[resource.logical_id].physical_id if resource.logical_id in before else ""
            self.stack.note(resource, f"{verb}_FAILED", problem)
            if resource.logical_id not in before:
                self.stack.resources[resource.logical_id] = resource
        new = {change.new.logical_id: change.new for change in foreseen if change.new}
        if not found:
            self.fine = {one: resource.properties for one, resource in new.items()} if self.validate else {}
            known = {one: (resource.type, resource.properties) for one, resource in new.items()}
            wanted = {one: known.get(one, ("", {})) for one in self.goal.depends}
            self.order = sequence.latest(wanted, self.goal.depends)
        verb = "update" if before else "create"
        return failing(verb, {resource.logical_id for resource, _ in found}) if found else ""

    def wanted(self, logical_id: str, status: str) -> Resource:
        """The resource with its properties resolved and checked; a failure is noted on it."""
        draft = self.goal.unresolved(logical_id)
        old = self.stack.resources.get(logical_id)
        draft.physical_id = old.physical_id if old else ""
        try:
            if self.deadline and time.monotonic() > self.deadline:
                raise StepFailed("Resource creation cancelled: the stack's timeout is over")
            resource = self.goal.resource(logical_id)
            if resource.properties == self.fine.get(logical_id):
                return resource
            if found := schemas.problems(resource.type, resource.properties, logical_id, self.stack.region):
                raise StepFailed("; ".join(found))
            return resource
        except EXPECTED as error:
            self.stack.note(draft, f"{status}_FAILED", str(error))
            if old is None:
                self.stack.resources[logical_id] = draft
            raise StepFailed(str(error)) from error

    def create_one(self, logical_id: str) -> None:
        resource = self.wanted(logical_id, "CREATE")
        self.stack.resources[logical_id] = resource
        self.stack.note(resource, "CREATE_IN_PROGRESS")
        self.steps.create(resource)

    def publish(self) -> None:
        """Outputs and exports; StepFailed where an export is taken or in use."""
        outputs, state = self.goal.outputs(), stacks_of(self.cloud, self.stack.account, self.stack.region)
        with state.lock:
            check_exports(self.cloud, self.stack, outputs)
            self.stack.outputs, self.stack.imports = outputs, frozenset(self.goal.evaluator.imports())

    def kept(self, resource: Resource) -> bool:
        """Whether a resource that this operation made survives its rollback."""
        return resource.deletion_policy == "Retain" and not self.stack.retain_except_on_create


def check_exports(cloud: Cloud, stack: Stack, outputs: list[Output]) -> None:
    """An export's name is unique; an export that another stack imports cannot be changed or deleted."""
    state = stacks_of(cloud, stack.account, stack.region)
    names = [o.export for o in outputs if o.export]
    if double := next((name for name in names if names.count(name) > 1), ""):
        raise StepFailed(f"Duplicate Export names. Export with name {double} is declared more than once")
    taken = {output.export: other for other, output in state.exports() if other is not stack}
    for name in names:
        if name in taken:
            raise StepFailed(f"Export with name {name} is already exported by stack {taken[name].name}")
    values = {o.export: o.value for o in outputs if o.export}
    for output in stack.outputs:
        if not output.export or values.get(output.export) == output.value:
            continue
        if users := [other.name for other in state.importers(output.export) if other is not stack]:
            by = f"as it is in use by {', '.join(users)}"
            if output.export in values:
                raise StepFailed(f"Export {output.export} cannot be updated {by}")
            raise StepFailed(f"Delete canceled. Cannot delete export {output.export} {by}.")


def remove(
    steps: Steps, stack: Stack, doomed: Iterable[Resource], spared: Iterable[Resource] = (), *, force: bool = False
) -> dict[str, str]:
    """Delete resources, the ones that need others first; spared ones are left and noted as skipped.

    Gives the reasons of the failures, by logical id. force: what cannot be deleted is let go.
    """
    for resource in spared:
        stack.note(resource, "DELETE_SKIPPED")
    by_key = {f"{r.logical_id}/{r.physical_id}": r for r in doomed}
    keys_of: dict[str, set[str]] = {}
    for key, resource in by_key.items():
        keys_of.setdefault(resource.logical_id, set()).add(key)
    needs = {key: set().union(*(keys_of.get(i, set()) for i in r.depends)) for key, r in by_key.items()}
    failed = walk(reversed_graph(needs), lambda key: steps.delete(by_key[key]), stack.at_once, keep_going=True)
    if force:
        for key in failed:
            stack.note(by_key[key], "DELETE_SKIPPED", str(failed[key]))
        return {}
    return {by_key[key].logical_id: str(error) for key, error in failed.items()}


def take_back(deployment: Deployment, made: list[Resource]) -> dict[str, str]:
    """Delete what a rolled back operation made; the reasons of the failures by logical id."""
    stack = deployment.stack
    existing = [r for r in made if r.physical_id and r.status not in ENDED]
    spared = [r for r in existing if deployment.kept(r)]
    failed = remove(deployment.steps, stack, [r for r in existing if r not in spared], spared)
    for resource in made:
        over = resource.status in ENDED or not resource.physical_id
        if over and stack.resources.get(resource.logical_id) is resource:
            stack.gone[resource.logical_id] = stack.resources.pop(resource.logical_id)
    return failed


def settle(stack: Stack) -> None:
    for resource in stack.resources.values():
        resource.new = False
