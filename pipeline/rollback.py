"""What happens when a version is rejected: the version approved last before it comes back, if the rejected one is live.

CodePipeline API Reference: StopPipelineExecution. What is live is the parameter ModelPackageName of the stages' stacks.
What was approved when: approvals.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipeline.approvals import Approvals
from pipeline.clients import Clients
from pipeline.console import UserError, say
from pipeline.executions import Run, pipeline_of, runs_of
from pipeline.live import UNDER_WAY, parameters_of
from pipeline.registry import Version
from pipeline.settings import STAGES, Settings

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_codepipeline import CodePipelineClient

STOPPED_ALREADY = {"PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"}
DEPLOYS = {stage: f"DeployResources{stage.capitalize()}" for stage in STAGES}
TESTS_PROD = "TestProd"


@dataclass(frozen=True)
class Answer:
    """What to deploy (None for nothing) and why; alone: approved before, so production needs no approver."""

    version: Version | None
    reason: str
    alone: bool = False


# -- what there is -----------------------------------------------------------------------------


def live_versions(cloudformation: CloudFormationClient, stacks: Mapping[str, str]) -> dict[str, str]:
    """The version that each stage's stack names, also while it is still being deployed; stacks: by stage."""
    live = {}
    for stage, stack in stacks.items():
        arn = parameters_of(cloudformation, stack).get("ModelPackageName", "")
        if arn:
            live[stage] = arn.rsplit("/", 1)[1]
    return live


# -- what to do --------------------------------------------------------------------------------


def after_rejection(settings: Settings, rejected: int, stacks: Mapping[str, str], clients: Clients) -> Answer:
    """Stop what would deploy the rejected version, and find what comes back in its place.

    The execution that has it in production's shadow is not stopped, since it would leave it there: its step TestShadow
    ends with the rejection, and no card is made once the shadow is gone.

    UserError where the version is live and nothing can come back: a person must decide.
    """
    codepipeline, pipeline = clients("codepipeline", settings.region), pipeline_of(settings)
    runs = runs_of(codepipeline, pipeline)
    before_this = older(runs, settings.execution_id)
    number, live = str(rejected), live_versions(clients("cloudformation", settings.region), stacks)
    places = served_in(number, live, before_this)
    others = [run for run in before_this if run.status in UNDER_WAY and (places or run.version == number)]
    for run in others:
        if run.has_shadow and run.version == number:
            say(f"execution {run.id} takes version {rejected} out of production's shadow, and ends")
        else:
            stop(codepipeline, pipeline, run, f"Version {rejected} was rejected")
    if not places:
        stopped = " before it was deployed; its deployment is stopped" if others else ", which is not live"
        return Answer(None, f"version {rejected} was rejected{stopped}")
    version = Approvals.read(settings, clients, before_this).last_before(rejected)
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
    """Stop an execution after its running action; at once where nothing changes meanwhile.

    That is where it waits for an approver, and where it counts what a shadow answers.
    """
    say(f"stopping execution {run.id} (version {run.version or 'not known yet'}): {reason}")
    abandon = run.approval or run.actions.get("TestShadow") == "InProgress"
    try:
        codepipeline.stop_pipeline_execution(
            pipelineName=pipeline, pipelineExecutionId=run.id, abandon=abandon, reason=reason
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in STOPPED_ALREADY:
            raise
