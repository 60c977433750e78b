"""The project's model group: that it exists, who may read it, and which of its versions is deployed.

SageMaker Developer Guide, "Deploy a Model Version from a Different Account"; API Reference:
PutModelPackageGroupPolicy (at most 20,480 characters), ListModelPackages (ascending by default). IAM User
Guide, "AWS JSON policy elements: Principal": an account is its root's ARN or, in short, its id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.console import UserError, say

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType
    from mypy_boto3_sagemaker.type_defs import (
        ListModelPackagesInputPaginateTypeDef,
        ModelPackageSummaryTypeDef,
        TagTypeDef,
    )

POLICY_LIMIT = 20_480  # characters
READ_GROUP, USE_VERSIONS = "TargetAccountsReadGroup", "TargetAccountsUseVersions"
MISSING = {"ResourceNotFound", "ResourceNotFoundException", "ValidationException"}
ROOT = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):root")  # SageMaker may show an account's id so
IMAGE = re.compile(r"[0-9]{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/[a-z0-9._/-]+[:@].+")


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


# -- the group ---------------------------------------------------------------------------------


def ensure_group(sagemaker: SageMakerClient, group: str, project: str, given: Mapping[str, str]) -> str:
    """The ARN of the model group, which is created where it does not exist. given: its tags"""
    tags: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in given.items()]
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


def statements(group_arn: str, account_ids: Iterable[str], *, short: bool = False) -> list[dict[str, Any]]:
    """What the target accounts may do with a group and its versions.

    Not UpdateModelPackage: with it, a target account could approve. The ARN of a version may
    carry the group's name in lower case, so both forms are listed.
    short: one statement with the accounts' ids, which holds four times as many accounts in the same length
    """
    partition, accounts = group_arn.split(":")[1], sorted(set(account_ids))
    roots = accounts if short else [f"arn:{partition}:iam::{account}:root" for account in accounts]
    versions = group_arn.replace(":model-package-group/", ":model-package/", 1) + "/*"
    prefix, name = versions.split(":model-package/", 1)
    of_group = {
        "Sid": READ_GROUP,
        "Effect": "Allow",
        "Principal": {"AWS": roots},
        "Action": ["sagemaker:DescribeModelPackageGroup"],
        "Resource": [group_arn],
    }
    of_versions = {
        "Sid": USE_VERSIONS,
        "Effect": "Allow",
        "Principal": {"AWS": roots},
        "Action": ["sagemaker:CreateModel", "sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"],
        "Resource": sorted({versions, f"{prefix}:model-package/{name.lower()}"}),
    }
    if not short:
        return [of_group, of_versions]
    return [{**of_versions, **{key: of_group[key] + of_versions[key] for key in ("Action", "Resource")}}]  # type: ignore[operator]


def merged(policy: Mapping[str, Any], ours: list[dict[str, Any]]) -> dict[str, Any]:
    """The policy with our statements in place of those that it had; other statements stay."""
    others = [s for s in as_list(policy.get("Statement", [])) if s.get("Sid") not in {READ_GROUP, USE_VERSIONS}]
    return {"Version": policy.get("Version", "2012-10-17"), "Statement": others + ours}


def share_group(sagemaker: SageMakerClient, group: str, group_arn: str, account_ids: Iterable[str]) -> bool:
    """Let the target accounts use the group's versions; False where the policy says so already."""
    try:
        current = json.loads(sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)["ResourcePolicy"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        current = {}
    accounts = sorted(set(account_ids))
    wanted = merged(current, statements(group_arn, accounts))
    if len(compact(wanted)) > POLICY_LIMIT:
        wanted = merged(current, statements(group_arn, accounts, short=True))
    if comparable(current) == comparable(wanted):
        return False
    text = compact(wanted)
    if len(text) > POLICY_LIMIT:
        raise UserError(
            f"the policy of the model group {group} would have {len(text)} characters for {len(accounts)} accounts, "
            f"SageMaker takes {POLICY_LIMIT}, which is about 1,300 accounts of both stages: spread the accounts over "
            "several projects, each with a unit of its own for each stage"
        )
    say(f"sharing the model group {group} with the target accounts")
    sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=text)
    return True


def compact(policy: Mapping[str, Any]) -> str:
    return json.dumps(policy, separators=(",", ":"))


def comparable(policy: Mapping[str, Any]) -> list[str]:
    """A policy without what makes no difference: order, single values for lists, an account's ARN for its id."""

    def plain(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: plain(value) for key, value in node.items()}
        return sorted({ROOT.sub(r"\1", str(item)) for item in as_list(node)})

    return sorted(json.dumps(plain(s), sort_keys=True) for s in as_list(policy.get("Statement", [])))


def as_list(node: Any) -> list[Any]:
    return node if isinstance(node, list) else [node]


# -- the version -------------------------------------------------------------------------------


def resolve(sagemaker: SageMakerClient, group: str, number: int | None) -> Version | None:
    """The version of this number, or the one that was approved last; None where nothing was approved."""
    return approved(sagemaker, group, number) if number is not None else last_approved(sagemaker, group)


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


def approved(sagemaker: SageMakerClient, group: str, number: int) -> Version:
    for summary in versions_of(sagemaker, group):
        if summary["ModelPackageVersion"] == number:
            return read_version(sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"]))
    raise UserError(f"the model group {group} has no version {number}")


def last_approved(sagemaker: SageMakerClient, group: str) -> Version | None:
    """By the time of the approval, which only DescribeModelPackage shows; the list knows the creation."""
    summaries = versions_of(sagemaker, group, "Approved")
    found = [sagemaker.describe_model_package(ModelPackageName=s["ModelPackageArn"]) for s in summaries]
    found = [package for package in found if package.get("ModelApprovalStatus") == "Approved"]
    return read_version(max(found, key=approval_time)) if found else None


def approval_time(package: Mapping[str, Any]) -> datetime:
    when: datetime = package.get("LastModifiedTime") or package["CreationTime"]
    return when


def read_version(package: Mapping[str, Any]) -> Version:
    """The version in an answer of DescribeModelPackage; UserError unless it may be deployed."""
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
        approved_at=approval_time(package).isoformat(),
        approved_by=person(package.get("LastModifiedBy") or package.get("CreatedBy") or {}),
        image=first["Image"],
        model_data_url=first.get("ModelDataUrl", ""),
        metrics=numbers(package.get("CustomerMetadataProperties", {})),
        specification=package["InferenceSpecification"],
    )


def person(context: Mapping[str, Any]) -> str:
    """Who a UserContext means: a Studio user, or the name at the end of an ARN."""
    return str(
        context.get("UserProfileName") or context.get("IamIdentity", {}).get("Arn", "").rsplit("/", 1)[-1] or "unknown"
    )


def numbers(properties: Mapping[str, str]) -> dict[str, float]:
    found = {}
    for name, value in sorted(properties.items()):
        try:
            found[name] = float(value)
        except ValueError:
            continue
    return found


def check_version(s3: S3Client, version: Version, region: str) -> None:
    """UserError where the version cannot run: its image or its artifact is not where it must be.

    region: the project's own, where the version lies. SageMaker pulls an image only in the endpoint's Region.
    """
    name = f"version {version.number} of {version.group}"
    image = IMAGE.fullmatch(version.image)
    if not image:
        raise UserError(f"{name}: the image {version.image} is no image of Amazon ECR with a tag or a digest")
    if image[1] != region:
        raise UserError(
            f"{name}: its image is in {image[1]}, the version itself in {region}, and SageMaker takes an image from "
            "the endpoint's own Region: register a version with an image there"
        )
    if not version.model_data_url:
        say(f"{name} has no ModelDataUrl: its artifact is not checked")
        return
    bucket, _, key = version.model_data_url.removeprefix("s3://").partition("/")
    try:  # listing shows that it is there, and needs no right to read or decrypt a model
        found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    except ClientError as error:
        status = error.response["Error"]["Code"]
        raise UserError(
            f"{name}: its artifact {version.model_data_url} cannot be looked for ({status}): let the build role list "
            f"the bucket {bucket}, or train into the kit's model bucket"
        ) from error
    if not any(item["Key"] == key for item in found):
        raise UserError(f"{name}: its artifact {version.model_data_url} is missing")
