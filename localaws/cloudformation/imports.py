"""A stack takes existing resources over (CloudFormation User Guide, "Import AWS resources into a CloudFormation stack
manually"; API Reference, CreateChangeSet: ChangeSetType IMPORT, ResourcesToImport).

Every resource to import exists, has a DeletionPolicy and belongs to no other stack. Nothing else may change: "Import
operations don't allow new resource creations, resource deletions, or changes to property configurations". Whether the
template says what the resource is, is not looked at. Supported: the types whose provider is an Importer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.template import schemas
from localaws.calls import Call, unseen
from localaws.cloud import new_id
from localaws.cloudformation import changes
from localaws.cloudformation.deployment import Deployment, adopt, failing, settle
from localaws.cloudformation.goals import Goal
from localaws.cloudformation.provider import Importer, Made, ResourceFailed, provider_for
from localaws.cloudformation.stacks import Resource, Stack
from localaws.cloudformation.steps import EXPECTED, Steps, walk

TAGGED = "Apply stack-level tags to imported resource if applicable."


def refuse_import(stack: Stack, goal: Goal, wanted: Sequence[Mapping[str, Any]]) -> None:
    """AwsError where the template and ResourcesToImport do not say an import and nothing else."""
    if not wanted:
        raise AwsError("ValidationError", "ResourcesToImport must be specified for ChangeSetType IMPORT")
    named = {str(one["LogicalResourceId"]): one for one in wanted}
    declared = goal.template.resources
    if unknown := sorted(set(named) - set(goal.depends)):
        raise AwsError("ValidationError", f"Resources {unknown} in ResourcesToImport are not in the template")
    if known := sorted(set(named) & set(stack.resources)):
        raise AwsError("ValidationError", f"Resources {known} passed in ResourceToImport are already in the stack")
    if new := sorted(set(goal.depends) - set(stack.resources) - set(named)):
        raise AwsError("ValidationError", f"As part of the import operation, you cannot add resources: {new}")
    if removed := sorted(set(stack.resources) - set(goal.depends)):
        raise AwsError("ValidationError", f"As part of the import operation, you cannot delete resources: {removed}")
    for logical_id, one in named.items():
        kind = goal.type(logical_id)
        if one["ResourceType"] != kind:
            raise AwsError("ValidationError", f"{logical_id} is a {kind} in the template, not a {one['ResourceType']}")
        if not isinstance(provider_for(kind), Importer):
            raise NotSupported(f"cloudformation: the import of a resource of type {kind}")
        if "DeletionPolicy" not in declared[logical_id]:
            raise AwsError("ValidationError", f"Resource {logical_id} to import must have a DeletionPolicy attribute")
        identifier = {path.split("/")[-1] for path in schemas.schema(kind, stack.region).primary_identifier}
        if set(one["ResourceIdentifier"]) != identifier:
            raise AwsError("ValidationError", f"{kind} is identified by {sorted(identifier)}")


def refuse_existing(call: Call, stack: Stack, created: list[Resource]) -> None:
    """NotSupported where ImportExistingResources would import: a resource with this name exists already.

    CloudFormation User Guide, "Import AWS resources into a CloudFormation stack automatically". Of types that cannot be
    imported here, the creation says that the name is taken.
    """
    steps = Steps(call.cloud, call.cloud.root(call.account, call.region), stack, {}, new_id())
    for resource in created:
        identifier = schemas.schema(resource.type, call.region).primary_identifier
        names = [resource.properties.get(name) for name in identifier]
        provider = provider_for(resource.type)
        if not isinstance(provider, Importer) or not names or not isinstance(names[0], str):
            continue
        try:
            with unseen():
                provider.take_over(steps.context(resource, new_id()), names[0])
        except EXPECTED:  # there is none
            continue
        raise NotSupported(f"cloudformation: ImportExistingResources of {resource.type} {names[0]}, which exists")


class Import(Deployment):
    """Takes the resources over, or leaves the stack as it was."""

    to_import: Sequence[Mapping[str, Any]] = ()  # ResourcesToImport

    def run(self) -> None:
        stack, before = self.stack, dict(self.stack.resources)
        former, outputs, imports = adopt(stack, self.goal), list(stack.outputs), stack.imports
        if reason := self.validated(before):
            self.fail(reason, former, before)
            return
        failed = walk({str(one["LogicalResourceId"]): set() for one in self.to_import}, self.take_over, stack.at_once)
        if failed:
            self.fail(failing("import", failed), former, before)
            return
        try:
            self.publish()
        except EXPECTED as error:
            stack.outputs, stack.imports = outputs, imports
            self.fail(f"{str(error).rstrip('. ')}. ", former, before)
            return
        settle(stack)
        stack.become("IMPORT_COMPLETE")

    def validated(self, before: Mapping[str, Resource]) -> str:
        """As for every deployment; and nothing that the stack has already may change."""
        if reason := super().validated(before):
            return reason
        touched = [
            c.resource.logical_id for c in changes.foresee(self.goal, before) if c.old and c.difference.properties
        ]
        self.goal.lookup = self.attribute
        verb = "You have modified resources in your template that are not being imported"
        return f"{verb}: [{', '.join(sorted(touched))}]. " if touched else ""

    def take_over(self, logical_id: str) -> None:
        identifier = next(one["ResourceIdentifier"] for one in self.to_import if one["LogicalResourceId"] == logical_id)
        resource = self.wanted(logical_id, "IMPORT")
        self.stack.resources[logical_id] = resource
        self.stack.note(resource, "IMPORT_IN_PROGRESS", "Resource import started.")
        physical_id = str(next(iter(identifier.values())))

        def act(token: str) -> Made:
            self.steps.refuse_double(resource, physical_id)
            context, provider = self.steps.context(resource, token), provider_for(resource.type)
            assert isinstance(provider, Importer)  # refuse_import() looked
            for name, value in identifier.items():
                if resource.properties.get(name, value) != value:
                    raise ResourceFailed(f"The identifier {name} is {value}, and the template says another")
            return provider.take_over(context, physical_id)

        made = self.steps.attempt(resource, "IMPORT_FAILED", act)
        assert made is not None
        resource.physical_id, resource.attributes = made.physical_id, made.attributes
        self.stack.note(resource, "IMPORT_COMPLETE", "Resource import completed.")
        if self.goal.tags and schemas.schema(resource.type, self.stack.region).taggable:
            self.stack.note(resource, "UPDATE_IN_PROGRESS", TAGGED)
            self.steps.update(resource, resource)

    def fail(self, reason: str, former: Mapping[str, Any], before: Mapping[str, Resource]) -> None:
        """Back to the template of before; what was taken over is let go, as it is."""
        stack = self.stack
        stack.become("IMPORT_ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
        for name, value in former.items():
            setattr(stack, name, value)
        stack.gone |= {i: r for i, r in stack.resources.items() if i not in before}
        stack.resources = dict(before)
        stack.become("IMPORT_ROLLBACK_COMPLETE")
