"""What people do with a stage: approve, retry, roll back, override a condition, stop the way in.

AWS CodePipeline API Reference: PutApprovalResult, RetryStageExecution, RollbackStage, OverrideStageCondition,
DisableStageTransition, EnableStageTransition.
"""

from __future__ import annotations

from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.services.codepipeline import declaration
from localaws.services.codepipeline import execution as engine
from localaws.services.codepipeline.find import find_execution, find_pipeline, find_stage
from localaws.services.codepipeline.state import Execution, Pipeline, now


def put_approval_result(call: Call) -> dict[str, Any]:
    given = call.params
    declaration.check_shape("PutApprovalResultInput", given, "putApprovalResult")
    pipeline = find_pipeline(call, given["pipelineName"])
    stage = find_stage(pipeline, given["stageName"])
    if given["actionName"] not in [action["name"] for action in stage["actions"]]:
        raise AwsError("ActionNotFoundException", f"Action '{given['actionName']}' does not exist in the stage")
    with pipeline.changed:
        runs = [
            run
            for execution in pipeline.executions
            for run in execution.actions
            if run.stage == given["stageName"] and run.name == given["actionName"]
        ]
        run = next((run for run in runs if run.token and run.token == given["token"]), None)
        if run is None:
            raise AwsError("InvalidApprovalTokenException", "The approval token is not valid")
        if run.decided.is_set() or run.status != "InProgress":
            raise AwsError("ApprovalAlreadyCompletedException", "The approval action has been decided already")
        run.decision, run.summary = given["result"]["status"], given["result"]["summary"]
        run.updated_by = call.principal.arn
        run.decided.set()
    return {"approvedAt": now()}


def retry_stage_execution(call: Call) -> dict[str, Any]:
    given = call.params
    pipeline = find_pipeline(call, given["pipelineName"])
    find_stage(pipeline, given["stageName"])
    with pipeline.changed:
        execution = _latest_in(pipeline, given["stageName"], given["pipelineExecutionId"])
        if execution.status not in ("Failed", "Stopped") or execution.stages[given["stageName"]] not in (
            "Failed",
            "Stopped",
        ):
            raise AwsError(
                "StageNotRetryableException", f"Stage '{given['stageName']}' has not failed in this execution"
            )
        if execution.version != pipeline.version:
            raise AwsError(
                "StageNotRetryableException", "The structure of the pipeline has changed since the execution"
            )
        engine.retry(call.cloud, pipeline, execution, given["stageName"], given["retryMode"])
    return {"pipelineExecutionId": execution.id}


def _latest_in(pipeline: Pipeline, stage: str, execution_id: str) -> Execution:
    execution = pipeline.latest.get(stage)
    if execution is None or execution.id != execution_id:
        raise AwsError(
            "NotLatestPipelineExecutionException", f"{execution_id} is not the latest execution in '{stage}'"
        )
    return execution


def rollback_stage(call: Call) -> dict[str, Any]:
    given = call.params
    pipeline = find_pipeline(call, given["pipelineName"])
    stage = find_stage(pipeline, given["stageName"])
    target = find_execution(pipeline, given["targetPipelineExecutionId"])
    reason = ""
    if pipeline.declaration["executionMode"] == "PARALLEL":
        reason = "Stages of a pipeline in PARALLEL mode cannot be rolled back"
    elif stage is pipeline.declaration["stages"][0]:
        reason = "A source stage cannot be rolled back"
    elif target.type == "ROLLBACK":
        reason = "A stage cannot be rolled back to an execution of the type ROLLBACK"
    elif target.stages.get(given["stageName"]) != "Succeeded":
        reason = f"The execution {target.id} did not succeed in the stage '{given['stageName']}'"
    elif given["stageName"] in pipeline.inside:
        reason = f"The stage '{given['stageName']}' is in progress"
    if reason:
        raise AwsError("UnableToRollbackStageException", reason)
    if target.version != pipeline.version:
        raise AwsError("PipelineExecutionOutdatedException", f"{target.id} ran under another structure of the pipeline")
    trigger = {"triggerType": "ManualRollback", "triggerDetail": call.principal.arn}
    execution = engine.roll_back(call.cloud, pipeline, given["stageName"], target, trigger)
    return {"pipelineExecutionId": execution.id}


def override_stage_condition(call: Call) -> dict[str, Any]:
    """A condition that failed, or is at work, no longer stands in the way: the stage proceeds.

    User Guide, "Considerations for results configured for stage conditions": not where its result is Skip.
    """
    given = call.params
    pipeline = find_pipeline(call, given["pipelineName"])
    stage = find_stage(pipeline, given["stageName"])
    kind = {"BEFORE_ENTRY": "beforeEntry", "ON_SUCCESS": "onSuccess"}.get(str(given["conditionType"]), "")
    with pipeline.changed:
        execution = _latest_in(pipeline, given["stageName"], given["pipelineExecutionId"])
        run = pipeline.conditions.get((given["stageName"], kind))
        result = stage[kind]["conditions"][0].get("result") if kind in stage else "SKIP"
        failed = execution.status == "Failed" and execution.stages[given["stageName"]] == "Failed"
        over = run is not None and run.status in ("Failed", "Errored") and failed
        if run is None or result == "SKIP" or not (over or run.status == "InProgress"):
            raise AwsError("ConditionNotOverridableException", "The condition cannot be overridden in this execution")
        execution.overridden.add((given["stageName"], kind))
        if over:
            run.status = "Overridden"
            engine.retry(call.cloud, pipeline, execution, given["stageName"], "FAILED_ACTIONS")
    return {}


def switch_stage_transition(call: Call) -> dict[str, Any]:
    given = call.params
    declaration.check_shape(f"{call.operation}Input", given, call.operation)
    pipeline = find_pipeline(call, given["pipelineName"])
    find_stage(pipeline, given["stageName"])
    if given["transitionType"] != "Inbound":
        raise NotSupported("the transition type Outbound")
    with pipeline.changed:
        pipeline.disabled.pop(given["stageName"], None)
        if call.operation == "DisableStageTransition":
            pipeline.disabled[given["stageName"]] = {
                "enabled": False,
                "lastChangedBy": call.principal.arn,
                "lastChangedAt": now(),
                "disabledReason": given["reason"],
            }
        pipeline.changed.notify_all()
    return {}
