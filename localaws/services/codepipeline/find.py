"""Pipelines, stages and executions by their names, or the error that says that there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.services.codepipeline.state import Execution, Pipeline, PipelineState


def state_of(call: Call) -> PipelineState:
    return call.cloud.state(PipelineState, call.account, call.region)


def find_pipeline(call: Call, name: str) -> Pipeline:
    found = state_of(call).pipelines.get(name)
    if found is None:
        raise AwsError(
            "PipelineNotFoundException", f"Account '{call.account}' does not have a pipeline with name '{name}'"
        )
    return found


def find_stage(pipeline: Pipeline, name: str) -> Mapping[str, Any]:
    found = pipeline.stage(name)
    if found is None:
        raise AwsError("StageNotFoundException", f"Stage '{name}' does not exist in pipeline '{pipeline.name}'")
    return found


def find_execution(pipeline: Pipeline, execution_id: str) -> Execution:
    found = pipeline.execution(execution_id)
    if found is None:
        raise AwsError("PipelineExecutionNotFoundException", f"Execution '{execution_id}' does not exist")
    return found
