"""What a version is when it is approved: the hash of its specification, and which objects its artifacts are.

An InferenceSpecification may be replaced while the approval stays (specification.py), and an object in S3 may be
written again under its key. So the Build step writes down what it found, for the version and for its copies in further
Regions, and the gate before production looks again: at the time of the version's last change too, because staging
serves what the specification was when it was deployed there. An ETag changes with every write that changes an object
(S3 API Reference, "Object"), as long as a key of KMS encrypts it: else it is an MD5 (10-model-storage.yaml).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.clients import Clients
from pipeline.console import UserError, counted
from pipeline.images import digests_of
from pipeline.specification import baselines_of, prefixes_of, sha256, urls_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GONE = {"ResourceNotFound", "ResourceNotFoundException", "ValidationException"}
Frozen = dict[str, Any]  # arn, specification_sha256, artifacts, images


def artifacts_of(s3: S3Client, package: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every artifact of a version with its ETag, and its baselines; UserError for a missing or hidden one."""
    specification = package.get("InferenceSpecification", {})
    several = prefixes_of(specification)
    urls = (*urls_of(specification), *baselines_of(package))
    return [{"url": url, "etag": etag_of(s3, url, several=url in several)} for url in urls]


def etag_of(s3: S3Client, url: str, *, several: bool) -> str:
    """The ETag of an object; of a prefix, one hash over the keys and ETags beneath it. several: it may be a prefix

    API Reference, ModelPackageContainerDefinition: a ModelDataUrl "must point to a single gzip compressed tar archive".
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    try:
        if etag := etag_of_object(s3, url):
            return etag
        beneath = sorted(objects(s3, bucket, key))
    except ClientError as error:
        status = error.response["Error"]["Code"]
        raise UserError(
            f"the artifact {url} cannot be looked for ({status}): let the build role and the gate role list the "
            f"bucket {bucket}, or train into the kit's model bucket"
        ) from error
    if not beneath:
        raise UserError(f"the artifact {url} is missing")
    if not several:
        raise UserError(
            f"the artifact {url} is no object, but a prefix of {counted(len(beneath), 'object')}: register a version "
            "with the archive itself, such as s3://…/model.tar.gz"
        )
    return hashlib.sha256(json.dumps(beneath).encode()).hexdigest()


def etag_of_object(s3: S3Client, url: str) -> str:
    """The ETag of the object of just this name, which is the first of those that begin so; "" where there is none.

    The starter (template 11) looks in the same way when a version is approved.
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    first = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    return next((item["ETag"].strip('"') for item in first if item["Key"] == key), "")


def objects(s3: S3Client, bucket: str, key: str) -> Iterator[tuple[str, str]]:
    """The key and the ETag of every object below a prefix."""
    prefix = key if key.endswith("/") or not key else f"{key}/"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from ((item["Key"], item["ETag"]) for item in page.get("Contents", []))


def written_after(s3: S3Client, url: str, at: datetime) -> bool:
    """Whether an object of an artifact was written after a time. S3 lists whole seconds.

    Of an upload in parts it lists when it began (Amazon S3 User Guide, "System-defined object metadata").
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    beneath = key if key.endswith("/") or not key else f"{key}/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    return any(
        item["LastModified"] > at
        for page in pages
        for item in page.get("Contents", [])
        if item["Key"] == key or item["Key"].startswith(beneath)
    )


def frozen(clients: Clients, arn: str, specification: Mapping[str, Any]) -> Frozen:
    """The version as it is now, without its copies."""
    region = arn.split(":")[3]
    package = clients("sagemaker", region).describe_model_package(ModelPackageName=arn)
    return {
        "specification_sha256": sha256(specification),
        "edited": edited(package),
        "artifacts": artifacts_of(clients("s3", region), {**package, "InferenceSpecification": specification}),
        "images": digests_of(clients, arn, specification),
    }


def copies_now(clients: Clients, arn: str, copies: Mapping[str, str]) -> dict[str, Frozen]:
    """Each copy of a version as it is now, by its Region. copies: their ARNs by Region, the version's own too"""
    return {where: copy_now(clients, where, copied) for where, copied in copies.items() if where != arn.split(":")[3]}


def copy_now(clients: Clients, region: str, arn: str) -> Frozen:
    package = clients("sagemaker", region).describe_model_package(ModelPackageName=arn)
    specification = package["InferenceSpecification"]
    return {
        "arn": arn,
        "specification_sha256": sha256(specification),
        "edited": edited(package),
        "artifacts": artifacts_of(clients("s3", region), package),
        "images": digests_of(clients, arn, specification),
    }


def edited(package: Mapping[str, Any]) -> str:
    """When a version was changed last, by whatever change; "" for never."""
    at = package.get("LastModifiedTime")
    return at.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(at, datetime) else ""


def changed(clients: Clients, package: Mapping[str, Any], *, since_build: bool = True) -> list[str]:
    """What is not as the manifest's model_package has it: status, specification, artifacts and images, in every Region.

    since_build: staging was tested in this execution, so the version must not have been another in between either
    """
    name = f"version {package['version']} of {package['group']}"
    parts = [(name, package), *((f"the copy of {name} in {r}", found) for r, found in package["copies"].items())]
    return [problem for words, part in parts for problem in changed_part(clients, words, part, since_build)]


def differs(now: Mapping[str, Any], was: Mapping[str, Any], since_build: bool) -> str:
    """How a version is not what Build found, "replaced" or "edited"; "" where it is. now: as SageMaker describes it"""
    if sha256(now.get("InferenceSpecification", {})) != was["specification_sha256"]:
        return "replaced"
    # A specification may be replaced for staging, and put back.
    return "edited" if since_build and was.get("edited", edited(now)) != edited(now) else ""


def exchanged(clients: Clients, package: Mapping[str, Any], since_build: bool) -> Iterator[str]:
    """What a stage may have got in place of the version, in which Region.

    The gate cannot see it: endpoints take the version from the registry while they are created, after the gate.
    """
    name = f"version {package['version']} of {package['group']}"
    for was in (package, *package["copies"].values()):
        region = was["arn"].split(":")[3]
        now = clients("sagemaker", region).describe_model_package(ModelPackageName=was["arn"])
        if differs(now, was, since_build):
            yield f"{name} was edited in {region} while it was deployed, so its endpoints may run another one"


def changed_part(clients: Clients, name: str, was: Mapping[str, Any], since_build: bool) -> Iterator[str]:
    region = str(was["arn"]).split(":")[3]
    try:
        now = clients("sagemaker", region).describe_model_package(ModelPackageName=was["arn"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
        yield f"{name} does not exist any more: {error.response['Error'].get('Message', '')}"
        return
    if now.get("ModelApprovalStatus") != "Approved":
        yield f"{name} is {now.get('ModelApprovalStatus')} by now: approve it to deploy it"
    how = differs(now, was, since_build)
    if how == "replaced":
        yield f"the InferenceSpecification of {name} was replaced after Build had read it: approve the version again"
    elif how:
        yield f"{name} was edited after Build had read it, so it is not certain that staging tested what it is now"
    if how:
        return
    specification = now.get("InferenceSpecification", {})
    try:
        artifacts = artifacts_of(clients("s3", region), now)
        images = digests_of(clients, was["arn"], specification)
    except UserError as error:
        yield f"{name}: {error}"
        return
    for before, after in zip(was["artifacts"], artifacts, strict=True):
        if before != after:
            yield (
                f"the artifact {before['url']} of {name} was written again after Build had looked at it: register a "
                "version of what is there now, and approve that"
            )
    for then, image in zip(was.get("images", images), images, strict=True):
        if then != image:
            yield (
                f"the image {image['image']} of {name} was pushed again after Build had looked at it: release the "
                "change, so that staging tests what is there now"
            )
