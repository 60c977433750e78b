"""What happens when a version is rejected: the version approved last before it comes back, if the rejected one is live.

CodePipeline API Reference: ListPipelineExecutions, ListActionExecutions (12 months of history), StopPipelineExecution.
What is live is the parameter ModelPackageName of the stages' stacks. Which version an execution deploys is the variable
MODEL_PACKAGE_VERSION that its Build step exported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.clients import Clients
from pipeline.console import UserError, say
from pipeline.registry import Version, approval_time, read_version, versions_of
from pipeline.settings import STAGES, VERSION, Settings

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import ActionExecutionDetailTypeDef
    from mypy_boto3_sagemaker import SageMakerClient

UNDER_WAY = {"InProgress", "Stopping"}
STOPPED_ALREADY = {"PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"}
DEPLOYS = {stage: f"DeployResources{stage.capitalize()}" for stage in STAGES}
TESTS_PROD = "TestProd"


@dataclass(frozen=True)
class Run:
    """One execution of the pipeline.

    built: when its Build step began, None of a rollback by CodePipeline, which has none; version: "" for none
    actions: the last status of each action; approval: it waits for an approver
    """

    id: str
    status: str
    built: datetime | None = None
    version: str = ""
    target: str = ""
    actions: Mapping[str, str] = field(default_factory=dict)
    approval: bool = False


@dataclass(frozen=True)
class Answer:
    """What to deploy (None for nothing) and why; alone: approved before, so production needs no approver."""

    version: Version | None
    reason: str
    alone: bool = False


def pipeline_of(settings: Settings) -> str:
    return f"sagemaker-{settings.project}-{settings.project_id}-deploy"


# -- what there is -----------------------------------------------------------------------------


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
    return [run if not run.target else with_version(run, versions.get(run.target, "")) for run in runs]


def read_run(summary: Mapping[str, Any], actions: list[ActionExecutionDetailTypeDef]) -> Run:
    built, version, approval = None, "", False
    last: dict[str, str] = {}
    for action in sorted(actions, key=lambda action: action["startTime"]):
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


def with_version(run: Run, version: str) -> Run:
    return Run(run.id, run.status, run.built, version, run.target, run.actions, run.approval)


def live_versions(cloudformation: CloudFormationClient, stacks: Mapping[str, str]) -> dict[str, str]:
    """The version that each stage's stack names, also while it is still being deployed; stacks: by stage."""
    live = {}
    for stage, stack in stacks.items():
        arn = parameters_of(cloudformation, stack).get("ModelPackageName", "")
        if arn:
            live[stage] = arn.rsplit("/", 1)[1]
    return live


def parameters_of(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """A stack's parameters; {} where there is no such stack."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"].get("Message", ""):
            return {}
        raise
    return {p["ParameterKey"]: p.get("ParameterValue", "") for p in found.get("Parameters", [])}


# -- what to do --------------------------------------------------------------------------------


def after_rejection(settings: Settings, rejected: int, stacks: Mapping[str, str], clients: Clients) -> Answer:
    """Stop what would deploy the rejected version, and find what comes back in its place.

    UserError where the version is live and nothing can come back: a person must decide.
    """
    codepipeline, pipeline = clients("codepipeline", settings.region), pipeline_of(settings)
    runs = runs_of(codepipeline, pipeline)
    before_this = older(runs, settings.execution_id)
    number, live = str(rejected), live_versions(clients("cloudformation", settings.region), stacks)
    places = served_in(number, live, before_this)
    others = [run for run in before_this if run.status in UNDER_WAY and (places or run.version == number)]
    for run in others:
        stop(codepipeline, pipeline, run, f"Version {rejected} was rejected")
    if not places:
        stopped = " before it was deployed; its deployment is stopped" if others else ", which is not live"
        return Answer(None, f"version {rejected} was rejected{stopped}")
    version = last_before(clients("sagemaker", settings.region), settings.group, rejected, before_this)
    where = " and ".join(places)
    if version is None:
        raise UserError(
            f"version {rejected} was rejected and is live in {where}, and no version was approved before it: the "
            "endpoints stay as they are. Approve another version to deploy it"
        )
    back = str(version.number)
    was_live = any(run.version == back and run.actions.get(TESTS_PROD) == "Succeeded" for run in before_this)
    alone = was_live and live.get("prod", "") in {number, back}
    return Answer(version, f"version {rejected} was rejected and is live in {where}: back to version {back}", alone)


def older(runs: list[Run], own: str) -> list[Run]:
    """The executions that began before this one; a newer one is a newer decision."""
    ids = [run.id for run in runs]
    return runs[ids.index(own) + 1 :] if own in ids else runs


def served_in(number: str, live: Mapping[str, str], runs: Iterable[Run]) -> list[str]:
    """The stages that serve the version, or are just being deployed with it."""
    moving = [run for run in runs if run.status in UNDER_WAY and run.version == number]
    return [
        stage
        for stage, action in DEPLOYS.items()
        if live.get(stage) == number or any(run.actions.get(action) == "InProgress" for run in moving)
    ]


def stop(codepipeline: CodePipelineClient, pipeline: str, run: Run, reason: str) -> None:
    """Stop an execution after its running action; one that waits for an approver at once: nothing runs there."""
    say(f"stopping execution {run.id} (version {run.version or 'not known yet'}): {reason}")
    try:
        codepipeline.stop_pipeline_execution(
            pipelineName=pipeline, pipelineExecutionId=run.id, abandon=run.approval, reason=reason
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in STOPPED_ALREADY:
            raise


def last_before(sagemaker: SageMakerClient, group: str, rejected: int, runs: Iterable[Run]) -> Version | None:
    """The version that was approved last before the newest deployment of the rejected one.

    Where CodePipeline no longer remembers that one, the numbers say which versions are older.
    """
    begun = max((run.built for run in runs if run.built and run.version == str(rejected)), default=None)
    found = []
    for summary in versions_of(sagemaker, group, "Approved"):
        package = sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
        older = approval_time(package) < begun if begun else summary["ModelPackageVersion"] < rejected
        if package.get("ModelApprovalStatus") == "Approved" and summary["ModelPackageVersion"] != rejected and older:
            found.append(package)
    return read_version(max(found, key=approval_time)) if found else None
