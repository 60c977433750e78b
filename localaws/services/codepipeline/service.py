"""CodePipeline's operations on pipelines, executions and tags."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.service import Service
from localaws.services.codepipeline import declaration, functions, stages, views
from localaws.services.codepipeline import execution as engine
from localaws.services.codepipeline.find import find_execution, find_pipeline, state_of
from localaws.services.codepipeline.polling import watch
from localaws.services.codepipeline.state import ENDED, PRINCIPAL, Execution, Pipeline, now, pipeline_session
from localaws.services.events.service import rule_that_started

codepipeline = Service("codepipeline", invalid="ValidationException")

PIPELINES = 1000  # in an account and Region ("Quotas in AWS CodePipeline")
WAITING = 50  # executions of a QUEUED or PARALLEL pipeline at the same time
TAGS = 50


# -- pipelines ---------------------------------------------------------------------------------


def _declared(call: Call, version: int) -> dict[str, Any]:
    """The declaration, checked and completed as GetPipeline shows it."""
    given: dict[str, Any] = copy.deepcopy(call.params["pipeline"])
    declaration.check(given, call.region)
    given |= {"version": version}
    given.setdefault("executionMode", "SUPERSEDED")
    given.setdefault("pipelineType", "V1")
    for stage in given["stages"]:
        for action in stage["actions"]:
            action.setdefault("runOrder", 1)
            for key, empty in (("configuration", {}), ("inputArtifacts", []), ("outputArtifacts", [])):
                action.setdefault(key, empty)
    return given


def _check_connections(call: Call, declared: Mapping[str, Any]) -> None:
    """The caller must be allowed to pass the connections on.

    Developer Tools console User Guide, "Permissions reference: passing a connection": PassConnection,
    with the key PassedToService.
    """
    session = call.cloud.session_for(call.principal, call.region)
    for action in declared["stages"][0]["actions"]:
        if connection := action["configuration"].get("ConnectionArn", ""):
            service = str(connection).split(":")[2]
            keys = {f"{service}:passedtoservice": (PRINCIPAL,)}
            session.permit(f"{service}:PassConnection", connection, keys)


def _check_role(call: Call, pipeline: Pipeline) -> None:
    role = pipeline.declaration["roleArn"]
    try:
        pipeline_session(call.cloud, pipeline, role, "create")
    except AwsError as error:
        raise AwsError(
            "InvalidStructureException",
            f"CodePipeline is not authorized to perform AssumeRole on role {role} ({error.message})",
        ) from error


@codepipeline.operation("CreatePipeline")
def create_pipeline(call: Call) -> dict[str, Any]:
    """A new pipeline runs at once."""
    state, name = state_of(call), call.params["pipeline"]["name"]
    declared = _declared(call, 1)
    tags = call.params.get("tags", [])
    if len(tags) > TAGS:
        raise AwsError("TooManyTagsException", f"A pipeline has at most {TAGS} tags")
    pipeline = Pipeline(call.account, call.region, declared, {tag["key"]: tag["value"] for tag in tags})
    _check_connections(call, declared)
    _check_role(call, pipeline)
    with state.lock:
        if name in state.pipelines:
            raise AwsError("PipelineNameInUseException", f"A pipeline with the name '{name}' already exists")
        if len(state.pipelines) >= PIPELINES:
            raise AwsError("LimitExceededException", f"The account has {PIPELINES} pipelines already")
        pipeline.versions[1] = declared
        state.pipelines[name] = pipeline
    if not _required(pipeline):
        engine.begin(call.cloud, pipeline, {"triggerType": "CreatePipeline", "triggerDetail": call.principal.arn})
    watch(call.cloud, pipeline)
    return {"pipeline": declared, "tags": tags}


def _required(pipeline: Pipeline) -> list[str]:
    """Variables without a default."""
    return [v["name"] for v in pipeline.declaration.get("variables", []) if "defaultValue" not in v]


@codepipeline.operation("UpdatePipeline")
def update_pipeline(call: Call) -> dict[str, Any]:
    """Executions under way are cancelled once their running actions are done; nothing is started."""
    pipeline = find_pipeline(call, call.params["pipeline"]["name"])
    with pipeline.changed:
        declared = _declared(call, pipeline.version + 1)
        _check_connections(call, declared)
        _check_role(call, Pipeline(call.account, call.region, declared))
        engine.cancel_all(pipeline)
        pipeline.declaration, pipeline.updated = declared, now()
        pipeline.versions[pipeline.version] = declared
    watch(call.cloud, pipeline)
    return {"pipeline": declared}


@codepipeline.operation("GetPipeline")
def get_pipeline(call: Call) -> dict[str, Any]:
    pipeline = find_pipeline(call, call.params["name"])
    version = call.params.get("version", pipeline.version)
    if version not in pipeline.versions:
        raise AwsError("PipelineVersionNotFoundException", f"Pipeline '{pipeline.name}' has no version {version}")
    metadata = {"pipelineArn": pipeline.arn, "created": pipeline.created, "updated": pipeline.updated}
    return {"pipeline": pipeline.versions[version], "metadata": metadata}


@codepipeline.operation("DeletePipeline")
def delete_pipeline(call: Call) -> dict[str, Any]:
    with state_of(call).lock:
        pipeline = state_of(call).pipelines.pop(call.params["name"], None)
    if pipeline is not None:
        pipeline.deleted = True
        engine.cancel_all(pipeline, parallel=True)
    return {}


@codepipeline.operation("ListPipelines")
def list_pipelines(call: Call) -> dict[str, Any]:
    found = [
        {
            "name": pipeline.name,
            "version": pipeline.version,
            "pipelineType": pipeline.declaration["pipelineType"],
            "executionMode": pipeline.declaration["executionMode"],
            "created": pipeline.created,
            "updated": pipeline.updated,
        }
        for _, pipeline in sorted(state_of(call).pipelines.items())
    ]
    pipelines, more = views.page(found, call.params, 1000)
    return {"pipelines": pipelines, **more}


# -- executions --------------------------------------------------------------------------------


@codepipeline.operation("StartPipelineExecution")
def start_pipeline_execution(call: Call) -> dict[str, Any]:
    given = call.params
    pipeline = find_pipeline(call, given["name"])
    declaration.check_shape("StartPipelineExecutionInput", given, "startPipelineExecution")
    token = given.get("clientRequestToken")
    rule = rule_that_started(call.cloud, call.account, call.region, token or "")
    with pipeline.changed:
        if token in pipeline.tokens:
            before, execution_id = pipeline.tokens[token]
            if before != given:
                raise AwsError("ValidationException", f"The token {token} was used with other parameters")
            return {"pipelineExecutionId": execution_id}
        variables = _variables(pipeline, given.get("variables", []))
        overrides = _overrides(pipeline, given.get("sourceRevisions", []))
        running = [e for e in pipeline.executions if e.status == "InProgress"]
        if pipeline.declaration["executionMode"] != "SUPERSEDED" and len(running) >= WAITING:
            raise AwsError(
                "ConcurrentPipelineExecutionsLimitExceededException", f"{WAITING} executions are in progress"
            )
        trigger = {
            "triggerType": "CloudWatchEvent" if rule else "StartPipelineExecution",
            "triggerDetail": rule or call.principal.arn,
        }
        execution = engine.begin(call.cloud, pipeline, trigger, variables, overrides)
        if token:
            pipeline.tokens[token] = (given, execution.id)
    return {"pipelineExecutionId": execution.id}


def _variables(pipeline: Pipeline, given: list[dict[str, str]]) -> dict[str, str]:
    declared = {variable["name"] for variable in pipeline.declaration.get("variables", [])}
    variables = {item["name"]: item["value"] for item in given}
    if len(variables) != len(given):
        raise AwsError("ValidationException", "A pipeline variable is given more than once")
    if unknown := sorted(set(variables) - declared):
        raise AwsError(
            "ValidationException", f"The pipeline {pipeline.name} does not declare the variables {', '.join(unknown)}"
        )
    if missing := [name for name in _required(pipeline) if name not in variables]:
        raise AwsError("ValidationException", f"Values for the pipeline variables {', '.join(missing)} are required")
    return variables


def _overrides(pipeline: Pipeline, given: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    sources = {action["name"]: action for action in pipeline.declaration["stages"][0]["actions"]}
    fitting = {"CodeCommit": ["COMMIT_ID"], "CodeStarSourceConnection": ["COMMIT_ID"]}
    fitting |= {"S3": ["S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"]}
    overrides: dict[str, list[dict[str, Any]]] = {}
    for item in given:
        action = sources.get(item["actionName"])
        if action is None:
            raise AwsError("ValidationException", f"{item['actionName']} is not a source action of {pipeline.name}")
        if item["revisionType"] not in fitting[action["actionTypeId"]["provider"]]:
            raise AwsError(
                "ValidationException",
                f"{item['revisionType']} is not a revision type of the action {item['actionName']}",
            )
        overrides.setdefault(item["actionName"], []).append(item)
    return overrides


@codepipeline.operation("StopPipelineExecution")
def stop_pipeline_execution(call: Call) -> dict[str, Any]:
    pipeline = find_pipeline(call, call.params["pipelineName"])
    abandon = call.params.get("abandon", False)
    with pipeline.changed:
        execution = pipeline.execution(call.params["pipelineExecutionId"])
        if execution is None or execution.status in ENDED:
            raise AwsError("PipelineExecutionNotStoppableException", "The execution is not in progress")
        if execution.status == "Stopping" and not abandon:
            raise AwsError("DuplicatedStopRequestException", "The execution is being stopped already")
        engine.stop(call.cloud, pipeline, execution, abandon, call.params.get("reason", ""))
    return {"pipelineExecutionId": execution.id}


@codepipeline.operation("GetPipelineState")
def get_pipeline_state(call: Call) -> dict[str, Any]:
    return views.state_view(find_pipeline(call, call.params["name"]))


@codepipeline.operation("GetPipelineExecution")
def get_pipeline_execution(call: Call) -> dict[str, Any]:
    pipeline = find_pipeline(call, call.params["pipelineName"])
    execution = find_execution(pipeline, call.params["pipelineExecutionId"])
    return {"pipelineExecution": views.execution_view(pipeline, execution)}


@codepipeline.operation("ListPipelineExecutions")
def list_pipeline_executions(call: Call) -> dict[str, Any]:
    """The filter succeededInStage leaves out what ran under another structure of the pipeline (API, the operation)."""
    pipeline = find_pipeline(call, call.params["pipelineName"])
    stage = call.params.get("filter", {}).get("succeededInStage", {}).get("stageName")
    found = [
        views.execution_summary(e)
        for e in reversed(pipeline.executions)
        if stage is None or (e.stages.get(stage) == "Succeeded" and e.version == pipeline.version)
    ]
    summaries, more = views.page(found, call.params)
    return {"pipelineExecutionSummaries": summaries, **more}


def _filtered(call: Call, pipeline: Pipeline) -> list[Execution]:
    given = call.params.get("filter", {})
    if "latestInPipelineExecution" in given:
        return [find_execution(pipeline, given["latestInPipelineExecution"]["pipelineExecutionId"])]
    if "pipelineExecutionId" in given:
        return [find_execution(pipeline, given["pipelineExecutionId"])]
    return list(pipeline.executions)


@codepipeline.operation("ListActionExecutions")
def list_action_executions(call: Call) -> dict[str, Any]:
    """The newest first."""
    pipeline = find_pipeline(call, call.params["pipelineName"])
    found = [(e, run) for e in _filtered(call, pipeline) for run in e.actions]
    found.sort(key=lambda pair: pair[1].started, reverse=True)
    details, more = views.page([views.action_detail(pipeline, e, run) for e, run in found], call.params)
    return {"actionExecutionDetails": details, **more}


@codepipeline.operation("ListRuleExecutions")
def list_rule_executions(call: Call) -> dict[str, Any]:
    """The newest first."""
    pipeline = find_pipeline(call, call.params["pipelineName"])
    found = [(e, run) for e in _filtered(call, pipeline) for run in e.rules]
    found.sort(key=lambda pair: pair[1].started, reverse=True)
    details, more = views.page([views.rule_detail(pipeline, e, run) for e, run in found], call.params)
    return {"ruleExecutionDetails": details, **more}


# -- stages and jobs ---------------------------------------------------------------------------

codepipeline.operation("PutApprovalResult")(stages.put_approval_result)
codepipeline.operation("RetryStageExecution")(stages.retry_stage_execution)
codepipeline.operation("RollbackStage")(stages.rollback_stage)
codepipeline.operation("OverrideStageCondition")(stages.override_stage_condition)
codepipeline.operation("DisableStageTransition", "EnableStageTransition")(stages.switch_stage_transition)
codepipeline.operation("PutJobSuccessResult")(functions.put_job_success_result)
codepipeline.operation("PutJobFailureResult")(functions.put_job_failure_result)

# -- tags --------------------------------------------------------------------------------------


def _tagged(call: Call) -> Pipeline:
    for pipeline in list(state_of(call).pipelines.values()):
        if pipeline.arn == call.params["resourceArn"]:
            return pipeline
    raise AwsError("ResourceNotFoundException", f"{call.params['resourceArn']} does not exist")


@codepipeline.operation("TagResource")
def tag_resource(call: Call) -> dict[str, Any]:
    pipeline = _tagged(call)
    tags = pipeline.tags | {tag["key"]: tag["value"] for tag in call.params["tags"]}
    if len(tags) > TAGS:
        raise AwsError("TooManyTagsException", f"A pipeline has at most {TAGS} tags")
    pipeline.tags = tags
    return {}


@codepipeline.operation("UntagResource")
def untag_resource(call: Call) -> dict[str, Any]:
    pipeline = _tagged(call)
    for key in call.params["tagKeys"]:
        pipeline.tags.pop(key, None)
    return {}


@codepipeline.operation("ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    return {"tags": [{"key": key, "value": value} for key, value in _tagged(call).tags.items()]}
