"""Parameter Store's resource type (CloudFormation Template Reference)."""

from __future__ import annotations

from typing import Any

from localaws.cloudformation.provider import Context, Made, provides
from localaws.cloudformation.providers.shapes import (
    all_tags,
    fill,
    only,
    retag,
    tag_list,
    unless,
    without,
)


@provides("AWS::SSM::Parameter")
class Parameter:
    """AWS::SSM::Parameter."""

    carried = frozenset({"AllowedPattern", "DataType", "Description", "Name", "Tags", "Tier", "Type", "Value"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::SSM::Parameter", properties, self.carried)
        ssm = context.client("ssm")
        name = str(properties.get("Name") or f"CFN-{context.generated_name(500)}")
        tags = tag_list(all_tags(context.tags, properties))
        arguments = {**properties, "Name": name, **({"Tags": tags} if tags else {})}
        ssm.put_parameter(**fill(ssm, "PutParameter", arguments, "AWS::SSM::Parameter"))
        return self._made(context, name, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::SSM::Parameter", new, self.carried)
        ssm = context.client("ssm")
        if without(old, "Tags") != without(new, "Tags"):
            arguments = {**without(new, "Tags"), "Name": physical_id, "Overwrite": True}
            ssm.put_parameter(**fill(ssm, "PutParameter", arguments, "AWS::SSM::Parameter"))
        target = {"ResourceType": "Parameter", "ResourceId": physical_id}
        retag(
            context,
            old,
            new,
            lambda tags: ssm.add_tags_to_resource(**target, Tags=tag_list(tags)),
            lambda keys: ssm.remove_tags_from_resource(**target, TagKeys=keys),
        )
        return self._made(context, physical_id, new)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless({"ParameterNotFound"}, context.client("ssm").delete_parameter, Name=physical_id)

    def _made(self, context: Context, name: str, properties: dict[str, Any]) -> Made:
        arn = f"arn:aws:ssm:{context.region}:{context.account}:parameter/{name.lstrip('/')}"
        return Made(name, {"Arn": arn, "Type": properties["Type"], "Value": properties["Value"]})
