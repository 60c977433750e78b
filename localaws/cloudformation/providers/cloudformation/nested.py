"""AWS::CloudFormation::Stack: a stack within a stack.

CloudFormation User Guide, "Split a template into reusable pieces using nested stacks"; Template Reference,
"AWS::CloudFormation::Stack": Ref is the stack's id, Fn::GetAtt reads Outputs.NAME. The inner template is
read with the permissions that the outer stack acts with; capabilities and tags come from the outer stack.
"""

from __future__ import annotations

from typing import Any

from awslang.errors import NotSupported
from localaws.cloudformation.deploy import StackResult, run_stack
from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.requests import stored_template
from localaws.cloudformation.stacks import find_stack

NAME_LIMIT = 128


@provides("AWS::CloudFormation::Stack")
class NestedStack:
    """Creates, updates and deletes the inner stack, and waits for it."""

    carried = frozenset({"Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        name = context.generated_name(NAME_LIMIT)
        result = self._run(context, name, properties, action="create")
        if result.status != "CREATE_COMPLETE":
            failure = ResourceFailed(f"Embedded stack {result.stack_id} was not successfully created: {result.reason}")
            failure.physical_id = result.stack_id  # type: ignore[attr-defined]  # the rollback deletes it
            raise failure
        return self._made(context, result.stack_id)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        result = self._run(context, physical_id, new, action="update")
        if not result.succeeded:
            raise ResourceFailed(f"Embedded stack {result.stack_id} was not successfully updated: {result.reason}")
        return self._made(context, result.stack_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        stack = find_stack(context.cloud, context.account, context.region, physical_id)
        if not stack.alive:
            return
        result = run_stack(
            context.cloud, context.session, context.account, context.region, physical_id, action="delete"
        )
        if result.status != "DELETE_COMPLETE":
            raise ResourceFailed(f"Embedded stack {physical_id} was not successfully deleted: {result.reason}")

    def _run(self, context: Context, name: str, properties: dict[str, Any], *, action: Any) -> StackResult:
        for key in set(properties) - self.carried:
            raise NotSupported(f"AWS::CloudFormation::Stack: the property {key}")
        outer = find_stack(context.cloud, context.account, context.region, context.stack_id)
        given = {k: text(v) for k, v in (properties.get("Parameters") or {}).items()}
        tags = {**context.tags, **{tag["Key"]: tag["Value"] for tag in properties.get("Tags") or []}}
        return run_stack(
            context.cloud,
            context.session,
            context.account,
            context.region,
            name,
            stored_template(context.session, str(properties["TemplateURL"])),
            given,
            tags,
            outer.capabilities,
            action=action,
            owner=context.stack_id,
            disable_rollback=action == "create",
        )

    def _made(self, context: Context, stack_id: str) -> Made:
        stack = find_stack(context.cloud, context.account, context.region, stack_id)
        return Made(stack_id, {f"Outputs.{output.key}": output.value for output in stack.outputs})


def text(value: Any) -> str:
    """A parameter's value as a nested stack takes it: lists are joined with commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(text, value)) if isinstance(value, list) else str(value)
