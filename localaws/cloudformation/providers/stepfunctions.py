"""Step Functions' resource type (CloudFormation Template Reference)."""

from __future__ import annotations

import json
import re
from typing import Any

from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import (
    document,
    fill,
    only,
    poll,
    retag,
    tagging,
    unless,
)


@provides("AWS::StepFunctions::StateMachine")
class StateMachine:
    """AWS::StepFunctions::StateMachine."""

    carried = frozenset(
        {
            "Definition", "DefinitionString", "DefinitionS3Location", "DefinitionSubstitutions", "LoggingConfiguration",
            "RoleArn", "StateMachineName", "StateMachineType", "Tags", "TracingConfiguration",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only("AWS::StepFunctions::StateMachine", properties, self.carried)
        states = context.client("stepfunctions")
        arguments = {
            **self._common(context, properties),
            "Name": properties.get("StateMachineName") or context.generated_name(80),
            "Type": properties.get("StateMachineType", "STANDARD"),
            **tagging(context, properties),
        }
        filled = fill(states, "CreateStateMachine", arguments, "AWS::StepFunctions::StateMachine")
        return self._made(states, states.create_state_machine(**filled)["stateMachineArn"])

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::StepFunctions::StateMachine", new, self.carried)
        states = context.client("stepfunctions")
        arguments = {**self._common(context, new), "StateMachineArn": physical_id}
        states.update_state_machine(**fill(states, "UpdateStateMachine", arguments, "AWS::StepFunctions::StateMachine"))
        retag(
            context,
            old,
            new,
            lambda tags: states.tag_resource(
                resourceArn=physical_id, tags=[{"key": k, "value": v} for k, v in tags.items()]
            ),
            lambda keys: states.untag_resource(resourceArn=physical_id, tagKeys=keys),
        )
        return self._made(states, physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        states = context.client("stepfunctions")
        states.delete_state_machine(stateMachineArn=physical_id)
        poll(
            context,
            lambda: (
                unless({"StateMachineDoesNotExist"}, states.describe_state_machine, stateMachineArn=physical_id) is None
            ),
        )

    def _common(self, context: Context, properties: dict[str, Any]) -> dict[str, Any]:
        kept = ("RoleArn", "LoggingConfiguration", "TracingConfiguration")
        return {
            "Definition": self._definition(context, properties),
            **{name: properties[name] for name in kept if name in properties},
        }

    def _definition(self, context: Context, properties: dict[str, Any]) -> str:
        given = [n for n in ("Definition", "DefinitionString", "DefinitionS3Location") if n in properties]
        if len(given) != 1:
            raise ResourceFailed(
                "Exactly one of Definition, DefinitionString and DefinitionS3Location must be given, "
                f"not {', '.join(given) or 'none'}"
            )
        if given[0] == "DefinitionS3Location":
            place = properties["DefinitionS3Location"]
            version = {"VersionId": place["Version"]} if place.get("Version") else {}
            s3 = context.client("s3")
            text = s3.get_object(Bucket=place["Bucket"], Key=place["Key"], **version)["Body"].read().decode()
        else:
            text = document(properties[given[0]])
        values = properties.get("DefinitionSubstitutions") or {}
        return re.sub(r"\$\{([A-Za-z0-9_-]+)\}", lambda m: substitute(values, m), text)

    def _made(self, states: Any, arn: str) -> Made:
        seen = states.describe_state_machine(stateMachineArn=arn)
        revision = seen.get("revisionId") or "INITIAL"
        return Made(arn, {"Arn": arn, "Name": seen["name"], "StateMachineRevisionId": revision})


def substitute(values: dict[str, Any], found: re.Match[str]) -> str:
    """The value for ${name}, written so that it may stand inside a JSON string; unknown names stay."""
    value = values.get(found.group(1))
    if value is None:
        return found.group(0)
    return json.dumps(value)[1:-1] if isinstance(value, str) else json.dumps(value)
