"""Lets a stage's accounts use a version: its model package, and its artifact in the model bucket of each Region.

A stage's accounts may use what was deployed to that stage and nothing else of the registry or the bucket, training data
included (docs/decisions/0031-*.md). The model group's policy names the versions. The bucket's policy
(10-model-storage.yaml) lets a stage's accounts read the objects that carry the stage's tag, and only builds may tag.

SageMaker Developer Guide, "Deploy a Model Version from a Different Account"; API Reference:
PutModelPackageGroupPolicy (at most 20,480 characters). IAM User Guide, "AWS JSON policy elements: Principal": an
account is its root's ARN or, in short, its id. Amazon S3 User Guide, "Tagging and access control policies"; API
Reference: PutObjectTagging (replaces every tag of the object), GetObjectTagging.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.clients import Clients
from pipeline.console import UserError, say
from pipeline.frozen import etag_of_object
from pipeline.live import parameters_of
from pipeline.registry import MISSING, Version
from pipeline.settings import Settings
from pipeline.specification import AGAIN, prefixes_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

POLICY_LIMIT = 20_480  # characters
VERSIONS = 5  # of one of READERS that the policy names: the newest that were let through, and what is live
READERS = ("staging", "prod")  # the stages before production read the same, as staging
READ_GROUP = {stage: f"{stage.capitalize()}ReadsGroup" for stage in READERS}
USE_VERSIONS = {stage: f"{stage.capitalize()}UsesVersions" for stage in READERS}
# Of the pipeline's code before version 0.3: both stages' accounts, every version.
FOR_ALL = {"TargetAccountsReadGroup", "TargetAccountsUseVersions"}
ROOT = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):root")  # SageMaker may show an account's id so
TAGS = {stage: f"sagemaker-multi-account-{stage}" for stage in READERS}  # of an object; its value is always SHARED
SHARED = "true"
# Beneath the project's folder in the model bucket. Training data is beside them, and is never shared.
FOLDERS = ("models/", "notebook/models/")


def parts_of(manifest: Mapping[str, Any], stage: str) -> list[Mapping[str, Any]]:
    """What the manifest has of the stages that read as one of READERS does."""
    *before, production = manifest["stages"].values()
    return [production] if stage == "prod" else before


def share(clients: Clients, manifest: Mapping[str, Any], stage: str) -> None:
    """Let the accounts of production, or of every stage before it ("staging"), use the version in their Regions."""
    package, parts = manifest["model_package"], parts_of(manifest, stage)
    home, account = package["arn"].split(":")[3:5]
    accounts = [one["id"] for part in parts for one in part["accounts"]]
    cloudformation = clients("cloudformation", home)
    live = [live_packages(parameters_of(cloudformation, part["stack_set_name"]), home) for part in parts]
    for region in dict.fromkeys(region for part in parts for region in part["regions"]):
        arn = package["regions"][region]
        before = [one[region] for one in live if region in one]
        share_group(clients("sagemaker", region), package["group"], stage, accounts, [*before, arn])
        for artifact in (package if region == home else package["copies"][region])["artifacts"]:
            bucket, _, key = artifact["url"].removeprefix("s3://").partition("/")
            if bucket == model_bucket(account, region):
                tag_object(clients("s3", region), bucket, key, artifact["etag"], TAGS[stage])
            else:
                say(f"{artifact['url']} is not in the kit's model bucket: its own bucket decides who may read it")


def model_bucket(account: str, region: str) -> str:
    return f"sagemaker-multi-account-models-{account}-{region}"


def live_packages(parameters: Mapping[str, str], home: str) -> dict[str, str]:
    """The model packages that a stage's stack names, by Region; {} where nothing is deployed."""
    found = {home: parameters.get("ModelPackageName", "")}
    regions, names = (parameters.get(key, "").split(",") for key in ("CopyRegions", "CopyModelPackageNames"))
    found |= dict(zip(regions, names, strict=False))
    return {region: arn for region, arn in found.items() if arn.startswith("arn:")}


# -- the artifact ------------------------------------------------------------------------------


def check_place(settings: Settings, version: Version) -> None:
    """UserError where an artifact is in the model bucket but not among this project's models.

    Sharing it would let the stage's accounts read another project's model, or training data.
    """
    bucket, folder = model_bucket(version.arn.split(":")[4], settings.region), settings.folder
    for url in version.artifacts:
        found, _, key = url.removeprefix("s3://").partition("/")
        if found == bucket and not key.startswith(tuple(folder + name for name in FOLDERS)):
            raise UserError(
                f"version {version.number} of {version.group}: its artifact {url} is not among the project's models. "
                f"Copy it to s3://{bucket}/{folder}{FOLDERS[0]}, and register a version with the copy"
            )
    check_form(version, bucket)


def check_form(version: Version, bucket: str) -> None:
    """UserError for an artifact that is a prefix of the model bucket: only who may list a bucket can load it.

    SageMaker Developer Guide, "Deploying uncompressed models". A target account that lists the bucket would see the
    names of every project's models (docs/decisions/0074-*.md).
    """
    name = f"version {version.number} of {version.group}"
    if several := [url for url in prefixes_of(version.specification) if url.startswith(f"s3://{bucket}/")]:
        raise UserError(
            f"{name}: its artifact {several[0]} is a prefix, and target accounts may not list the model bucket. "
            "Register one object: an archive (ModelDataUrl), or a file without compression (S3DataType S3Object, "
            "CompressionType None)"
        )


# What a kind of stage does not take: "Deploying uncompressed models", and of several containers, which are an inference
# pipeline, "Supported features" and "Deploy models with Amazon SageMaker Serverless Inference" (Feature exclusions).
SERVERLESS = "serverless endpoints"
UNCOMPRESSED = {"serverless": SERVERLESS, "batch": "transform jobs"}
SEVERAL = {"serverless": SERVERLESS, "asynchronous": "asynchronous endpoints"}


def check_kinds(settings: Settings, version: Version) -> None:
    """UserError where the kind of a stage does not take what the version is."""
    containers = version.specification["Containers"]
    uncompressed = any("ModelDataSource" in container for container in containers)
    found = (
        (uncompressed, "a ModelDataSource", UNCOMPRESSED, "ModelDataUrl"),
        (len(containers) > 1, "several containers", SEVERAL, "one container"),
    )
    for stage in settings.stages:
        for has, what, kinds, instead in found:
            who = kinds.get(stage.parameters.get("EndpointKind", ""))
            if has and who:
                raise UserError(
                    f"version {version.number} of {version.group} has {what}, which {who} do not take, and "
                    f"{stage.file} asks for one. Register it with {instead}, or write another EndpointKind"
                )


def tag_object(s3: S3Client, bucket: str, key: str, etag: str, name: str) -> None:
    """The object that Build found, with one more tag; what it carries besides stays. UserError for another object.

    Nothing else is shared: neither what is written under its key meanwhile nor what is below it. The tags are those
    of a version (GetObjectTagging, VersionId), which is the one that Build found where the ETag is still the same
    afterwards: no former version becomes the newest again, since a copy of it has another ETag (frozen.py).
    """
    url = f"s3://{bucket}/{key}"
    try:
        found = s3.get_object_tagging(Bucket=bucket, Key=key)
    except ClientError as error:
        raise UserError(
            f"the artifact {url} cannot be shared ({error.response['Error']['Code']}): it was deleted, or the role may "
            f"not tag it. {AGAIN}"
        ) from error
    if etag_of_object(s3, url) != etag:
        raise UserError(f"the artifact {url} is not shared: it was written again since Build found it. {AGAIN}")
    if any(tag["Key"] == name and tag["Value"] == SHARED for tag in found["TagSet"]):
        return
    others = [tag for tag in found["TagSet"] if tag["Key"] != name]
    say(f"sharing {url}: {name}")
    tags: Any = {"TagSet": [*others, {"Key": name, "Value": SHARED}]}
    s3.put_object_tagging(Bucket=bucket, Key=key, VersionId=found["VersionId"], Tagging=tags)


# -- the model package -------------------------------------------------------------------------


def share_group(
    sagemaker: SageMakerClient, group: str, stage: str, account_ids: Iterable[str], versions: Iterable[str]
) -> bool:
    """Let a stage's accounts use these versions (ARNs); False where the policy says so already."""
    try:
        current = json.loads(sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)["ResourcePolicy"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        current = {}
    accounts, shared = sorted(set(account_ids)), with_versions(current, stage, versions)
    # What was for all stays until the last stage is shared by itself: endpoints of before may rest on it.
    former = set() if stage == READERS[-1] else FOR_ALL
    for kept, short in ((former, False), (former, True), (set[str](), True)):
        wanted = merged(current, stage, statements(stage, shared, accounts, short=short), kept)
        if len(text := compact(wanted)) <= POLICY_LIMIT:
            break
    else:
        raise too_long(group, len(text), len(accounts))
    if comparable(current) == comparable(wanted):
        return False
    say(f"sharing the model group {group} with the accounts of {stage}")
    sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=text)
    return True


def check_room(manifest: Mapping[str, Any]) -> None:
    """UserError where the model group's policy has no room for the accounts of the stages: nothing is shared then."""
    package, stages = manifest["model_package"], manifest["stages"]
    prefix, policy = package["arn"].rpartition("/")[0], dict[str, Any]()
    versions = [f"{prefix}/{number}" for number in range(1_000 - VERSIONS, 1_000)]
    for stage in READERS:
        if not (parts := parts_of(manifest, stage)):
            continue
        ids = [one["id"] for part in parts for one in part["accounts"]]
        policy = merged(policy, stage, statements(stage, versions, ids, short=True))
    if (size := len(compact(policy))) > POLICY_LIMIT:
        raise too_long(package["group"], size, sum(len(part["accounts"]) for part in stages.values()))


def too_long(group: str, characters: int, accounts: int) -> UserError:
    return UserError(
        f"the policy of the model group {group} would have {characters} characters for {accounts} accounts, "
        f"SageMaker takes {POLICY_LIMIT}, which is about 1,270 accounts of both stages: spread the accounts over "
        "several projects, each with a unit of its own for each stage"
    )


def with_versions(policy: Mapping[str, Any], stage: str, versions: Iterable[str]) -> list[str]:
    """The ARNs that the policy names for the stage and these, the newest last; as many as it has room for."""
    named = [
        resource
        for statement in as_list(policy.get("Statement", []))
        if statement.get("Sid") == USE_VERSIONS[stage]
        for resource in as_list(statement["Resource"])
        if ":model-package/" in resource
    ]
    added = list(versions)
    wanted = {lower(arn) for arn in added}
    kept = {lower(arn): arn for arn in named if lower(arn) not in wanted}
    return [*kept.values(), *dict.fromkeys(added)][-VERSIONS:]


def lower(arn: str) -> str:
    """The ARN of a version with its group's name in lower case, as SageMaker may show it."""
    prefix, name = arn.split(":model-package/", 1)
    return f"{prefix}:model-package/{name.lower()}"


def statements(
    stage: str, versions: Iterable[str], account_ids: Iterable[str], *, short: bool = False
) -> list[dict[str, Any]]:
    """What a stage's accounts may do with a group and the versions.

    Not UpdateModelPackage: with it, a target account could approve. The ARN of a version may
    carry the group's name in lower case, so both forms are listed.
    short: one statement with the accounts' ids, which holds four times as many accounts in the same length
    """
    arns, accounts = list(versions), sorted(set(account_ids))
    partition = arns[0].split(":")[1]
    group = arns[-1].replace(":model-package/", ":model-package-group/", 1).rpartition("/")[0]
    roots = accounts if short else [f"arn:{partition}:iam::{account}:root" for account in accounts]
    of_group = {
        "Sid": READ_GROUP[stage],
        "Effect": "Allow",
        "Principal": {"AWS": roots},
        "Action": ["sagemaker:DescribeModelPackageGroup"],
        "Resource": [group],
    }
    of_versions = {
        "Sid": USE_VERSIONS[stage],
        "Effect": "Allow",
        "Principal": {"AWS": roots},
        "Action": ["sagemaker:CreateModel", "sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"],
        "Resource": list(dict.fromkeys(form for arn in arns for form in (lower(arn), arn))),
    }
    if not short:
        return [of_group, of_versions]
    return [{**of_versions, **{key: of_group[key] + of_versions[key] for key in ("Action", "Resource")}}]  # type: ignore[operator]


def merged(
    policy: Mapping[str, Any], stage: str, ours: list[dict[str, Any]], former: Iterable[str] = ()
) -> dict[str, Any]:
    """The policy with our statements in place of those that it had for the stage; other statements stay.

    former: of the statements for every stage, those that stay as well
    """
    replaced = {READ_GROUP[stage], USE_VERSIONS[stage], *(FOR_ALL - set(former))}
    others = [s for s in as_list(policy.get("Statement", [])) if s.get("Sid") not in replaced]
    return {"Version": policy.get("Version", "2012-10-17"), "Statement": others + ours}


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
