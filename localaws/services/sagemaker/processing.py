"""Processing jobs: a team's script, really run, as a process with a folder as /opt/ml.

CreateProcessingJob, DescribeProcessingJob, ListProcessingJobs and StopProcessingJob (SageMaker API Reference, the page
of each operation; Developer Guide, "Data transformation workloads with SageMaker Processing", "How to Build Your Own
Processing Container", "How Amazon SageMaker Processing Runs Your Processing Container Image", "Save and Access Metadata
Information About Your Processing Job", "Log groups and streams that Amazon SageMaker AI sends to Amazon CloudWatch
Logs"). One instance, files from S3 prefixes, outputs at the end of the job; everything else is refused by name.

AWS's FailureReason of a script that fails is its first line alone; the end of the log stands below it here.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError, NotSupported
from localaws import places
from localaws.calls import Call
from localaws.cloud import Cloud, Session, arn
from localaws.services.ecr.images import TAGS
from localaws.services.sagemaker import base, images, lineage_records, logs, storage, volume_keys, vpc
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.containers import ML, Container, NotInstalled
from localaws.services.sagemaker.jobs import DEFECT, JobFailed, Jobs, Kind
from localaws.services.sagemaker.service import sagemaker

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
ROOT = f"{ML}/processing/"
LONGEST = 86_400  # seconds of a job whose request names none
KILOBYTE = 1024  # of a FailureReason and an ExitMessage
SHOWN = (
    "ProcessingJobName", "ProcessingInputs", "ProcessingOutputConfig", "ProcessingResources", "StoppingCondition",
    "AppSpecification", "Environment", "NetworkConfig", "RoleArn", "ExperimentConfig",
)  # fmt: skip
SUMMARY = (
    "ProcessingJobName", "ProcessingJobArn", "CreationTime", "ProcessingEndTime", "LastModifiedTime",
    "ProcessingJobStatus", "FailureReason", "ExitMessage",
)  # fmt: skip


@dataclass
class Job:
    """A processing job: as DescribeProcessingJob shows it, its container while it runs, whether it is to stop."""

    shown: dict[str, Any]
    container: Container | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def arn(self) -> str:
        return str(self.shown["ProcessingJobArn"])


class ProcessingJobs(Jobs[Job]):
    """The processing jobs of an account in a Region."""


KIND = Kind(ProcessingJobs, "ProcessingJob", "processing")


@sagemaker.operation("CreateProcessingJob")
def create_processing_job(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(params, "CreateProcessingJob", *SHOWN, "Tags")
    image = images.check_image(call.cloud, params["AppSpecification"]["ImageUri"], call.region, processes=True)
    check_application(params, image)
    check_resources(params["ProcessingResources"]["ClusterConfig"])
    check_network(params.get("NetworkConfig", {}))
    check_places(params)
    name = params["ProcessingJobName"]
    whole = arn("sagemaker", call.region, call.account, f"processing-job/{name}")
    session = base.service_role(call.cloud, params["RoleArn"], call.region, call.account, whole)
    volume_keys.check_job(call, params["RoleArn"], params["ProcessingResources"]["ClusterConfig"])
    moment = base.now()
    shown: dict[str, Any] = {name: params[name] for name in SHOWN if name in params} | {
        "ProcessingJobArn": whole,
        "ProcessingJobStatus": "InProgress",
        "CreationTime": moment,
        "LastModifiedTime": moment,
    }
    shown.setdefault("StoppingCondition", {"MaxRuntimeInSeconds": LONGEST})
    job = KIND.jobs(call).add(name, whole, Job(shown))
    base.put_tags(call.cloud, whole, params.get("Tags", []))
    announce(call.cloud, job)
    call.cloud.background(f"processing job {name}", run, call.cloud, job, session, image)
    return {"ProcessingJobArn": whole}


def check_application(params: dict[str, Any], image: str) -> None:
    base.only(params["AppSpecification"], "AppSpecification", "ImageUri", "ContainerEntrypoint", "ContainerArguments")
    if not params["AppSpecification"].get("ContainerEntrypoint") and image in TAGS:
        raise NotSupported("CreateProcessingJob without ContainerEntrypoint: this image's own begins a training job")


def check_resources(cluster: dict[str, Any]) -> None:
    base.only(cluster, "ClusterConfig", "InstanceCount", "InstanceType", "VolumeSizeInGB", "VolumeKmsKeyId")
    if not {"InstanceCount", "InstanceType"} <= set(cluster):
        raise invalid("ClusterConfig needs InstanceCount and InstanceType")
    if cluster["InstanceCount"] != 1:
        raise NotSupported(f"a processing job on several instances (InstanceCount {cluster['InstanceCount']})")


def check_network(network: dict[str, Any]) -> None:
    base.only(network, "NetworkConfig", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "VpcConfig")


def check_places(params: dict[str, Any]) -> None:
    """ValidationException for inputs and outputs that AWS refuses, NotSupported for those that only AWS has."""
    inputs, outputs = params.get("ProcessingInputs", []), params.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for item in inputs:
        base.only(item, "ProcessingInputs", "InputName", "S3Input", "AppManaged")
        if "S3Input" not in item:
            raise invalid(f"The processing input {item['InputName']} needs S3Input")
        source = item["S3Input"]
        if source["S3DataType"] != "S3Prefix":
            raise NotSupported(f"ProcessingInputs with S3DataType {source['S3DataType']}")
        if source.get("S3InputMode", "File") != "File":
            raise NotSupported(f"ProcessingInputs with S3InputMode {source['S3InputMode']}")
        if source.get("S3CompressionType", "None") != "None":
            raise invalid("S3CompressionType Gzip can only be used with the S3InputMode Pipe")
        check_place(item["InputName"], source)
    for item in outputs:
        base.only(item, "ProcessingOutputConfig", "OutputName", "S3Output", "AppManaged")
        if "S3Output" not in item:
            raise invalid(f"The processing output {item['OutputName']} needs S3Output")
        if item["S3Output"]["S3UploadMode"] != "EndOfJob":
            raise NotSupported(f"ProcessingOutputConfig with S3UploadMode {item['S3Output']['S3UploadMode']}")
        check_place(item["OutputName"], item["S3Output"])
    for names in ([item["InputName"] for item in inputs], [item["OutputName"] for item in outputs]):
        if len(set(names)) < len(names):
            raise invalid(f"The names of a job's inputs, and of its outputs, must be unique: {', '.join(names)}")
    folders = [item["S3Input"]["LocalPath"].rstrip("/") for item in inputs]
    if len(set(folders)) < len(folders):  # github.com/aws/sagemaker-python-sdk/issues/4939
        raise invalid("The LocalPath of each input must be unique")


def check_place(name: str, place: dict[str, Any]) -> None:
    if not place["S3Uri"].startswith("s3://"):
        raise invalid(f"The S3Uri of {name} must be an S3 URL")
    path = place.get("LocalPath", "")
    if not f"{path}/".startswith(ROOT) or ".." in path.split("/"):
        raise invalid(f"The LocalPath of {name} must begin with {ROOT}")


def announce(cloud: Cloud, job: Job) -> None:
    lineage_records.processing(cloud, job.shown)
    KIND.announce(cloud, job, "Processing")


def run(cloud: Cloud, job: Job, session: Session, image: str) -> None:
    """The whole life of a job after its creation."""
    folder = cloud.folder / "processing" / session.account / session.region / job.shown["ProcessingJobName"]
    status, reason = "Completed", ""
    try:
        process(cloud, job, session, image, folder / "ml")
        status = "Stopped" if job.stop.is_set() else status
    except JobFailed as failure:
        status, reason = "Failed", str(failure)
    except Exception:  # a defect here, or a full disk: the job ends all the same
        end(cloud, job, "Failed", DEFECT)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    end(cloud, job, status, reason)


def end(cloud: Cloud, job: Job, status: str, reason: str) -> None:
    if reason:
        job.shown["FailureReason"] = reason[:KILOBYTE]
    moment = base.now()
    job.shown |= {"ProcessingJobStatus": status, "ProcessingEndTime": moment, "LastModifiedTime": moment}
    announce(cloud, job)


def enter_vpc(session: Session, network: dict[str, Any]) -> Session:
    """The session as it is in the job's VPC; the same where it has none."""
    try:
        return vpc.enter(session, network["VpcConfig"]) if "VpcConfig" in network else session
    except vpc.OutOfReach as error:
        raise JobFailed(f"ClientError: {error}") from error


def process(cloud: Cloud, job: Job, session: Session, image: str, ml: Path) -> None:
    """Download, run, upload; JobFailed with the reason where one of them fails."""
    shown = job.shown
    try:
        images.pull(session, shown["AppSpecification"]["ImageUri"])
    except AwsError as error:
        raise JobFailed(f"ClientError: Cannot pull the image: {error.message}") from error
    session = enter_vpc(session, shown.get("NetworkConfig", {}))
    write_configuration(shown, ml)
    for item in shown.get("ProcessingInputs", []):
        download(session, shown["RoleArn"], item["S3Input"], ml)
    outputs = [item["S3Output"] for item in shown.get("ProcessingOutputConfig", {}).get("Outputs", [])]
    for output in outputs:
        here(ml, output["LocalPath"]).mkdir(parents=True, exist_ok=True)
    shown["ProcessingStartTime"] = base.now()
    isolated = shown.get("NetworkConfig", {}).get("EnableNetworkIsolation", False)
    job.container = Container(cloud, image, ml, shown.get("Environment", {}), None if isolated else session)
    if job.stop.is_set():
        return
    application = shown["AppSpecification"]
    entry = application.get("ContainerEntrypoint") or job.container.own.entrypoint
    limit = shown["StoppingCondition"]["MaxRuntimeInSeconds"]
    try:
        output, status = job.container.run([*entry, *application.get("ContainerArguments", [])], limit)
    except NotInstalled as error:
        raise JobFailed(f"ClientError: {error}") from error
    logs.write(session, LOG_GROUP, f"{shown['ProcessingJobName']}/algo-1-{int(time.time())}", output)
    logs.may_put_metrics(session, "/aws/sagemaker/ProcessingJobs")  # how the instance fares: never read here
    read_message(shown, ml)
    if job.container.stopped and not job.stop.is_set():
        job.stop.set()  # the time is over: the job is stopped (API Reference, "ProcessingStoppingCondition")
    if job.stop.is_set():
        return
    if status:
        raise JobFailed(failure(status, output))
    for place in outputs:
        upload(session, shown, place, here(ml, place["LocalPath"]))


def failure(status: int, output: str) -> str:
    """AWS's words, and as much of the end of the log as a FailureReason can hold: a script's traceback is there."""
    head = f"AlgorithmError: See job logs for more information, exit code: {status}"
    lines = output.rstrip().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    text = "\n".join(lines[starts[-1] :] if starts else lines[-10:])
    left = KILOBYTE - len(head) - 2
    return f"{head}\n{text if len(text) <= left else f'…{text[1 - left :]}'}" if text else head


def here(ml: Path, path: str) -> Path:
    """Where a path of the container is on this machine."""
    return ml / path.removeprefix(f"{ML}/")


def write_configuration(shown: dict[str, Any], ml: Path) -> None:
    """The files that a container finds in /opt/ml/config, and where it may leave its message."""
    named = ("ProcessingJobArn", *(name for name in SHOWN if name not in {"NetworkConfig", "ExperimentConfig"}))
    job = {name: shown[name] for name in named if name in shown}
    for folder in ("config", "output", "processing"):
        (ml / folder).mkdir(parents=True, exist_ok=True)
    (ml / "config" / "processingjobconfig.json").write_text(json.dumps(job), encoding="utf-8")
    hosts = {"current_host": "algo-1", "hosts": ["algo-1"]}
    (ml / "config" / "resourceconfig.json").write_text(json.dumps(hosts), encoding="utf-8")


def download(session: Session, role: str, source: dict[str, Any], ml: Path) -> None:
    """An input's objects; the job fails where its role finds none."""
    url, folder = source["S3Uri"], here(ml, source["LocalPath"])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        keys = storage.keys_under(session, url)
        if not keys:
            raise JobFailed(storage.nothing_found(session, url, role))
        storage.download_folder(session, url, keys, folder)
    except ClientError as error:
        cause = error.response["Error"]
        if cause["Code"] in {"NoSuchBucket", "AccessDenied"}:
            text = storage.nothing_found(session, url, role)
            raise JobFailed(f"{text} Error message from S3: {cause['Message']}") from error
        raise JobFailed(f"ClientError: Failed to download data. {cause['Message']}") from error
    except (storage.NoDownload, places.NoPlace) as error:
        raise JobFailed(f"ClientError: {error}") from error


def upload(session: Session, shown: dict[str, Any], place: dict[str, Any], folder: Path) -> None:
    key = shown["ProcessingOutputConfig"].get("KmsKeyId", "")
    for path in storage.files_in(folder):
        url = f"{place['S3Uri'].rstrip('/')}/{path.relative_to(folder).as_posix()}"
        try:
            storage.put(session, url, path.read_bytes(), key)
        except ClientError as error:
            cause = error.response["Error"]
            raise JobFailed(
                f"ClientError: Failed to upload {url}. Error {cause['Code']}: {cause['Message']}. Please ensure that "
                f'the role "{shown["RoleArn"]}" has "s3:PutObject" permissions on it'
            ) from error


def read_message(shown: dict[str, Any], ml: Path) -> None:
    """What the container left in /opt/ml/output/message; JobFailed where it is no text."""
    path = ml / "output" / "message"
    if path not in storage.files_in(path.parent):
        return
    try:
        shown["ExitMessage"] = path.read_bytes()[:KILOBYTE].decode("utf-8")
    except UnicodeDecodeError as error:
        raise JobFailed("ClientError: The data in /opt/ml/output/message is not UTF-8 encoded") from error


@sagemaker.operation("DescribeProcessingJob")
def describe_processing_job(call: Call) -> dict[str, Any]:
    return dict(KIND.find(call).shown)


@sagemaker.operation("ListProcessingJobs")
def list_processing_jobs(call: Call) -> dict[str, Any]:
    return KIND.listed(call, SUMMARY)


@sagemaker.operation("StopProcessingJob")
def stop_processing_job(call: Call) -> dict[str, Any]:
    job = KIND.find(call)
    KIND.stop(job)
    announce(call.cloud, job)
    if job.container is not None:
        job.container.stop()
    return {}
