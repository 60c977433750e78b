"""The executions of the project's pipeline, as CodePipeline remembers them: 12 months.

CodePipeline API Reference: ListPipelineExecutions, ListActionExecutions. Which version an execution deploys is the
variable MODEL_PACKAGE_VERSION that its Build step exported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.settings import VERSION, Settings

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import ActionExecutionDetailTypeDef


@dataclass(frozen=True)
class Run:
    """One execution of the pipeline.

    built: when its Build step began, None of a rollback by CodePipeline, which has none; version: "" for none
    actions: the last status of each action, in the order in which they began last; a stage that is retried begins
    its actions again; approval: it waits for an approver
    """

    id: str
    status: str
    built: datetime | None = None
    version: str = ""
    target: str = ""
    actions: Mapping[str, str] = field(default_factory=dict)
    approval: bool = False

    @property
    def has_shadow(self) -> bool:
        """Whether it has put its version into production's shadow, and goes on to take it away again."""
        begun = list(self.actions)
        if self.actions.get("RemoveShadow") == "Succeeded" and is_last(begun, "RemoveShadow", "DeployResourcesShadow"):
            return False
        return is_last(begun, "DeployResourcesShadow", "PrepareShadow")

    def is_deploying(self, action: str, tests: str) -> bool:
        """Whether a deployment is on its way, until its tests have ended. action, tests: the names of both actions"""
        if self.actions.get(action) not in {"InProgress", "Succeeded"}:
            return False
        return not is_last(list(self.actions), tests, action) or self.actions.get(tests) == "InProgress"


def is_last(begun: Sequence[str], one: str, other: str) -> bool:
    """Whether an action began, and after another one that may have begun. begun: the actions in their order"""
    return one in begun and (other not in begun or begun.index(one) > begun.index(other))


def pipeline_of(settings: Settings) -> str:
    return pipeline_name(settings.project, settings.project_id)


def pipeline_name(project: str, project_id: str) -> str:
    """The name of a project's pipeline (30-project.yaml)."""
    return f"sagemaker-{project}-{project_id}-deploy"


def runs_of(codepipeline: CodePipelineClient, pipeline: str) -> list[Run]:
    """Every execution that CodePipeline remembers, the newest first."""
    details: dict[str, list[ActionExecutionDetailTypeDef]] = {}
    for page in codepipeline.get_paginator("list_action_executions").paginate(pipelineName=pipeline):
        for action in page["actionExecutionDetails"]:
            details.setdefault(action["pipelineExecutionId"], []).append(action)
    pages = codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline)
    summaries = [summary for page in pages for summary in page["pipelineExecutionSummaries"]]
    runs = [read_run(summary, details.get(summary["pipelineExecutionId"], [])) for summary in summaries]
    versions = {run.id: run.version for run in runs}
    return [run if not run.target else replace(run, version=versions.get(run.target, "")) for run in runs]


def read_run(summary: Mapping[str, Any], actions: list[ActionExecutionDetailTypeDef]) -> Run:
    built, version, approval = None, "", False
    last: dict[str, str] = {}
    for action in sorted(actions, key=lambda action: action["startTime"]):
        last.pop(action["actionName"], None)
        last[action["actionName"]] = action["status"]
        if action["actionName"] == "Build":
            built = action["startTime"]
            version = action.get("output", {}).get("outputVariables", {}).get("MODEL_PACKAGE_VERSION", "")
        if action["input"]["actionTypeId"]["category"] == "Approval":
            approval = action["status"] == "InProgress"
    return Run(
        summary["pipelineExecutionId"],
        summary["status"],
        built,
        version if VERSION.fullmatch(version) else "",
        summary.get("rollbackMetadata", {}).get("rollbackTargetPipelineExecutionId", ""),
        last,
        approval,
    )
