"""Pipelines, executions, actions and rules as the CodePipeline API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localaws.services.codepipeline.state import ActionRun, ConditionRun, Execution, Pipeline, RuleRun

CONDITIONS = {
    "beforeEntry": "beforeEntryConditionState",
    "onSuccess": "onSuccessConditionState",
    "onFailure": "onFailureConditionState",
}


def page(items: Sequence[Any], params: Mapping[str, Any], default: int = 100) -> tuple[list[Any], dict[str, str]]:
    """One page of items, and the nextToken member where there is more."""
    size = params.get("maxResults", default)
    start = int(params.get("nextToken", "0"))
    more = {"nextToken": str(start + size)} if start + size < len(items) else {}
    return list(items[start : start + size]), more


def _error(error: tuple[str, str] | None) -> dict[str, Any]:
    return {"errorDetails": {"code": error[0], "message": error[1][:5000]}} if error else {}


def _given(**members: Any) -> dict[str, Any]:
    """The members that hold something."""
    return {name: value for name, value in members.items() if value}


# -- executions --------------------------------------------------------------------------------


def _kind(execution: Execution) -> dict[str, Any]:
    target = {"rollbackTargetPipelineExecutionId": execution.rollback_target}
    return {
        "trigger": execution.trigger,
        "executionMode": execution.mode,
        "executionType": execution.type,
        **({"rollbackMetadata": target} if execution.rollback_target else {}),
        **_given(statusSummary=execution.summary),
    }


def execution_view(pipeline: Pipeline, execution: Execution) -> dict[str, Any]:
    """GetPipelineExecution."""
    sources = {action["name"]: action for action in execution.declaration["stages"][0]["actions"]}
    revisions = [
        {**revision, "name": sources[name]["outputArtifacts"][0]["name"], "created": execution.started}
        for name, revision in execution.revisions.items()
    ]
    return {
        "pipelineName": pipeline.name,
        "pipelineVersion": execution.version,
        "pipelineExecutionId": execution.id,
        "status": execution.status,
        "artifactRevisions": revisions,
        "variables": [{"name": name, "resolvedValue": value} for name, value in execution.variables.items()],
        **_kind(execution),
    }


def execution_summary(execution: Execution) -> dict[str, Any]:
    """One of ListPipelineExecutions."""
    return {
        "pipelineExecutionId": execution.id,
        "status": execution.status,
        "startTime": execution.started,
        "lastUpdateTime": execution.updated,
        "sourceRevisions": [{"actionName": name, **revision} for name, revision in execution.revisions.items()],
        **({"stopTrigger": {"reason": execution.stop_reason}} if execution.stop_reason else {}),
        **_kind(execution),
    }


# -- actions and rules ---------------------------------------------------------------------------


def _artifacts(artifacts: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"name": name, "s3location": {"bucket": b, "key": k}} for name, (b, k) in artifacts.items()]


def action_detail(pipeline: Pipeline, execution: Execution, run: ActionRun) -> dict[str, Any]:
    """One of ListActionExecutions."""
    action = run.action
    result = _given(
        externalExecutionId=run.external_id,
        externalExecutionSummary=run.summary,
        externalExecutionUrl=run.external_url,
        logStreamARN=run.log_stream,
    )
    return {
        "pipelineExecutionId": execution.id,
        "actionExecutionId": run.id,
        "pipelineVersion": execution.version,
        "stageName": run.stage,
        "actionName": run.name,
        "startTime": run.started,
        "lastUpdateTime": run.updated,
        **_given(updatedBy=run.updated_by),
        "status": run.status,
        "input": {
            "actionTypeId": action["actionTypeId"],
            "configuration": action.get("configuration", {}),
            "resolvedConfiguration": run.configuration,
            "region": action.get("region", pipeline.region),
            "inputArtifacts": _artifacts(run.inputs),
            **_given(namespace=action.get("namespace"), roleArn=action.get("roleArn")),
        },
        "output": {
            "outputArtifacts": _artifacts(run.outputs),
            "executionResult": {**result, **_error(run.error)},
            "outputVariables": run.variables,
        },
    }


def rule_detail(pipeline: Pipeline, execution: Execution, run: RuleRun) -> dict[str, Any]:
    """One of ListRuleExecutions."""
    return {
        "pipelineExecutionId": execution.id,
        "ruleExecutionId": run.id,
        "pipelineVersion": execution.version,
        "stageName": run.stage,
        "ruleName": run.rule["name"],
        "startTime": run.started,
        "lastUpdateTime": run.updated,
        "status": run.status,
        "input": {
            "ruleTypeId": run.rule["ruleTypeId"],
            "configuration": run.rule.get("configuration", {}),
            "resolvedConfiguration": run.configuration,
            "region": run.rule.get("region", pipeline.region),
            "inputArtifacts": [{"name": artifact["name"]} for artifact in run.rule.get("inputArtifacts", [])],
        },
        "output": {"executionResult": {**_given(externalExecutionSummary=run.summary), **_error(run.error)}},
    }


# -- the pipeline's state ------------------------------------------------------------------------


def state_view(pipeline: Pipeline) -> dict[str, Any]:
    """GetPipelineState; a pipeline in PARALLEL mode has none."""
    with pipeline.changed:
        stages = pipeline.declaration["stages"]
        return {
            "pipelineName": pipeline.name,
            "pipelineVersion": pipeline.version,
            "stageStates": [_stage_state(pipeline, stage) for stage in stages],
            "created": pipeline.created,
            "updated": pipeline.updated,
        }


def _stage_state(pipeline: Pipeline, stage: Mapping[str, Any]) -> dict[str, Any]:
    name = stage["name"]
    inbound = [
        {"pipelineExecutionId": e.id, "status": "InProgress", "type": e.type}
        for e in pipeline.waiting.get(name, [])
        if not e.end_asked
    ]
    latest = pipeline.latest.get(name)
    shown = latest if latest is not None and latest.mode != "PARALLEL" else None
    state: dict[str, Any] = {
        "stageName": name,
        "inboundExecutions": inbound,
        "inboundTransitionState": pipeline.disabled.get(name, {"enabled": True}),
        "actionStates": [_action_state(pipeline, name, action) for action in stage["actions"]],
        **({"inboundExecution": inbound[-1]} if inbound else {}),
    }
    if shown is not None:
        status = shown.stages[name]
        if status == "InProgress" and shown.status == "Stopping":
            status = "Stopping"
        state["latestExecution"] = {"pipelineExecutionId": shown.id, "status": status, "type": shown.type}
        if shown.attempt > 1:
            state["retryStageMetadata"] = _retries(shown, name)
    for kind, member in CONDITIONS.items():
        if run := pipeline.conditions.get((name, kind)):
            state[member] = _condition_state(run)
    return state


def _retries(execution: Execution, stage: str) -> dict[str, Any]:
    if stage in execution.retried:
        return {"autoStageRetryAttempt": 1, "latestRetryTrigger": "AutomatedStageRetry"}
    return {"manualStageRetryAttempt": execution.attempt - 1, "latestRetryTrigger": "ManualStageRetry"}


def _condition_state(run: ConditionRun) -> dict[str, Any]:
    summary = _given(summary=run.summary[:2048])
    rules = [
        {
            "ruleName": rule.rule["name"],
            "latestExecution": {
                "ruleExecutionId": rule.id,
                "status": rule.status,
                "lastStatusChange": rule.updated,
                **_given(summary=rule.summary[:2048]),
                **_error(rule.error),
            },
        }
        for rule in run.rules
    ]
    execution = {"status": run.status, "lastStatusChange": run.updated, **summary}
    return {
        "latestExecution": {"status": run.status, **summary},
        "conditionStates": [{"latestExecution": execution, "ruleStates": rules}],
    }


def latest_run(pipeline: Pipeline, stage: str, action: str) -> tuple[Execution, ActionRun] | None:
    """The newest execution of an action, in whichever pipeline execution."""
    runs = [(e, run) for e in pipeline.executions for run in e.actions if run.stage == stage and run.name == action]
    return max(runs, key=lambda found: found[1].started) if runs else None


def _action_state(pipeline: Pipeline, stage: str, action: Mapping[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = {"actionName": action["name"]}
    found = latest_run(pipeline, stage, action["name"])
    if found is None:
        return state
    _, run = found
    if run.revision:
        state["currentRevision"] = {
            "revisionId": run.revision["revisionId"],
            "revisionChangeId": run.revision["revisionId"][:100],
            "created": run.started,
        }
    summary = run.summary
    state["latestExecution"] = {
        "actionExecutionId": run.id,
        "status": run.status,
        "lastStatusChange": run.updated,
        **_given(
            summary=summary[:2048],
            token=run.token,
            lastUpdatedBy=run.updated_by,
            externalExecutionId=run.external_id,
            externalExecutionUrl=run.external_url,
            logStreamARN=run.log_stream,
        ),
        **_error(run.error),
    }
    return state
