"""What happens when a version is rejected: the version approved before it comes back, where a rejected one is served.

A rejection is an event of one moment. Its execution may be overtaken, or fail, and the version that it brings back may
be rejected meanwhile. So each one asks again what the stages serve, and whether that is a version whose newest entry in
the record is a rejection.

CodePipeline API Reference: StopPipelineExecution. What is served is what the stages' stacks name, and what their newest
tests saw (outcome.py). What was approved when: approvals.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipeline import live, outcome, record, shadow
from pipeline.approvals import Approvals
from pipeline.clients import Clients
from pipeline.console import UserError, say
from pipeline.executions import Run, pipeline_of, runs_of
from pipeline.live import UNDER_WAY
from pipeline.production_alone import PRODUCTION
from pipeline.registry import Version
from pipeline.settings import STAGES, Settings
from pipeline.unasked import let_through

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_s3 import S3Client

STOPPED_ALREADY = {"PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"}
DEPLOYS = {stage: f"DeployResources{stage.capitalize()}" for stage in STAGES}
TESTS_PROD = "TestProd"
SHADOW = "production's shadow"


@dataclass(frozen=True)
class Answer:
    """What to deploy (None for nothing) and why; alone: approved before, so production needs no approver."""

    version: Version | None
    reason: str
    alone: bool = False


@dataclass(frozen=True)
class Stage:
    """The numbers of the versions that a stage serves, or may serve; "" for none.

    named: by its stack, also while it is still being deployed; shadow: the one that the stack has as a shadow
    tested: what its newest tests were for; kept: what endpoints ran then instead, SageMaker having taken that back
    """

    named: str = ""
    shadow: str = ""
    tested: str = ""
    kept: frozenset[str] = frozenset()


# -- what there is -----------------------------------------------------------------------------


def look(settings: Settings, stage: str, stack: str, clients: Clients) -> Stage:
    """A stage as it is. stack: its name"""
    parameters = live.deployed(clients("cloudformation", settings.region), stack)
    if not parameters:
        return Stage()
    s3 = clients("s3", settings.region)
    last = outcome.newest(s3, settings.artifact_bucket, stage) or {}
    named, tested = live.version_in(parameters.get("ModelPackageName", "")), str(last.get("version", ""))
    seen = (one for one in last.get("endpoints", []) if one.get("as_deployed") is False and tested == named)
    others = {str(one["model_package"]) for one in seen if one.get("model_package")}
    numbers = numbers_of(s3, settings.artifact_bucket) if others else {}
    kept = frozenset(numbers.get(arn, live.version_in(arn)) for arn in others)
    return Stage(named, live.version_in(parameters.get(shadow.PACKAGE, "")), tested, kept)


def numbers_of(s3: S3Client, bucket: str) -> dict[str, str]:
    """The number of each version that the gate let through, by its ARN and those of its copies in further Regions."""
    packages = [one.get("manifest", {}).get("model_package", {}) for one in let_through(record.decisions(s3, bucket))]
    return {arn: str(one["version"]) for one in packages for arn in one.get("regions", {}).values()}


# -- what to do --------------------------------------------------------------------------------


def after_rejection(settings: Settings, rejected: int, stacks: Mapping[str, str], clients: Clients) -> Answer:
    """Stop what would deploy a rejected version, and find what comes back in place of one that is served.

    An execution that deploys nothing stops itself if others are under way. The one that has the version in production's
    shadow is not stopped, since it would leave it there: its step TestShadow ends with the rejection, and no card is
    made once the shadow is gone. Nothing else is stopped before it is known that a version can come back.

    UserError where a person must decide: nothing can come back, or production is being deployed to.
    """
    codepipeline, pipeline = clients("codepipeline", settings.region), pipeline_of(settings)
    runs = runs_of(codepipeline, pipeline)
    before_this = older(runs, settings.execution_id)
    approvals = Approvals.read(settings, clients, before_this)
    bad = {str(rejected), *record.rejected(approvals.entries)}
    moving = [run for run in before_this if run.status in UNDER_WAY]
    leaving = [run for run in moving if run.version in bad]
    stages = {stage: look(settings, stage, stacks[stage], clients) for stage in DEPLOYS if stage in stacks}
    found = served(bad, stages, moving)
    if not found:
        refuse_unsettled(settings, rejected, bad, stages[PRODUCTION], moving)
        stop_all(codepipeline, pipeline, leaving, rejected, bad)
        if any(run.has_shadow or run not in leaving for run in moving):
            # Through the empty stages it would supersede one that waits in front of a stage (CodePipeline User Guide,
            # "How pipeline executions work", SUPERSEDED mode).
            own = Run(settings.execution_id, "InProgress")
            stop(codepipeline, pipeline, own, "It deploys nothing, and overtakes no other execution")
        stopped = " before it was deployed; its deployment is stopped" if leaving else ", which is not live"
        return Answer(None, f"version {rejected} was rejected{stopped}")
    named = stages[PRODUCTION].named
    number = found.get(PRODUCTION) or found.get(SHADOW) or next(iter(found.values()))
    only_shadow = SHADOW in found and PRODUCTION not in found  # what production serves is deployed without it
    back = approvals.approved(int(named)) if only_shadow else approvals.last_before(int(number))
    where = " and ".join(place for place, one in found.items() if one == number)
    if back is None:
        stop_all(codepipeline, pipeline, leaving, rejected, bad)
        raise UserError(
            f"version {number} was rejected and is live in {where}, and no version was approved before it: the "
            "endpoints stay as they are. Approve another version to deploy it"
        )
    stop_all(codepipeline, pipeline, moving, rejected, bad)
    of_it = [run for run in before_this if run.version == str(back.number)]
    was_live = any(run.actions.get(TESTS_PROD) == "Succeeded" for run in of_it)
    alone = was_live and named in {*bad, str(back.number)}
    return Answer(back, f"version {number} was rejected and is live in {where}: back to version {back.number}", alone)


def older(runs: list[Run], own: str) -> list[Run]:
    """The executions that began before this one; a newer one is a newer decision."""
    ids = [run.id for run in runs]
    return runs[ids.index(own) + 1 :] if own in ids else runs


def served(bad: Iterable[str], stages: Mapping[str, Stage], moving: Iterable[Run]) -> dict[str, str]:
    """Which rejected version each place serves, or is just being deployed with. moving: what is under way"""
    found = {}
    for stage, action in DEPLOYS.items():
        seen = stages.get(stage, Stage())
        under_way = (run.version for run in moving if run.actions.get(action) == "InProgress")
        numbers = [one for one in (seen.named, *sorted(seen.kept), *under_way) if one in bad]
        if numbers:
            found[stage] = numbers[0]
    left = stages[PRODUCTION].shadow
    if left in bad and not any(run.has_shadow and run.version == left for run in moving):
        found[SHADOW] = left
    return found


def refuse_unsettled(
    settings: Settings, rejected: int, bad: Iterable[str], production: Stage, moving: Iterable[Run]
) -> None:
    """UserError where a version is being deployed over a rejected one, which stays where that fails."""
    run = next((run for run in moving if run.is_deploying(DEPLOYS[PRODUCTION], TESTS_PROD)), None)
    if run and production.tested in bad:
        raise UserError(
            f"version {rejected} was rejected, and execution {run.id} is deploying version {run.version} to production "
            f"over version {production.tested}, which stays there if that fails. Once it has ended, let this execution "
            f"look again: aws codepipeline retry-stage-execution --pipeline-name {pipeline_of(settings)} --stage-name "
            f"Build --pipeline-execution-id {settings.execution_id} --retry-mode FAILED_ACTIONS"
        )


def stop_all(
    codepipeline: CodePipelineClient, pipeline: str, runs: Iterable[Run], rejected: int, bad: Iterable[str]
) -> None:
    for run in runs:
        if run.has_shadow and run.version in bad:
            say(f"execution {run.id} takes version {run.version} out of production's shadow, and ends")
        else:
            stop(codepipeline, pipeline, run, f"Version {rejected} was rejected")


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
