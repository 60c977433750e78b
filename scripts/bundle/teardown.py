"""Take a project down: its executions, its stages with their endpoints, the project, and what is asked for besides.

The order is AWS's: a stage's stack takes its stack set with it, and the set its instances, so the endpoints go
first; a stack set that a pipeline made outlives DeleteProject (SageMaker Developer Guide, "Delete a
SageMaker AI project"), so the stages go before the project; its buckets are retained by its template. Everything is
looked for by its name, so that a run goes on wherever another one stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from scripts.bundle import history, projects, stacks
from scripts.bundle.connect import Connection
from scripts.bundle.console import UserError, explain, say
from scripts.bundle.patience import code, until
from scripts.bundle.plan import Step
from scripts.bundle.projects import Project, describe_stack, pages

PATIENCE = 6 * 3600.0  # seconds: a stack set may have a thousand accounts
NO_POLICY = {"ValidationException", "ResourceNotFound", "ResourceNotFoundException"}  # SageMaker says each
NO_SET, NO_BUCKET = "StackSetNotFoundException", {"NoSuchBucket", "404"}
ID = "p-[a-z0-9]{12}"  # as SageMaker gives it to a project; only for what is left of one that is gone
GONE = {"", "DELETE_COMPLETE"}
UNFINISHED = {"RUNNING", "QUEUED", "STOPPING"}


@dataclass(frozen=True)
class Asked:
    """What is deleted only when it is asked for."""

    model_group: bool = False
    empty_buckets: bool = False
    logs: bool = False


@dataclass(frozen=True)
class Part:
    """One thing, and how it is deleted; do is None where it is left as it is."""

    step: Step
    do: Callable[[], None] | None = None


@dataclass
class Organization:
    """Which accounts are (still) in the organization; unknown where these credentials may not ask."""

    active: set[str] | None = None
    asked: bool = field(default=False, repr=False)

    def left(self, connection: Connection, account: str) -> bool:
        if not self.asked:
            self.asked = True
            try:
                listed = pages(connection.client("organizations"), "list_accounts", "Accounts")
                self.active = {a["Id"] for a in listed if a.get("State", a.get("Status")) == "ACTIVE"}
            except ClientError:
                self.active = None
        return self.active is not None and account not in self.active


def deleted(kind: str, name: str, detail: str, do: Callable[[], None]) -> Part:
    return Part(Step("delete", kind, name, detail), do)


def kept(kind: str, name: str, detail: str) -> Part:
    return Part(Step("keep", kind, name, detail))


def apply(parts: list[Part]) -> None:
    """Delete one after the other; UserError from the first that cannot be."""
    for part in parts:
        if part.do is None:
            continue
        say(f"  … {part.step.kind} {part.step.name}")
        try:
            part.do()
        except ClientError as error:
            raise UserError(f"{part.step.kind} {part.step.name}: {explain(error)}. {AGAIN}") from error


AGAIN = "Run the same command again when that is put right: it goes on from here"


def unless(codes: set[str], request: Callable[[], Any]) -> Any:
    """What the request answers; None where its error says that there is no such thing."""
    try:
        return request()
    except ClientError as error:
        if code(error) in codes or any(words in str(error) for words in ("does not exist", "not found")):
            return None
        raise


# -- a project ---------------------------------------------------------------------------------


def every(connection: Connection) -> list[Project]:
    """Every project, and what is left of former ones: their logs, reports and buckets tell their names and ids."""
    found = projects.find(connection)
    known = {project.id for project in found}
    former = {project for project in former_projects(connection) if project.id not in known}
    return sorted([*found, *former], key=lambda project: (project.name, project.id))


def former_projects(connection: Connection) -> Iterator[Project]:
    ours = re.compile(rf"(?:.*[:/])?sagemaker-(.+)-({ID})-(?:build|test|test-endpoints)")
    logs, s3 = connection.client("logs"), connection.client("s3")
    groups = pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix="/aws/codebuild/sagemaker-")
    names = [group["logGroupName"] for group in groups]
    names += list(pages(connection.client("codebuild"), "list_report_groups", "reportGroups"))
    for name in names:
        if found := ours.fullmatch(name):
            yield Project(found[1], found[2], "")
    for bucket in s3.list_buckets()["Buckets"]:
        matched = re.fullmatch(rf"sagemaker-project-({ID})", bucket["Name"])
        if matched and (name := bucket_tags(s3, bucket["Name"]).get("sagemaker:project-name", "")):
            yield Project(name, matched[1], "")


def bucket_tags(s3: Any, bucket: str) -> dict[str, str]:
    answer = unless({"NoSuchTagSet", *NO_BUCKET}, lambda: s3.get_bucket_tagging(Bucket=bucket))
    return {tag["Key"]: tag["Value"] for tag in (answer or {}).get("TagSet", [])}


def elsewhere(connection: Connection, region: str) -> Connection:
    return replace(connection, region=region, clients={})


def project_parts(
    connection: Connection, project: Project, asked: Asked, call_as: str, regions: tuple[str, ...]
) -> list[Part]:
    """Everything of a project, in the order in which it goes.

    call_as: of stack sets without a stage's stack; regions: where its versions, or copies of them, are registered
    """
    organization = Organization()
    parts = list(running(connection, project))
    for stage in ("prod", "staging"):
        parts += stage_parts(connection, project, stage, call_as, organization)
    if project.status:
        told = f"{project.status}; with its pipeline, builds, event rules and both CodeCommit repositories"
        parts.append(
            deleted("project", f"{project.name} ({project.id})", told, partial(delete_project, connection, project))
        )
    for region in regions:
        parts += model_group(elsewhere(connection, region), project, asked)
    parts += reports(connection, project, asked)
    parts += log_groups(connection, f"/aws/codebuild/{project.prefix}-", asked)
    parts += bucket(connection, project.bucket, asked)
    return parts


def running(connection: Connection, project: Project) -> Iterator[Part]:
    """Executions under way: they would deploy again what is being deleted."""
    codepipeline = connection.client("codepipeline")
    request = partial(
        pages, codepipeline, "list_pipeline_executions", "pipelineExecutionSummaries", pipelineName=project.pipeline
    )
    for one in unless({"PipelineNotFoundException"}, lambda: list(request())) or []:
        if one["status"] not in history.ENDED:
            yield deleted(
                "execution", one["pipelineExecutionId"], "is stopped", partial(stop, codepipeline, project, one)
            )


def stop(codepipeline: Any, project: Project, execution: dict[str, Any]) -> None:
    id = execution["pipelineExecutionId"]
    request = partial(
        codepipeline.stop_pipeline_execution,
        pipelineName=project.pipeline,
        pipelineExecutionId=id,
        abandon=True,
        reason="The project is taken down",
    )
    unless({"PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"}, request)

    def ended() -> str | None:
        seen = codepipeline.get_pipeline_execution(pipelineName=project.pipeline, pipelineExecutionId=id)
        status = str(seen["pipelineExecution"]["status"])
        return status if status in history.ENDED else None

    until(f"execution {id}", ended, PATIENCE, lambda: "")


# -- a stage -----------------------------------------------------------------------------------


def stage_parts(
    connection: Connection, project: Project, stage: str, call_as: str, organization: Organization
) -> Iterator[Part]:
    cloudformation, name = connection.client("cloudformation"), project.stack(stage)
    stack = describe_stack(cloudformation, name)
    by = projects.call_as(stack or {}) or call_as
    found = instances(cloudformation, name, by)
    if found is None and stack is None:
        return
    places = [f"{i['Account']} {i['Region']}" for i in found or []]
    told = f"{len(places)} endpoint(s): {', '.join(places[:4])}{' …' if len(places) > 4 else ''}" if places else ""
    for instance in found or []:
        if organization.left(connection, instance["Account"]):
            place = f"{instance['Account']} {instance['Region']} of {name}"
            why = "the account is no longer active in the organization: what is in it stays there"
            yield deleted("instance", place, why, partial(forget, cloudformation, name, by, instance))
    if stack is not None:
        state = "" if stack["StackStatus"] in stacks.SETTLED else f"{stack['StackStatus']}; "
        yield deleted("stage", name, state + told, partial(delete_stack, connection, name))
    else:
        why = f"a stack set without its stack; {told}"
        yield deleted("stack set", name, why, partial(delete_stack_set, cloudformation, name, by))


def instances(cloudformation: Any, name: str, call_as: str) -> list[dict[str, Any]] | None:
    """The instances of a stack set; None where there is no such set."""
    set_of = {"StackSetName": name, "CallAs": call_as}
    described = unless({NO_SET}, lambda: cloudformation.describe_stack_set(**set_of))
    if described is None or described["StackSet"]["Status"] != "ACTIVE":
        return None
    return list(pages(cloudformation, "list_stack_instances", "Summaries", **set_of))


def forget(cloudformation: Any, name: str, call_as: str, instance: dict[str, Any]) -> None:
    """Take an instance out of its set and leave its stack, which nobody can reach any more."""
    targets = {"Accounts": [instance["Account"]]}
    delete_instances(cloudformation, name, call_as, targets, [instance["Region"]], retain=True)


def delete_instances(
    cloudformation: Any, name: str, call_as: str, targets: dict[str, Any], regions: list[str], retain: bool = False
) -> None:
    """Delete instances and wait; UserError with each account that failed and why."""
    wait_for_operations(cloudformation, name, call_as)
    begun = unless(
        {"StackInstanceNotFoundException", NO_SET},
        lambda: cloudformation.delete_stack_instances(
            StackSetName=name,
            CallAs=call_as,
            Regions=regions,
            RetainStacks=retain,
            OperationPreferences={
                "RegionConcurrencyType": "PARALLEL",
                "MaxConcurrentPercentage": 100,
                "FailureTolerancePercentage": 100,
            },
            **({"DeploymentTargets": targets} if targets else {}),
        ),
    )
    if begun is None:
        return
    wait_for_operations(cloudformation, name, call_as)
    told = {"StackSetName": name, "CallAs": call_as, "OperationId": begun["OperationId"]}
    results = pages(cloudformation, "list_stack_set_operation_results", "Summaries", **told)
    failed = [f"{r['Account']} {r['Region']}: {r.get('StatusReason', '')}" for r in results if r["Status"] == "FAILED"]
    if failed:
        raise UserError("\n  ".join([f"{name} could not be deleted everywhere:", *failed, AGAIN]))


def wait_for_operations(cloudformation: Any, name: str, call_as: str) -> None:
    def quiet() -> bool | None:
        operations = pages(cloudformation, "list_stack_set_operations", "Summaries", StackSetName=name, CallAs=call_as)
        return None if any(o["Status"] in UNFINISHED for o in operations) else True

    unless({NO_SET}, lambda: until(f"stack set {name}", quiet, PATIENCE, lambda: ""))


def delete_stack_set(cloudformation: Any, name: str, call_as: str) -> None:
    """The set with all of its instances."""
    found = instances(cloudformation, name, call_as)
    if found is None:
        return
    if found:
        units = sorted({i["OrganizationalUnitId"] for i in found if i.get("OrganizationalUnitId")})
        accounts = sorted({i["Account"] for i in found})
        regions = sorted({i["Region"] for i in found})
        targets = {"OrganizationalUnitIds": units} if units else {"Accounts": accounts}
        delete_instances(cloudformation, name, call_as, targets, regions)
    unless({NO_SET}, lambda: cloudformation.delete_stack_set(StackSetName=name, CallAs=call_as))


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
        require_role(connection, name, stack.get("RoleARN", ""))
        cloudformation.delete_stack(StackName=id)
    ended = until(f"stack {name}", settled, PATIENCE, status)
    if ended not in GONE:
        why = stacks.reasons(cloudformation, id, lambda logical_id: f"stack {name},")
        raise UserError(f"the stack {name} in {connection.account} ended {ended}:\n{why}\n  {AGAIN}")


def require_role(connection: Connection, stack: str, role: str) -> None:
    """UserError where the role that made a stack is gone: CloudFormation cannot delete the stack without it."""
    name = role.rsplit("/", 1)[-1]
    if role and unless({"NoSuchEntity"}, lambda: connection.client("iam").get_role(RoleName=name)) is None:
        raise UserError(
            f"the stack {stack} cannot be deleted: CloudFormation needs the role that made it, {role}, which is gone: "
            f"`make accounts` makes it again. {AGAIN}"
        )


def delete_project(connection: Connection, project: Project) -> None:
    """SageMaker terminates the provisioned product, under its launch role."""
    sagemaker = connection.client("sagemaker")

    def described() -> dict[str, Any] | None:
        found: dict[str, Any] | None = unless(set(), lambda: sagemaker.describe_project(ProjectName=project.name))
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
        raise UserError(f"the project {project.name} ended {ended}: {why} (stack {stack}). {AGAIN}")


# -- what is retained unless it is asked for ---------------------------------------------------


def model_group(connection: Connection, project: Project, asked: Asked) -> Iterator[Part]:
    sagemaker, place = connection.client("sagemaker"), f"{project.name} in {connection.region}"
    found = unless(set(), lambda: sagemaker.describe_model_package_group(ModelPackageGroupName=project.name))
    if found is None:
        return
    versions = pages(sagemaker, "list_model_packages", "ModelPackageSummaryList", ModelPackageGroupName=project.name)
    arns = [version["ModelPackageArn"] for version in versions]
    if not asked.model_group:
        yield kept("model group", place, f"retained: {len(arns)} version(s), free of charge; --model-group deletes")
        return
    told = f"{len(arns)} version(s); their artifacts stay in the model bucket"
    yield deleted("model group", place, told, partial(delete_group, sagemaker, project.name, arns))


def delete_group(sagemaker: Any, name: str, arns: list[str]) -> None:
    for arn in arns:
        unless(set(), partial(sagemaker.delete_model_package, ModelPackageName=arn))
    unless(NO_POLICY, lambda: sagemaker.delete_model_package_group_policy(ModelPackageGroupName=name))
    unless(set(), lambda: sagemaker.delete_model_package_group(ModelPackageGroupName=name))


def reports(connection: Connection, project: Project, asked: Asked) -> Iterator[Part]:
    codebuild, name = connection.client("codebuild"), f"{project.prefix}-test-endpoints"
    arn = f"arn:{connection.partition}:codebuild:{connection.region}:{connection.account}:report-group/{name}"
    if not codebuild.batch_get_report_groups(reportGroupArns=[arn])["reportGroups"]:
        return
    if not asked.logs:
        yield kept("reports", name, "retained, free of charge, for 30 days; --logs deletes")
        return
    do = partial(codebuild.delete_report_group, arn=arn, deleteReports=True)
    yield deleted("reports", name, "the test reports", lambda: unless({"ResourceNotFoundException"}, do))


def log_groups(connection: Connection, prefix: str, asked: Asked) -> Iterator[Part]:
    logs = connection.client("logs")
    for group in pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
        name, size = group["logGroupName"], group.get("storedBytes", 0)
        if not asked.logs:
            yield kept("log group", name, f"retained: {size:,} bytes, storage of CloudWatch Logs; --logs deletes")
            continue
        do = partial(logs.delete_log_group, logGroupName=name)
        yield deleted("log group", name, f"{size:,} bytes", partial(unless, {"ResourceNotFoundException"}, do))


def bucket(connection: Connection, name: str, asked: Asked) -> Iterator[Part]:
    s3 = connection.client("s3")
    versions = unless(NO_BUCKET, lambda: list(versions_in(s3, name, connection.account)))
    if versions is None:
        return
    size = f"{len(versions):,} object(s), {sum(v.get('Size', 0) for v in versions):,} bytes"
    if not asked.empty_buckets:
        yield kept("bucket", name, f"retained: {size}, storage of S3; --empty-buckets deletes")
        return
    yield deleted("bucket", name, size, partial(delete_bucket, s3, name, connection.account))


def versions_in(s3: Any, name: str, owner: str) -> Iterator[dict[str, Any]]:
    """Every version and delete marker."""
    pages_of = s3.get_paginator("list_object_versions").paginate(Bucket=name, ExpectedBucketOwner=owner)
    for page in pages_of:
        yield from [*page.get("Versions", []), *page.get("DeleteMarkers", [])]


def delete_bucket(s3: Any, name: str, owner: str) -> None:
    found = list(unless(NO_BUCKET, lambda: list(versions_in(s3, name, owner))) or [])
    for start in range(0, len(found), 1000):  # DeleteObjects takes 1,000
        keys = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in found[start : start + 1000]]
        request = {"Objects": keys, "Quiet": True}
        answer = s3.delete_objects(Bucket=name, Delete=request, ExpectedBucketOwner=owner)
        if errors := answer.get("Errors"):
            raise UserError(f"bucket {name}: {errors[0]['Key']}: {errors[0]['Code']} {errors[0].get('Message', '')}")
    unless(NO_BUCKET, lambda: s3.delete_bucket(Bucket=name, ExpectedBucketOwner=owner))
