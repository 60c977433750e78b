"""Transform jobs: a model's container, really run, is asked about every object below an S3 prefix.

CreateTransformJob, DescribeTransformJob, ListTransformJobs and StopTransformJob (SageMaker API Reference, the page of
each operation; Developer Guide, "Batch transform for inference with Amazon SageMaker AI", "Use Your Own Inference Code
with Batch Transform", "Log groups and streams that Amazon SageMaker AI sends to Amazon CloudWatch Logs"; API Reference,
"TransformOutput": without a key, S3's own of the account). Whole files or lines; filters and joins of records, and
everything else, are refused by name. A job is one process, however many instances it has: objects go to them whole, so
the answers are the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import NotSupported
from localaws.calls import Call
from localaws.cloud import Cloud, Session, arn
from localaws.services.ecr.images import XGBOOST
from localaws.services.sagemaker import base, lineage_records, servers, storage, volume_keys
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.jobs import DEFECT, JobFailed, Jobs, Kind
from localaws.services.sagemaker.models import Model, find_model
from localaws.services.sagemaker.service import sagemaker
from localaws.services.sagemaker.shared import StartFailed

LOG_GROUP = "/aws/sagemaker/TransformJobs"
MEGABYTE = 1024 * 1024
PAYLOAD = 6  # MB of a request, where the job names no size
SHOWN = (
    "TransformJobName", "ModelName", "MaxConcurrentTransforms", "ModelClientConfig", "MaxPayloadInMB", "BatchStrategy",
    "Environment", "TransformInput", "TransformOutput", "TransformResources", "ExperimentConfig",
)  # fmt: skip
SUMMARY = (
    "TransformJobName", "TransformJobArn", "CreationTime", "TransformEndTime", "LastModifiedTime",
    "TransformJobStatus", "FailureReason",
)  # fmt: skip


@dataclass
class Job:
    """A transform job: as DescribeTransformJob shows it, the model that it asks, and whether it is to stop."""

    shown: dict[str, Any]
    model: Model
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def arn(self) -> str:
        return str(self.shown["TransformJobArn"])


class TransformJobs(Jobs[Job]):
    """The transform jobs of an account in a Region."""


KIND = Kind(TransformJobs, "TransformJob", "transform")


@sagemaker.operation("CreateTransformJob")
def create_transform_job(call: Call) -> dict[str, Any]:
    params = call.params
    model = find_model(call)
    check_job(params, model)
    if model.container.form != "archive":  # Developer Guide, "Deploying uncompressed models"
        raise invalid(f"ModelDataSource is not supported for batch transform: model {params['ModelName']} has it.")
    volume_keys.check_job(call, model.shown["ExecutionRoleArn"], params["TransformResources"])
    name = params["TransformJobName"]
    whole = arn("sagemaker", call.region, call.account, f"transform-job/{name}")
    moment = base.now()
    shown: dict[str, Any] = {name: params[name] for name in SHOWN if name in params} | {
        "TransformJobArn": whole,
        "TransformJobStatus": "InProgress",
        "CreationTime": moment,
        "TransformStartTime": moment,
    }
    shown["TransformInput"] = {"CompressionType": "None", "SplitType": "None", **params["TransformInput"]}
    shown["TransformOutput"] = {"AssembleWith": "None", **params["TransformOutput"]}
    job = KIND.jobs(call).add(name, whole, Job(shown, model))
    base.put_tags(call.cloud, whole, params.get("Tags", []))
    announce(call.cloud, job)
    call.cloud.background(f"transform job {name}", run, call.cloud, job, model)
    return {"TransformJobArn": whole}


def check_job(params: dict[str, Any], model: Model) -> None:
    """ValidationException for what AWS refuses, NotSupported for what only AWS has."""
    base.only(params, "CreateTransformJob", *SHOWN, "Tags")
    given, resources = params["TransformInput"], params["TransformResources"]
    base.only(given, "TransformInput", "DataSource", "ContentType", "CompressionType", "SplitType")
    source = given["DataSource"]["S3DataSource"]
    if source["S3DataType"] != "S3Prefix":
        raise NotSupported(f"TransformInput with S3DataType {source['S3DataType']}")
    if given.get("CompressionType", "None") != "None":
        raise NotSupported("TransformInput with CompressionType Gzip")
    if given.get("SplitType", "None") not in {"None", "Line"}:
        raise NotSupported(f"TransformInput with SplitType {given['SplitType']}")
    base.only(params["TransformOutput"], "TransformOutput", "S3OutputPath", "Accept", "AssembleWith", "KmsKeyId")
    for url in (source["S3Uri"], params["TransformOutput"]["S3OutputPath"]):
        if not url.startswith("s3://"):
            raise invalid(f"{url} must be an S3 URL")
    base.only(resources, "TransformResources", "InstanceType", "InstanceCount", "VolumeKmsKeyId")
    if resources["InstanceCount"] > 1 and "VpcConfig" in model.shown:
        raise NotSupported("a transform job on several instances in a VPC, whose security group must let them talk")
    if params.get("MaxPayloadInMB") == 0:
        raise NotSupported("CreateTransformJob with MaxPayloadInMB 0 (streamed requests)")
    if params.get("MaxPayloadInMB", PAYLOAD) * (params.get("MaxConcurrentTransforms") or 1) > 100:
        raise invalid("MaxConcurrentTransforms * MaxPayloadInMB must not exceed 100 MB.")


def announce(cloud: Cloud, job: Job) -> None:
    lineage_records.transform(cloud, job.shown, job.model.container.image, job.model.container.data_url)
    KIND.announce(cloud, job, "Transform")


def run(cloud: Cloud, job: Job, model: Model) -> None:
    """The whole life of a job after its creation."""
    status, reason = "Completed", ""
    try:
        transform(cloud, job, model)
        status = "Stopped" if job.stop.is_set() else status
    except JobFailed as failure:
        status, reason = "Failed", str(failure)[:1024]
    except Exception:  # a defect here, or a full disk: the job ends all the same
        status, reason = "Failed", DEFECT
        raise
    finally:
        job.shown |= {"TransformJobStatus": status, "TransformEndTime": base.now()}
        if reason:
            job.shown["FailureReason"] = reason
        announce(cloud, job)


def transform(cloud: Cloud, job: Job, model: Model) -> None:
    """Start the container, ask it about every object, write each answer; all with the model's role."""
    shown = job.shown
    account, region = base.owner(job.arn)
    variables = {**model.container.environment, **shown.get("Environment", {})}
    asked = replace(model, container=replace(model.container, environment=variables))
    try:
        server = servers.start_server(cloud, account, region, shown["TransformJobName"], "transform", asked, LOG_GROUP)
    except StartFailed as failure:
        raise JobFailed(f"ClientError: {failure}") from failure
    try:
        source = shown["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        for key in found(server.session, source, model.role):
            if job.stop.is_set():
                return
            answer_object(job, server, source, key, newline=model.container.origin == XGBOOST)
    finally:
        server.write_logs()
        server.stop()


def found(session: Session, url: str, role: str) -> list[str]:
    try:
        keys = storage.keys_under(session, url)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchBucket", "AccessDenied"}:
            raise
        keys = []
    if not keys:
        raise JobFailed(f"ClientError: {storage.nothing_found(session, url, role)}")
    return keys


def answer_object(job: Job, server: servers.Server, source: str, key: str, newline: bool) -> None:
    """One object's answers, in OUTPUT/NAME.out. newline: the container ends its answers with one (SAGEMAKER_BATCH)"""
    shown = job.shown
    given, output = shown["TransformInput"], shown["TransformOutput"]
    bucket, prefix = storage.split(source)
    try:
        content = server.session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise JobFailed(f"ClientError: Failed to download s3://{bucket}/{key}: {cause(error)}") from error
    headers = {"Content-Type": given.get("ContentType", ""), "Accept": output.get("Accept", "")}
    parts = []
    for body in bodies(content, shown):
        try:
            with server.used():
                answer = server.request("POST", "/invocations", body, {k: v for k, v in headers.items() if v})
        except OSError as error:
            raise JobFailed(f"AlgorithmError: s3://{bucket}/{key}: the container did not answer ({error})") from error
        if answer.status != 200:
            said = answer.body.decode("utf-8", "replace")
            raise JobFailed(f"AlgorithmError: See job logs for more information: {answer.status}: {said}")
        ended = answer.body.endswith(b"\n")
        line = (newline or output["AssembleWith"] == "Line") and not ended
        parts.append(answer.body + (b"\n" if line else b""))
    name = key[len(prefix if prefix.endswith("/") else prefix.rpartition("/")[0]) :].lstrip("/") or key.rsplit("/")[-1]
    target = f"{output['S3OutputPath'].rstrip('/')}/{name}.out"
    try:
        storage.upload(server.session, target, b"".join(parts), output.get("KmsKeyId", ""))
    except ClientError as error:
        raise JobFailed(f"ClientError: Failed to upload {target}: {cause(error)}") from error


def cause(error: ClientError) -> str:
    return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"


def bodies(content: bytes, shown: dict[str, Any]) -> Iterator[bytes]:
    """The requests that a file becomes: itself, a line each, or as many lines as a request may hold."""
    if shown["TransformInput"]["SplitType"] == "None":
        yield content
        return
    lines = [line for line in content.splitlines(keepends=True) if line.strip()]
    if shown.get("BatchStrategy", "MultiRecord") == "SingleRecord":
        yield from (line.rstrip(b"\r\n") for line in lines)
        return
    most, batch = shown.get("MaxPayloadInMB", PAYLOAD) * MEGABYTE, b""
    for line in lines:
        if batch and len(batch) + len(line) > most:
            yield batch
            batch = b""
        batch += line
    if batch:
        yield batch


@sagemaker.operation("DescribeTransformJob")
def describe_transform_job(call: Call) -> dict[str, Any]:
    return dict(KIND.find(call).shown)


@sagemaker.operation("ListTransformJobs")
def list_transform_jobs(call: Call) -> dict[str, Any]:
    return KIND.listed(call, SUMMARY)


@sagemaker.operation("StopTransformJob")
def stop_transform_job(call: Call) -> dict[str, Any]:
    job = KIND.find(call)
    KIND.stop(job)
    announce(call.cloud, job)
    return {}
