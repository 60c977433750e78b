"""What a stage's endpoints serve, as the tests see it in the target accounts; and the document that records it.

DescribeEndpoint says which configuration an endpoint runs on, whatever its stack says: SageMaker takes an update back
when an alarm is raised or the new fleet does not start, and the endpoint is InService on its former configuration
(SageMaker Developer Guide, "Auto-Rollback Configuration and Monitoring").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline import record
from pipeline.console import shorten
from pipeline.report import Result

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

MISSING = "missing"  # the status of an endpoint that does not exist
SCHEMA = 1
LONGEST, MOST = 500, 20  # characters of a failure and failures of an endpoint that the record keeps; the report has all


@dataclass(frozen=True)
class Served:
    """What one endpoint, or batch stage (batch.py), serves. status: SageMaker's, MISSING, "" where it cannot be asked.

    model_package: of its first container; release: the number in its configuration; 0 where it has none
    images: what runs, as SageMaker resolved it (repository@digest); none where it does not say so
    as_deployed: whether it runs on what the manifest says, None where that is not known
    batch: whether it is a stage's state machine
    shadow: the model package of the candidate that gets copies of its requests, None for no such
    shadow_images: what that runs, as images
    """

    account: str
    region: str
    endpoint: str
    status: str = ""
    config: str = ""
    model_package: str = ""
    failure_reason: str = ""
    looked_at: str = ""
    release: int = 0
    as_deployed: bool | None = None
    images: tuple[str, ...] = ()
    batch: bool = False
    shadow: str | None = None
    shadow_images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """One account and Region: what its endpoint serves, the results of every check, the answers by payload.

    milliseconds: that each measured answer took
    """

    served: Served
    results: tuple[Result, ...]
    answers: Mapping[str, Any] = field(default_factory=dict)
    milliseconds: tuple[float, ...] = ()


def look(sagemaker: SageMakerClient, bare: Served) -> Served:
    """What the endpoint serves now; bare: which one."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        found = sagemaker.describe_endpoint(EndpointName=bare.endpoint)
    except ClientError as error:
        if not_found(error):
            return replace(bare, status=MISSING, looked_at=at, as_deployed=False)
        raise
    seen = replace(
        bare,
        status=found["EndpointStatus"],
        config=found.get("EndpointConfigName", ""),
        failure_reason=found.get("FailureReason", ""),
        looked_at=at,
    )
    try:
        config = sagemaker.describe_endpoint_config(EndpointConfigName=seen.config)
        variant = config["ProductionVariants"][0]
        for candidate in config.get("ShadowProductionVariants", []):
            seen = replace(seen, shadow="", shadow_images=deployed(found.get("ShadowProductionVariants", [])))
            seen = replace(seen, shadow=package_of(sagemaker.describe_model(ModelName=candidate["ModelName"])))
        model = sagemaker.describe_model(ModelName=variant["ModelName"])
    except ClientError as error:
        if not_found(error):  # deleted, although the endpoint runs on it
            return seen
        raise
    images = deployed(found.get("ProductionVariants", []))
    release = round(variant.get("InitialVariantWeight", 0))
    return replace(seen, model_package=package_of(model), release=release, images=images)


def deployed(variants: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The images that variants run, as repository@digest. variants: as DescribeEndpoint shows them"""
    found = (one for variant in variants for one in variant.get("DeployedImages", []))
    return tuple(one["ResolvedImage"] for one in found if "ResolvedImage" in one)


def package_of(model: Mapping[str, Any]) -> str:
    """The model package of a model's first container, "" for none. model: as DescribeModel shows it"""
    containers = model.get("Containers") or [model.get("PrimaryContainer", {})]
    return str(containers[0].get("ModelPackageName", ""))


def not_found(error: ClientError) -> bool:
    """SageMaker answers so to the name of what it does not have: a ValidationException, "Could not find …"."""
    return "could not find" in error.response["Error"].get("Message", "").lower()


def in_service(served: Served, project: str) -> str:
    """What is wrong with the endpoint's status; "" for nothing."""
    if served.status == MISSING:
        what = "state machine" if served.batch else "endpoint"
        return (
            f"the {what} {served.endpoint} does not exist, although its stack does. Bring it back: make repair "
            f"PROJECT={project} ACCOUNT={served.account} REGION={served.region}"
        )
    reason = f" ({served.failure_reason})" if served.failure_reason else ""
    return "" if served.status == "InService" else f"expected InService, got {served.status}{reason}"


def as_deployed(served: Served, package: str, release: int | None) -> str:
    """How the endpoint differs from what was deployed, and why; "" where it does not. package, release: see differs"""
    found = differs(served, package, release)
    if not found or served.batch:
        return found
    why = f": {served.failure_reason}" if served.failure_reason else ""
    return f"{found}. SageMaker went back to the former configuration, {served.config}{why}"


def differs(served: Served, package: str, release: int | None) -> str:
    """How what is served differs from what was deployed; "" where it does not.

    package, release: of the manifest; None for the release of one that was written before there was any
    """
    if served.model_package != package:
        return f"expected {package}, got {served.model_package or 'no model package'}"
    if release is not None and served.release != release:
        return f"expected the configuration with the number {release}, got {served.release}, with other settings"
    if served.shadow is not None:
        return "expected no shadow variant, got one"
    # With a release, the reason of a failure before this deployment may still be there.
    return "the last update of the endpoint failed" if release is None and served.failure_reason else ""


def document(
    manifest: Mapping[str, Any],
    stage: str,
    checked: Sequence[Checked],
    execution: str,
    manifest_sha256: str,
    problems: Sequence[str] = (),
    more: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """The record of a stage after its tests: what each endpoint serves, which checks failed there, and the manifest.

    execution: that tests, which a rollback of the stage does with the manifest of another one
    manifest_sha256: of all that Build handed on; problems: of the stage as a whole; more: what else it keeps
    """
    package = manifest["model_package"]
    return {
        "schema": SCHEMA,
        "execution": execution,
        "stage": stage,
        "version": package["version"],
        "arn": package["arn"],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "passed": not problems and not any(result.failure for one in checked for result in one.results),
        "problems": [shorten(problem, LONGEST) for problem in problems][:MOST],
        "manifest_sha256": manifest_sha256,
        "endpoints": [endpoint(one) for one in checked],
        "manifest": dict(manifest),
        **more,
    }


def endpoint(one: Checked) -> dict[str, Any]:
    served = one.served
    return {
        "account": served.account,
        "region": served.region,
        "endpoint": served.endpoint,
        "status": served.status,
        "config": served.config,
        "model_package": served.model_package,
        "images": list(served.images),
        "failure_reason": served.failure_reason,
        "looked_at": served.looked_at,
        "as_deployed": served.as_deployed,
        "failed": [shorten(result.failure, LONGEST) for result in one.results if result.failure][:MOST],
    }


def bucket_of(manifest: Mapping[str, Any]) -> str:
    """The project's bucket, as 30-project.yaml names it."""
    return f"sagemaker-project-{manifest['project']['id']}"


def write(s3: S3Client, found: Mapping[str, Any], bucket: str, number: str) -> str:
    """Record a document of document(); its key. number: of the test's build, so that a second try has its own."""
    key = f"{record.OUTCOMES}{found['execution']}/{found['stage']}-{number}.json"
    record.write(s3, bucket, key, dict(found))
    return key


def newest(s3: S3Client, bucket: str, stage: str) -> dict[str, Any] | None:
    """The newest record of a stage, by the time when S3 took it, then by its build; None where there is none.

    One is read, however many there are: each deployment adds one, with a line for each endpoint.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=record.OUTCOMES)
    found = [item for page in pages for item in page.get("Contents", [])]
    named = [item for item in found if item["Key"].rsplit("/", 1)[1].startswith(f"{stage}-")]
    if not named:
        return None
    return record.entry(s3, bucket, max(named, key=taken)["Key"])


def taken(item: Mapping[str, Any]) -> tuple[Any, int, str]:
    """What orders records: S3's time has no parts of a second, and a rehearsal tests twice in one. item: of a list"""
    build = str(item["Key"]).rsplit("-", 1)[1]
    return item["LastModified"], len(build), build
