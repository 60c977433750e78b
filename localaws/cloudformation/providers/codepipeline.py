"""CodePipeline's resource type (CloudFormation Template Reference)."""

from __future__ import annotations

import json
from typing import Any

from localaws.cloudformation.provider import Context, Made, provides
from localaws.cloudformation.providers.shapes import (
    fill,
    only,
    retag,
    tagging,
    truth,
    undone_by,
    unless,
    without,
)


@provides("AWS::CodePipeline::Pipeline")
class Pipeline:
    """AWS::CodePipeline::Pipeline."""

    carried = frozenset(
        {
            "ArtifactStore", "ArtifactStores", "DisableInboundStageTransitions", "ExecutionMode", "Name",
            "PipelineType", "RestartExecutionOnUpdate", "RoleArn", "Stages", "Tags", "Triggers", "Variables",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        client = context.client("codepipeline")
        name = str(properties.get("Name") or context.generated_name(100))
        arguments = {"Pipeline": self._declaration(name, properties), **tagging(context, properties)}
        filled = fill(client, "CreatePipeline", arguments, "AWS::CodePipeline::Pipeline")
        made = client.create_pipeline(**filled)["pipeline"]
        with undone_by(lambda: client.delete_pipeline(name=name)):
            self._transitions(client, name, {}, properties)
        return self._made(context, name, made)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        client = context.client("codepipeline")
        arguments = {"Pipeline": self._declaration(physical_id, new)}
        filled = fill(client, "UpdatePipeline", arguments, "AWS::CodePipeline::Pipeline")
        made = client.update_pipeline(**filled)["pipeline"]
        self._transitions(client, physical_id, old, new)
        arn = f"arn:aws:codepipeline:{context.region}:{context.account}:{physical_id}"
        retag(
            context,
            old,
            new,
            lambda tags: client.tag_resource(resourceArn=arn, tags=[{"key": k, "value": v} for k, v in tags.items()]),
            lambda keys: client.untag_resource(resourceArn=arn, tagKeys=keys),
        )
        if truth(new.get("RestartExecutionOnUpdate")):
            client.start_pipeline_execution(name=physical_id)
        return self._made(context, physical_id, made)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless({"PipelineNotFoundException"}, context.client("codepipeline").delete_pipeline, name=physical_id)

    def _declaration(self, name: str, properties: dict[str, Any]) -> dict[str, Any]:
        only("AWS::CodePipeline::Pipeline", properties, self.carried)
        kept = without(properties, "Tags", "DisableInboundStageTransitions", "RestartExecutionOnUpdate")
        declaration = without(kept, "ArtifactStores") | {"Name": name}
        if stores := properties.get("ArtifactStores"):
            declaration["ArtifactStores"] = {store["Region"]: store["ArtifactStore"] for store in stores}
        declaration["Stages"] = [self._stage(stage) for stage in properties["Stages"]]
        return declaration

    def _stage(self, stage: dict[str, Any]) -> dict[str, Any]:
        """The stage with its actions' configuration values as text, which is how the API takes them."""
        actions = []
        for action in stage["Actions"]:
            given = action.get("Configuration")
            if isinstance(given, str):
                given = json.loads(given)
            actions.append({**action, **({"Configuration": given} if given is not None else {})})
        return {**stage, "Actions": actions}

    def _transitions(self, client: Any, name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        before = {t["StageName"]: t["Reason"] for t in old.get("DisableInboundStageTransitions") or []}
        after = {t["StageName"]: t["Reason"] for t in new.get("DisableInboundStageTransitions") or []}
        common = {"pipelineName": name, "transitionType": "Inbound"}
        for stage, reason in after.items():
            if before.get(stage) != reason:
                client.disable_stage_transition(**common, stageName=stage, reason=reason)
        for stage in before.keys() - after.keys():
            client.enable_stage_transition(**common, stageName=stage)

    def _made(self, context: Context, name: str, pipeline: dict[str, Any]) -> Made:
        arn = f"arn:aws:codepipeline:{context.region}:{context.account}:{name}"
        return Made(name, {"Arn": arn, "Version": str(pipeline.get("version", 1))})
