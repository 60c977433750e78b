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
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection, pages
from scripts.kit.console import UserError, counted
from scripts.kit.organization import members
from scripts.kit.patience import until
from scripts.kit.projects import history
from scripts.kit.projects import project as projects
from scripts.kit.projects.project import Project
from scripts.kit.publish.catalog import bundle_bucket
from scripts.kit.stacks import stack as stacks
from scripts.kit.stacks.stack import describe_stack
from scripts.kit.stacks.stackset import preferences
from scripts.kit.teardown import retained
from scripts.kit.teardown.parts import AGAIN, DeletionOptions, TeardownPart, deleted, if_there

PATIENCE = 6 * 3600.0  # seconds: a stack set may have a thousand accounts
ID = "p-[a-z0-9]{12}"  # as SageMaker gives it to a project; only for what is left of one that is gone
GONE = {"", "DELETE_COMPLETE"}
UNFINISHED = {"RUNNING", "QUEUED", "STOPPING"}


@dataclass
class ActiveAccounts:
    """Which accounts are (still) in the organization; unknown where these credentials may not ask."""

    active: set[str] | None = None
    asked: bool = field(default=False, repr=False)

    def left(self, connection: Connection, account: str) -> bool:
        if not self.asked:
            self.asked = True
            try:
                listed = pages(connection.client("organizations"), "list_accounts", "Accounts")
                self.active = {account["Id"] for account in listed if members.state(account) == "ACTIVE"}
            except ClientError:
                self.active = None
        return self.active is not None and account not in self.active


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
    ours = re.compile(rf"(?:.*[:/])?sagemaker-(.+)-({ID})-(?:build|test|test-endpoints)")
    train = re.compile(rf"(.+)-({ID})-train")
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
    """The project of which nothing is left but its model group."""
    sagemaker = connection.client("sagemaker")
    group = if_there(sagemaker.describe_model_package_group, ModelPackageGroupName=name)
    arn = (group or {}).get("ModelPackageGroupArn", "")
    tags = pages(sagemaker, "list_tags", "Tags", ResourceArn=arn) if arn else ()
    return [Project(name, tag["Value"], "") for tag in tags if tag["Key"] == "sagemaker:project-id"]


def bucket_tags(s3: Any, bucket: str) -> dict[str, str]:
    answer = if_there(s3.get_bucket_tagging, Bucket=bucket)
    return {tag["Key"]: tag["Value"] for tag in (answer or {}).get("TagSet", [])}


def elsewhere(connection: Connection, region: str) -> Connection:
    return replace(connection, region=region, clients={})


def project_parts(connection: Connection, project: Project, call_as: str) -> list[TeardownPart]:
    """A project as SageMaker and its pipeline made it, in the order in which it goes.

    call_as: of stack sets without a stage's stack
    """
    organization = ActiveAccounts()
    parts = list(running(connection, project))
    for stage in ("prod", "staging"):
        parts += stage_parts(connection, project.stack(stage), call_as, organization)
    if project.status:
        detail = f"{project.status}; with its pipeline, builds, event rules{repositories(connection, project)}"
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
        parts += retained.model_group(elsewhere(connection, region), project, asked)
    parts += retained.reports(connection, project, asked)
    parts += retained.log_groups(connection, f"/aws/codebuild/{project.prefix}-", asked)
    parts += retained.bucket(connection, project.bucket, asked)
    for region in reversed(regions) if artifacts else ():
        parts += retained.artifacts(elsewhere(connection, region), project, asked)
    return parts


def repositories(connection: Connection, project: Project) -> str:
    """What becomes of a project's repositories, as the end of a sentence."""
    look, name = connection.client("codecommit").get_repository, f"{project.prefix}-modeldeploy"
    if if_there(look, "RepositoryDoesNotExistException", repositoryName=name):
        return " and both CodeCommit repositories"
    return "; its repositories at the git provider stay"


def running(connection: Connection, project: Project) -> Iterator[TeardownPart]:
    """Executions under way: they would deploy again what is being deleted."""
    codepipeline = connection.client("codepipeline")
    listed = partial(pages, codepipeline, "list_pipeline_executions", "pipelineExecutionSummaries")
    for one in if_there(lambda: list(listed(pipelineName=project.pipeline))) or []:
        if one["status"] not in history.ENDED:
            yield deleted(
                "execution", one["pipelineExecutionId"], "is stopped", partial(stop, codepipeline, project, one)
            )


def stop(codepipeline: Any, project: Project, execution: dict[str, Any]) -> None:
    id = execution["pipelineExecutionId"]
    if_there(
        codepipeline.stop_pipeline_execution,
        "PipelineExecutionNotStoppableException",
        "DuplicatedStopRequestException",
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


# -- a stage -----------------------------------------------------------------------------------


def stage_parts(
    connection: Connection, name: str, call_as: str, organization: ActiveAccounts, kind: str = "endpoint"
) -> Iterator[TeardownPart]:
    """A stack that holds a stack set of the same name, or either of them alone. kind: of what each instance holds"""
    cloudformation = connection.client("cloudformation")
    stack = describe_stack(cloudformation, name)
    by = projects.call_as(stack or {}) or call_as
    found = instances(cloudformation, name, by)
    if found is None and stack is None:
        return
    units = [instance for instance in found or [] if instance.get("OrganizationalUnitId")]  # none if self-managed
    left = [instance for instance in units if organization.left(connection, instance["Account"])]
    for instance in left:
        place = f"{instance['Account']} {instance['Region']} of {name}"
        why = "the account is no longer active in the organization: what is in it stays there"
        yield deleted("instance", place, why, partial(forget, cloudformation, name, by, instance))
    places = [f"{i['Account']} {i['Region']}{condition(i)}" for i in found or [] if i not in left]
    detail = (
        f"{counted(len(places), kind)}: {', '.join(places[:4])}{' …' if len(places) > 4 else ''}" if places else "empty"
    )
    if stack is not None:
        state = "" if stack["StackStatus"] in stacks.SETTLED else f"{stack['StackStatus']}; "
        yield deleted("stage", name, state + detail, partial(delete_stage, connection, name, by))
    else:
        yield deleted("stack set", name, detail, partial(delete_stack_set, cloudformation, name, by))


def condition(instance: dict[str, Any]) -> str:
    """What is not as it should be with an instance, to follow its place."""
    status = instance.get("Status", "CURRENT")
    return "" if status == "CURRENT" else f" ({status})"


def delete_stage(connection: Connection, name: str, call_as: str) -> None:
    """Delete the stage's stack; UserError with what each account says where it stays."""
    try:
        delete_stack(connection, name)
    except UserError:
        found = instances(connection.client("cloudformation"), name, call_as)
        if failed := [instance for instance in found or [] if instance.get("Status") == "INOPERABLE"]:
            raise stuck(name, call_as, failed) from None
        raise


def instances(cloudformation: Any, name: str, call_as: str) -> list[dict[str, Any]] | None:
    """The instances of a stack set; None where there is no such set."""
    set_of = {"StackSetName": name, "CallAs": call_as}
    described = if_there(cloudformation.describe_stack_set, **set_of)
    if described is None or described["StackSet"]["Status"] != "ACTIVE":
        return None
    return list(pages(cloudformation, "list_stack_instances", "Summaries", **set_of))


def forget(cloudformation: Any, name: str, call_as: str, instance: dict[str, Any]) -> None:
    """Take an instance out of its set and leave its stack, which can no longer be reached."""
    targets = {"DeploymentTargets": within([instance["OrganizationalUnitId"]], [instance["Account"]])}
    delete_instances(cloudformation, name, call_as, targets, [instance["Region"]], 1, retain=True)


def within(units: list[str], accounts: list[str]) -> dict[str, Any]:
    """DeploymentTargets of some accounts: AWS deletes none by their ids alone (github.com/aws/aws-cli, issue 8248)."""
    return {"OrganizationalUnitIds": units, "Accounts": accounts, "AccountFilterType": "INTERSECTION"}


def delete_instances(
    cloudformation: Any,
    name: str,
    call_as: str,
    targets: dict[str, Any],
    regions: list[str],
    accounts: int,
    retain: bool = False,
) -> None:
    """Delete instances and wait; UserError with each account that failed and why.

    targets: members of the request; accounts: how many there are
    """
    wait_for_operations(cloudformation, name, call_as)
    begun = if_there(
        cloudformation.delete_stack_instances,
        StackSetName=name,
        CallAs=call_as,
        Regions=regions,
        RetainStacks=retain,
        OperationPreferences=preferences(accounts),
        **targets,
    )
    if begun is None:
        return
    wait_for_operations(cloudformation, name, call_as)
    detail = {"StackSetName": name, "CallAs": call_as, "OperationId": begun["OperationId"]}
    results = pages(cloudformation, "list_stack_set_operation_results", "Summaries", **detail)
    if failed := [result for result in results if result["Status"] == "FAILED"]:
        raise stuck(name, call_as, failed)


def stuck(name: str, call_as: str, failed: list[dict[str, Any]]) -> UserError:
    """What a person does about instances that cannot be deleted: put it right, or leave the stack there.

    CloudFormation API Reference, StackInstance, Status INOPERABLE: DeleteStackInstances with RetainStacks, and
    then the stack by hand
    """
    lines = [f"{one['Account']} {one['Region']}: {one.get('StatusReason', '')}" for one in failed]
    accounts = sorted({one["Account"] for one in failed})
    regions = " ".join(sorted({one["Region"] for one in failed}))
    if units := sorted({one["OrganizationalUnitId"] for one in failed if one.get("OrganizationalUnitId")}):
        targets = within([",".join(units)], [",".join(accounts)])
        shown = (f"{name}={value if isinstance(value, str) else value[0]}" for name, value in targets.items())
        where = f"--deployment-targets {','.join(shown)}"
    else:
        where = f"--accounts {' '.join(accounts)}"
    let_go = (
        f"aws cloudformation delete-stack-instances --stack-set-name {name} --call-as {call_as} --retain-stacks "
        f"{where} --regions {regions}"
    )
    advice = [AGAIN, "or leave the stacks where they are, to be deleted by hand in their accounts:", f"  {let_go}"]
    return UserError("\n  ".join([f"{name} could not be deleted everywhere:", *lines, *advice]))


def wait_for_operations(cloudformation: Any, name: str, call_as: str) -> None:
    def quiet() -> bool | None:
        operations = pages(cloudformation, "list_stack_set_operations", "Summaries", StackSetName=name, CallAs=call_as)
        return None if any(o["Status"] in UNFINISHED for o in operations) else True

    if_there(lambda: until(f"stack set {name}", quiet, PATIENCE))


def delete_stack_set(cloudformation: Any, name: str, call_as: str) -> None:
    """The set with all of its instances."""
    found = instances(cloudformation, name, call_as)
    if found is None:
        return
    if found:
        units = sorted({i["OrganizationalUnitId"] for i in found if i.get("OrganizationalUnitId")})
        accounts = sorted({i["Account"] for i in found})
        regions = sorted({i["Region"] for i in found})
        # API Reference, DeleteStackInstances: DeploymentTargets where AWS manages the permissions, Accounts where not
        targets = {"DeploymentTargets": {"OrganizationalUnitIds": units}} if units else {"Accounts": accounts}
        delete_instances(cloudformation, name, call_as, targets, regions, len(accounts))
    if_there(cloudformation.delete_stack_set, StackSetName=name, CallAs=call_as)


# -- a stack -----------------------------------------------------------------------------------


def delete_stack(connection: Connection, name: str) -> None:
    """Delete a stack and wait, whatever state it is in; UserError with the reasons where it stays."""
    cloudformation = connection.client("cloudformation")
    stack = describe_stack(cloudformation, name)
    if stack is None:
        return
    id = stack["StackId"]

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=id)["Stacks"][0]["StackStatus"])

    def settled() -> str | None:
        now = status()
        return None if now.endswith("_IN_PROGRESS") else now

    if stack["StackStatus"].endswith("_IN_PROGRESS") and stack["StackStatus"] != "REVIEW_IN_PROGRESS":
        until(f"stack {name}", settled, PATIENCE, status)
    if status() not in GONE:
        require_unprotected(stack)
        require_role(connection, name, stack.get("RoleARN", ""))
        cloudformation.delete_stack(StackName=id)
    ended = until(f"stack {name}", settled, PATIENCE, status)
    if ended not in GONE:
        why = stacks.reasons(cloudformation, id, lambda logical_id: f"stack {name},")
        raise UserError(f"the stack {name} in {connection.account} ended {ended}:\n{why}\n  {AGAIN}")


def require_unprotected(stack: dict[str, Any]) -> None:
    """UserError where a stack is protected: taking that off is a decision of its own."""
    if stack.get("EnableTerminationProtection"):
        name = stack["StackName"]
        raise UserError(
            f"the stack {name} is protected from deletion. `aws cloudformation update-termination-protection "
            f"--no-enable-termination-protection --stack-name {name}` takes that off. {AGAIN}"
        )


def require_role(connection: Connection, stack: str, role: str) -> None:
    """UserError where the role that made a stack is gone: CloudFormation cannot delete the stack without it."""
    name = role.rsplit("/", 1)[-1]
    if role and if_there(connection.client("iam").get_role, RoleName=name) is None:
        raise UserError(
            f"the stack {stack} cannot be deleted: CloudFormation needs the role that made it, {role}, which is gone: "
            f"`make accounts` makes it again. {AGAIN}"
        )


def delete_project(connection: Connection, project: Project) -> None:
    """SageMaker terminates the provisioned product, under its launch role."""
    sagemaker = connection.client("sagemaker")

    def described() -> dict[str, Any] | None:
        found: dict[str, Any] | None = if_there(sagemaker.describe_project, ProjectName=project.name)
        return found

    def status() -> str:
        return str((described() or {}).get("ProjectStatus", "DeleteCompleted"))

    def settled() -> str | None:
        now = status()
        return None if now == "Pending" or now.endswith("InProgress") else now

    until(f"project {project.name}", settled, PATIENCE, status)
    if settled() != "DeleteCompleted":
        sagemaker.delete_project(ProjectName=project.name)
    ended = until(f"project {project.name}", settled, PATIENCE, status)
    if ended != "DeleteCompleted":
        details = (described() or {}).get("ServiceCatalogProvisionedProductDetails", {})
        why = details.get("ProvisionedProductStatusMessage", "")
        stack = f"SC-{connection.account}-{details.get('ProvisionedProductId', '')}"
        detail = if_there(lambda: stacks.reasons(connection.client("cloudformation"), stack, lambda logical_id: stack))
        raise UserError(f"the project {project.name} ended {ended}: {why} (stack {stack})\n{detail or ''}\n  {AGAIN}")
