"""What is deployed where: pipelines, stages' stacks, stack sets' instances, and what the endpoints serve (served.py).

An instance that is CURRENT says that its stack is complete (CloudFormation API Reference, "StackInstance"), not what
the endpoint serves since. So each place shows when it was looked at, by whom, and where that differs from its stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from awslang.bounded import is_number
from scripts.kit.connect import Connection, pages
from scripts.kit.console import counted
from scripts.kit.projects import build_words, history, served
from scripts.kit.projects.project import Project, call_as, version_number
from scripts.kit.projects.served import Looker, Outcome, ServedEndpoint
from scripts.kit.stacks.stack import describe_stack, failures, newest_operation, parameters
from scripts.kit.stages import Stage

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CallAsType
    from mypy_boto3_cloudformation.type_defs import DescribeStackSetInputTypeDef, StackTypeDef
    from mypy_boto3_codebuild import CodeBuildClient
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import StageStateTypeDef
    from mypy_boto3_sagemaker import SageMakerClient

BUSY = {"InProgress", "Stopping"}
MISSING_PIPELINE = "PipelineNotFoundException"
IN_SERVICE, CHANGING, GONE, TAKEN_BACK = "in service", "changing", "missing", "taken back"
LIVE, TESTS = "now", "tests"  # who looked: this command, or the pipeline's tests
MISSING_SET = "StackSetNotFoundException"


@dataclass(frozen=True)
class PipelineStageStatus:
    """One stage of the pipeline; waits: what it waits for; why: it failed or was skipped."""

    name: str
    status: str
    version: str
    execution: str
    since: str
    waits: str = ""
    why: str = ""


@dataclass(frozen=True)
class EndpointPlace:
    """One endpoint: an account and Region of a stage.

    version: that it serves; where it was not looked at, that its stack names
    looked_at, looked_by: when the endpoint was asked, and by LIVE or TESTS; "" where not since its deployment
    """

    account: str
    region: str
    version: str
    endpoint: str
    since: str
    why: str = ""
    looked_at: str = ""
    looked_by: str = ""
    config: str = ""
    model_package: str = ""
    failure_reason: str = ""

    @property
    def urgency(self) -> int:
        """0 for failed, 1 for in progress, 2 for fine."""
        return 2 if self.endpoint == IN_SERVICE else 1 if self.endpoint == CHANGING else 0


@dataclass(frozen=True)
class StageStatus:
    """One stage; stack: its status, "" where there is none; approval: of the version that its stack names.

    removed: it has no stack any more, and the record tells of its tests
    others: the approval of each other version that a place serves, which SageMaker went back to
    """

    name: str
    version: str
    approval: str
    stack: str
    since: str
    why: str
    places: tuple[EndpointPlace, ...]
    removed: bool = False
    others: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ProjectStatus:
    """training: the stage of the pipeline that a push to the training repository starts; None without one."""

    project: str
    id: str
    status: str
    pipeline: tuple[PipelineStageStatus, ...]
    stages: tuple[StageStatus, ...]
    training: PipelineStageStatus | None = None

    @property
    def running(self) -> bool:
        """True while something runs that ends on its own, which an approval does not."""
        shown = (*self.pipeline, self.training) if self.training else self.pipeline
        stages = any(s.status in BUSY and not s.waits for s in shown)
        return stages or any(s.stack.endswith("_IN_PROGRESS") for s in self.stages)

    def as_data(self) -> dict[str, Any]:
        return {**asdict(self), "running": self.running}


def look(connection: Connection, project: Project, looker: Looker | None = None) -> ProjectStatus:
    """looker: who may look into the target accounts"""
    codepipeline = connection.client("codepipeline")
    names = stages_of(connection, project)
    outcomes = {name: outcome_of(connection, project, name) for name in names}
    pipeline = pipeline_stages(codepipeline, connection.client("codebuild"), project, outcomes)
    stages = tuple(stage(connection, project, name, looker, outcomes[name]) for name in names)
    state = project.status or "no longer exists"
    return ProjectStatus(project.name, project.id, state, pipeline, stages, training(codepipeline, project))


def stages_of(connection: Connection, project: Project) -> list[Stage]:
    """Production, and of the stages before it those of the project's pipeline and those that left a stack behind."""
    cloudformation = connection.client("cloudformation")
    shown = {state["stageName"] for state in states_of(connection.client("codepipeline"), project.pipeline)}
    return [
        stage
        for stage in Stage
        if stage is Stage.PROD or stage.deploy_stage in shown or describe_stack(cloudformation, project.stack(stage))
    ]


def when(moment: Any) -> str:
    """A time of AWS in UTC, to the minute; "" of none."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if isinstance(moment, datetime) else ""


def outcome_of(connection: Connection, project: Project, name: Stage) -> Outcome:
    return served.recorded(connection.client("s3"), project, name, connection.account)


# -- the pipeline ------------------------------------------------------------------------------


def pipeline_stages(
    codepipeline: CodePipelineClient, codebuild: CodeBuildClient, project: Project, outcomes: Mapping[Stage, Outcome]
) -> tuple[PipelineStageStatus, ...]:
    versions: dict[str, str] = {}
    found = []
    for state in states_of(codepipeline, project.pipeline):
        latest = state.get("latestExecution", {})
        execution = latest.get("pipelineExecutionId", "")
        if execution and execution not in versions:
            versions[execution] = history.version_of(codepipeline, project.pipeline, execution)
        outcome = next((outcomes[s] for s in outcomes if s.deploy_stage == state["stageName"]), None)
        found.append(pipeline_stage(state, versions.get(execution, ""), outcome, codebuild))
    return tuple(found)


def states_of(codepipeline: CodePipelineClient, pipeline: str) -> list[StageStateTypeDef]:
    """GetPipelineState's stages; none of a pipeline that does not exist."""
    try:
        return codepipeline.get_pipeline_state(name=pipeline)["stageStates"]
    except ClientError as error:
        if error.response["Error"]["Code"] == MISSING_PIPELINE:
            return []
        raise


def training(codepipeline: CodePipelineClient, project: Project) -> PipelineStageStatus | None:
    """How the newest push to the training repository went: the stage that failed or runs, else the last one."""
    states = states_of(codepipeline, project.training_pipeline) if project.trains else []
    stages = [pipeline_stage(state, "") for state in states]
    unfinished = (one for one in stages if one.status != "Succeeded")
    return next(unfinished, stages[-1]) if stages else None


def pipeline_stage(
    state: StageStateTypeDef, version: str, outcome: Outcome | None = None, codebuild: CodeBuildClient | None = None
) -> PipelineStageStatus:
    """One of GetPipelineState's stages. outcome: what the newest tests of a stage found; codebuild: says why"""
    latest = state.get("latestExecution", {})
    status = latest.get("status", "NotStarted")
    actions = [(a["actionName"], a.get("latestExecution", {})) for a in state["actionStates"]]
    changed = [action["lastStatusChange"] for _, action in actions if "lastStatusChange" in action]
    waits, why = "", ""
    never = datetime.min.replace(tzinfo=UTC)  # what a retry has not come to again is as it was: the newest says why
    for name, action in sorted(actions, key=lambda one: one[1].get("lastStatusChange", never)):
        if action.get("token") and action.get("status") == "InProgress":
            waits = "an approver"
        if status == "Failed" and action.get("status") == "Failed":
            error = action.get("errorDetails", {})
            reason = f"{error.get('code', '')} {error.get('message', '')}".strip() or action.get("summary", "")
            found = first_failure(name, latest.get("pipelineExecutionId", ""), outcome)
            why = f"{name}: {found or (build_words.said(codebuild, action) if codebuild else '') or reason}"
    if status in {"Failed", "Skipped"} and not why:
        why = failed_condition(state)
    if not state.get("inboundTransitionState", {}).get("enabled", True):
        waits = f"its transition, disabled: {state['inboundTransitionState'].get('disabledReason', '')}"
    return PipelineStageStatus(
        state["stageName"], status, version, latest.get("pipelineExecutionId", ""),
        when(max(changed, default=None)), waits, why,
    )  # fmt: skip


def first_failure(action: str, execution: str, outcome: Outcome | None) -> str:
    """The first check that failed, in words; "" for another action than the tests, or where nothing is recorded."""
    if outcome is None or outcome.execution != execution or not outcome.failed:
        return ""
    if action not in {stage.test_action for stage in Stage}:
        return ""
    more = len(outcome.failed) - 1
    return outcome.failed[0] + (f" (and {counted(more, 'more check')})" if more else "")


def failed_condition(state: StageStateTypeDef) -> str:
    for condition in state.get("beforeEntryConditionState", {}).get("conditionStates", []):
        for rule in condition.get("ruleStates", []):
            latest = rule.get("latestExecution", {})
            if latest.get("status") == "Failed":
                reason = latest.get("errorDetails", {}).get("message") or latest.get("summary", "")
                return f"{rule['ruleName']}: {reason}"
    return ""


# -- a stage -----------------------------------------------------------------------------------


def stage(
    connection: Connection, project: Project, name: Stage, looker: Looker | None = None, outcome: Outcome | None = None
) -> StageStatus:
    """looker: who may look into the target accounts; outcome: the newest record, read where it is not given"""
    cloudformation = connection.client("cloudformation")
    stack = describe_stack(cloudformation, project.stack(name))
    values = parameters(stack or {})
    arn = values.get("ModelPackageName", "")
    found = instances(cloudformation, project.stack(name), call_as(stack)) if stack else ()
    outcome = outcome if outcome is not None else outcome_of(connection, project, name)
    seen = looker.look([f.place for f in found], project.endpoint(name), values.get("Release", "")) if looker else {}
    endpoints = {f.place: seen.get(f.place) or outcome.endpoints.get(f.place) for f in found}
    places = tuple(endpoint_place(project.name, f, endpoints[f.place]) for f in found)
    status = stack["StackStatus"] if stack else ""
    shadow = version_number(values.get("ShadowModelPackageName", ""))
    over = stack is not None and deployed_since(connection.client("codepipeline"), project, name, stack)
    sagemaker, number = connection.client("sagemaker"), version_number(arn)
    others = sorted({one.version for one in places if is_number(one.version)} - {number}) if arn else []
    return StageStatus(
        name,
        number,
        approval(sagemaker, arn),
        status,
        when(stack.get("LastUpdatedTime") or stack["CreationTime"]) if stack else "",
        (stack_reason(cloudformation, stack) if stack and not over else "")
        or (f"version {shadow} is its shadow" if shadow else ""),
        places,
        not stack and bool(outcome.execution),
        {other: approval(sagemaker, f"{arn.rpartition('/')[0]}/{other}") for other in others},
    )


def deployed_since(codepipeline: CodePipelineClient, project: Project, name: Stage, stack: StackTypeDef) -> bool:
    """Whether the stage was deployed, with nothing to change, after the update that its stack still tells of."""
    if "ROLLBACK" not in stack["StackStatus"] or "LastUpdatedTime" not in stack:
        return False
    actions = [
        a
        for s in states_of(codepipeline, project.pipeline)
        for a in s["actionStates"]
        if a["actionName"] == name.deploy_action
    ]
    latest = actions[0].get("latestExecution", {}) if actions else {}
    done = latest.get("lastStatusChange")
    return latest.get("status") == "Succeeded" and done is not None and done >= stack["LastUpdatedTime"]


def approval(sagemaker: SageMakerClient, arn: str) -> str:
    """Whether the version is (still) approved; "" without one, "deleted" where it is gone."""
    if not arn:
        return ""
    try:
        return str(sagemaker.describe_model_package(ModelPackageName=arn).get("ModelApprovalStatus", ""))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationException":
            return "deleted"
        raise


def stack_reason(cloudformation: CloudFormationClient, stack: StackTypeDef) -> str:
    """Why the stage's newest deployment failed or went back; "" where it did not."""
    status = stack["StackStatus"]
    if not (status.endswith("_FAILED") or "ROLLBACK" in status):
        return ""
    said = [reason for _, reason in failures(newest_operation(cloudformation, stack["StackId"])) if reason]
    return said[0] if said else str(stack.get("StackStatusReason", ""))


@dataclass(frozen=True)
class FoundInstance:
    """A stack instance, the version that its set deploys, and the operation that it was in last."""

    instance: Mapping[str, Any]
    version: str
    operation: Mapping[str, Any]

    @property
    def place(self) -> tuple[str, str]:
        return self.instance["Account"], self.instance["Region"]

    @property
    def ended(self) -> datetime | None:
        return self.operation.get("EndTimestamp") or self.operation.get("CreationTimestamp")


def instances(cloudformation: CloudFormationClient, stack_set: str, by: CallAsType | None) -> tuple[FoundInstance, ...]:
    """The stack set's instances, each with the version of the set."""
    names: DescribeStackSetInputTypeDef = {"StackSetName": stack_set}
    if by:
        names["CallAs"] = by
    try:
        described = cloudformation.describe_stack_set(**names)["StackSet"]
        found = list(pages(cloudformation, "list_stack_instances", "Summaries", **names))
        operations = of_instances(cloudformation, names, {i.get("LastOperationId", "") for i in found})
    except ClientError as error:
        if error.response["Error"]["Code"] == MISSING_SET:
            return ()
        raise
    version = version_number(parameters(described).get("ModelPackageName", ""))
    return tuple(FoundInstance(i, version, operations.get(i.get("LastOperationId", ""), {})) for i in found)


def of_instances(
    cloudformation: CloudFormationClient, names: DescribeStackSetInputTypeDef, wanted: set[str]
) -> dict[str, dict[str, Any]]:
    """The operations of these ids; the list, which is as long as the set's life, is read no further than that."""
    found: dict[str, dict[str, Any]] = {}
    for operation in pages(cloudformation, "list_stack_set_operations", "Summaries", **names):
        if operation["OperationId"] in wanted:
            found[operation["OperationId"]] = operation
        if found.keys() >= wanted:
            break
    return found


def endpoint_place(project: str, found: FoundInstance, seen: ServedEndpoint | None) -> EndpointPlace:
    """What the stack instance says (API Reference, "StackInstanceSummary": Status, DetailedStatus), and the endpoint.

    seen: by these credentials or the tests; what the tests saw before the last operation there counts no more
    """
    instance, (account, region) = found.instance, found.place
    detailed = instance.get("StackInstanceStatus", {}).get("DetailedStatus", "")
    current, since = instance["Status"] == "CURRENT", when(found.ended)
    state = IN_SERVICE if current else CHANGING if detailed in {"PENDING", "RUNNING"} else detailed.lower()
    state, why = state or instance["Status"].lower(), instance.get("StatusReason", "") if not current else ""
    version = found.version if current else "?"
    if seen is None or not seen.status or not (seen.live or newer(seen.moment, found.ended)):
        return EndpointPlace(account, region, version, state, since, why)
    shown = endpoint_state(seen)
    if shown == GONE and current:
        repair = f"make repair PROJECT={project} ACCOUNT={account} REGION={region}"
        version, why = (
            "-",
            " ".join(filter(None, [f"the endpoint does not exist, although its stack does: {repair}", why])),
        )
    elif shown == TAKEN_BACK:
        kept = f"SageMaker took the last update back, to {seen.config}{f': {seen.reason}' if seen.reason else ''}"
        version, why = version_number(seen.package) or "?", " ".join(filter(None, [kept, why]))
    elif current:
        version, why = version_number(seen.package) or version, "" if shown == IN_SERVICE else seen.reason
    else:  # its first deployment may have failed: then there is none
        version, shown = version_number(seen.package) or version, state
    return EndpointPlace(
        account, region, version, shown, since, why, when(seen.moment), LIVE if seen.live else TESTS, seen.config,
        seen.package, seen.reason,
    )  # fmt: skip


def endpoint_state(seen: ServedEndpoint) -> str:
    """The endpoint in a word or two."""
    if seen.status == served.MISSING:
        return GONE
    if seen.status == "InService":
        return TAKEN_BACK if seen.as_deployed is False else IN_SERVICE
    return CHANGING if seen.status in {"Creating", "Updating", "RollingBack", "SystemUpdating"} else seen.status.lower()


def newer(seen: datetime | None, ended: datetime | None) -> bool:
    """Whether an endpoint was looked at after the last operation on its stack; the record tells whole seconds."""
    return seen is not None and (ended is None or seen >= ended.replace(microsecond=0))
