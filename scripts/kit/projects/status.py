"""What is deployed where, from the data science account alone: pipelines, stages' stacks, stack sets' instances.

CloudFormation reports an instance CURRENT when the endpoint's stack is complete, which it is only once
SageMaker reports the endpoint InService (CloudFormation API Reference, "StackInstance";
templates/50-endpoint.yaml). So no target account has to be entered.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection, pages
from scripts.kit.projects import history
from scripts.kit.projects.project import Project, call_as, version_number
from scripts.kit.stacks.stack import describe_stack, newest_operation, parameters
from scripts.kit.stages import Stage

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import CallAsType
    from mypy_boto3_cloudformation.type_defs import DescribeStackSetInputTypeDef, StackTypeDef
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import StageStateTypeDef
    from mypy_boto3_sagemaker import SageMakerClient

BUSY = {"InProgress", "Stopping"}
MISSING_PIPELINE = "PipelineNotFoundException"
IN_SERVICE, CHANGING = "in service", "changing"
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
    """One endpoint: an account and Region of a stage."""

    account: str
    region: str
    version: str
    endpoint: str
    since: str
    why: str = ""

    @property
    def urgency(self) -> int:
        """0 for failed, 1 for in progress, 2 for fine."""
        return 2 if self.endpoint == IN_SERVICE else 1 if self.endpoint == CHANGING else 0


@dataclass(frozen=True)
class StageStatus:
    """One stage; stack: its status, "" where it was never deployed; approval: of the version that is live."""

    name: str
    version: str
    approval: str
    stack: str
    since: str
    why: str
    places: tuple[EndpointPlace, ...]


@dataclass(frozen=True)
class ProjectStatus:
    project: str
    id: str
    status: str
    pipeline: tuple[PipelineStageStatus, ...]
    stages: tuple[StageStatus, ...]

    @property
    def running(self) -> bool:
        """True while something runs that ends on its own, which an approval does not."""
        stages = any(s.status in BUSY and not s.waits for s in self.pipeline)
        return stages or any(s.stack.endswith("_IN_PROGRESS") for s in self.stages)

    def as_data(self) -> dict[str, Any]:
        return {**asdict(self), "running": self.running}


def look(connection: Connection, project: Project) -> ProjectStatus:
    pipeline = pipeline_stages(connection.client("codepipeline"), project)
    stages = tuple(stage(connection, project, name) for name in Stage)
    return ProjectStatus(project.name, project.id, project.status or "no longer exists", pipeline, stages)


def when(moment: Any) -> str:
    """A time of AWS in UTC, to the minute; "" of none."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if isinstance(moment, datetime) else ""


# -- the pipeline ------------------------------------------------------------------------------


def pipeline_stages(codepipeline: CodePipelineClient, project: Project) -> tuple[PipelineStageStatus, ...]:
    try:
        states = codepipeline.get_pipeline_state(name=project.pipeline)["stageStates"]
    except ClientError as error:
        if error.response["Error"]["Code"] == MISSING_PIPELINE:
            return ()
        raise
    versions: dict[str, str] = {}
    found = []
    for state in states:
        latest = state.get("latestExecution", {})
        execution = latest.get("pipelineExecutionId", "")
        if execution and execution not in versions:
            versions[execution] = history.version_of(codepipeline, project.pipeline, execution)
        found.append(pipeline_stage(state, versions.get(execution, "")))
    return tuple(found)


def pipeline_stage(state: StageStateTypeDef, version: str) -> PipelineStageStatus:
    """One of GetPipelineState's stages."""
    latest = state.get("latestExecution", {})
    status = latest.get("status", "NotStarted")
    actions = [(a["actionName"], a.get("latestExecution", {})) for a in state["actionStates"]]
    changed = [action["lastStatusChange"] for _, action in actions if "lastStatusChange" in action]
    waits, why = "", ""
    for name, action in actions:
        if action.get("token") and action.get("status") == "InProgress":
            waits = "an approver"
        if status == "Failed" and action.get("status") == "Failed":
            error = action.get("errorDetails", {})
            reason = f"{error.get('code', '')} {error.get('message', '')}".strip() or action.get("summary", "")
            why = f"{name}: {reason}"
    if status in {"Failed", "Skipped"} and not why:
        why = failed_condition(state)
    if not state.get("inboundTransitionState", {}).get("enabled", True):
        waits = f"its transition, disabled: {state['inboundTransitionState'].get('disabledReason', '')}"
    return PipelineStageStatus(
        state["stageName"], status, version, latest.get("pipelineExecutionId", ""),
        when(max(changed, default=None)), waits, why,
    )  # fmt: skip


def failed_condition(state: StageStateTypeDef) -> str:
    for condition in state.get("beforeEntryConditionState", {}).get("conditionStates", []):
        for rule in condition.get("ruleStates", []):
            latest = rule.get("latestExecution", {})
            if latest.get("status") == "Failed":
                reason = latest.get("errorDetails", {}).get("message") or latest.get("summary", "")
                return f"{rule['ruleName']}: {reason}"
    return ""


# -- a stage -----------------------------------------------------------------------------------


def stage(connection: Connection, project: Project, name: Stage) -> StageStatus:
    cloudformation = connection.client("cloudformation")
    stack = describe_stack(cloudformation, project.stack(name))
    values = parameters(stack or {})
    arn = values.get("ModelPackageName", "")
    places = instances(cloudformation, project.stack(name), call_as(stack)) if stack else ()
    status = stack["StackStatus"] if stack else ""
    return StageStatus(
        name,
        version_number(arn),
        approval(connection.client("sagemaker"), arn),
        status,
        when(stack.get("LastUpdatedTime") or stack["CreationTime"]) if stack else "",
        stack_reason(cloudformation, stack) if stack else "",
        places,
    )


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
    events = list(newest_operation(cloudformation, stack["StackId"]))
    failed = [e for e in reversed(events) if e["ResourceStatus"].endswith("_FAILED") and e.get("ResourceStatusReason")]
    return str(failed[0]["ResourceStatusReason"] if failed else stack.get("StackStatusReason", ""))


def instances(cloudformation: CloudFormationClient, stack_set: str, by: CallAsType | None) -> tuple[EndpointPlace, ...]:
    """The stack set's instances, each with the version of the set where it is up to date with it."""
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
    return tuple(place(instance, version, operations) for instance in found)


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


def place(instance: dict[str, Any], version: str, operations: dict[str, dict[str, Any]]) -> EndpointPlace:
    """API Reference, "StackInstanceSummary": Status says whether it is up to date, DetailedStatus what is going on."""
    operation = operations.get(instance.get("LastOperationId", ""), {})
    detailed = instance.get("StackInstanceStatus", {}).get("DetailedStatus", "")
    current = instance["Status"] == "CURRENT"
    endpoint = IN_SERVICE if current else CHANGING if detailed in {"PENDING", "RUNNING"} else detailed.lower()
    return EndpointPlace(
        instance["Account"],
        instance["Region"],
        version if current else "?",
        endpoint or instance["Status"].lower(),
        when(operation.get("EndTimestamp") or operation.get("CreationTimestamp")),
        instance.get("StatusReason", "") if not current else "",
    )
