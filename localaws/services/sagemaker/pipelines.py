"""SageMaker pipelines: their definitions and executions.

CreatePipeline, UpdatePipeline, DescribePipeline, ListPipelines, DeletePipeline,
StartPipelineExecution, StopPipelineExecution, DescribePipelineExecution, ListPipelineExecutions,
ListPipelineExecutionSteps, ListPipelineParametersForExecution and
DescribePipelineDefinitionForExecution (SageMaker API Reference, the page of each operation).
Versions of pipelines and selective execution are not supported.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from localaws.calls import Call
from localaws.cloud import arn
from localaws.services.sagemaker import base, pipeline_definition
from localaws.services.sagemaker.base import invalid, missing
from localaws.services.sagemaker.pipeline_cache import Cache
from localaws.services.sagemaker.pipeline_runs import run
from localaws.services.sagemaker.pipeline_steps import MOST_PARALLEL, Execution, known, random_id
from localaws.services.sagemaker.service import sagemaker

WRITTEN = (
    "PipelineName", "PipelineDisplayName", "PipelineDefinition", "PipelineDefinitionS3Location",
    "PipelineDescription", "RoleArn", "ParallelismConfiguration",
)  # fmt: skip
COPIED = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")


@dataclass
class Pipelines:
    """The pipelines of an account in a Region, by name, and their executions, by ARN."""

    by_name: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    caches: dict[str, Cache] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def state(call: Call) -> Pipelines:
    return call.cloud.state(Pipelines, call.account, call.region)


def definition_text(call: Call) -> str | None:
    """The definition in the request, or the one that it names in S3 (read with the caller's own permissions)."""
    place = call.params.get("PipelineDefinitionS3Location")
    if not place:
        text = call.params.get("PipelineDefinition")
        return None if text is None else str(text)
    if "PipelineDefinition" in call.params:
        raise invalid("Both PipelineDefinition and PipelineDefinitionS3Location are provided. Provide one of them.")
    version = {"VersionId": place["VersionId"]} if "VersionId" in place else {}
    answer = call.forward(base.PRINCIPAL).client("s3").get_object(
        Bucket=place["Bucket"], Key=place["ObjectKey"], **version
    )  # fmt: skip
    return str(answer["Body"].read().decode())


@sagemaker.operation("CreatePipeline")
def create_pipeline(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(params, "CreatePipeline", *WRITTEN, "ClientRequestToken", "Tags")
    name = params["PipelineName"]
    text = definition_text(call)
    if text is None:
        raise invalid("Either PipelineDefinition or PipelineDefinitionS3Location must be provided.")
    pipeline_definition.parse(text)
    whole = arn("sagemaker", call.region, call.account, f"pipeline/{name}")
    with state(call).lock:
        if name in state(call).by_name:
            raise invalid(
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists."
            )
        moment = base.now()
        state(call).by_name[name] = {
            "PipelineName": name,
            "PipelineDisplayName": name,
            "PipelineArn": whole,
            "PipelineDefinition": text,
            "PipelineStatus": "Active",
            "CreationTime": moment,
            "LastModifiedTime": moment,
            "CreatedBy": base.user(call.principal),
            "LastModifiedBy": base.user(call.principal),
            **{member: params[member] for member in COPIED if member in params},
        }
        base.put_tags(call.cloud, whole, params.get("Tags", []))
    return {"PipelineArn": whole}


def find_pipeline(call: Call) -> dict[str, Any]:
    name = call.params["PipelineName"].rsplit("/", 1)[-1]
    if name not in state(call).by_name:
        whole = arn("sagemaker", call.region, call.account, f"pipeline/{name}")
        raise missing(f"Pipeline '{whole}' does not exist.")
    return state(call).by_name[name]


@sagemaker.operation("UpdatePipeline")
def update_pipeline(call: Call) -> dict[str, Any]:
    base.only(call.params, "UpdatePipeline", *WRITTEN)
    pipeline = find_pipeline(call)
    text = definition_text(call)
    if text is not None:
        pipeline_definition.parse(text)
        pipeline["PipelineDefinition"] = text
    pipeline |= {member: call.params[member] for member in COPIED if member in call.params}
    pipeline |= {"LastModifiedTime": base.now(), "LastModifiedBy": base.user(call.principal)}
    return {"PipelineArn": pipeline["PipelineArn"]}


@sagemaker.operation("DescribePipeline")
def describe_pipeline(call: Call) -> dict[str, Any]:
    base.only(call.params, "DescribePipeline", "PipelineName")
    return dict(find_pipeline(call))


@sagemaker.operation("ListPipelines")
def list_pipelines(call: Call) -> dict[str, Any]:
    params = call.params
    members = (
        "PipelineArn", "PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn", "CreationTime",
        "LastModifiedTime",
    )  # fmt: skip
    items = []
    for name, pipeline in state(call).by_name.items():
        if name.startswith(params.get("PipelineNamePrefix", "")):
            items.append({member: pipeline[member] for member in members if member in pipeline})
            if "LastRunTime" in pipeline:
                items[-1]["LastExecutionTime"] = pipeline["LastRunTime"]
    return base.page(base.selected(items, params, "PipelineName"), params, "PipelineSummaries")


@sagemaker.operation("DeletePipeline")
def delete_pipeline(call: Call) -> dict[str, Any]:
    pipeline = find_pipeline(call)
    running = [
        execution
        for execution in state(call).executions.values()
        if execution.shown["PipelineArn"] == pipeline["PipelineArn"]
        and execution.shown["PipelineExecutionStatus"] in {"Executing", "Stopping"}
    ]
    if running:
        raise base.conflict(f"The pipeline {pipeline['PipelineArn']} has running executions: {running[0].arn}")
    del state(call).by_name[pipeline["PipelineName"]]
    state(call).caches.pop(pipeline["PipelineName"], None)
    base.drop_tags(call.cloud, pipeline["PipelineArn"])
    return {"PipelineArn": pipeline["PipelineArn"]}


@sagemaker.operation("StartPipelineExecution")
def start_pipeline_execution(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(
        params, "StartPipelineExecution", "PipelineName", "PipelineExecutionDisplayName", "PipelineParameters",
        "PipelineExecutionDescription", "ClientRequestToken", "ParallelismConfiguration",
    )  # fmt: skip
    pipeline = find_pipeline(call)
    token = params.get("ClientRequestToken", "")
    if token and token in state(call).tokens:
        return {"PipelineExecutionArn": state(call).tokens[token]}
    definition = pipeline_definition.parse(pipeline["PipelineDefinition"])
    given = {item["Name"]: item["Value"] for item in params.get("PipelineParameters", [])}
    values = pipeline_definition.given_parameters(definition, given)
    whole = f"{pipeline['PipelineArn']}/execution/{random_id(12)}"
    session = base.service_role(call.cloud, pipeline["RoleArn"], call.region, call.account, pipeline["PipelineArn"])
    moment = base.now()
    shown = {
        "PipelineArn": pipeline["PipelineArn"],
        "PipelineExecutionArn": whole,
        "PipelineExecutionDisplayName": params.get(
            "PipelineExecutionDisplayName", f"execution-{base.milliseconds(moment)}"
        ),
        "PipelineExecutionStatus": "Executing",
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "CreatedBy": base.user(call.principal),
        "LastModifiedBy": base.user(call.principal),
    }
    if "PipelineExecutionDescription" in params:
        shown["PipelineExecutionDescription"] = params["PipelineExecutionDescription"]
    parallel = params.get("ParallelismConfiguration", pipeline.get("ParallelismConfiguration", {}))
    with state(call).lock:
        cache = state(call).caches.setdefault(pipeline["PipelineName"], Cache())
    execution = Execution(
        shown=shown,
        text=pipeline["PipelineDefinition"],
        definition=definition,
        parameters=values,
        session=session,
        tags=base.tags_of(call.cloud, pipeline["PipelineArn"]),
        cache=cache,
        parallel=parallel.get("MaxParallelExecutionSteps", MOST_PARALLEL),
    )
    if definition.experiment:
        shown["PipelineExperimentConfig"] = pipeline_definition.resolve(definition.experiment, known(execution))
    with state(call).lock:
        state(call).executions[whole] = execution
        if token:
            state(call).tokens[token] = whole
        pipeline["LastRunTime"] = moment
    call.cloud.background(f"pipeline {pipeline['PipelineName']}", run, call.cloud, execution)
    return {"PipelineExecutionArn": whole}


def find_execution(call: Call) -> Execution:
    whole = call.params["PipelineExecutionArn"]
    if whole not in state(call).executions:
        raise missing(f"Pipeline execution '{whole}' does not exist.")
    return state(call).executions[whole]


@sagemaker.operation("StopPipelineExecution")
def stop_pipeline_execution(call: Call) -> dict[str, Any]:
    execution = find_execution(call)
    status = execution.shown["PipelineExecutionStatus"]
    if status not in {"Executing", "Stopping"}:
        raise base.conflict(f"Pipeline execution with ARN {execution.arn} is already in status {status}.")
    execution.shown["PipelineExecutionStatus"] = "Stopping"
    execution.stop.set()
    return {"PipelineExecutionArn": execution.arn}


@sagemaker.operation("DescribePipelineExecution")
def describe_pipeline_execution(call: Call) -> dict[str, Any]:
    return dict(find_execution(call).shown)


@sagemaker.operation("ListPipelineExecutions")
def list_pipeline_executions(call: Call) -> dict[str, Any]:
    pipeline = find_pipeline(call)
    items = [
        {
            "PipelineExecutionArn": execution.arn,
            "StartTime": execution.shown["CreationTime"],
            "CreationTime": execution.shown["CreationTime"],
            "PipelineExecutionStatus": execution.shown["PipelineExecutionStatus"],
            "PipelineExecutionDisplayName": execution.shown["PipelineExecutionDisplayName"],
        }
        for execution in list(state(call).executions.values())
        if execution.shown["PipelineArn"] == pipeline["PipelineArn"]
    ]
    sorts = {"PipelineExecutionArn": "PipelineExecutionArn"}
    found = base.selected(items, call.params, "PipelineExecutionArn", sorts=sorts)
    for item in found:
        del item["CreationTime"]
    return base.page(found, call.params, "PipelineExecutionSummaries")


@sagemaker.operation("ListPipelineExecutionSteps")
def list_pipeline_execution_steps(call: Call) -> dict[str, Any]:
    """The newest first, as AWS lists them."""
    steps = sorted(find_execution(call).steps.values(), key=lambda step: step["StartTime"])
    if call.params.get("SortOrder", "Descending") == "Descending":
        steps.reverse()
    return base.page([dict(step) for step in steps], call.params, "PipelineExecutionSteps")


@sagemaker.operation("ListPipelineParametersForExecution")
def list_pipeline_parameters_for_execution(call: Call) -> dict[str, Any]:
    values = find_execution(call).parameters
    shown = [{"Name": name, "Value": str(value)} for name, value in values.items()]
    return base.page(shown, call.params, "PipelineParameters")


@sagemaker.operation("DescribePipelineDefinitionForExecution")
def describe_pipeline_definition_for_execution(call: Call) -> dict[str, Any]:
    execution = find_execution(call)
    return {"PipelineDefinition": execution.text, "CreationTime": execution.shown["CreationTime"]}
