"""Upgrading a project to another version: what is known before, the request, and how it ends.

SageMaker API Reference, "UpdateProject": for a product it updates the provisioned product with the launch role,
for a template in S3 the stack with the role that it was made with. Both replace every parameter that is not
named by its default, so each is sent with the value that the project has (differences.after_update).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from awslang.template import schemas
from awslang.template.parameters import broken_constraint
from scripts.kit.bundle import differences, pack
from scripts.kit.bundle.differences import Differences, ResourceChange
from scripts.kit.connect import Connection, if_there, pages
from scripts.kit.console import UserError, explain, say
from scripts.kit.names import bundle_bucket
from scripts.kit.patience import until
from scripts.kit.projects import project as projects
from scripts.kit.projects import provisioned
from scripts.kit.projects.provisioned import ProvisionedProject
from scripts.kit.publish import hosting, versions
from scripts.kit.publish.versions import CATALOG, S3, BundleVersion
from scripts.kit.stacks.stack import newest_operation, reasons
from scripts.kit.stacks.ways_out import way_out

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

OWN = ("SageMakerProjectName", "SageMakerProjectId")  # SageMaker fills these in itself
PATIENCE = 1800.0  # seconds for the stack to be updated
HANDLERS = {
    "add": ("create",),
    "change": ("update",),
    "retag": ("update",),
    "replace": ("create", "delete"),
    "remove": ("delete",),
}
READS = re.compile(r"[a-z0-9-]+:(Get|List|Describe|BatchGet)")
IN_A_PROJECT = (pack.PRODUCT, pack.PIPELINE_CODE, *pack.SEEDS)  # the files of a bundle that an upgrade looks at
BUSY = ("Pending", "InProgress")


@dataclass(frozen=True)
class PermissionGap:
    """What the role that updates the stack may not do. certain: the change cannot be made without it."""

    logical_id: str
    type: str
    actions: tuple[str, ...]
    certain: bool


@dataclass(frozen=True)
class ProjectUpgrade:
    """One project's way to a version. parameters: the complete set that is sent; gaps: None where unknown."""

    project: ProvisionedProject
    target: BundleVersion
    parameters: Mapping[str, str]
    found: Differences
    role: str
    gaps: tuple[PermissionGap, ...] | None

    @property
    def needed(self) -> bool:
        now = self.project.parameters
        return any(now.get(name) != value for name, value in self.parameters.items() if name not in OWN)


def seeded(connection: Connection, running: pack.Bundle, values: Mapping[str, str]) -> pack.Bundle:
    """The running version with the seed code that the project's repositories really began with."""
    s3, bucket = connection.client("s3"), bundle_bucket(connection.account, connection.region)
    files = dict(running.files)
    for parameter, archive in pack.SEED_KEYS.items():
        if (key := values.get(parameter, "")) and key != running.key(archive):
            files[archive] = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return replace(running, files=files)


def current(
    connection: Connection, project: ProvisionedProject, known: list[BundleVersion], only: tuple[str, ...] = ()
) -> tuple[pack.Bundle, str]:
    """What the project runs: its version's files with its own seed code, and the template of its stack."""
    name = project.bundle_version
    digest = next((v.digest for v in known if v.name == name), "") or digest_of(connection, name)
    running = versions.content(connection, digest, name, only)
    cloudformation = connection.client("cloudformation")
    body = cloudformation.get_template(StackName=project.stack_name, TemplateStage="Original")["TemplateBody"]
    return seeded(connection, running, project.parameters), str(body)


def digest_of(connection: Connection, name: str) -> str:
    return versions.known_digests(connection).get(name.rsplit("-", 1)[-1], "")


def prepare(
    connection: Connection,
    project: ProvisionedProject,
    known: list[BundleVersion],
    target: BundleVersion,
    given: Mapping[str, str],
) -> ProjectUpgrade:
    """What an upgrade would do, with everything that prevents it reported before anything is sent."""
    check_published(project, target)
    old, body = current(connection, project, known, IN_A_PROJECT)
    new = versions.content(connection, target.digest, target.name, IN_A_PROJECT)
    check_guarded(new, target)
    declared = differences.declared(differences.text(new))
    if unknown := [name for name in given if name not in declared or name in OWN]:
        raise UserError(f"--set {unknown[0]}: version {target.name} has no such parameter that can be set")
    values = {**differences.after_update(project.parameters, declared), **given}
    if lacking := differences.missing(values, declared):
        raise UserError(
            f"version {target.name} has parameters that the project has no value for: {', '.join(lacking)}. "
            f"Give them with --set {lacking[0]}=VALUE"
        )
    check_allowed(project, target, values, declared)
    found = differences.compare(
        old,
        new,
        connection.account,
        connection.region,
        project.parameters,
        body,
        values_after=values,
    )
    role = launch_role(connection, project)
    return ProjectUpgrade(project, target, values, found, role, gaps(connection, role, found.resources))


def settled(connection: Connection, name: str) -> ProvisionedProject:
    """The project, after an update that may go on already (of an interrupted run, or of another caller)."""
    found = projects.one(connection, name)
    project = provisioned.look(connection, found)
    if project is None:
        raise UserError(f"the project {name} has no stack any more: there is nothing to upgrade")
    if not found.status.endswith(BUSY):
        return project
    say(f"  {name} is {found.status}: waiting for it")
    wait(connection, name, project.stack_name)
    return settled(connection, name)


def check_published(project: ProvisionedProject, target: BundleVersion) -> None:
    if project.publisher not in target.guidance:
        raise UserError(
            f"the project {project.project.name} was made from {project.publisher}, and version {target.name} is not "
            f"published there. `make publish TO={project.publisher}` (or both) does that"
        )
    if target.guidance[project.publisher] == versions.INACTIVE:
        raise UserError(f"version {target.name} is inactive in Service Catalog. `make publish` of it activates it")


def check_guarded(bundle: pack.Bundle, target: BundleVersion) -> None:
    """UserError for a version before 0.3. Service Catalog holds such a version inactive; S3 has no such state."""
    if pack.PIPELINE_CODE not in bundle.files:
        raise UserError(
            f"version {target.name} is from before 0.3: its pipelines run the code of their repositories, so that a "
            "push reaches production without the approver. Choose a newer one (`make versions`)"
        )


def check_allowed(
    project: ProvisionedProject,
    target: BundleVersion,
    values: Mapping[str, str],
    declared: Mapping[str, Mapping[str, Any]],
) -> None:
    """UserError where a value is none that the version was published with."""
    allowed = {
        name: ",".join(map(str, declared[name]["AllowedValues"]))
        for name, value in values.items()
        if name not in OWN and "AllowedValues" in declared[name] and broken_constraint(value, declared[name])
    }
    if allowed:
        said = (f"{name} is {values[name] or 'empty'} and not {fixed or 'empty'}" for name, fixed in allowed.items())
        sets = (f"--set {shlex.quote(f'{name}={fixed}')}" for name, fixed in allowed.items())
        raise UserError(
            f"{project.project.name}: version {target.name} was published with other values alone: {', '.join(said)}. "
            f"Upgrade with {' '.join(sets)}, or publish a version with the project's values (environment.yaml)"
        )


def check(connection: Connection, upgrade: ProjectUpgrade, force: bool) -> None:
    """UserError where the update cannot be made.

    force: go on although an execution is running, or the launch role will be refused something
    """
    check_settled(upgrade.project)
    if not force:
        check_idle(connection, upgrade.project)
    check_visible(connection, upgrade.project)
    refused = [gap.logical_id for gap in upgrade.gaps or () if gap.certain]
    if refused and not force:
        raise UserError(
            f"the launch role {upgrade.role} may not change {', '.join(refused)}, so "
            "that the update would fail and be rolled back. Give it what is missing, or try with --force"
        )


def check_idle(connection: Connection, project: ProvisionedProject) -> None:
    """UserError while an execution of the project's pipeline is running, one that waits for an approver included.

    SageMaker API Reference, UpdateProject: "You must not update a project that is in use".
    """
    name, codepipeline = project.project.pipeline, connection.client("codepipeline")
    listed = if_there(codepipeline.list_pipeline_executions, pipelineName=name, maxResults=100)
    for execution in listed["pipelineExecutionSummaries"] if listed else ():
        if execution["status"] in {"InProgress", "Stopping"}:
            id = execution["pipelineExecutionId"]
            raise UserError(
                f"the project {project.project.name} is in use: execution {id} of {name} is {execution['status']}. "
                'AWS: "You must not update a project that is in use […] you may lose resources already created by the '
                'project." Let it end (it may wait for an approver), or stop it: aws codepipeline '
                f"stop-pipeline-execution --pipeline-name {name} --pipeline-execution-id {id}. --force upgrades anyway"
            )


def check_settled(project: ProvisionedProject) -> None:
    """UserError where the stack is in a state that no update can begin in."""
    status = str(project.stack["StackStatus"])
    if status.endswith("_IN_PROGRESS") or status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}:
        return
    raise UserError(
        f"the project's stack {project.stack_name} is in state {status}, from which it cannot be updated. "
        "Look at its events in the CloudFormation console, then "
        + (
            f"`{way_out(project.stack_name, status)}` brings it back"
            if status in {"UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED"}
            else f"`make teardown PROJECT={project.project.name}`: the project never worked, or its deletion failed"
        )
    )


def check_visible(connection: Connection, project: ProvisionedProject) -> None:
    """UpdateProject asks Service Catalog for the product with the caller's own access to the portfolio."""
    if project.publisher != CATALOG:
        return
    product = project.details["ServiceCatalogProvisioningDetails"]["ProductId"]
    try:
        connection.client("servicecatalog").describe_product(Id=product)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        who = connection.client("sts").get_caller_identity()["Arn"]
        raise UserError(
            f"{who} does not see the product {product}, so it may not update what was made from it. Add its role to "
            "catalog.principals in environment.yaml and run `make publish`, or sign in with a role that sees it"
        ) from error


# -- what the launch role may not do -----------------------------------------------------------


def launch_role(connection: Connection, project: ProvisionedProject) -> str:
    """The ARN of the role that the stack is updated with; "" where it is the caller's own."""
    if project.publisher == S3:
        return str(project.stack.get("RoleARN", ""))
    id = project.details["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductId"]
    shown = connection.client("servicecatalog").describe_provisioned_product(Id=id)["ProvisionedProductDetail"]
    return str(shown.get("LaunchRoleArn", ""))


def gaps(connection: Connection, role: str, changes: tuple[ResourceChange, ...]) -> tuple[PermissionGap, ...] | None:
    """For each resource that changes, the actions that its handlers may need and the role is not allowed.

    The registry's schemas list what a handler may ask for in any case, so that one is refused for certain only
    where nothing that writes in the resource's own service is allowed. None where the policies cannot be read.
    """
    if not role:
        return ()
    try:
        allowed = list(allowed_actions(connection.client("iam"), role.rsplit("/", 1)[1]))
    except ClientError as error:
        say(f"  note: what {role} may do was not checked: {explain(error)}")
        return None
    found = []
    for change in changes:
        for handler in HANDLERS.get(change.effect, ()):
            needed = schemas.schema(change.type, connection.region).handler_permissions(handler)
            refused = [action for action in needed if not any(fnmatchcase(action.lower(), a) for a in allowed)]
            writes = [action for action in needed if not READS.match(action)]
            own = {action for action in writes if action.split(":")[0] == writes[0].split(":")[0]}
            if refused:
                certain = bool(own) and own <= set(refused)
                found.append(PermissionGap(change.logical_id, change.type, tuple(refused), certain))
    return tuple(found)


def allowed_actions(iam: IAMClient, role: str) -> Iterator[str]:
    """The patterns of the actions that the role's policies allow on anything, in lower case."""
    for document in policies(iam, role):
        listed = document["Statement"]
        for statement in listed if isinstance(listed, list) else [listed]:
            if statement["Effect"] == "Allow" and "Action" in statement:
                actions = statement["Action"]
                yield from (a.lower() for a in (actions if isinstance(actions, list) else [actions]))


def policies(iam: IAMClient, role: str) -> Iterator[Mapping[str, Any]]:
    for policy in pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=role):
        version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
        shown = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]
        yield shown["Document"]  # type: ignore[misc]  # botocore has parsed the text
    for name in pages(iam, "list_role_policies", "PolicyNames", RoleName=role):
        yield iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]  # type: ignore[misc]  # as above


# -- doing it ----------------------------------------------------------------------------------


def request(upgrade: ProjectUpgrade) -> dict[str, Any]:
    """The input of UpdateProject."""
    given = [{"Key": k, "Value": v} for k, v in upgrade.parameters.items() if k not in OWN]
    name = upgrade.project.project.name
    if upgrade.project.publisher == CATALOG:
        details = {"ProvisioningArtifactId": upgrade.target.artifact, "ProvisioningParameters": given}
        return {"ProjectName": name, "ServiceCatalogProvisioningUpdateDetails": details}
    before = upgrade.project.details["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]
    base = unquote(str(before["TemplateURL"])).rsplit(f"/{hosting.PREFIX}", 1)[0]
    provider = {
        "TemplateName": before["TemplateName"],
        "TemplateURL": f"{base}/{hosting.template_key(upgrade.target.name)}",
        "Parameters": given,
    }
    return {"ProjectName": name, "TemplateProvidersToUpdate": [{"CfnTemplateProvider": provider}]}


def apply(connection: Connection, upgrade: ProjectUpgrade) -> None:
    """Ask for the update; an update that already runs (after a lost answer, say) is followed instead."""
    try:
        connection.client("sagemaker").update_project(**request(upgrade))
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"ConflictException", "ResourceInUse"}:
            raise


def wait(connection: Connection, name: str, stack: str) -> str:
    """The project's status once it is idle; reports what happens to each resource."""
    sagemaker, cloudformation = connection.client("sagemaker"), connection.client("cloudformation")
    seen = {event["EventId"] for event in newest_operation(cloudformation, stack)}
    status = ""

    def settled() -> str | None:
        nonlocal status
        status = str(sagemaker.describe_project(ProjectName=name)["ProjectStatus"])
        for event in reversed(list(newest_operation(cloudformation, stack))):
            if event["EventId"] not in seen and event["ResourceStatus"].endswith(("_COMPLETE", "_FAILED")):
                say(f"  … {event['LogicalResourceId']}: {event['ResourceStatus']}")
            seen.add(event["EventId"])
        return None if status.endswith(BUSY) else status

    def late() -> UserError:
        return UserError(
            f"project {name} is still {status} after {PATIENCE / 60:.0f} minutes. "
            "Run this command again: it continues from here"
        )

    return until(f"project {name}", settled, PATIENCE, late=late)


def require_success(connection: Connection, upgrade: ProjectUpgrade, status: str) -> None:
    """UserError with what failed, and what the project is now, unless the update succeeded."""
    if status == "UpdateCompleted":
        return
    name, cloudformation = upgrade.project.project.name, connection.client("cloudformation")
    now = provisioned.look(connection, upgrade.project.project)
    why = reasons(cloudformation, upgrade.project.stack_name, lambda logical_id: pack.PRODUCT)
    shown = connection.client("sagemaker").describe_project(ProjectName=name)
    message = shown.get("ServiceCatalogProvisionedProductDetails", {}).get("ProvisionedProductStatusMessage", "")
    state = now.stack["StackStatus"] if now else "gone"
    rest = (
        f"CloudFormation rolled the update back: the project runs version {now.bundle_version} as before"
        if now and state == "UPDATE_ROLLBACK_COMPLETE"
        else f"its stack {upgrade.project.stack_name} is {state}"
    )
    raise UserError(f"the upgrade of {name} ended {status}; {rest}.\n{why}" + (f"\n    {message}" if message else ""))


def as_data(upgrade: ProjectUpgrade) -> dict[str, Any]:
    """The plan for --json."""
    return {
        "project": upgrade.project.project.name,
        "publisher": upgrade.project.publisher,
        "from": upgrade.project.bundle_version,
        "to": upgrade.target.name,
        "values": dict(upgrade.parameters),  # of its parameters, every one of which is sent
        "launch_role": upgrade.role,
    }
