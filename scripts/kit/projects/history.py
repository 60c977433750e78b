"""What a project's pipeline deployed when: CodePipeline's own history.

CodePipeline User Guide, "View executions": the history goes back 12 months. The version of an execution
is the variable MODEL_PACKAGE_VERSION that its Build step exported; an execution of the type ROLLBACK has
no Build step and takes the variables and artifacts of its target ("Configuring stage rollback").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from scripts.kit.connect import pages
from scripts.kit.stages import Stage

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient

NOTHING = {"", "none"}
APPROVALS = {stage.approval_stage for stage in Stage}  # and the names of their actions
EXPIRES = timedelta(days=7) - timedelta(minutes=1)  # the two times need not be of the same clock
ENDED = {"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"}


@dataclass(frozen=True)
class PipelineExecution:
    """One execution; actions: the last status of each action; target: of a rollback, whose version it deploys.

    artifact: bucket and key of what its Build step handed on
    answers: to its approvals, by the name of the action: who gave the last one, as an ARN, and their comment
    expired: those of its approvals that ended without an answer the last time
    """

    id: str
    status: str
    started: Any = None
    version: str = ""
    target: str = ""
    actions: Mapping[str, str] = field(default_factory=dict)
    artifact: tuple[str, str] = ("", "")
    answers: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    expired: frozenset[str] = frozenset()

    def deployed(self, stage: Stage) -> bool:
        """The stage's stack went over to this version, whatever its tests said."""
        return self.actions.get(stage.deploy_action) == "Succeeded"

    def succeeded(self, stage: Stage) -> bool:
        """The stage went over to this version, and its tests passed."""
        return self.deployed(stage) and self.actions.get(stage.test_action) == "Succeeded"


def read(codepipeline: CodePipelineClient, pipeline: str) -> list[PipelineExecution]:
    """Every execution that CodePipeline remembers, the newest first."""
    details: dict[str, list[dict[str, Any]]] = {}
    for action in pages(codepipeline, "list_action_executions", "actionExecutionDetails", pipelineName=pipeline):
        details.setdefault(action["pipelineExecutionId"], []).append(action)
    found = [
        execution(summary, details.get(summary["pipelineExecutionId"], []))
        for summary in pages(
            codepipeline, "list_pipeline_executions", "pipelineExecutionSummaries", pipelineName=pipeline
        )
    ]
    by_id = {one.id: one for one in found}
    return [with_target(one, by_id) for one in found]


def execution(summary: Mapping[str, Any], actions: list[dict[str, Any]]) -> PipelineExecution:
    """An execution from ListPipelineExecutions and its actions from ListActionExecutions."""
    made = PipelineExecution(
        summary["pipelineExecutionId"],
        summary["status"],
        summary.get("startTime"),
        target=summary.get("rollbackMetadata", {}).get("rollbackTargetPipelineExecutionId", ""),
    )
    return with_actions(made, actions)


def with_actions(made: PipelineExecution, actions: list[dict[str, Any]]) -> PipelineExecution:
    version, artifact = made.version, made.artifact
    last: dict[str, str] = {}
    answers: dict[str, tuple[str, str]] = {}
    expired: set[str] = set()
    for action in sorted(actions, key=lambda action: action["startTime"]):
        last[action["actionName"]] = action["status"]
        output = action.get("output", {})
        if action["actionName"] in APPROVALS:
            comment = output.get("executionResult", {}).get("externalExecutionSummary", "")
            answers[action["actionName"]] = (action.get("updatedBy", ""), comment)
            (expired.add if is_expired(action) else expired.discard)(action["actionName"])
        if action["actionName"] == "Build":
            version = output.get("outputVariables", {}).get("MODEL_PACKAGE_VERSION", "")
            for one in output.get("outputArtifacts", []):
                artifact = (one["s3location"]["bucket"], one["s3location"]["key"])
    version = "" if version in NOTHING else version
    return replace(made, version=version, artifact=artifact, actions=last, answers=answers, expired=frozenset(expired))


def is_expired(action: Mapping[str, Any]) -> bool:
    """Whether an approval failed since no person answered.

    CodePipeline User Guide, "Add a manual approval action to a stage": without an answer within seven days it fails.
    """
    ended = action.get("lastUpdateTime")
    return action["status"] == "Failed" and ended is not None and ended - action["startTime"] >= EXPIRES


def with_target(one: PipelineExecution, by_id: Mapping[str, PipelineExecution]) -> PipelineExecution:
    target = by_id.get(one.target)
    return replace(one, version=target.version, artifact=target.artifact) if target else one


def version_of(codepipeline: CodePipelineClient, pipeline: str, execution_id: str) -> str:
    """The version that one execution deploys; "" for none, or before its Build step has found it."""
    seen = codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution_id)
    shown = seen["pipelineExecution"]
    builder = shown.get("rollbackMetadata", {}).get("rollbackTargetPipelineExecutionId") or execution_id
    actions = pages(
        codepipeline,
        "list_action_executions",
        "actionExecutionDetails",
        pipelineName=pipeline,
        filter={"pipelineExecutionId": builder},
    )
    return with_actions(PipelineExecution(builder, ""), list(actions)).version
