"""The projects: what belongs to each, their state, and their parameters against the environment file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.kit.console import closest
from scripts.kit.doctor import kit
from scripts.kit.doctor.catalog import usable
from scripts.kit.doctor.data_science import here
from scripts.kit.doctor.findings import Place, finding
from scripts.kit.doctor.organization import STAGES
from scripts.kit.doctor.reader import UNREAD, NotExamined, Reader, known
from scripts.kit.doctor.targets import role_name
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import model_regions
from scripts.kit.together import together

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

SHORT = {"staging": "staging", "production": "prod"}  # a stage's name in the project
TITLE = {"staging": "Staging", "production": "Prod"}  # and in the names of the product's parameters
RULES = ("model", "rejected", "code")
UNIT_OF = {"staging": "OrganizationalUnitStagingId", "production": "OrganizationalUnitProdId"}
ACCOUNTS_OF = {"staging": "StagingAccountIds", "production": "ProdAccountIds"}


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
    image: Any = UNREAD  # of the data science account's registry; None where it is gone
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
    def hosted(self) -> bool:
        """Made from the template in S3."""
        return bool(self.described.get("TemplateProviderDetails"))

    @property
    def connection(self) -> str:
        """The ARN of the connection to the repositories' provider; "" for CodeCommit."""
        return self.parameters.get("SourceConnectionArn", "")

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


def gather(reader: Reader, settings: Settings, product: str, only: str) -> Any:
    """The projects that come from the kit's product; only: one of them by name."""
    account = settings.accounts.data_science
    listed = reader.pages(account, "sagemaker", "ListProjects", "ProjectSummaryList")
    if not known(listed):
        return UNREAD
    names = [item["ProjectName"] for item in listed or [] if only in ("", item["ProjectName"])]
    found = together([partial(read_project, reader, settings, product, name) for name in names])
    return tuple(project for project in found if project)


def read_project(reader: Reader, settings: Settings, product: str, name: str) -> Project | None:
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
    if bare.connection:
        repository = bare.stack.outputs.get("DeployRepositoryName", "")
        who = f"whoever may read {repository} at its provider"
        files = " and ".join(f"{short}-config.json" for short in SHORT.values())
        reader.leave_out(NotExamined(account, f"{files} of project {name}", f"a look into {repository}", who))
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
    return str(stack_detail(described).get("Name") or f"SC-{account}-none")


def stack_detail(described: Mapping[str, Any]) -> Mapping[str, Any]:
    """What DescribeProject says of the stack of a template in S3."""
    for provider in described.get("TemplateProviderDetails", []):
        return dict(provider.get("CfnTemplateProviderDetail", {}).get("StackDetail", {}))
    return {}


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
    artifact = policy = described = repository = UNREAD
    if url := found.get("ModelDataUrl", ""):
        bucket, _, key = url.removeprefix("s3://").partition("/")
        artifact = reader.ask(account, "s3", "HeadObject", Bucket=bucket, Key=key)
        asked = reader.ask(account, "s3", "GetBucketPolicy", Bucket=bucket)
        policy = asked["Policy"] if asked else asked
    image = str(found.get("Image", ""))
    if image.startswith(f"{account}.dkr.ecr."):
        ask = partial(reader.ask, account, "ecr", region=image.split(".")[3])
        name, kind, label = parts(image)
        described = ask("DescribeImages", repositoryName=name, imageIds=[{kind: label}])
        asked = ask("GetRepositoryPolicy", repositoryName=name)
        repository = asked["policyText"] if asked else asked
    return replace(project, artifact=artifact, artifact_policy=policy, image=described, repository_policy=repository)


def parts(image: str) -> tuple[str, str, str]:
    """An image's repository, and its tag or digest as DescribeImages takes it."""
    mark = "@" if "@" in image else ":"
    repository, _, label = image.split("/", 1)[1].partition(mark)
    return repository, "imageDigest" if mark == "@" else "imageTag", label


def regions_of(project: Project, stage: str, home: str) -> list[str]:
    """Where a stage's endpoints run: as its configuration file says, or else the project's parameter."""
    config = project.stages[stage].config if stage in project.stages else None
    with suppress(ValueError, AttributeError):
        if named := json.loads(config or "{}").get("Regions"):
            return [str(region) for region in named]
    return [region for region in project.parameters.get(f"{TITLE[stage]}Regions", "").split(",") if region] or [home]


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
            message = details.get("ProvisionedProductStatusMessage") or stack_detail(project.described).get(
                "StatusMessage", ""
            )
            again = "aws sagemaker delete-project --project-name " + project.name
            yield here(
                it,
                f"project {project.name}",
                f"{project.status} {message}".rstrip(),
                again
                if project.status != "UpdateFailed"
                else f"look at its stack's events, then {upgrade(it, project)}",
            )


@finding(
    "project-absent",
    "stops",
    "There is no project of this name",
    "Only the project named with --project is examined, so none was.",
)
def project_absent(it: Snapshot) -> Iterator[Place]:
    if it.only and known(it.projects) and not it.projects:
        listed = it.reader.pages(it.account, "sagemaker", "ListProjects", "ProjectSummaryList")
        names = [item["ProjectName"] for item in listed or []]
        yield here(
            it,
            f"project {it.only}",
            f"nothing was made from the kit under this name{closest(it.only, names)}",
            "aws sagemaker list-projects shows those that are",
        )


@finding(
    "project-outdated",
    "note",
    "A project comes from an older version of the kit",
    "It lacks what the newer versions mend.",
)
def project_outdated(it: Snapshot) -> Iterator[Place]:
    newest = max(usable(it), key=lambda version: version["CreatedTime"], default={"Name": ""})
    for project in each(it):
        version = project.parameters.get("BundleVersion", "")
        offered = it.hosted.newest if project.hosted else newest["Name"]
        if offered and version != offered:
            who = "Studio shows" if project.hosted else "the product offers"
            what = f"it comes from {version}, {who} {offered}"
            yield here(it, f"project {project.name}", what, upgrade(it, project))


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


@finding(
    "project-regions",
    "stops",
    "A project deploys to a region that the environment file does not name",
    "There is no bucket for its models there: the Build step cannot copy the version.",
)
def project_regions(it: Snapshot) -> Iterator[Place]:
    for project in each(it):
        for stage in STAGES:
            there = (it.region, *model_regions.further(it.settings))
            if missing := [r for r in regions_of(project, stage, it.region) if r not in there]:
                what = f"its {stage} stage goes to {', '.join(missing)}"
                fix = f"add {', '.join(missing)} to regions.{stage} in the environment file\nthen {it.make_accounts}"
                yield here(it, f"project {project.name}", what, fix)


def accounts_in(value: str) -> list[str]:
    """The accounts that a parameter lists."""
    return [account for account in value.split(",") if account]


def parameter_place(it: Snapshot, project: Project, name: str, value: str, wanted: str) -> Place:
    return here(
        it,
        f"project {project.name}",
        f"{name} is {value}, the environment file says {wanted}",
        upgrade(it, project, f"--set {name}={wanted}"),
    )


def upgrade(it: Snapshot, project: Project, options: str = "") -> str:
    """The command that updates a project with all of its parameters; it goes to the newest version by itself."""
    return f'make upgrade PROJECT={project.name} ARGS="{f"--profile {it.profile}{it.typed} {options}".strip()}"'


@finding(
    "project-connection",
    "stops",
    "A project reads its repository through another connection than the environment file names",
    "The pipelines' role may use that one only, so the Source step fails.",
)
def project_connection(it: Snapshot) -> Iterator[Place]:
    wanted = it.settings.source.connection_arn
    for project in each(it):
        if project.connection and project.connection != wanted:
            what = f"SourceConnectionArn is {project.connection}, the environment file names {wanted or 'none'}"
            other = f"write it into source.connection_arn\nthen {it.make_accounts}"
            own = upgrade(it, project, f"--set SourceConnectionArn={wanted}")
            yield here(it, f"project {project.name}", what, f"{own}\nor {other}" if wanted else other)
