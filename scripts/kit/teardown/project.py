"""Take a project down: its executions, its stages with their endpoints, the project, and what is asked for besides.

The order is AWS's: a stage's stack takes its stack set with it, and the set its instances, so the endpoints go
first; the stages' stacks are the pipeline's, so that DeleteProject, which terminates the provisioned product, leaves
them ("Cleaning up" in AWS's post deletes the stack sets by hand before it): the stages go before the project; its
buckets are retained by its template. Everything is looked for by its name, so that a run goes on wherever another
one stopped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.kit.connect import Connection, if_there, pages, unless
from scripts.kit.console import AGAIN, UserError
from scripts.kit.names import bundle_bucket
from scripts.kit.patience import until
from scripts.kit.projects import history
from scripts.kit.projects import project as projects
from scripts.kit.projects.project import Project
from scripts.kit.stacks import stack as stacks
from scripts.kit.stages import Stage
from scripts.kit.teardown import retained
from scripts.kit.teardown.parts import DeletionOptions, TeardownPart, deleted
from scripts.kit.teardown.stacks import PATIENCE
from scripts.kit.teardown.stage_sets import ActiveAccounts, stage_parts

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import CallAsType
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker.type_defs import DescribeProjectOutputTypeDef

ID = "p-[a-z0-9]{12}"  # as SageMaker gives it to a project; only for what is left of one that is gone

# -- a project ---------------------------------------------------------------------------------


def every(connection: Connection, product: str) -> list[Project]:
    """Every project, those that failed before they had a pipeline, and what is left of former ones.

    product: the name of the kit's product
    """
    found = {project.id: project for project in projects.find(connection)}
    found |= {project.id: project for project in failed_projects(connection, product) if project.id not in found}
    there = {*found, *projects.ids(connection)}  # also those of other templates
    found |= {project.id: project for project in former_projects(connection) if project.id not in there}
    return sorted(found.values(), key=lambda project: (project.name, project.id))


def failed_projects(connection: Connection, product: str) -> Iterator[Project]:
    """Projects that failed, and were to be made from the kit's product or its template in S3."""
    sagemaker, catalog = connection.client("sagemaker"), connection.client("servicecatalog")
    listed = pages(sagemaker, "list_projects", "ProjectSummaryList")
    failed = [summary for summary in listed if summary["ProjectStatus"].endswith("Failed")]
    views = pages(catalog, "search_products_as_admin", "ProductViewDetails") if failed else ()
    ours = {v["ProductViewSummary"]["ProductId"] for v in views if v["ProductViewSummary"]["Name"] == product}
    bucket = bundle_bucket(connection.account, connection.region)
    for summary in failed:
        shown = sagemaker.describe_project(ProjectName=summary["ProjectName"])
        from_product = shown.get("ServiceCatalogProvisioningDetails", {}).get("ProductId") in ours
        if from_product or bucket in json.dumps(shown.get("TemplateProviderDetails", [])):
            yield Project(summary["ProjectName"], summary["ProjectId"], summary["ProjectStatus"])


def former_projects(connection: Connection) -> Iterator[Project]:
    """What is left of projects that are gone: logs, reports, pipelines, buckets, artifacts tell their names and ids."""
    ours = re.compile(rf"(?:.*[:/])?sagemaker-(.+)-({ID})-(?:build|test|test-endpoints|train)")
    train = re.compile(rf"(.+)-({ID})-(?:{'|'.join(retained.TRAINING)})")
    logs, s3 = connection.client("logs"), connection.client("s3")
    groups = pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix="/aws/codebuild/sagemaker-")
    names = [group["logGroupName"] for group in groups]
    names += list(pages(connection.client("codebuild"), "list_report_groups", "reportGroups"))
    for name in names:
        if found := ours.fullmatch(name):
            yield Project(found[1], found[2], "")
    for pipeline in pages(connection.client("sagemaker"), "list_pipelines", "PipelineSummaries"):
        if found := train.fullmatch(pipeline["PipelineName"]):
            yield Project(found[1], found[2], "")
    for bucket in s3.list_buckets()["Buckets"]:
        matched = re.fullmatch(rf"sagemaker-project-({ID})", bucket["Name"])
        if matched and (name := bucket_tags(s3, bucket["Name"]).get("sagemaker:project-name", "")):
            yield Project(name, matched[1], "")
    for folder in retained.folders(connection):
        if found := re.fullmatch(rf"(.+)-({ID})/", folder):
            yield Project(found[1], found[2], "")


def lone_group(connection: Connection, name: str) -> list[Project]:
    """The project that left only its model group."""
    sagemaker = connection.client("sagemaker")
    group = if_there(sagemaker.describe_model_package_group, ModelPackageGroupName=name)
    tags = pages(sagemaker, "list_tags", "Tags", ResourceArn=group["ModelPackageGroupArn"]) if group else ()
    return [Project(name, tag["Value"], "") for tag in tags if tag["Key"] == "sagemaker:project-id"]


def bucket_tags(s3: S3Client, bucket: str) -> dict[str, str]:
    answer = if_there(s3.get_bucket_tagging, Bucket=bucket)
    return {tag["Key"]: tag["Value"] for tag in (answer["TagSet"] if answer else [])}


def project_parts(connection: Connection, project: Project, call_as: CallAsType) -> list[TeardownPart]:
    """A project as SageMaker and its pipeline made it, in the order in which it goes.

    call_as: of stack sets without a stage's stack
    """
    organization = ActiveAccounts()
    parts = list(running(connection, project))
    for stage in reversed(Stage):
        parts += stage_parts(connection, project.stack(stage), call_as, organization)
    if project.status:
        detail = f"{project.status}; with its pipeline{repositories(connection, project)}"
        parts.append(
            deleted("project", f"{project.name} ({project.id})", detail, partial(delete_project, connection, project))
        )
    return parts


def retained_parts(
    connection: Connection, project: Project, asked: DeletionOptions, regions: tuple[str, ...], artifacts: bool
) -> list[TeardownPart]:
    """What is left of it unless it is asked for; from any part of it the next run knows the project (former_projects).

    regions: where its versions, or copies of them, are registered, its own first; artifacts: those of the project
    too, where the bucket of the models does not go with the kit
    """
    parts = list(retained.training(connection, project, asked))
    for region in regions:
        parts += retained.model_group(connection.in_region(region), project, asked)
    parts += retained.reports(connection, project, asked)
    parts += retained.log_groups(connection, f"/aws/codebuild/{project.prefix}-", asked)
    parts += retained.bucket(connection, project.bucket, asked)
    for region in reversed(regions) if artifacts else ():
        parts += retained.artifacts(connection.in_region(region), project, asked)
    return parts


def repositories(connection: Connection, project: Project) -> str:
    """What becomes of a project's builds and repositories, as the end of a sentence."""
    look, name = connection.client("codecommit").get_repository, f"{project.prefix}-modeldeploy"
    if unless({"RepositoryDoesNotExistException"}, look, repositoryName=name):
        return ", builds and both CodeCommit repositories"
    return " and builds; its repositories at the git provider stay"


def running(connection: Connection, project: Project) -> Iterator[TeardownPart]:
    """Executions under way: they would deploy again what is being deleted."""
    codepipeline = connection.client("codepipeline")
    listed = partial(pages, codepipeline, "list_pipeline_executions", "pipelineExecutionSummaries")
    for one in if_there(lambda: list(listed(pipelineName=project.pipeline))) or []:
        if one["status"] not in history.ENDED:
            yield deleted(
                "execution", one["pipelineExecutionId"], "is stopped", partial(stop, codepipeline, project, one)
            )


def stop(codepipeline: CodePipelineClient, project: Project, execution: dict[str, Any]) -> None:
    id = execution["pipelineExecutionId"]
    unless(
        {"PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"},
        codepipeline.stop_pipeline_execution,
        pipelineName=project.pipeline,
        pipelineExecutionId=id,
        abandon=True,
        reason="The project is taken down",
    )

    def ended() -> str | None:
        seen = codepipeline.get_pipeline_execution(pipelineName=project.pipeline, pipelineExecutionId=id)
        status = str(seen["pipelineExecution"]["status"])
        return status if status in history.ENDED else None

    until(f"execution {id}", ended, PATIENCE)


def delete_project(connection: Connection, project: Project) -> None:
    """SageMaker terminates the provisioned product, under its launch role."""
    sagemaker = connection.client("sagemaker")

    def described() -> DescribeProjectOutputTypeDef | None:
        return if_there(sagemaker.describe_project, ProjectName=project.name)

    def status() -> str:
        found = described()
        return found["ProjectStatus"] if found else "DeleteCompleted"

    def settled() -> str | None:
        now = status()
        return None if now == "Pending" or now.endswith("InProgress") else now

    until(f"project {project.name}", settled, PATIENCE, status)
    if settled() != "DeleteCompleted":
        sagemaker.delete_project(ProjectName=project.name)
    ended = until(f"project {project.name}", settled, PATIENCE, status)
    if ended != "DeleteCompleted":
        found = described()
        details = found.get("ServiceCatalogProvisionedProductDetails", {}) if found else {}
        why = details.get("ProvisionedProductStatusMessage", "")
        stack = f"SC-{connection.account}-{details.get('ProvisionedProductId', '')}"
        detail = if_there(lambda: stacks.reasons(connection.client("cloudformation"), stack, lambda logical_id: stack))
        raise UserError(f"the project {project.name} ended {ended}: {why} (stack {stack})\n{detail or ''}\n  {AGAIN}")
