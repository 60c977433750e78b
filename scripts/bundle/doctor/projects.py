"""The projects: their state, their parameters against the environment file, rules, pipeline and stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.bundle.doctor import kit
from scripts.bundle.doctor.catalog import usable
from scripts.bundle.doctor.data_science import here
from scripts.bundle.doctor.findings import Place, Request, finding
from scripts.bundle.doctor.organization import STAGES
from scripts.bundle.doctor.reader import UNREAD, Reader, known
from scripts.bundle.doctor.targets import role_name
from scripts.bundle.environment import Environment
from scripts.bundle.together import together

if TYPE_CHECKING:
    from scripts.bundle.doctor.snapshot import Snapshot

SHORT = {"staging": "staging", "production": "prod"}  # a stage's name in the project
TITLE = {"staging": "Staging", "production": "Prod"}  # and in the names of the product's parameters
RULES = ("model", "code")
UNIT_OF = {"staging": "OrganizationalUnitStagingId", "production": "OrganizationalUnitProdId"}


@dataclass(frozen=True)
class Stage:
    """One stage of a project: its stack, its stack set's instances, its configuration file."""

    stack: Any = UNREAD
    instances: Any = UNREAD
    config: Any = UNREAD


@dataclass(frozen=True)
class Project:
    """described: as DescribeProject shows it; rules: by RULES; stages: by STAGES."""

    described: Mapping[str, Any]
    stack: Any = UNREAD
    pipeline: Any = UNREAD
    rules: Mapping[str, Any] = field(default_factory=dict)
    stages: Mapping[str, Stage] = field(default_factory=dict)
    group_policy: Any = UNREAD
    version: Any = UNREAD
    artifact: Any = UNREAD
    artifact_policy: Any = UNREAD
    repository_policy: Any = UNREAD

    @property
    def name(self) -> str:
        return str(self.described["ProjectName"])

    @property
    def id(self) -> str:
        return str(self.described["ProjectId"])

    @property
    def status(self) -> str:
        return str(self.described["ProjectStatus"])

    @property
    def pipeline_name(self) -> str:
        return f"sagemaker-{self.name}-{self.id}-deploy"

    @property
    def parameters(self) -> Mapping[str, str]:
        return self.stack.parameters if self.stack else {}

    def stage_name(self, stage: str) -> str:
        """The stage's stack, and the stack set in it."""
        return f"sagemaker-{self.name}-{self.id}-deploy-{SHORT[stage]}"


# -- the facts ---------------------------------------------------------------------------------


def gather(reader: Reader, settings: Environment, product: str, only: str) -> Any:
    """The projects that come from the kit's product; only: one of them by name."""
    account = settings.accounts.data_science
    listed = reader.pages(account, "sagemaker", "ListProjects", "ProjectSummaryList")
    if not known(listed):
        return UNREAD
    names = [item["ProjectName"] for item in listed or [] if only in ("", item["ProjectName"])]
    found = together([partial(read_project, reader, settings, product, name) for name in names])
    return tuple(project for project in found if project)


def read_project(reader: Reader, settings: Environment, product: str, name: str) -> Project | None:
    """The project with everything that hangs on it; None for one of another product."""
    account = settings.accounts.data_science
    described = reader.ask(account, "sagemaker", "DescribeProject", ProjectName=name)
    if not described:
        return None
    stack = kit.read_stack(reader, account, stack_name(account, described), body=False)
    ours = described.get("ServiceCatalogProvisioningDetails", {}).get("ProductId") == product != ""
    if not ours and not (stack and "BundleVersion" in stack.outputs):
        return None
    bare = Project(described, stack)
    if bare.status.startswith("Create") and bare.status != "CreateCompleted":
        return bare
    call_as = settings.stack_set_administrator
    pipeline, policy, version, *rest = together(
        [
            partial(reader.ask, account, "codepipeline", "GetPipelineState", name=bare.pipeline_name),
            partial(reader.ask, account, "sagemaker", "GetModelPackageGroupPolicy", ModelPackageGroupName=name),
            partial(read_version, reader, account, name),
            *(partial(reader.ask, account, "events", "DescribeRule", Name=f"sagemaker-{bare.id}-{r}") for r in RULES),
            *(partial(read_stage, reader, account, bare, stage, call_as) for stage in STAGES),
        ]
    )
    found = Project(
        described=described,
        stack=stack,
        pipeline=pipeline,
        rules=dict(zip(RULES, rest[: len(RULES)], strict=True)),
        stages=dict(zip(STAGES, rest[len(RULES) :], strict=True)),
        group_policy=policy["ResourcePolicy"] if policy else policy,
        version=version,
    )
    return with_artifact(reader, account, found)


def stack_name(account: str, described: Mapping[str, Any]) -> str:
    """The stack of a project: Service Catalog's, or SageMaker's own for a template in S3."""
    details = described.get("ServiceCatalogProvisionedProductDetails", {})
    if id := details.get("ProvisionedProductId"):
        return f"SC-{account}-{id}"
    for provider in described.get("TemplateProviderDetails", []):
        detail = provider.get("CfnTemplateProviderDetail", {})
        return str(detail.get("StackDetail", {}).get("Name") or f"SP-{described['ProjectId']}-none")
    return f"SC-{account}-none"


def read_stage(reader: Reader, account: str, project: Project, stage: str, call_as: str) -> Stage:
    name = project.stage_name(stage)
    stack = kit.read_stack(reader, account, name, body=False)
    instances: Any = None
    if stack:
        instances = reader.pages(
            account, "cloudformation", "ListStackInstances", "Summaries", StackSetName=name, CallAs=call_as
        )
    repository = f"sagemaker-{project.name}-{project.id}-modeldeploy"
    file = f"{SHORT[stage]}-config.json"
    answer: Any = UNREAD
    if project.stack and project.stack.outputs.get("DeployRepositoryName", "") == repository:
        answer = reader.ask(account, "codecommit", "GetFile", repositoryName=repository, filePath=file)
    return Stage(stack, instances, answer["fileContent"] if answer else answer)


def read_version(reader: Reader, account: str, group: str) -> Any:
    """The version approved last; the newest where none is approved; None for no version."""
    listed = reader.pages(
        account,
        "sagemaker",
        "ListModelPackages",
        "ModelPackageSummaryList",
        ModelPackageGroupName=group,
        SortBy="CreationTime",
        SortOrder="Descending",
    )
    if not listed:
        return listed if not known(listed) else None
    approved = [item for item in listed if item.get("ModelApprovalStatus") == "Approved"]
    found = [
        reader.ask(account, "sagemaker", "DescribeModelPackage", ModelPackageName=item["ModelPackageArn"])
        for item in approved or listed[:1]
    ]
    there = [package for package in found if package]
    return max(there, key=lambda p: p.get("LastModifiedTime") or p["CreationTime"]) if there else UNREAD


def container(version: Any) -> Mapping[str, Any]:
    containers = version.get("InferenceSpecification", {}).get("Containers", []) if version else []
    return containers[0] if containers else {}


def with_artifact(reader: Reader, account: str, project: Project) -> Project:
    """With what S3 says of the version's artifact, and with the policies that other accounts read through."""
    found = container(project.version)
    artifact = policy = repository = UNREAD
    if url := found.get("ModelDataUrl", ""):
        bucket, _, key = url.removeprefix("s3://").partition("/")
        artifact = reader.ask(account, "s3", "HeadObject", Bucket=bucket, Key=key)
        asked = reader.ask(account, "s3", "GetBucketPolicy", Bucket=bucket)
        policy = asked["Policy"] if asked else asked
    image = str(found.get("Image", ""))
    if image.startswith(f"{account}.dkr.ecr."):
        region, name = image.split(".")[3], image.split("/", 1)[1].split("@")[0].rsplit(":", 1)[0]
        asked = reader.ask(account, "ecr", "GetRepositoryPolicy", region, repositoryName=name)
        repository = asked["policyText"] if asked else asked
    return Project(
        **{**project.__dict__, "artifact": artifact, "artifact_policy": policy, "repository_policy": repository}
    )


# -- the checks --------------------------------------------------------------------------------


def each(it: Snapshot) -> Iterator[Project]:
    """The projects that exist as a whole."""
    for project in it.projects or ():
        if project.status not in {"CreateFailed", "DeleteFailed", "DeleteInProgress"} and project.stack:
            yield project


@finding(
    "project-failed",
    "stops",
    "A project could not be created, updated or deleted",
    "It deploys nothing, or something that nobody expects.",
)
def project_failed(it: Snapshot) -> Iterator[Place]:
    for project in it.projects or ():
        if project.status.endswith("Failed"):
            details = project.described.get("ServiceCatalogProvisionedProductDetails", {})
            message = details.get("ProvisionedProductStatusMessage", "")
            again = "aws sagemaker delete-project --project-name " + project.name
            yield here(
                it,
                f"project {project.name}",
                f"{project.status} {message}".rstrip(),
                again if project.status != "UpdateFailed" else f"look at its stack's events, then {upgrade(project)}",
            )


@finding(
    "project-absent",
    "warns",
    "There is no project of this name",
    "Only the project named with --project is examined.",
)
def project_absent(it: Snapshot) -> Iterator[Place]:
    if it.only and known(it.projects) and not it.projects:
        yield here(
            it,
            f"project {it.only}",
            "the kit's product made no project of this name",
            "aws sagemaker list-projects shows those that are",
        )


@finding(
    "project-outdated",
    "note",
    "A project comes from an older version of the kit",
    "It lacks what the newer versions mend.",
)
def project_outdated(it: Snapshot) -> Iterator[Place]:
    newest = max(usable(it), key=lambda version: version["CreatedTime"], default=None)
    for project in each(it):
        version = project.parameters.get("BundleVersion", "")
        if newest and version != newest["Name"]:
            yield here(
                it,
                f"project {project.name}",
                f"it comes from {version}, the product offers {newest['Name']}",
                upgrade(project),
            )


@finding(
    "project-units",
    "warns",
    "A project deploys to other units than the environment file names",
    "Their accounts may have no roles for it, and may not read the models.",
)
def project_units(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for stage in STAGES:
            unit = it.organization.units[stage]
            value = project.parameters.get(UNIT_OF[stage], "")
            if unit and unit.id and value and value != unit.id:
                yield parameter_place(it, project, UNIT_OF[stage], value, unit.id)


@finding(
    "project-roles",
    "stops",
    "A project's models are to run as a role that the targets have not got",
    "The role's name comes from roles.suffix in the environment file.",
)
def project_roles(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for stage in STAGES:
            name = f"SageMakerExecutionRole{TITLE[stage]}Name"
            value, wanted = project.parameters.get(name, ""), role_name(it.settings, stage)
            if value and value != wanted:
                yield parameter_place(it, project, name, value, wanted)


@finding(
    "project-administrator",
    "stops",
    "A project makes its stack sets as somebody else",
    "CloudFormation refuses a delegated administrator that asks as the management account, and the other way round.",
)
def project_administrator(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        value, alone = project.parameters.get("StackSetAdministrator", ""), it.settings.administrator == "self-managed"
        wanted = "SELF_MANAGED" if alone else it.settings.stack_set_administrator
        if value and value != wanted:
            yield parameter_place(it, project, "StackSetAdministrator", value, wanted)


def parameter_place(it: Snapshot, project: Project, name: str, value: str, wanted: str) -> Place:
    return here(
        it,
        f"project {project.name}",
        f"{name} is {value}, the environment file says {wanted}",
        upgrade(project, f"--set {name}={wanted}"),
    )


def upgrade(project: Project, options: str = "") -> str:
    """The command that updates a project with all of its parameters; it goes to the newest version by itself."""
    return f'make upgrade PROJECT={project.name} ARGS="{" ".join(["--profile data-science", options]).strip()}"'


@finding(
    "pipeline-missing",
    "stops",
    "A project's pipeline is missing",
    "An approved version is deployed by it.",
)
def pipeline_missing(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        if project.pipeline is None:
            yield here(
                it,
                f"pipeline {project.pipeline_name}",
                f"project {project.name} has no pipeline of this name",
                f"aws cloudformation detect-stack-drift --stack-name {project.stack.name} shows what else is gone; "
                "then delete the project and create it anew: its model group and versions stay",
            )


@finding(
    "transition-disabled",
    "stops",
    "A transition of a project's pipeline is switched off",
    "Every deployment stops in front of this stage.",
)
def transition_disabled(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for stage in project.pipeline["stageStates"] if project.pipeline else ():
            transition = stage.get("inboundTransitionState", {})
            if not transition.get("enabled", True):
                reason = transition.get("disabledReason", "no reason given")
                yield here(
                    it,
                    f"pipeline {project.pipeline_name}",
                    f"into {stage['stageName']}: {reason} ({transition.get('lastChangedBy', 'unknown')})",
                    f"aws codepipeline enable-stage-transition --pipeline-name {project.pipeline_name} "
                    f"--stage-name {stage['stageName']} --transition-type Inbound",
                )


@finding(
    "rule-missing",
    "stops",
    "An event rule of a project is missing",
    "The model rule starts the pipeline when a version is approved, the code rule when the repository moves.",
)
def rule_missing(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for name, rule in project.rules.items():
            if rule is None and not (name == "code" and it.settings.source.provider != "codecommit"):
                yield here(
                    it,
                    f"rule sagemaker-{project.id}-{name}",
                    f"project {project.name} has no rule of this name",
                    f"aws cloudformation detect-stack-drift --stack-name {project.stack.name} shows what else is gone; "
                    "it must come back as templates/30-project.yaml has it",
                )


@finding(
    "rule-disabled",
    "stops",
    "An event rule of a project is switched off",
    "An approved version, or a commit, starts nothing.",
    safe=True,
)
def rule_disabled(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for rule in project.rules.values():
            if rule and rule["State"] == "DISABLED":
                request = Request(it.account, it.region, "events", "EnableRule", {"Name": rule["Name"]})
                what = f"project {project.name}: it is disabled"
                yield Place(it.account, f"rule {rule['Name']}", what, region=it.region, request=request)


@finding(
    "stage-stack-failed",
    "stops",
    "The stack of a project's stage is broken",
    "No deployment of this stage can go on from this state.",
)
def stage_stack_failed(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for stage in project.stages.values():
            stack = stage.stack
            if stack and stack.broken and stack.status != "ROLLBACK_COMPLETE":  # the Build step clears that away
                goes_on = stack.status == "UPDATE_ROLLBACK_FAILED"
                verb = "continue-update-rollback" if goes_on else "delete-stack"
                yield here(
                    it,
                    f"stack {stack.name}",
                    f"{stack.status} {stack.reason}".rstrip(),
                    f"aws cloudformation {verb} --stack-name {stack.name}\nthen approve the version again",
                )


@finding(
    "stage-inoperable",
    "stops",
    "Stack instances of a stage are INOPERABLE",
    "A deletion failed there: the stack set cannot touch them, and every operation on them fails.",
)
def stage_inoperable(it: Snapshot) -> Iterator[Place]:
    for project, stage, found in instances_that_are(it, "INOPERABLE"):
        accounts = " ".join(sorted({instance["Account"] for instance in found}))
        regions = " ".join(sorted({instance["Region"] for instance in found}))
        yield here(
            it,
            f"stack set {project.stage_name(stage)}",
            described(found),
            f"aws cloudformation delete-stack-instances --stack-set-name {project.stage_name(stage)} --retain-stacks "
            f"--call-as {it.settings.stack_set_administrator} --regions {regions} --deployment-targets "
            f"Accounts={accounts.replace(' ', ',')},OrganizationalUnitIds={project.parameters.get(UNIT_OF[stage], '')},"
            "AccountFilterType=INTERSECTION\nthen delete the stacks in those accounts by hand",
        )


@finding(
    "stage-outdated",
    "warns",
    "Stack instances of a stage are OUTDATED",
    "The last deployment failed there or did not come so far: these accounts serve another version.",
)
def stage_outdated(it: Snapshot) -> Iterator[Place]:
    for project, stage, found in instances_that_are(it, "OUTDATED"):
        yield here(
            it,
            f"stack set {project.stage_name(stage)}",
            described(found),
            f"mend what it says, then aws codepipeline start-pipeline-execution --name {project.pipeline_name}",
        )


def instances_that_are(it: Snapshot, status: str) -> Iterator[tuple[Project, str, list[Any]]]:
    for project in each(it):
        for name, stage in project.stages.items():
            if found := [instance for instance in stage.instances or [] if instance["Status"] == status]:
                yield project, name, found


def described(instances: list[Any]) -> str:
    """The first instances, and why they are as they are."""
    lines = [
        f"{one['Account']} {one['Region']}: {one.get('StatusReason') or one['Status']}".splitlines()[0]
        for one in instances[:3]
    ]
    return "; ".join(lines) + (f"; and {len(instances) - 3} more" if len(instances) > 3 else "")


@finding(
    "stage-stray",
    "warns",
    "A stage runs endpoints in accounts that are not in its unit any more",
    "They are not tested, and cost on, until the next deployment takes them away.",
)
def stage_stray(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for name, stage in project.stages.items():
            unit = it.organization.units[name]
            if not unit or project.parameters.get(UNIT_OF[name]) != unit.id:
                continue
            now = {account.id for account in it.organization.targets(name)}
            if gone := sorted({instance["Account"] for instance in stage.instances or []} - now):
                yield here(
                    it,
                    f"stack set {project.stage_name(name)}",
                    f"accounts {', '.join(gone)}",
                    f"aws codepipeline start-pipeline-execution --name {project.pipeline_name}\n"
                    "or move them back into the unit",
                )
