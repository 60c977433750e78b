"""The projects made from the kit: what belongs to each, its state, its stages and its model version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from scripts.kit.doctor.facts.stacks import read_stack
from scripts.kit.doctor.facts.stage_config import read_config
from scripts.kit.doctor.reader import UNREAD, NotChecked, Reader, known
from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage
from scripts.kit.together import together

APPROVALS = "record/approvals/"
APPROVAL = re.compile(
    rf"{APPROVALS}[0-9T:.-]+Z-([1-9][0-9]*)-Approved[.]json"
)  # as the starter names them (template 11)
IMAGE = re.compile(
    r"([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([a-z0-9._/-]+)(?::([^@]+))?(?:@(.+))?"
)


@dataclass(frozen=True)
class Image:
    """An image in Amazon ECR. label: its tag or digest, as DescribeImages takes it."""

    account: str
    region: str
    repository: str
    label: Mapping[str, str]

    @property
    def name(self) -> str:
        """As it is in its registry: repository:tag or repository@digest."""
        mark = "@" if "imageDigest" in self.label else ":"
        return f"{self.repository}{mark}{''.join(self.label.values())}"


@dataclass(frozen=True)
class ProjectStage:
    """One stage of a project: its stack, its stack set's instances, its configuration file."""

    stack: Any = UNREAD
    instances: Any = UNREAD
    config: Any = UNREAD


@dataclass(frozen=True)
class Project:
    """described: as DescribeProject shows it.

    training, training_build: of the build on a push, where the project is to have one
    """

    described: Mapping[str, Any]
    stack: Any = UNREAD
    pipeline: Any = UNREAD
    training: Any = UNREAD
    training_build: Any = UNREAD
    stages: Mapping[Stage, ProjectStage] = field(default_factory=dict)
    group_policy: Any = UNREAD
    version: Any = UNREAD
    artifact: Any = UNREAD
    artifact_policy: Any = UNREAD
    image: Any = UNREAD  # of the data science account's registry or a shared one; None where it is gone
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
    def trains(self) -> bool:
        """Whether a push to the training repository is to train."""
        return self.parameters.get("BuildOnPush") == "true"

    @property
    def training_name(self) -> str:
        """Of the pipeline that a push starts, and of its build."""
        return f"sagemaker-{self.name}-{self.id}-train"

    @property
    def parameters(self) -> Mapping[str, str]:
        return self.stack.parameters if self.stack else {}

    @property
    def has(self) -> tuple[Stage, ...]:
        """The stages of its pipeline."""
        # Where the parameters cannot be read, those that most projects have.
        return tuple(stage for stage in Stage if self.parameters.get(stage.role_parameter, not stage.between))

    def config(self, stage: Stage) -> Any:
        """The configuration file of a stage, which is staging's where an optional stage has none; None for none."""
        found = self.stages[stage].config if stage in self.stages else None
        return self.config(Stage.STAGING) if found is None and stage.between else found

    def stage_name(self, stage: Stage) -> str:
        """The stage's stack, and the stack set in it."""
        return f"sagemaker-{self.name}-{self.id}-deploy-{stage}"


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
    """The project with everything that belongs to it; None for one of another product."""
    account = settings.accounts.data_science
    described = reader.ask(account, "sagemaker", "DescribeProject", ProjectName=name)
    if not described:
        return None
    stack = read_stack(reader, account, stack_name(account, described), body=False)
    ours = described.get("ServiceCatalogProvisioningDetails", {}).get("ProductId") == product != ""
    if not ours and not (stack and "BundleVersion" in stack.outputs):
        return None
    bare = Project(described, stack)
    if bare.connection:
        repository = bare.stack.outputs.get("DeployRepositoryName", "")
        who = f"any person who may read {repository} at its provider"
        files = " and ".join(f"{stage}-config.json" for stage in bare.has)
        reader.leave_out(NotChecked(account, f"{files} of project {name}", f"a look into {repository}", who))
    if bare.status.startswith("Create") and bare.status != "CreateCompleted":
        return bare
    call_as = settings.stack_set_administrator
    pipeline, policy, version, *stages = together(
        [
            partial(reader.ask, account, "codepipeline", "GetPipelineState", name=bare.pipeline_name),
            partial(reader.ask, account, "sagemaker", "GetModelPackageGroupPolicy", ModelPackageGroupName=name),
            partial(read_version, reader, account, name, f"sagemaker-project-{bare.id}"),
            *(partial(read_stage, reader, account, bare, stage, call_as) for stage in bare.has),
        ]
    )
    found = Project(
        described=described,
        stack=stack,
        pipeline=pipeline,
        stages=dict(zip(bare.has, stages, strict=True)),
        group_policy=policy["ResourcePolicy"] if policy else policy,
        version=version,
    )
    return with_artifact(reader, settings, with_training(reader, account, found))


def with_training(reader: Reader, account: str, project: Project) -> Project:
    """With the pipeline and the build that train on a push; None for one that does not exist."""
    if not project.trains:
        return project
    name = project.training_name
    pipeline = reader.ask(account, "codepipeline", "GetPipelineState", name=name)
    builds = reader.ask(account, "codebuild", "BatchGetProjects", names=[name])
    return replace(
        project, training=pipeline, training_build=next(iter(builds["projects"]), None) if builds else builds
    )


def stack_name(account: str, described: Mapping[str, Any]) -> str:
    """The stack of a project: Service Catalog's, or SageMaker's own for a template in S3."""
    details = described.get("ServiceCatalogProvisionedProductDetails", {})
    if id := details.get("ProvisionedProductId"):
        return f"SC-{account}-{id}"
    return str(stack_detail(described).get("Name") or f"SC-{account}-none")


def stack_detail(described: Mapping[str, Any]) -> Mapping[str, Any]:
    """The stack of a template in S3, from DescribeProject."""
    for provider in described.get("TemplateProviderDetails", []):
        return dict(provider.get("CfnTemplateProviderDetail", {}).get("StackDetail", {}))
    return {}


def read_stage(reader: Reader, account: str, project: Project, stage: Stage, call_as: str) -> ProjectStage:
    name = project.stage_name(stage)
    stack = read_stack(reader, account, name, body=False)
    instances: Any = None
    if stack:
        instances = reader.pages(
            account, "cloudformation", "ListStackInstances", "Summaries", StackSetName=name, CallAs=call_as
        )
    repository = f"sagemaker-{project.name}-{project.id}-modeldeploy"
    file = f"{stage}-config.json"
    answer: Any = UNREAD
    if project.stack and project.stack.outputs.get("DeployRepositoryName", "") == repository:
        answer = reader.ask(account, "codecommit", "GetFile", repositoryName=repository, filePath=file)
    return ProjectStage(stack, instances, answer["fileContent"] if answer else answer)


def read_version(reader: Reader, account: str, group: str, bucket: str) -> Any:
    """The version approved last, by the project's record in its bucket; None for no version.

    Of the versions that are still approved; the newest one where none is recorded, or approved.
    """
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
    approved = {item["ModelPackageVersion"]: item for item in listed if item.get("ModelApprovalStatus") == "Approved"}
    entries = reader.pages(account, "s3", "ListObjectsV2", "Contents", Bucket=bucket, Prefix=APPROVALS) or []
    named = filter(None, (APPROVAL.fullmatch(entry["Key"]) for entry in sorted(entries, key=lambda one: one["Key"])))
    recorded = [approved[int(name[1])] for name in named if int(name[1]) in approved]
    item = recorded[-1] if recorded else next(iter(approved.values()), listed[0])
    answer = reader.ask(account, "sagemaker", "DescribeModelPackage", ModelPackageName=item["ModelPackageArn"])
    return answer or UNREAD


def container(version: Any) -> Mapping[str, Any]:
    containers = version.get("InferenceSpecification", {}).get("Containers", []) if version else []
    return containers[0] if containers else {}


def image_of(version: Any) -> Image | None:
    """The version's image; None where it is not one in Amazon ECR with a tag or a digest."""
    found = IMAGE.fullmatch(container(version).get("Image", ""))
    if not found or not (found[4] or found[5]):
        return None
    return Image(found[1], found[2], found[3], {"imageDigest": found[5]} if found[5] else {"imageTag": found[4]})


def with_artifact(reader: Reader, settings: Settings, project: Project) -> Project:
    """With S3's answer for the version's artifact, and the policies that other accounts need to read it."""
    account, found = settings.accounts.data_science, container(project.version)
    artifact = policy = described = repository = UNREAD
    if url := found.get("ModelDataUrl", ""):
        bucket, _, key = url.removeprefix("s3://").partition("/")
        artifact = reader.ask(account, "s3", "HeadObject", Bucket=bucket, Key=key)
        asked = reader.ask(account, "s3", "GetBucketPolicy", Bucket=bucket)
        policy = asked["Policy"] if asked else asked
    image = image_of(project.version)
    if image and has_registry(reader, settings, image.account):
        described, repository = read_image(reader, image, image.region)
    return replace(project, artifact=artifact, artifact_policy=policy, image=described, repository_policy=repository)


def has_registry(reader: Reader, settings: Settings, account: str) -> bool:
    """Whether a registry's account is entered: the data science account, or a shared one of the organization.

    No registry of AWS's is, whose accounts are in no organization of the reader's.
    """
    if reader.reaches(account) or account == settings.accounts.data_science:
        return True
    management = settings.accounts.management
    return (
        reader.account == management
        and bool(reader.ask(management, "organizations", "DescribeAccount", AccountId=account))
        and not reader.enter(account, settings.roles.access)
    )


def read_image(reader: Reader, image: Image, region: str) -> tuple[Any, Any]:
    """An image in a Region of its account's registry, and its repository's policy; None for what is not there."""
    ask = partial(reader.ask, image.account, "ecr", region=region, repositoryName=image.repository)
    policy = ask("GetRepositoryPolicy")
    return ask("DescribeImages", imageIds=[image.label]), policy["policyText"] if policy else policy


def regions_of(project: Project, stage: Stage, home: str) -> list[str]:
    """The Regions of a stage's endpoints: those of its configuration file, or else of the project's parameter."""
    config = project.config(stage)
    if config and (named := read_config(config).regions):
        return [*named]
    return [region for region in project.parameters.get(stage.regions_parameter, "").split(",") if region] or [home]
