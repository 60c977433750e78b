"""The SageMaker projects that were made from the kit, and how their parts are named."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scripts.kit.connect import Connection, pages
from scripts.kit.console import UserError, closest
from scripts.kit.stacks.stack import describe_stack, parameters
from scripts.kit.stages import Stage

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import CallAsType
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

STAGE_STACK = re.compile(rf"sagemaker-(.+)-deploy-({'|'.join(Stage)})")
PIPELINE = re.compile(r"sagemaker-(.+)-deploy")
GONE = {"DeleteCompleted"}


@dataclass(frozen=True)
class Project:
    """A project of the kit; status: SageMaker's, or "" where only its stages' stacks are left.

    trains: whether a push to its training repository trains: it has a pipeline for that
    """

    name: str
    id: str
    status: str
    trains: bool = False

    @property
    def prefix(self) -> str:
        return f"sagemaker-{self.name}-{self.id}"

    @property
    def pipeline(self) -> str:
        return f"{self.prefix}-deploy"

    @property
    def training_pipeline(self) -> str:
        return f"{self.prefix}-train"

    def stack(self, stage: Stage) -> str:
        """The stage's stack, and the stack set that it holds."""
        return f"{self.prefix}-deploy-{stage}"

    def endpoint(self, stage: Stage) -> str:
        return f"{self.name}-{self.id}-{stage}"

    @property
    def bucket(self) -> str:
        return f"sagemaker-project-{self.id}"


def find(connection: Connection) -> list[Project]:
    """Every project of the kit, by name: those with the kit's pipeline, and those that left a stage's stack behind."""
    codepipeline, sagemaker = connection.client("codepipeline"), connection.client("sagemaker")
    pipelines = {p["name"] for p in pages(codepipeline, "list_pipelines", "pipelines")}
    stacks = stage_stacks(connection)
    found: dict[str, Project] = {}
    for summary in pages(sagemaker, "list_projects", "ProjectSummaryList"):
        project = Project(summary["ProjectName"], summary["ProjectId"], summary["ProjectStatus"])
        ours = project.pipeline in pipelines or any(project.stack(stage) in stacks for stage in Stage)
        if ours:
            found[project.prefix] = replace(project, trains=project.training_pipeline in pipelines)
    for stack in stacks:
        matched = STAGE_STACK.fullmatch(stack)
        if matched and f"sagemaker-{matched[1]}" not in found:
            project = left_over(connection, stack)
            found[project.prefix] = project
    return sorted((p for p in found.values() if p.status not in GONE or has_stacks(p, stacks)), key=lambda p: p.name)


def ids(connection: Connection) -> frozenset[str]:
    """The ids of every project of the account that is there, whatever it was made from."""
    listed = pages(connection.client("sagemaker"), "list_projects", "ProjectSummaryList")
    return frozenset(project["ProjectId"] for project in listed if project["ProjectStatus"] not in GONE)


def has_stacks(project: Project, stacks: set[str]) -> bool:
    return any(project.stack(stage) in stacks for stage in Stage)


def left_over(connection: Connection, stack: str) -> Project:
    """The project that a stage's stack belongs to, although SageMaker no longer lists it."""
    values = parameters(describe_stack(connection.client("cloudformation"), stack) or {})
    return Project(values["SageMakerProjectName"], values["SageMakerProjectId"], "")


def stage_stacks(connection: Connection) -> set[str]:
    """The names of the stages' stacks that exist."""
    cloudformation = connection.client("cloudformation")
    summaries = pages(cloudformation, "list_stacks", "StackSummaries")
    names = {s["StackName"] for s in summaries if s["StackStatus"] != "DELETE_COMPLETE"}
    return {name for name in names if STAGE_STACK.fullmatch(name)}


def one(connection: Connection, name: str) -> Project:
    """The project of this name; UserError with those that there are."""
    there = find(connection)
    found = [project for project in there if project.name == name]
    if not found:
        names = [project.name for project in there]
        known = f". Projects: {', '.join(names)}" if names else ". There is none"
        raise UserError(
            f"no project {name} made from the kit in account {connection.account}, {connection.region}"
            f"{closest(name, names) or known}"
        )
    if len(found) > 1:
        found.sort(key=lambda project: not project.status)  # the living one before what is left of a former one
    return found[0]


def call_as(stack: StackTypeDef) -> CallAsType | None:
    """CallAs of the requests for the stack set of a stage's stack; None where the stack does not name it."""
    administrator = parameters(stack).get("StackSetAdministrator", "")
    if administrator == "DELEGATED_ADMIN":
        return "DELEGATED_ADMIN"
    return "SELF" if administrator else None


def version_number(arn: str) -> str:
    """The number at the end of a model package's ARN; "" of none."""
    return arn.rsplit("/", 1)[1] if "/" in arn else ""
