"""What authorization asks of CodePipeline: pipelines, their stages and actions, and a pipeline's tags."""

from __future__ import annotations

from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access
from localaws.services.codepipeline.service import codepipeline


def resources(call: Call, types: list[str]) -> list[str]:
    params = call.params
    pipeline = params.get("pipeline", {}) if isinstance(params.get("pipeline"), dict) else {}
    name = params.get("pipelineName") or pipeline.get("name") or params.get("name")
    if not name or not {"pipeline", "stage", "action"} & set(types):
        return []
    if "action" in types and "actionName" in params:
        name += f"/{params['stageName']}/{params['actionName']}"
    elif "stage" in types and "stageName" in params:
        name += f"/{params['stageName']}"
    return [arn("codepipeline", call.region, call.account, name)]


codepipeline.access = Access(resources=resources)
