"""What is left unless it is asked for, and what it then costs: versions, artifacts, buckets, keys, logs, reports.

Prices of us-east-1, in US dollars; other Regions differ by some tenths. KMS: AWS KMS pricing, "Key storage": $1 a
key and month, $1 more for each of the first two rotations, none for a key that is to be deleted. S3 Standard
and the storage of CloudWatch Logs (billed compressed, so this is the most it can be): public lists that quote AWS's
pricing pages, not AWS's price list. Test reports expire after 30 days (CodeBuild User Guide, "View test reports").
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection, if_there, pages, unless, whole_pages
from scripts.kit.console import UserError, counted
from scripts.kit.names import model_bucket
from scripts.kit.patience import until
from scripts.kit.projects.project import Project
from scripts.kit.teardown.parts import DeletionOptions, TeardownPart, deleted, kept, removal
from scripts.kit.teardown.stacks import PATIENCE

if TYPE_CHECKING:
    from mypy_boto3_kms.type_defs import KeyMetadataTypeDef
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef
    from mypy_boto3_sagemaker import SageMakerClient

S3_GB_MONTH, LOGS_GB_MONTH, KEY_MONTH = 0.023, 0.03, 1.00
MOST_ROTATIONS = 2  # of a key, that are charged for
GB = 1024**3  # bytes, as AWS bills
# Of template 10; and of the further Regions' keys that 0.1.0 made.
TRAINING = ("train", "on-push")  # how the SageMaker pipelines of a project end
KEY_DESCRIPTIONS = ("Encrypts the models that projects train", "Encrypts the models that builds copy")
KEY_WINDOW = 30  # days in which the deletion of a key can be undone (KMS API Reference, ScheduleKeyDeletion: 7 to 30)


def a_month(cost: float) -> str:
    return f"about ${cost:,.2f} a month" if cost >= 0.01 else "less than $0.01 a month"


def total(parts: list[TeardownPart]) -> str:
    """What all that is retained costs, in one sentence."""
    cost = sum(part.cost for part in parts)
    if not cost:
        return "nothing that costs anything is retained"
    return f"what is retained costs {a_month(cost)}, at the prices of us-east-1"


# -- of a project ------------------------------------------------------------------------------


def training(connection: Connection, project: Project, asked: DeletionOptions) -> Iterator[TeardownPart]:
    """The SageMaker pipelines of start.py and of the build on a push; their runs say how the versions came about, so
    they go with them."""
    sagemaker = connection.client("sagemaker")
    for name in (f"{project.name}-{project.id}-{kind}" for kind in TRAINING):
        if if_there(sagemaker.describe_pipeline, PipelineName=name) is None:
            continue
        if not asked.model_group:
            yield kept("training", name, "the pipeline and its runs: retained, free of charge; --model-group deletes")
            continue
        yield deleted("training", name, "the pipeline", partial(delete_training, sagemaker, name))


def delete_training(sagemaker: SageMakerClient, name: str) -> None:
    """DeletePipeline refuses while an execution runs (SageMaker API Reference, DeletePipeline): they are stopped."""

    def running() -> list[str]:
        of_it = {"PipelineName": name}
        listed = pages(sagemaker, "list_pipeline_executions", "PipelineExecutionSummaries", **of_it)
        return [e["PipelineExecutionArn"] for e in listed if e["PipelineExecutionStatus"] in {"Executing", "Stopping"}]

    for arn in running():
        # It may have ended meanwhile.  botocore adds the token
        unless({"ConflictException"}, sagemaker.stop_pipeline_execution, PipelineExecutionArn=arn)  # type: ignore[call-arg]
    until(f"the executions of {name} to stop", lambda: None if running() else True, PATIENCE)
    if_there(sagemaker.delete_pipeline, PipelineName=name)  # type: ignore[call-arg]  # botocore adds the token


def model_group(connection: Connection, project: Project, asked: DeletionOptions) -> Iterator[TeardownPart]:
    sagemaker, place = connection.client("sagemaker"), f"{project.name} in {connection.region}"
    if if_there(sagemaker.describe_model_package_group, ModelPackageGroupName=project.name) is None:
        return
    versions = pages(sagemaker, "list_model_packages", "ModelPackageSummaryList", ModelPackageGroupName=project.name)
    arns = [version["ModelPackageArn"] for version in versions]
    if not asked.model_group:
        yield kept(
            "model group", place, f"retained: {counted(len(arns), 'version')}, free of charge; --model-group deletes"
        )
        return
    yield deleted(
        "model group", place, counted(len(arns), "version"), partial(delete_group, sagemaker, project.name, arns)
    )


def delete_group(sagemaker: SageMakerClient, name: str, arns: list[str]) -> None:
    for arn in arns:
        if_there(sagemaker.delete_model_package, ModelPackageName=arn)
    no_policy = {"ValidationException"}
    unless(no_policy, sagemaker.delete_model_package_group_policy, ModelPackageGroupName=name)
    if_there(sagemaker.delete_model_package_group, ModelPackageGroupName=name)


def artifacts(connection: Connection, project: Project, asked: DeletionOptions) -> Iterator[TeardownPart]:
    """The project's data and models in the Region's model bucket: every version that is registered needs them."""
    bucket, prefix = model_bucket(connection.account, connection.region), f"{project.name}-{project.id}/"
    found = versions_in(connection, bucket, prefix)
    if not found:
        return
    size, cost = weigh(found)
    name = f"s3://{bucket}/{prefix}"
    if asked.model_group and asked.empty_buckets:
        yield deleted("artifacts", name, size, partial(empty, connection, bucket, prefix))
    else:
        detail = f"retained: {size}, {a_month(cost)}; --model-group with --empty-buckets deletes"
        yield kept("artifacts", name, detail, cost)


def folders(connection: Connection) -> list[str]:
    """The folders of the Region's model bucket: one for each project that has put something there."""
    request = {
        "Bucket": model_bucket(connection.account, connection.region),
        "Delimiter": "/",
        "ExpectedBucketOwner": connection.account,
    }
    s3 = connection.client("s3")
    found = if_there(lambda: [one["Prefix"] for one in pages(s3, "list_objects_v2", "CommonPrefixes", **request)])
    return found or []


def reports(connection: Connection, project: Project, asked: DeletionOptions) -> Iterator[TeardownPart]:
    codebuild, name = connection.client("codebuild"), f"{project.prefix}-test-endpoints"
    arn = f"arn:{connection.partition}:codebuild:{connection.region}:{connection.account}:report-group/{name}"
    if not codebuild.batch_get_report_groups(reportGroupArns=[arn])["reportGroups"]:
        return
    if not asked.logs:
        yield kept("reports", name, "retained, free of charge; each expires after 30 days; --logs deletes")
        return
    yield deleted(
        "reports", name, "the test reports", removal(codebuild.delete_report_group, arn=arn, deleteReports=True)
    )


def log_groups(connection: Connection, prefix: str, asked: DeletionOptions) -> Iterator[TeardownPart]:
    logs = connection.client("logs")
    for group in pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
        name, size = group["logGroupName"], group.get("storedBytes", 0)
        if not asked.logs:
            cost = size / GB * LOGS_GB_MONTH
            yield kept("log group", name, f"retained: {size:,} bytes, {a_month(cost)}; --logs deletes", cost)
            continue
        detail = f"{size:,} bytes, {connection.account} {connection.region}"
        yield deleted("log group", name, detail, removal(logs.delete_log_group, logGroupName=name))


# -- buckets and keys --------------------------------------------------------------------------


def bucket(connection: Connection, name: str, asked: DeletionOptions) -> Iterator[TeardownPart]:
    found = versions_in(connection, name)
    if found is None:
        return
    size, cost = weigh(found)
    if not asked.empty_buckets:
        yield kept("bucket", name, f"retained: {size}, {a_month(cost)}; --empty-buckets deletes", cost)
        return
    yield deleted("bucket", name, size, partial(delete_bucket, connection, name))


def versions_in(connection: Connection, bucket: str, prefix: str = "") -> list[dict[str, Any]] | None:
    """Every version and delete marker beneath a prefix; None where there is no such bucket."""
    where = {"Bucket": bucket, "Prefix": prefix, "ExpectedBucketOwner": connection.account}
    request = partial(whole_pages, connection.client("s3"), "list_object_versions", **where)
    found: list[dict[str, Any]] | None = if_there(
        lambda: [v for page in request() for v in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
    )
    return found


def weigh(versions: list[dict[str, Any]]) -> tuple[str, float]:
    """What is in a bucket in words, and what it costs a month (every version counts)."""
    size = sum(version.get("Size", 0) for version in versions)
    return f"{counted(len(versions), 'object')}, {counted(size, 'byte')}", size / GB * S3_GB_MONTH


def empty(connection: Connection, bucket: str, prefix: str = "") -> None:
    found = versions_in(connection, bucket, prefix) or []
    for start in range(0, len(found), 1000):  # DeleteObjects takes 1,000
        keys: list[ObjectIdentifierTypeDef] = [
            {"Key": v["Key"], "VersionId": v["VersionId"]} for v in found[start : start + 1000]
        ]
        answer = connection.client("s3").delete_objects(
            Bucket=bucket, Delete={"Objects": keys, "Quiet": True}, ExpectedBucketOwner=connection.account
        )
        if errors := answer.get("Errors"):
            raise UserError(f"bucket {bucket}: {errors[0]['Key']}: {errors[0]['Code']} {errors[0].get('Message', '')}")


def delete_bucket(connection: Connection, name: str) -> None:
    """Empty it and delete it; its policy first, which outlives a project and lets nothing be deleted."""
    s3 = connection.client("s3")
    if_there(s3.delete_bucket_policy, Bucket=name, ExpectedBucketOwner=connection.account)
    empty(connection, name)
    if_there(s3.delete_bucket, Bucket=name, ExpectedBucketOwner=connection.account)


def keys(connection: Connection, asked: DeletionOptions) -> Iterator[TeardownPart]:
    kms = connection.client("kms")
    for key in kept_keys(connection):
        id, cost = key["KeyId"], KEY_MONTH * (1 + min(MOST_ROTATIONS, rotations(key)))
        if not asked.empty_buckets:
            detail = f"retained: {a_month(cost)}; without it no model can be read; --empty-buckets deletes"
            yield kept("key", id, detail, cost)
            continue
        detail = f"in {KEY_WINDOW} days, free of charge; until then `aws kms cancel-key-deletion` keeps it"
        yield deleted("key", id, detail, partial(kms.schedule_key_deletion, KeyId=id, PendingWindowInDays=KEY_WINDOW))


def rotations(key: KeyMetadataTypeDef) -> int:
    """How often a key that rotates every year has rotated."""
    return int((datetime.now(UTC) - key["CreationDate"]).days // 365)


def kept_keys(connection: Connection) -> Iterator[KeyMetadataTypeDef]:
    """The models' keys that are paid for: by their description, because the alias goes with the stack."""
    kms = connection.client("kms")
    for key in pages(kms, "list_keys", "Keys"):
        try:
            found = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        except ClientError:
            continue  # a key that may not be described is not the kit's
        ours = found.get("Description", "").startswith(KEY_DESCRIPTIONS)
        if ours and found["KeyManager"] == "CUSTOMER" and found["KeyState"] != "PendingDeletion":
            yield found
