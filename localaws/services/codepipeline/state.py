"""What CodePipeline remembers: pipelines, their executions, stages, actions and rules; and what it tells.

AWS CodePipeline User Guide, "How pipeline executions work" and "Monitoring CodePipeline events".
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localaws.cloud import Cloud, Session, arn, new_id
from localaws.services.events.service import emit

PRINCIPAL = "codepipeline.amazonaws.com"
ENDED = ("Cancelled", "Stopped", "Succeeded", "Superseded", "Failed")
EVENT_STATES = {
    "InProgress": "STARTED",
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "Stopped": "STOPPED",
    "Stopping": "STOPPING",
    "Superseded": "SUPERSEDED",
    "Cancelled": "CANCELED",
    "Abandoned": "ABANDONED",
}


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class ActionRun:
    """One action execution."""

    stage: str
    action: Mapping[str, Any]
    attempt: int
    id: str = field(default_factory=new_id)
    status: str = "InProgress"
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    configuration: dict[str, str] = field(default_factory=dict)  # with its variables resolved
    inputs: dict[str, tuple[str, str]] = field(default_factory=dict)  # artifact: (bucket, key)
    outputs: dict[str, tuple[str, str]] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    revision: dict[str, Any] = field(default_factory=dict)  # of a source: revisionId, revisionSummary, revisionUrl
    external_id: str = ""
    external_url: str = ""
    summary: str = ""
    error: tuple[str, str] | None = None  # code, message
    log_stream: str = ""
    token: str = ""  # of a manual approval that waits
    decided: threading.Event = field(default_factory=threading.Event)
    decision: str = ""
    updated_by: str = ""
    again: bool = False  # succeeded, but its whole stage is retried

    @property
    def name(self) -> str:
        return str(self.action["name"])


@dataclass
class RuleRun:
    """One rule execution."""

    stage: str
    kind: str
    rule: Mapping[str, Any]
    id: str = field(default_factory=new_id)
    status: str = "InProgress"
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    configuration: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    error: tuple[str, str] | None = None


@dataclass
class ConditionRun:
    """One evaluation of a stage's condition."""

    status: str = "InProgress"
    summary: str = ""
    updated: datetime = field(default_factory=now)
    rules: list[RuleRun] = field(default_factory=list)


@dataclass
class Execution:
    """One pipeline execution."""

    number: int
    version: int
    declaration: Mapping[str, Any]
    trigger: dict[str, str]
    variables: dict[str, str]
    mode: str
    type: str = "STANDARD"
    rollback_target: str = ""
    id: str = field(default_factory=new_id)
    status: str = "InProgress"
    summary: str = ""
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    attempt: int = 1
    overrides: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # source action: its revisions
    artifacts: dict[str, tuple[str, str]] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    revisions: dict[str, dict[str, Any]] = field(default_factory=dict)  # source action: its revision
    actions: list[ActionRun] = field(default_factory=list)
    rules: list[RuleRun] = field(default_factory=list)
    stages: dict[str, str] = field(default_factory=dict)  # stage: how it stands
    overridden: set[tuple[str, str]] = field(default_factory=set)  # (stage, condition type)
    end_asked: str = ""  # "" | "Stopped" | "Cancelled" | "Superseded": what it will end as
    stop_reason: str = ""
    retried: set[str] = field(default_factory=set)  # stages that were retried automatically

    def latest(self, stage: str, action: str) -> ActionRun | None:
        """The latest execution of an action within this execution."""
        return next((r for r in reversed(self.actions) if r.stage == stage and r.name == action), None)


@dataclass
class Pipeline:
    """One pipeline, and who is where in it. Its lock guards everything beneath it."""

    account: str
    region: str
    declaration: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    executions: list[Execution] = field(default_factory=list)
    tokens: dict[str, tuple[dict[str, Any], str]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    inside: dict[str, Execution] = field(default_factory=dict)  # stage: the execution that holds its lock
    waiting: dict[str, list[Execution]] = field(default_factory=dict)  # stage: executions in front of it
    disabled: dict[str, dict[str, Any]] = field(default_factory=dict)  # stage: why its transition is disabled
    latest: dict[str, Execution] = field(default_factory=dict)  # stage: who was in it last
    conditions: dict[tuple[str, str], ConditionRun] = field(default_factory=dict)  # (stage, type): the last one
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    deleted: bool = False

    @property
    def name(self) -> str:
        return str(self.declaration["name"])

    @property
    def arn(self) -> str:
        return arn("codepipeline", self.region, self.account, self.name)

    @property
    def version(self) -> int:
        return int(self.declaration["version"])

    def stage(self, name: str) -> Mapping[str, Any] | None:
        return next((s for s in self.declaration["stages"] if s["name"] == name), None)

    def execution(self, execution_id: str) -> Execution | None:
        return next((e for e in self.executions if e.id == execution_id), None)


@dataclass
class PipelineState:
    """Every pipeline of an account and Region."""

    pipelines: dict[str, Pipeline] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


class ActionFailed(Exception):  # reads as what it says
    """An action that fails: code and message of its errorDetails.

    code: JobFailed, ConfigurationError, PermissionError, RevisionUnavailable, … (CodePipeline API
    Reference, "FailureDetails")
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def pipeline_session(cloud: Cloud, pipeline: Pipeline, role_arn: str, name: str) -> Session:
    """CodePipeline acting as the pipeline's role."""
    return cloud.service_role(
        role_arn, name, PRINCIPAL, pipeline.region, SourceArn=pipeline.arn, SourceAccount=pipeline.account
    )


# -- what CodePipeline tells EventBridge -------------------------------------------------------


def _tell(cloud: Cloud, pipeline: Pipeline, execution: Execution, level: str, state: str, **more: Any) -> None:
    emit(
        cloud,
        pipeline.account,
        pipeline.region,
        source="aws.codepipeline",
        detail_type=f"CodePipeline {level} Execution State Change",
        resources=[pipeline.arn],
        detail={
            "pipeline": pipeline.name,
            "execution-id": execution.id,
            "start-time": execution.started.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "state": state,
            "version": float(execution.version),
            "pipeline-execution-attempt": float(execution.attempt),
            **more,
        },
    )


def set_execution(cloud: Cloud, pipeline: Pipeline, execution: Execution, status: str, resumed: bool = False) -> None:
    """Move an execution to a status, and tell."""
    execution.status, execution.updated = status, now()
    trigger = {"trigger-type": execution.trigger["triggerType"], "trigger-detail": execution.trigger["triggerDetail"]}
    more: dict[str, Any] = {"execution-trigger": trigger} if status == "InProgress" else {}
    if status == "Stopping":
        more = {"stop-execution-comments": execution.stop_reason}
    _tell(cloud, pipeline, execution, "Pipeline", "RESUMED" if resumed else EVENT_STATES[status], **more)


def set_stage(
    cloud: Cloud, pipeline: Pipeline, execution: Execution, stage: str, status: str, resumed: bool = False
) -> None:
    """Move an execution's stage to a status, and tell (AWS lists no event for a skipped stage)."""
    execution.stages[stage], execution.updated = status, now()
    pipeline.latest[stage] = execution
    if status in EVENT_STATES:
        state = "RESUMED" if resumed else EVENT_STATES[status]
        _tell(cloud, pipeline, execution, "Stage", state, stage=stage)


def set_action(cloud: Cloud, pipeline: Pipeline, execution: Execution, run: ActionRun, status: str) -> None:
    """Move an action to a status, and tell; an abandoned action stays so."""
    if run.status == "Abandoned":
        return
    run.status, run.updated, execution.updated = status, now(), now()
    kind = run.action["actionTypeId"]
    more: dict[str, Any] = {}
    if run.external_id or run.error:
        more["execution-result"] = {
            "external-execution-id": run.external_id,
            "external-execution-url": run.external_url,
            "external-execution-summary": run.summary,
            **({"error-code": run.error[0], "error-message": run.error[1]} if run.error else {}),
        }

    def located(artifacts: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
        return [{"name": n, "s3location": {"bucket": b, "key": k}} for n, (b, k) in artifacts.items()]

    _tell(
        cloud,
        pipeline,
        execution,
        "Action",
        EVENT_STATES[status],
        stage=run.stage,
        action=run.name,
        region=run.action.get("region", pipeline.region),
        **{"action-execution-id": run.id},
        type={key: kind[key] for key in ("owner", "provider", "category", "version")},
        **{"input-artifacts": located(run.inputs)},
        **({"output-artifacts": located(run.outputs)} if status != "InProgress" else {}),
        **more,
    )
