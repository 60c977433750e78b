"""Training jobs: SageMaker's own XGBoost, really trained, as a process.

CreateTrainingJob, DescribeTrainingJob, ListTrainingJobs and StopTrainingJob (SageMaker API
Reference, the page of each operation; Developer Guide, "How Amazon SageMaker AI Provides Training
Information", "XGBoost hyperparameters", "Log groups and streams that Amazon SageMaker AI sends to
Amazon CloudWatch Logs"). One instance, files from S3 prefixes; everything else is refused by name.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError, NotSupported
from localaws import places
from localaws.calls import Call
from localaws.cloud import Cloud, Session, arn
from localaws.containers import content_types, process, xgboost_hyperparameters
from localaws.services.cloudwatch import own_metrics
from localaws.services.sagemaker import base, images, logs, storage
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.service import sagemaker

DEFECT = "InternalServerError: We encountered an internal error. Please try again."
PROFILED = 500  # milliseconds between system metrics where nothing else is asked for
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
ENDED = frozenset({"Completed", "Failed", "Stopped"})
METRIC = re.compile(r"^\[[0-9]+\]\t(.*)$", re.MULTILINE)
SHOWN = (
    "TrainingJobName", "HyperParameters", "AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig",
    "ResourceConfig", "StoppingCondition", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining", "ProfilerConfig",
)  # fmt: skip
SUMMARY = (
    "TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime", "TrainingJobStatus",
)  # fmt: skip


@dataclass
class Job:
    """A training job: as DescribeTrainingJob shows it, its process while it runs, whether it is to stop."""

    shown: dict[str, Any]
    process: subprocess.Popen[str] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)


@dataclass
class TrainingJobs:
    """The training jobs of an account in a Region."""

    by_name: dict[str, Job] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


class JobFailed(Exception):  # what happened to it
    """The job's FailureReason."""


@sagemaker.operation("CreateTrainingJob")
def create_training_job(call: Call) -> dict[str, Any]:
    params = call.params
    check_job(call.cloud, params, call.region)
    name = params["TrainingJobName"]
    whole = arn("sagemaker", call.region, call.account, f"training-job/{name}")
    session = base.service_role(call.cloud, params["RoleArn"], call.region, call.account, whole)
    keys = {
        channel["ChannelName"]: find_input(session, params["RoleArn"], channel)
        for channel in params.get("InputDataConfig", [])
    }
    jobs = call.cloud.state(TrainingJobs, call.account, call.region)
    moment = base.now()
    shown: dict[str, Any] = {name: params[name] for name in SHOWN if name in params}
    shown |= {
        "TrainingJobArn": whole,
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "SecondaryStatusTransitions": [],
        "ModelArtifacts": {"S3ModelArtifacts": ""},
    }
    algorithm = params["AlgorithmSpecification"]
    shown["AlgorithmSpecification"] = {**algorithm, **metric_definitions(algorithm, params.get("HyperParameters", {}))}
    if "ProfilerConfig" in params:
        shown["ProfilingStatus"] = "Disabled" if params["ProfilerConfig"].get("DisableProfiler") else "Enabled"
    shown["OutputDataConfig"] = {"CompressionType": "GZIP", **params["OutputDataConfig"]}
    with jobs.lock:
        if name in jobs.by_name:
            raise AwsError("ResourceInUse", f"Job name must be unique within an AWS account and region: {whole}")
        job = jobs.by_name[name] = Job(shown)
    base.put_tags(call.cloud, whole, params.get("Tags", []))
    step(call.cloud, job, "Starting", "Starting the training job")
    call.cloud.background(f"training job {name}", run, call.cloud, job, session, keys)
    return {"TrainingJobArn": whole}


def check_job(cloud: Cloud, params: dict[str, Any], region: str) -> None:
    """ValidationException or NotSupported for a job that cannot run."""
    base.only(params, "CreateTrainingJob", *SHOWN, "Tags", "DebugHookConfig")
    if params.get("EnableManagedSpotTraining"):
        raise NotSupported("CreateTrainingJob with EnableManagedSpotTraining")
    check_profiler(params.get("ProfilerConfig") or {})
    if params.get("DebugHookConfig", {}).get("CollectionConfigurations"):
        raise NotSupported("CreateTrainingJob with CollectionConfigurations")
    _check_algorithm(cloud, params["AlgorithmSpecification"], region)
    _check_resources(params.get("ResourceConfig", {}))
    if "StoppingCondition" not in params:
        raise invalid("StoppingCondition is required")
    if not params["OutputDataConfig"]["S3OutputPath"].startswith("s3://"):
        raise invalid("S3OutputPath must be an S3 URL")
    base.only(params["OutputDataConfig"], "OutputDataConfig", "S3OutputPath", "KmsKeyId", "CompressionType")
    if params["OutputDataConfig"].get("CompressionType", "GZIP") != "GZIP":
        raise NotSupported("OutputDataConfig with CompressionType NONE")
    if asked := xgboost_hyperparameters.not_supported(params.get("HyperParameters", {})):
        raise NotSupported(f"training with {asked}")


def check_profiler(config: Mapping[str, Any]) -> None:
    """The SDK's default, system metrics alone, is accepted ("ProfilerConfig"); their files are not written to S3."""
    base.only(config, "ProfilerConfig", "S3OutputPath", "DisableProfiler", "ProfilingIntervalInMilliseconds")
    if config.get("ProfilingIntervalInMilliseconds", PROFILED) != PROFILED:
        raise NotSupported("ProfilerConfig with another ProfilingIntervalInMilliseconds than 500")


def metric_definitions(algorithm: Mapping[str, Any], hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Those that a built-in algorithm brings ("Tune an XGBoost Model"), as in public jobs; a script brings none."""
    if "sagemaker_program" in hyperparameters or "MetricDefinitions" in algorithm:
        return {}
    number = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
    shown = [
        {"Name": f"{of}:{name}", "Regex": rf".*\[[0-9]+\].*#011{of}-{name}:{number}.*"}
        for name in xgboost_hyperparameters.METRICS
        for of in ("train", "validation")
    ]
    return {"MetricDefinitions": shown, "EnableSageMakerMetricsTimeSeries": False}


def _check_algorithm(cloud: Cloud, algorithm: dict[str, Any], region: str) -> None:
    base.only(algorithm, "AlgorithmSpecification", "TrainingImage", "TrainingInputMode", "MetricDefinitions")
    if "TrainingImage" not in algorithm:
        raise NotSupported("CreateTrainingJob without TrainingImage")
    images.check_image(cloud, algorithm["TrainingImage"], region)
    if algorithm.get("MetricDefinitions"):
        raise invalid(
            "You can't override the metric definitions for Amazon SageMaker algorithms. "
            "Please retry the request without specifying metric definitions."
        )
    if algorithm["TrainingInputMode"] != "File":
        raise NotSupported(f"TrainingInputMode {algorithm['TrainingInputMode']}")


def _check_resources(resources: dict[str, Any]) -> None:
    base.only(resources, "ResourceConfig", "InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
    if not {"InstanceType", "InstanceCount", "VolumeSizeInGB"} <= set(resources):
        raise invalid("ResourceConfig needs InstanceType, InstanceCount and VolumeSizeInGB")
    if resources["InstanceCount"] != 1:
        raise NotSupported(f"distributed training (InstanceCount {resources['InstanceCount']})")


def find_input(session: Session, role_arn: str, channel: dict[str, Any]) -> list[str]:
    """The keys of a channel's objects; ValidationException where the role finds none."""
    base.only(channel, "InputDataConfig", "ChannelName", "DataSource", "ContentType", "CompressionType", "InputMode")
    if channel.get("CompressionType", "None") != "None" or channel.get("InputMode", "File") != "File":
        raise NotSupported("InputDataConfig with compressed or streamed data")
    kind = content_types.KINDS.get(channel.get("ContentType", ""))
    if kind in {content_types.PARQUET, content_types.RECORDIO}:
        raise NotSupported(f"training with {kind} data")
    base.only(channel["DataSource"], "DataSource", "S3DataSource")
    source = channel["DataSource"].get("S3DataSource", {})
    base.only(source, "S3DataSource", "S3DataType", "S3Uri", "S3DataDistributionType")
    if source.get("S3DataType") != "S3Prefix":
        raise NotSupported(f"InputDataConfig with S3DataType {source.get('S3DataType')}")
    url = source["S3Uri"]
    try:
        keys = storage.keys_under(session, url)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchBucket", "AccessDenied"}:
            raise
        keys = []
    if not keys:
        raise invalid(storage.nothing_found(session, url, role_arn))
    return keys


def step(cloud: Cloud, job: Job, status: str, message: str) -> None:
    """A new secondary status, with its event."""
    moment = base.now()
    transitions = job.shown["SecondaryStatusTransitions"]
    if transitions:
        transitions[-1].setdefault("EndTime", moment)
    transitions.append({"Status": status, "StartTime": moment, "StatusMessage": message})
    job.shown |= {"SecondaryStatus": status, "LastModifiedTime": moment}
    if status in ENDED:
        transitions[-1]["EndTime"] = moment
        job.shown |= {"TrainingJobStatus": status, "TrainingEndTime": moment}
        started = job.shown.get("TrainingStartTime", moment)
        seconds = max(1, round((moment - started).total_seconds()))
        job.shown |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
    account, region = base.owner(job.shown["TrainingJobArn"])
    detail = {
        name: str(base.milliseconds(value)) if name.endswith("Time") else value
        for name, value in job.shown.items()
        if name != "SecondaryStatusTransitions"
    }
    detail |= {"SecondaryStatusTransitions": list(transitions), "Tags": {}}
    base.announce(cloud, account, region, "SageMaker Training Job State Change", [job.shown["TrainingJobArn"]], detail)
    cloud.changed(job.shown["TrainingJobArn"])


def run(cloud: Cloud, job: Job, session: Session, keys: dict[str, list[str]]) -> None:
    """The whole life of a job after its creation."""
    folder = cloud.folder / "training" / session.account / session.region / job.shown["TrainingJobName"]
    try:
        outcome, message = "Completed", "Training job completed"
        train(cloud, job, session, keys, folder)
        if job.stop.is_set():
            outcome, message = "Stopped", "Training job stopped"
    except JobFailed as failure:
        outcome, message = "Failed", str(failure)[:1024]
    except Exception:  # a defect here, or a full disk: the job ends all the same
        end(cloud, job, "Failed", DEFECT)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    end(cloud, job, outcome, message)


def end(cloud: Cloud, job: Job, outcome: str, message: str) -> None:
    if outcome == "Failed":
        job.shown["FailureReason"] = message
    step(cloud, job, outcome, message)
    job.done.set()


def train(cloud: Cloud, job: Job, session: Session, keys: dict[str, list[str]], folder: Path) -> None:
    """Download, train, upload; JobFailed with the reason where one of them fails."""
    shown = job.shown
    shown["TrainingStartTime"] = base.now()
    step(cloud, job, "Downloading", "Downloading input data")
    try:
        images.pull(session, shown["AlgorithmSpecification"]["TrainingImage"])
    except AwsError as error:
        raise JobFailed(f"ClientError: Cannot pull the training image: {error.message}") from error
    write_configuration(shown, folder)
    for channel in shown.get("InputDataConfig", []):
        name, url = channel["ChannelName"], channel["DataSource"]["S3DataSource"]["S3Uri"]
        try:
            storage.download_folder(session, url, keys[name], places.below(folder / "input" / "data", name))
        except ClientError as error:
            raise JobFailed(f"ClientError: Data download failed:{error.response['Error']['Message']}") from error
        except (storage.NoDownload, places.NoPlace) as error:
            raise JobFailed(f"ClientError: Data download failed:{error}") from error
    step(cloud, job, "Training", "Training image download completed. Training in progress.")
    output, code = run_container(cloud, job, folder)
    stream = f"{shown['TrainingJobName']}/algo-1-{int(time.time())}"
    logs.write(session, LOG_GROUP, stream, output)
    logs.may_put_metrics(session, "/aws/sagemaker/TrainingJobs")  # how the instance fares: never read here
    if job.stop.is_set():
        return
    if code != 0:
        failure = folder / "output" / "failure"
        reason = failure.read_text(encoding="utf-8") if failure.exists() else ""
        raise JobFailed(f"AlgorithmError: {reason}, exit code: {code}")
    shown["FinalMetricDataList"] = final_metrics(output)
    values = [(one["MetricName"], one["Value"], "None") for one in shown["FinalMetricDataList"]]
    # The last values (Developer Guide, "Amazon CloudWatch Metrics for Monitoring and Analyzing Training Jobs").
    name = {"TrainingJobName": shown["TrainingJobName"]}
    own_metrics.publish(cloud, session.account, session.region, LOG_GROUP, values, name)
    step(cloud, job, "Uploading", "Uploading generated training model")
    path = f"{shown['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{shown['TrainingJobName']}/output/model.tar.gz"
    key = shown["OutputDataConfig"].get("KmsKeyId", "")
    try:
        may_encrypt(session, key)
        storage.upload(session, path, storage.pack(folder / "model"), key)
    except ClientError as error:
        cause = error.response["Error"]
        raise JobFailed(
            f"ClientError: Artifact upload failed:Error {cause['Code']}: {cause['Message']}. Please ensure that the "
            f'role "{shown["RoleArn"]}" has "s3:PutObject" permissions on {path}'
        ) from error
    shown["ModelArtifacts"] = {"S3ModelArtifacts": path}


def may_encrypt(session: Session, key: str) -> None:
    """SageMaker API Reference, OutputDataConfig: who names the key by its id or an alias needs kms:Encrypt."""
    if key and ":key/" not in key:
        session.client("kms").encrypt(KeyId=key, Plaintext=b"model")


def write_configuration(shown: dict[str, Any], folder: Path) -> None:
    """The files that a container finds in /opt/ml/input/config."""
    config = folder / "input" / "config"
    config.mkdir(parents=True)
    channels = {
        channel["ChannelName"]: {
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            "TrainingInputMode": "File",
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": "None",
        }
        for channel in shown.get("InputDataConfig", [])
    }
    contents = {
        "hyperparameters.json": shown.get("HyperParameters", {}),
        "inputdataconfig.json": channels,
        "resourceconfig.json": {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"},
    }
    for name, content in contents.items():
        (config / name).write_text(json.dumps(content), encoding="utf-8")


def run_container(cloud: Cloud, job: Job, folder: Path) -> tuple[str, int]:
    """What the container printed, and its exit code; ended early where the job is stopped or takes too long."""
    job.process = process.start(
        "xgboost_train", folder, {"TRAINING_JOB_NAME": job.shown["TrainingJobName"]}, subprocess.STDOUT
    )
    cloud.on_stop.append(job.process.kill)
    if job.stop.is_set():  # it came before there was a process to end
        job.process.kill()
    try:
        output, _ = job.process.communicate(timeout=job.shown["StoppingCondition"].get("MaxRuntimeInSeconds", 86400))
    except subprocess.TimeoutExpired:
        job.process.kill()
        output, _ = job.process.communicate()
        job.stop.set()
    return output, job.process.returncode


def final_metrics(output: str) -> list[dict[str, Any]]:
    """The metrics of the last round: train:merror and so on (Developer Guide, "Tune an XGBoost Model")."""
    lines = METRIC.findall(output)
    if not lines:
        return []
    moment = base.now()
    pairs = (item.rsplit(":", 1) for item in lines[-1].split("\t"))
    return [
        {"MetricName": name.replace("-", ":", 1), "Value": float(value), "Timestamp": moment} for name, value in pairs
    ]


def find_job(call: Call) -> Job:
    jobs = call.cloud.state(TrainingJobs, call.account, call.region).by_name
    if call.params["TrainingJobName"] not in jobs:
        raise invalid("Requested resource not found.")
    return jobs[call.params["TrainingJobName"]]


@sagemaker.operation("DescribeTrainingJob")
def describe_training_job(call: Call) -> dict[str, Any]:
    return dict(find_job(call).shown)


@sagemaker.operation("ListTrainingJobs")
def list_training_jobs(call: Call) -> dict[str, Any]:
    base.only(
        call.params, "ListTrainingJobs", "CreationTimeAfter", "CreationTimeBefore", "LastModifiedTimeAfter",
        "LastModifiedTimeBefore", "NameContains", "StatusEquals", "SortBy", "SortOrder", "MaxResults", "NextToken",
    )  # fmt: skip
    jobs = call.cloud.state(TrainingJobs, call.account, call.region).by_name
    items = [{name: job.shown[name] for name in SUMMARY if name in job.shown} for job in list(jobs.values())]
    if "StatusEquals" in call.params:
        items = [item for item in items if item["TrainingJobStatus"] == call.params["StatusEquals"]]
    found = base.selected(items, call.params, "TrainingJobName", sorts={"Status": "TrainingJobStatus"})
    return base.page(found, call.params, "TrainingJobSummaries")


@sagemaker.operation("StopTrainingJob")
def stop_training_job(call: Call) -> dict[str, Any]:
    job = find_job(call)
    if job.shown["TrainingJobStatus"] in ENDED:
        raise invalid(
            f"The request was rejected because the training job is in status {job.shown['TrainingJobStatus']}."
        )
    job.stop.set()
    job.shown["TrainingJobStatus"] = "Stopping"
    if job.process is not None and job.process.poll() is None:
        job.process.terminate()
    return {}
