"""Roll a stage back to a version that was live in it before: look, plan, apply, follow, verify.

CodePipeline User Guide, "Configuring stage rollback": a stage is rolled back to an execution that succeeded
in it, of the present structure of the pipeline and not itself a rollback; its variables and artifacts are
used again, so its list of accounts too. Where that is impossible, or would leave accounts out that have
joined since, the pipeline is started with the version instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from awslang.archives import read_zip
from awslang.bounded import read_json
from scripts.kit.connect import Connection, pages
from scripts.kit.console import FEW, UserError, counted, say, some
from scripts.kit.organization import members
from scripts.kit.patience import until
from scripts.kit.plan import PlanStep
from scripts.kit.projects import history, status
from scripts.kit.projects.history import PipelineExecution
from scripts.kit.projects.project import Project
from scripts.kit.projects.status import BUSY
from scripts.kit.settings.model import Settings
from scripts.kit.stacks.stack import describe_stack, parameters
from scripts.kit.stages import Stage

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import PipelineVariableTypeDef, StageStateTypeDef
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

PATIENCE = 6 * 3600.0  # seconds: a canary bakes for up to an hour in each of its steps
VARIABLE = "ModelPackageVersion"
REFUSED = {"PipelineExecutionOutdatedException", "UnableToRollbackStageException"}

StagePlaces = tuple[tuple[str, ...], tuple[str, ...]]  # accounts and Regions, each sorted


@dataclass(frozen=True)
class FoundDeployments:
    """What there is. live: the version that the stage's stack names, "" for none; approved: the group's approved ones;
    eligible: the executions that CodePipeline would roll the stage back to; busy: the execution in the stage;
    taken_back, missing: endpoints that serve something else, or are gone, in a few words each."""

    live: str
    approved: frozenset[str]
    executions: Sequence[PipelineExecution]  # the newest first
    eligible: frozenset[str]
    busy: str = ""
    taken_back: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rollback:
    """What will be done: step, the version, and the execution to roll back to ("" to start the pipeline instead)."""

    step: PlanStep
    version: str
    execution: str = ""
    follow: str = ""  # an execution that does it already
    notes: tuple[str, ...] = ()


# -- look --------------------------------------------------------------------------------------


def look(connection: Connection, project: Project, stage: Stage) -> FoundDeployments:
    codepipeline = connection.client("codepipeline")
    try:
        executions = history.read(codepipeline, project.pipeline)
        eligible = pages(
            codepipeline,
            "list_pipeline_executions",
            "pipelineExecutionSummaries",
            pipelineName=project.pipeline,
            filter={"succeededInStage": {"stageName": stage.deploy_stage}},
        )
        ids = frozenset(e["pipelineExecutionId"] for e in eligible if e.get("executionType", "STANDARD") == "STANDARD")
        state = stage_state(codepipeline, project, stage)
    except ClientError as error:
        if error.response["Error"]["Code"] == status.MISSING_PIPELINE:
            raise UserError(f"the project {project.name} has no pipeline {project.pipeline} any more") from error
        raise
    latest = state.get("latestExecution", {})
    busy = latest.get("pipelineExecutionId", "") if latest.get("status") in BUSY else ""
    now = status.stage(connection, project, stage)
    taken_back = tuple(
        f"{p.account} {p.region} serves version {p.version}: {p.why}"
        for p in now.places
        if p.endpoint == status.TAKEN_BACK
    )
    missing = tuple(f"{p.account} {p.region}: {p.why}" for p in now.places if p.endpoint == status.GONE)
    versions = approved(connection.client("sagemaker"), project.name)
    return FoundDeployments(now.version, versions, executions, ids, busy, taken_back, missing)


def stage_state(codepipeline: CodePipelineClient, project: Project, stage: Stage) -> StageStateTypeDef:
    states = codepipeline.get_pipeline_state(name=project.pipeline)["stageStates"]
    found = [state for state in states if state["stageName"] == stage.deploy_stage]
    if not found:
        raise UserError(f"the pipeline {project.pipeline} has no stage {stage.deploy_stage}")
    return found[0]


def approved(sagemaker: SageMakerClient, group: str) -> frozenset[str]:
    """The numbers of the group's versions that are approved."""
    summaries = pages(
        sagemaker,
        "list_model_packages",
        "ModelPackageSummaryList",
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
    )
    return frozenset(str(summary["ModelPackageVersion"]) for summary in summaries)


def recorded(s3: S3Client, execution: PipelineExecution, stage: Stage, owner: str) -> StagePlaces | None:
    """The accounts and Regions of the stage in the manifest that an execution's Build step wrote.

    None where the artifact is gone: then CodePipeline cannot roll back to it either.
    """
    bucket, key = execution.artifact
    try:
        body = s3.get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=owner)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "NoSuchBucket", "404"}:
            return None
        raise
    try:
        part = read_json(read_zip(body)["deployment.json"])["stages"][stage]
        return tuple(sorted(account["id"] for account in part["accounts"])), tuple(sorted(part["regions"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"the artifact s3://{bucket}/{key} of execution {execution.id} is not what the Build step writes "
            f"({type(error).__name__}: {error}). Name another version with --version"
        ) from error


def places_now(connection: Connection, settings: Settings, project: Project, stage: Stage) -> StagePlaces:
    """The accounts of the stage's unit as they are today, and the Regions that the stage is deployed to."""
    values = parameters(describe_stack(connection.client("cloudformation"), project.stack(stage)) or {})
    unit = values.get("OrganizationalUnitId", "")
    regions = tuple(sorted(filter(None, values.get("Regions", "").split(","))))
    if not unit:
        listed = (value.split(",") for name, value in values.items() if "AccountIds" in name)
        return tuple(sorted(filter(None, (account for part in listed for account in part)))), regions
    accounts = members.accounts_beneath(connection.client("organizations"), unit)
    return tuple(sorted(a.id for a in accounts if a.id != settings.accounts.management)), regions


# -- plan --------------------------------------------------------------------------------------


def choose(found: FoundDeployments, stage: Stage, asked: str) -> str:
    """The version to go back to; "" where the stage has gone back already and no version is asked for.

    Where SageMaker took that way back, it is the same version again.
    """
    if asked:
        if asked not in found.approved:
            known = ", ".join(sorted(found.approved, key=int)) or "none"
            raise UserError(
                f"version {asked} is not approved, and only approved versions are deployed. Approved: {known}. "
                "Approve it in the model group to deploy it"
            )
        return asked
    if not found.live:
        raise UserError(
            f"{stage} has no stack: it was never deployed, or is removed after production. There is nothing to go back "
            "to; name a version to deploy: VERSION=n"
        )
    served = [e.version for e in reversed(found.executions) if e.deployed(stage) and e.version]
    changes = [v for number, v in enumerate(served) if number == 0 or served[number - 1] != v]
    if changes and changes[-1] == found.live and found.live in changes[:-1]:
        return found.live if found.taken_back else ""
    before = [e.version for e in found.executions if e.succeeded(stage) and e.version not in {"", found.live}]
    usable = [version for version in before if version in found.approved]
    if usable:
        return usable[0]
    refused = f"Live before, and no longer approved: {', '.join(dict.fromkeys(before))}. " if before else ""
    raise UserError(
        f"CodePipeline remembers no approved version that was live in {stage} before version {found.live}. {refused}"
        "Name one: VERSION=n"
    )


def make_plan(
    found: FoundDeployments,
    project: Project,
    stage: Stage,
    asked: str,
    now: Callable[[], StagePlaces],
    then: Callable[[PipelineExecution], StagePlaces | None],
) -> Rollback:
    """now: the accounts and Regions of the stage as they are; then: those of an execution (see recorded)."""
    name = f"{project.name} {stage}"
    going = next((e for e in found.executions if e.id == found.busy), None)
    if going and not asked and returns(found, stage, going):  # the stack names its version already
        detail = f"execution {going.id} is going back to version {going.version} already"
        return Rollback(PlanStep("keep", "stage", name, detail), going.version, follow=going.id)
    version = choose(found, stage, asked)
    if not version:
        detail = f"serves version {found.live}, which it had gone back to already; name a version to go on: VERSION=n"
        return Rollback(PlanStep("keep", "stage", name, detail), found.live)
    if going and going.version == version:
        detail = f"execution {going.id} is deploying version {version} already"
        return Rollback(PlanStep("keep", "stage", name, detail), version, follow=going.id)
    open_ones = (e for e in found.executions if e.status not in history.ENDED and not e.deployed(stage))
    started = next((e for e in open_ones if e.version == version), None)
    if started and started.id != found.busy and found.live != version:
        detail = f"execution {started.id} is on its way with version {version}"
        return Rollback(PlanStep("keep", "stage", name, detail), version, follow=started.id)
    if found.missing:
        raise UserError(
            f"an endpoint of {stage} is gone, and no update passes before it is back. {some(found.missing)}"
        )
    if found.live == version and not found.taken_back:
        return Rollback(PlanStep("keep", "stage", name, f"serves version {version} already"), version)
    if going:
        raise UserError(
            f"{stage} is being deployed right now (execution {going.id}). Wait for its end (`make status`) or stop it: "
            f"aws codepipeline stop-pipeline-execution --pipeline-name {project.pipeline} "
            f"--pipeline-execution-id {going.id}"
        )
    return roll_back_or_start(found, project, stage, version, now, then)


def returns(found: FoundDeployments, stage: Stage, going: PipelineExecution) -> bool:
    """Whether an execution in the stage brings a version back that was live before."""
    before = {e.version for e in found.executions if e.id != going.id and e.deployed(stage)}
    return bool(going.target) or (going.version in before and going.version != found.live)


def roll_back_or_start(
    found: FoundDeployments,
    project: Project,
    stage: Stage,
    version: str,
    now: Callable[[], StagePlaces],
    then: Callable[[PipelineExecution], StagePlaces | None],
) -> Rollback:
    name, change = f"{project.name} {stage}", f"version {found.live or 'none'} → {version}"
    fitting = [e for e in found.executions if e.version == version and e.succeeded(stage) and not e.target]
    target = next((e for e in fitting if e.id in found.eligible), None)
    why = ""
    if found.live == version:  # the stage's stack names it already, so its parameters of then would change nothing
        why = f"SageMaker took the last update back: {some(found.taken_back)}"
    elif target is None:
        why = (
            "the pipeline's structure has changed since it was deployed"
            if fitting
            else f"CodePipeline remembers no deployment of it to {stage} (it keeps 12 months)"
        )
    else:
        was, places = then(target), now()
        if was is None:
            why = f"the artifacts of execution {target.id} are gone"
        elif was != places:
            why = f"the places differ from those of execution {target.id}: {difference(was, places)}"
        else:
            accounts, regions = places
            detail = (
                f"{change}, {counted(len(accounts), 'account')} in {', '.join(regions)}, as in execution {target.id}"
            )
            return Rollback(PlanStep("change", "stage", name, detail), version, target.id, notes=waiting(found))
    note = "every stage before it is deployed and tested first, and production waits for an approver"
    detail = f"{change}, by a new execution of the pipeline, because {why}"
    return Rollback(PlanStep("change", "stage", name, detail), version, notes=(note, *waiting(found)))


def waiting(found: FoundDeployments) -> tuple[str, ...]:
    """What else is under way, and would deploy another version afterwards."""
    return tuple(
        f"execution {e.id} (version {e.version or 'not known yet'}) is still under way and may deploy after this"
        for e in found.executions
        if e.status not in history.ENDED
    )


def difference(was: StagePlaces, now: StagePlaces) -> str:
    """What joined and what left, in a few words."""
    parts = []
    for before, after in zip(was, now, strict=True):
        for word, those in (("joined", set(after) - set(before)), ("left", set(before) - set(after))):
            parts += [f"{some(sorted(those))} {word}"] if those else []
    return "; ".join(parts)


# -- apply, follow, verify ---------------------------------------------------------------------


def apply(codepipeline: CodePipelineClient, project: Project, stage: Stage, todo: Rollback) -> str:
    """Begin; the execution that does it ("" where there is nothing to do)."""
    if not todo.step.writes:
        return todo.follow
    if todo.execution:
        try:
            begun = codepipeline.rollback_stage(
                pipelineName=project.pipeline, stageName=stage.deploy_stage, targetPipelineExecutionId=todo.execution
            )
            return str(begun["pipelineExecutionId"])
        except ClientError as error:
            if error.response["Error"]["Code"] in REFUSED:
                raise UserError(
                    f"CodePipeline refuses to roll {stage} back: {error.response['Error'].get('Message', '')}. "
                    "The pipeline has changed meanwhile: run the same command again"
                ) from error
            raise
    variables: list[PipelineVariableTypeDef] = [{"name": VARIABLE, "value": todo.version}]
    return str(codepipeline.start_pipeline_execution(name=project.pipeline, variables=variables)["pipelineExecutionId"])


def follow(codepipeline: CodePipelineClient, project: Project, execution: str) -> str:
    """Tell of each action until the execution has ended: its status, or "waits" where it waits for an approver."""
    seen: dict[str, str] = {}

    def ended() -> str | None:
        state = codepipeline.get_pipeline_state(name=project.pipeline)["stageStates"]
        shown = codepipeline.get_pipeline_execution(pipelineName=project.pipeline, pipelineExecutionId=execution)
        result = str(shown["pipelineExecution"]["status"])
        for one in state:
            latest = one.get("latestExecution", {})
            if latest.get("pipelineExecutionId") != execution:
                continue
            tell(one, seen)
            waits = any(a.get("latestExecution", {}).get("token") for a in one["actionStates"])
            if waits and latest.get("status") == "InProgress":
                return "waits"
        return result if result in history.ENDED else None

    def late() -> UserError:
        return UserError(
            f"execution {execution} has not ended after {PATIENCE / 3600:.0f} hours. Run this command again: "
            "it continues from here"
        )

    return until(f"execution {execution}", ended, PATIENCE, late=late)


def tell(state: Mapping[str, Any], seen: dict[str, str]) -> None:
    """Say what has changed in a stage's actions since the last look."""
    for action in state["actionStates"]:
        latest = action.get("latestExecution", {})
        current, name = latest.get("status", ""), action["actionName"]
        if not seen.get(name) and current in history.ENDED:
            continue  # of an execution before this one, or too short to be seen
        if current and seen.get(name) != current:
            seen[name] = current
            error = latest.get("errorDetails", {}).get("message", "") if current == "Failed" else ""
            say(f"  … {name}: {current}{f': {error}' if error else ''}")


def verify(connection: Connection, project: Project, stage: Stage, version: str) -> list[str]:
    """What is not as it should be after a rollback: the stage's version, its instances, its tests."""
    found = status.stage(connection, project, stage)
    wrong = []
    if found.version != version:
        wrong.append(f"{stage} serves version {found.version or 'none'} instead of {version}. {found.why}".strip())
    late = [place for place in found.places if place.endpoint != status.IN_SERVICE]
    wrong += [f"{p.account} {p.region}: {p.endpoint} {p.why}".strip() for p in late[:FEW]]
    if len(late) > FEW:
        wrong.append(f"and {len(late) - FEW:,} more accounts and Regions: `make status` has them")
    latest = status.pipeline_stage(stage_state(connection.client("codepipeline"), project, stage), version)
    if latest.status not in {"Succeeded", "InProgress"}:
        wrong.append(f"the stage {latest.name} of the pipeline is {latest.status}. {latest.why}".strip())
    return wrong


def finish(connection: Connection, project: Project, stage: Stage, todo: Rollback, execution: str, ended: str) -> None:
    """Say how it ended; UserError unless the stage serves the version."""
    if ended == "waits" and stage is Stage.PROD:
        say(
            f"execution {execution} waits for an approver. When it is approved, run the same command again: "
            "it follows the execution and verifies the result"
        )
        return
    wrong = verify(connection, project, stage, todo.version)
    if ended not in {"Succeeded", "waits"}:
        wrong.insert(0, f"execution {execution} ended {ended}")
    if wrong:
        raise UserError("\n  ".join([f"{stage} of {project.name} is not rolled back:", *wrong]))
    say(f"{stage} of {project.name} serves version {todo.version}")
