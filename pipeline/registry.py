"""The project's model group: that it exists, and which of its versions is deployed.

SageMaker API Reference: ListModelPackages (ascending by default). Who may read them: sharing.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.console import UserError, say
from pipeline.frozen import etag_of
from pipeline.specification import baseline_of, prefixes_of, urls_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType
    from mypy_boto3_sagemaker.type_defs import (
        DescribeModelPackageOutputTypeDef,
        ListModelPackagesInputPaginateTypeDef,
        ModelPackageSummaryTypeDef,
        TagTypeDef,
    )

MISSING = {"ResourceNotFound", "ResourceNotFoundException", "ValidationException"}
NUMBER = re.compile("[0-9]{1,6}")
IMAGE = re.compile(r"[0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/[a-z0-9._/-]+[:@].+")


# What a training repository keeps with a version besides its metrics (seed-code/model-build/definition.py).
ORIGIN = ("model", "columns", "data", "data-hash", "training-job", "commit", "author")
COLUMNS = "baseline-columns"  # of a version's metadata: names of columns, with spaces between them
ANSWERS = "quality-answers"  # the kind of problem, the column of the prediction and that of the chance, the same way


@dataclass(frozen=True)
class Version:
    """The model package version to deploy."""

    arn: str
    number: int
    group: str
    approved_at: str
    approved_by: str
    image: str
    model_data_url: str
    metrics: Mapping[str, float]
    specification: Mapping[str, Any]  # the whole InferenceSpecification
    description: str = ""  # why it was approved, in the words of who approved it
    origin: Mapping[str, str] = field(default_factory=dict)  # what the training repository says of it: ORIGIN
    baseline: tuple[str, ...] = ()  # where its constraints and its statistics are, for a monitor
    baseline_columns: tuple[str, ...] = ()  # of the baseline that the training repository names
    quality: tuple[str, ...] = ()  # where the constraints and statistics of its model quality are
    answers: tuple[str, ...] = ()  # how a monitor of model quality reads its answers: ANSWERS

    @property
    def model(self) -> str:
        """Which one of the training repository's models it is, "" where it does not say."""
        return self.origin.get("model", "")

    @property
    def columns(self) -> int:
        """How many columns it learnt from, which a row of CSV must have; 0 where it does not say."""
        said = self.origin.get("columns", "")
        return int(said) if NUMBER.fullmatch(said) else 0

    @property
    def artifacts(self) -> list[str]:
        """Where the artifacts of all containers and the baselines are, each once."""
        return [*urls_of(self.specification), *self.baseline, *self.quality]


# -- the group ---------------------------------------------------------------------------------


# Of a model group: by it the policies of roles tell the kit's versions from those of other templates (13-people.yaml).
OF_GROUP = {"multi-account-sagemaker": "models"}


def ensure_group(sagemaker: SageMakerClient, group: str, project: str, given: Mapping[str, str]) -> str:
    """The ARN of the model group, which is created where it does not exist. given: its tags, but for OF_GROUP"""
    tags: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in {**given, **OF_GROUP}.items()]
    try:
        found: str = sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        say(f"creating the model group {group}")
        return str(
            sagemaker.create_model_package_group(
                ModelPackageGroupName=group,
                ModelPackageGroupDescription=f"Versions of the models of the SageMaker project {project}",
                Tags=tags,
            )["ModelPackageGroupArn"]
        )
    sagemaker.add_tags(ResourceArn=found, Tags=tags)  # a group may be older than the project
    return found


# -- the version -------------------------------------------------------------------------------


def versions_of(
    sagemaker: SageMakerClient, group: str, status: ModelApprovalStatusType | None = None
) -> list[ModelPackageSummaryTypeDef]:
    """The versions of the group, the newest first; status: those of this approval status alone."""
    request: ListModelPackagesInputPaginateTypeDef = {
        "ModelPackageGroupName": group,
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
    }
    if status:
        request["ModelApprovalStatus"] = status
    pages = sagemaker.get_paginator("list_model_packages").paginate(**request)
    return [summary for page in pages for summary in page["ModelPackageSummaryList"]]


def described(sagemaker: SageMakerClient, group: str, number: int) -> DescribeModelPackageOutputTypeDef:
    """The version of this number. Its ARN is that of the list: SageMaker may write the group's name in lower case."""
    for summary in versions_of(sagemaker, group):
        if summary["ModelPackageVersion"] == number:
            return sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
    raise UserError(f"the model group {group} has no version {number}")


def read_version(package: Mapping[str, Any], approved_at: str, approved_by: Mapping[str, Any] | None) -> Version:
    """The version in an answer of DescribeModelPackage; UserError unless it may be deployed.

    approved_by: the UserContext of the person who approved it, None where it is not known
    """
    group, number = package["ModelPackageGroupName"], package["ModelPackageVersion"]
    name, status = f"version {number} of {group}", package.get("ModelApprovalStatus")
    if status != "Approved":
        raise UserError(f"{name} is {status}: only an approved version is deployed. Approve it to start a deployment")
    if package["ModelPackageStatus"] != "Completed":
        raise UserError(f"{name} is not ready: its status is {package['ModelPackageStatus']}")
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    if not containers:
        raise UserError(f"{name} has no container: register it with an InferenceSpecification")
    first = containers[0]
    return Version(
        arn=package["ModelPackageArn"],
        number=number,
        group=group,
        approved_at=approved_at,
        approved_by=person(approved_by or {}),
        image=first["Image"],
        model_data_url=first.get("ModelDataUrl", ""),
        metrics=numbers(package.get("CustomerMetadataProperties", {})),
        specification=package["InferenceSpecification"],
        description=package.get("ApprovalDescription", ""),
        origin={key: value for key, value in package.get("CustomerMetadataProperties", {}).items() if key in ORIGIN},
        baseline=baseline_of(package),
        baseline_columns=tuple(package.get("CustomerMetadataProperties", {}).get(COLUMNS, "").split()),
        quality=baseline_of(package, "ModelQuality"),
        answers=tuple(package.get("CustomerMetadataProperties", {}).get(ANSWERS, "").split()),
    )


def person(context: Mapping[str, Any]) -> str:
    """Who a UserContext means: a Studio user, or the name at the end of an ARN."""
    return str(
        context.get("UserProfileName") or context.get("IamIdentity", {}).get("Arn", "").rsplit("/", 1)[-1] or "unknown"
    )


def metrics_of(sagemaker: SageMakerClient, arn: str) -> dict[str, float]:
    """The metrics of a version as the registry has them now; none where there is no such version any more."""
    return numbers(package_of(sagemaker, arn).get("CustomerMetadataProperties", {}))


def containers_of(sagemaker: SageMakerClient, arn: str) -> Sequence[Mapping[str, Any]]:
    """The containers of a version as the registry has them now; none where there is no such version any more."""
    specification: Mapping[str, Any] = package_of(sagemaker, arn).get("InferenceSpecification", {})
    found: Sequence[Mapping[str, Any]] = specification.get("Containers", [])
    return found


def package_of(sagemaker: SageMakerClient, arn: str) -> Mapping[str, Any]:
    """A version as the registry has it now; {} for no ARN, and where there is no such version any more."""
    if not arn:
        return {}
    try:
        return sagemaker.describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationException":
            return {}
        raise


def numbers(properties: Mapping[str, str]) -> dict[str, float]:
    """The metrics among a version's metadata: what is a number, and none of the seed's own keys."""
    found = {}
    for name, value in sorted(properties.items()):
        try:
            number = float(value)
        except ValueError:
            continue
        # the manifest is JSON, which has neither NaN nor infinity
        if math.isfinite(number) and name not in (*ORIGIN, COLUMNS):
            found[name] = number
    return found


def check_version(s3: S3Client, version: Version, region: str) -> None:
    """UserError where the version cannot run: an image or an artifact of a container is not where it must be.

    region: the project's own, where the version lies. SageMaker pulls an image only in the endpoint's Region.
    """
    name = f"version {version.number} of {version.group}"
    images = dict.fromkeys(container.get("Image", "") for container in version.specification["Containers"])
    problems = [wrong for image in images if (wrong := image_problem(image, region))]
    if not version.artifacts:
        say(f"{name} has no artifact: there is none to check")
    several = prefixes_of(version.specification)
    for url in version.artifacts:
        try:
            etag_of(s3, url, several=url in several)
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError(f"{name}: {'; '.join(problems)}")


def image_problem(image: str, region: str) -> str:
    """Why an image cannot run in the Region; "" where it can."""
    found = IMAGE.fullmatch(image)
    if not found:
        return f"the image {image} is no image of Amazon ECR with a tag or a digest"
    if found[1] != region:
        return (
            f"its image is in {found[1]}, the version itself in {region}, and SageMaker takes an image from the "
            "endpoint's own Region: register a version with an image there"
        )
    return ""
