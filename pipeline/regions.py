"""A copy of the version in each further Region: its artifact, its image, its model package.

CreateModel takes a model package, an artifact and an image of its own Region (SageMaker API Reference,
ContainerDefinition). So the artifact is copied into the Region's model bucket (10-model-storage.yaml), and a
copy of the model package is registered in the Region's group of the same name, approved like its source and
with the source's ARN in its description and metadata. A copy that is there already, and runs the same, is used again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, EndpointConnectionError

from pipeline.clients import Clients
from pipeline.console import UserError, say
from pipeline.documents import listed
from pipeline.frozen import objects
from pipeline.images import ABSENT, described, parts_of
from pipeline.registry import IMAGE, Version, ensure_group, versions_of
from pipeline.settings import FURTHER_REGIONS, Settings, Stage
from pipeline.sharing import model_bucket
from pipeline.specification import BASELINES, baselines_of, comparable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

SOURCE = "source-model-package"  # the metadata property with the source's ARN
COPY_LIMIT = 5 * 1024**3  # bytes of one CopyObject (S3 API Reference); larger artifacts are copied in parts
# Members of a container, and of its artifacts, that a registration leaves out.
FOUND_BY_SAGEMAKER = {"ImageDigest", "ModelDataETag", "ETag", "ManifestEtag"}
PLACES = {"ModelDataUrl", "S3Uri"}  # members that say where an artifact is (specification.py, urls_of)
POLL_SECONDS, POLL_LIMIT = 1.0, 300.0
# SageMaker "Docker Registry Paths and Example Code", section XGBoost (algorithm) of each Region's page.
REGISTRIES = json.loads(Path(__file__).with_name("registries.json").read_text(encoding="utf-8"))


def check_regions(clients: Clients, settings: Settings, version: Version) -> None:
    """UserError with the Regions of the stages that `make accounts` has not prepared: no bucket of models is there."""
    problems = []
    for region in settings.regions:
        bucket = bucket_in(version, region)
        if region == settings.region:
            continue
        try:
            clients("s3", region).list_objects_v2(Bucket=bucket, MaxKeys=1)
        except (ClientError, EndpointConnectionError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else "no connection"
            stages = " and ".join(stage.name for stage in settings.stages if region in stage.regions)
            problems.append(
                f"{stages}: {region} is not prepared ({bucket}: {code}). Name it in the regions of the environment "
                "file and run make accounts, or take it out of Regions"
            )
    if problems:
        raise UserError(listed(problems))


def copies(clients: Clients, settings: Settings, version: Version) -> dict[str, str]:
    """The ARN of the version in every Region of the stages; what is missing is copied first."""
    account = version.arn.split(":")[4]
    arns = {settings.region: version.arn}
    regions = [region for region in settings.regions if region != settings.region]
    named = [container["Image"] for container in version.specification["Containers"]]
    if regions:
        refuse_manifests(version)
    # what is wrong with an image shows before anything is copied
    images = {region: {i: image_in(clients, version, i, account, region) for i in named} for region in regions}
    for region in regions:
        sagemaker = clients("sagemaker", region)
        ensure_group(sagemaker, settings.group, settings.project, settings.tags)
        wanted = specification_in(version, region, images[region])
        arns[region] = copied(sagemaker, version, wanted) or copy(clients, settings, version, region, wanted)
    return arns


def image_in(clients: Clients, version: Version, image: str, account: str, region: str) -> str:
    """An image in another Region: in the Region's registry of built-in images, or in the same repository there."""
    name, found = f"version {version.number} of {version.group}", IMAGE.fullmatch(image)
    if not found:
        raise UserError(f"{name}: the image {image} is no image of Amazon ECR with a tag or a digest")
    owner, home = image.split(".")[0], found[1]
    if owner == REGISTRIES.get(home):
        if region not in REGISTRIES:
            raise UserError(f"{name}: its image {image} has no known registry in {region}: leave the Region out")
        return image.replace(f"{owner}.dkr.ecr.{home}.", f"{REGISTRIES[region]}.dkr.ecr.{region}.", 1)
    there = image.replace(f".dkr.ecr.{home}.", f".dkr.ecr.{region}.", 1)
    if owner != account:
        raise UserError(
            f"{name}: its image {image} is neither SageMaker's XGBoost nor of this account, so what it is called in "
            f"{region} is not known: register a version with an image of this account, or leave the Region out"
        )
    try:
        described(clients("ecr", region), there)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ABSENT:
            raise
        repository, _ = parts_of(there)
        raise UserError(
            f"{name}: its image {there} does not exist: what is pushed to {repository} is replicated to {region} once "
            "images.repository_prefix of the environment file names its namespace and `make accounts` has run, within "
            "half an hour of the push. Push the image again, and release the change when it has arrived"
        ) from error
    return there


def specification_in(version: Version, region: str, images: Mapping[str, str]) -> dict[str, Any]:
    """What the version's copy runs. images: each image's name in the Region"""
    bucket, containers = bucket_in(version, region), version.specification["Containers"]
    made = [{**moved(as_registered(one), bucket), "Image": images[one["Image"]]} for one in containers]
    return {**version.specification, "Containers": made}


def as_registered(node: Any) -> Any:
    """A container, or a part of it, as a registration says it; the names of environment variables are free."""
    if isinstance(node, dict):
        parts = {key: value for key, value in node.items() if key not in FOUND_BY_SAGEMAKER}
        return {key: value if key == "Environment" else as_registered(value) for key, value in parts.items()}
    return [as_registered(part) for part in node] if isinstance(node, list) else node


def moved(node: Any, bucket: str) -> Any:
    """A container, or a part of it, with each artifact in this bucket, under the key that it has."""
    if isinstance(node, dict):
        return {
            key: f"s3://{bucket}/{value.removeprefix('s3://').partition('/')[2]}"
            if key in PLACES and isinstance(value, str)
            else value
            if key == "Environment"
            else moved(value, bucket)
            for key, value in node.items()
        }
    return [moved(part, bucket) for part in node] if isinstance(node, list) else node


def bucket_in(version: Version, region: str) -> str:
    return model_bucket(version.arn.split(":")[4], region)


def copied(sagemaker: SageMakerClient, version: Version, wanted: Mapping[str, Any]) -> str:
    """The ARN of the version's copy in the client's Region that runs what is wanted; "" where there is none.

    A version whose specification was replaced, and that was approved again, has a copy of what it was before.
    """
    for summary in versions_of(sagemaker, version.group):
        if summary.get("ModelPackageDescription") == description(version):
            arn = str(summary["ModelPackageArn"])
            package = sagemaker.describe_model_package(ModelPackageName=arn)
            there = package["InferenceSpecification"]
            containers = [as_registered(container) for container in there["Containers"]]
            if comparable({**there, "Containers": containers}) != comparable(wanted):
                continue
            if len(baselines_of(package)) != len((*version.baseline, *version.quality)):
                continue
            if summary["ModelApprovalStatus"] != "Approved":
                raise UserError(
                    f"{arn}, the copy of {version.arn}, is {summary['ModelApprovalStatus']}: approve it, or delete it "
                    "so that it is copied again"
                )
            return ready(sagemaker, arn)
    return ""


def refuse_manifests(version: Version) -> None:
    """UserError where an artifact is a manifest: it names objects of a bucket in one Region."""
    if named := manifest_in(version.specification):
        raise UserError(
            f"version {version.number} of {version.group}: {named} is a manifest, which names objects of one Region: "
            "register a version with the artifacts themselves, or leave the other Regions out"
        )


def manifest_in(node: Any) -> str:
    """The first manifest that a specification, or a part of it, names; "" for none."""
    if not isinstance(node, dict | list):
        return ""
    own = str(node.get("ManifestS3Uri") or "") if isinstance(node, dict) else ""
    return own or next(filter(None, map(manifest_in, node.values() if isinstance(node, dict) else node)), "")


def keys_of(s3: S3Client, url: str) -> list[str]:
    """The keys of an artifact: that of an object, or of every object beneath a prefix."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not key.endswith("/"):  # the object of this name is the first of those that begin so
        first = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        if any(item["Key"] == key for item in first):
            return [key]
    if found := [name for name, _ in objects(s3, bucket, key)]:
        return found
    raise UserError(f"the artifact {url} is missing")


def description(version: Version) -> str:
    return f"Copy of {version.arn}"


def copy(clients: Clients, settings: Settings, version: Version, region: str, wanted: Mapping[str, Any]) -> str:
    """Copy the artifacts, and register the copy, which runs what is wanted; its ARN."""
    home, there, target = clients("s3", settings.region), clients("s3", region), bucket_in(version, region)
    for url in version.artifacts:
        bucket = url.removeprefix("s3://").partition("/")[0]
        say(f"copying {url} to s3://{target}")
        try:
            for key in keys_of(home, url):
                there.copy(
                    CopySource={"Bucket": bucket, "Key": key},
                    Bucket=target,
                    Key=key,
                    ExtraArgs={"TaggingDirective": "REPLACE"},  # sharing.py tags the copy for its Region's stages
                    SourceClient=home,
                    Config=TransferConfig(multipart_threshold=COPY_LIMIT, use_threads=False),
                )
        except ClientError as error:
            code = error.response["Error"].get("Code")
            raise UserError(
                f"{url} cannot be copied to s3://{target} ({code}): name {region} in the environment file's "
                "Regions, run `make accounts`, and train into the kit's model bucket"
            ) from error
    say(f"registering a copy of version {version.number} in {region}")
    arn = clients("sagemaker", region).create_model_package(
        ModelPackageGroupName=version.group,
        ModelPackageDescription=description(version),
        InferenceSpecification=wanted,  # type: ignore[arg-type]  # as described
        ModelApprovalStatus="Approved",
        CustomerMetadataProperties={SOURCE: version.arn},
        **baselines_in(version, target),
    )["ModelPackageArn"]
    return ready(clients("sagemaker", region), str(arn))


def baselines_in(version: Version, bucket: str) -> dict[str, Any]:
    """What a copy is registered with so that it has the version's baselines; {} where that has none."""
    found = {
        kind: {
            name: {"ContentType": "application/json", **moved({"S3Uri": url}, bucket)}
            for name, url in zip(("Constraints", "Statistics"), urls, strict=True)
        }
        for kind, urls in zip(BASELINES, (version.baseline, version.quality), strict=True)
        if urls
    }
    return {"DriftCheckBaselines": found} if found else {}


def ready(sagemaker: SageMakerClient, arn: str) -> str:
    """Wait until a model package may be used."""
    ends = time.monotonic() + POLL_LIMIT
    while time.monotonic() < ends:
        status = sagemaker.describe_model_package(ModelPackageName=arn)["ModelPackageStatus"]
        if status == "Completed":
            return arn
        if status == "Failed":
            break
        time.sleep(POLL_SECONDS)
    raise UserError(f"{arn} is not ready: delete it so that it is copied again, and release the change again")


def copy_parameters(stage: Stage, home: str, arns: Mapping[str, str]) -> dict[str, str]:
    """CopyRegions and CopyModelPackageNames of 40-stage.yaml, always with as many entries."""
    further = [region for region in stage.regions if region != home]
    spare = ["none"] * (FURTHER_REGIONS - len(further))
    names = [arns[region] for region in further]
    return {"CopyRegions": ",".join(further + spare), "CopyModelPackageNames": ",".join(names + spare)}
