"""Training jobs: SageMaker's own XGBoost, or a team's script in script mode, really trained, as a process.

CreateTrainingJob, DescribeTrainingJob, ListTrainingJobs and StopTrainingJob (SageMaker API
Reference, the page of each operation; Developer Guide, "How Amazon SageMaker AI Provides Training
Information", "XGBoost hyperparameters", "Log groups and streams that Amazon SageMaker AI sends to
Amazon CloudWatch Logs"). One instance, files from S3 prefixes; everything else is refused by name.
"""

from __future__ import annotations

import re
import shutil
import subprocess
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
from localaws.containers import content_types, process, xgboost_hyperparameters
from localaws.services.cloudwatch import own_metrics
from localaws.services.ecr.images import SKLEARN, TAGS, XGBOOST
from localaws.services.sagemaker import (
    base,
    images,
    lineage_records,
    logs,
    script_mode,
    storage,
    training_files,
    volume_keys,
)
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.containers import Container, NotInstalled
from localaws.services.sagemaker.jobs import DEFECT, ENDED, JobFailed, Jobs, Kind
from localaws.services.sagemaker.script_mode import Script
from localaws.services.sagemaker.service import sagemaker

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
METRIC = re.compile(r"^\[[0-9]+\]\t(.*)$", re.MULTILINE)
SHOWN = (
    "TrainingJobName", "HyperParameters", "AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig",
    "ResourceConfig", "StoppingCondition", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining", "ProfilerConfig", "Environment", "ExperimentConfig", "RetryStrategy",
)  # fmt: skip
SUMMARY = (
    "TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime", "TrainingJobStatus",
)  # fmt: skip


@dataclass
class Job:
    """A training job: as DescribeTrainingJob shows it, what runs, whether it is to stop; script: a team's own."""

    shown: dict[str, Any]
    image: str = XGBOOST
    script: Script | None = None
    process: subprocess.Popen[str] | None = None
    container: Container | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def is_a_teams(self) -> bool:
        """Whether it is not the built-in algorithm that trains."""
        return self.script is not None or self.image not in TAGS


class TrainingJobs(Jobs[Job]):
    """The training jobs of an account in a Region."""


KIND = Kind(TrainingJobs, "TrainingJob", "training")


@sagemaker.operation("CreateTrainingJob")
def create_training_job(call: Call) -> dict[str, Any]:
    params = call.params
    image = check_job(call.cloud, params, call.region)
    script = script_mode.of_job(params) if image in TAGS else None
    name = params["TrainingJobName"]
    whole = arn("sagemaker", call.region, call.account, f"training-job/{name}")
    session = base.service_role(call.cloud, params["RoleArn"], call.region, call.account, whole)
    volume_keys.check_job(call, params["RoleArn"], params["ResourceConfig"])
    keys = {
        channel["ChannelName"]: find_input(session, params["RoleArn"], channel, script is not None or image not in TAGS)
        for channel in params.get("InputDataConfig", [])
    }
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
    if image == XGBOOST:
        algorithm = algorithm | training_files.metric_definitions(algorithm, params.get("HyperParameters", {}))
    shown["AlgorithmSpecification"] = algorithm
    if "ProfilerConfig" in params:
        shown["ProfilingStatus"] = "Disabled" if params["ProfilerConfig"].get("DisableProfiler") else "Enabled"
    shown["OutputDataConfig"] = {"CompressionType": "GZIP", **params["OutputDataConfig"]}
    job = KIND.jobs(call).add(name, whole, Job(shown, image, script))
    base.put_tags(call.cloud, whole, params.get("Tags", []))
    step(call.cloud, job, "Starting", "Starting the training job")
    call.cloud.background(f"training job {name}", run, call.cloud, job, session, keys)
    return {"TrainingJobArn": whole}


def check_job(cloud: Cloud, params: dict[str, Any], region: str) -> str:
    """The repository that its image comes from; ValidationException or NotSupported for a job that cannot run."""
    base.only(params, "CreateTrainingJob", *SHOWN, "Tags", "DebugHookConfig")
    if params.get("EnableManagedSpotTraining"):
        raise NotSupported("CreateTrainingJob with EnableManagedSpotTraining")
    training_files.check_profiler(params.get("ProfilerConfig") or {})
    if params.get("DebugHookConfig", {}).get("CollectionConfigurations"):
        raise NotSupported("CreateTrainingJob with CollectionConfigurations")
    image = _check_algorithm(cloud, params["AlgorithmSpecification"], region)
    _check_resources(params.get("ResourceConfig", {}))
    if "StoppingCondition" not in params:
        raise invalid("StoppingCondition is required")
    if not params["OutputDataConfig"]["S3OutputPath"].startswith("s3://"):
        raise invalid("S3OutputPath must be an S3 URL")
    base.only(params["OutputDataConfig"], "OutputDataConfig", "S3OutputPath", "KmsKeyId", "CompressionType")
    if params["OutputDataConfig"].get("CompressionType", "GZIP") != "GZIP":
        raise NotSupported("OutputDataConfig with CompressionType NONE")
    if script_mode.of_job(params) is None and image in TAGS:
        if image == SKLEARN:
            raise NotSupported("training in the scikit-learn image without a script (sagemaker_program)")
        if asked := xgboost_hyperparameters.not_supported(params.get("HyperParameters", {})):
            raise NotSupported(f"training with {asked}")
    return image


def _check_algorithm(cloud: Cloud, algorithm: dict[str, Any], region: str) -> str:
    base.only(algorithm, "AlgorithmSpecification", "TrainingImage", "TrainingInputMode", "MetricDefinitions")
    if "TrainingImage" not in algorithm:
        raise NotSupported("CreateTrainingJob without TrainingImage")
    image = images.check_image(cloud, algorithm["TrainingImage"], region)
    if algorithm.get("MetricDefinitions") and image == XGBOOST:
        raise invalid(
            "You can't override the metric definitions for Amazon SageMaker algorithms. "
            "Please retry the request without specifying metric definitions."
        )
    if algorithm["TrainingInputMode"] != "File":
        raise NotSupported(f"TrainingInputMode {algorithm['TrainingInputMode']}")
    return image


def _check_resources(resources: dict[str, Any]) -> None:
    base.only(resources, "ResourceConfig", "InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
    if not {"InstanceType", "InstanceCount", "VolumeSizeInGB"} <= set(resources):
        raise invalid("ResourceConfig needs InstanceType, InstanceCount and VolumeSizeInGB")
    if resources["InstanceCount"] != 1:
        raise NotSupported(f"distributed training (InstanceCount {resources['InstanceCount']})")


def find_input(session: Session, role_arn: str, channel: dict[str, Any], any_kind: bool) -> list[str]:
    """The keys of a channel's objects; ValidationException where the role finds none."""
    base.only(channel, "InputDataConfig", "ChannelName", "DataSource", "ContentType", "CompressionType", "InputMode")
    if channel.get("CompressionType", "None") != "None" or channel.get("InputMode", "File") != "File":
        raise NotSupported("InputDataConfig with compressed or streamed data")
    kind = content_types.KINDS.get(channel.get("ContentType", ""))
    if not any_kind and kind in {content_types.PARQUET, content_types.RECORDIO}:
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
    lineage_records.training(cloud, job.shown)
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
        train(cloud, job, session, keys, folder / "ml")
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
    training_files.write_configuration(shown, folder)
    for channel in shown.get("InputDataConfig", []):
        name, url = channel["ChannelName"], channel["DataSource"]["S3DataSource"]["S3Uri"]
        try:
            storage.download_folder(session, url, keys[name], places.below(folder / "input" / "data", name))
        except ClientError as error:
            raise JobFailed(f"ClientError: Data download failed:{error.response['Error']['Message']}") from error
        except (storage.NoDownload, places.NoPlace) as error:
            raise JobFailed(f"ClientError: Data download failed:{error}") from error
    step(cloud, job, "Training", "Training image download completed. Training in progress.")
    if job.is_a_teams:
        output, code = run_script(cloud, job, session, folder)
    else:
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
    definitions = shown["AlgorithmSpecification"].get("MetricDefinitions", [])
    shown["FinalMetricDataList"] = script_mode.metrics(output, definitions) if job.is_a_teams else final_metrics(output)
    values = [(one["MetricName"], one["Value"], "None") for one in shown["FinalMetricDataList"]]
    # The last values (Developer Guide, "Amazon CloudWatch Metrics for Monitoring and Analyzing Training Jobs").
    name = {"TrainingJobName": shown["TrainingJobName"]}
    own_metrics.publish(cloud, session.account, session.region, LOG_GROUP, values, name)
    step(cloud, job, "Uploading", "Uploading generated training model")
    place = f"{shown['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{shown['TrainingJobName']}/output"
    upload(session, shown, folder / "model", f"{place}/model.tar.gz")
    if storage.files_in(folder / "output" / "data"):
        upload(session, shown, folder / "output" / "data", f"{place}/output.tar.gz")
    shown["ModelArtifacts"] = {"S3ModelArtifacts": f"{place}/model.tar.gz"}


def upload(session: Session, shown: dict[str, Any], folder: Path, path: str) -> None:
    key = shown["OutputDataConfig"].get("KmsKeyId", "")
    try:
        may_encrypt(session, key)
        storage.upload(session, path, storage.pack(folder), key)
    except ClientError as error:
        cause = error.response["Error"]
        raise JobFailed(
            f"ClientError: Artifact upload failed:Error {cause['Code']}: {cause['Message']}. Please ensure that the "
            f'role "{shown["RoleArn"]}" has "s3:PutObject" permissions on {path}'
        ) from error


def may_encrypt(session: Session, key: str) -> None:
    """SageMaker API Reference, OutputDataConfig: who names the key by its id or an alias needs kms:Encrypt."""
    if key and ":key/" not in key:
        session.client("kms").encrypt(KeyId=key, Plaintext=b"model")


def run_script(cloud: Cloud, job: Job, session: Session, folder: Path) -> tuple[str, int]:
    """What a team's script printed, and its exit code; JobFailed where it cannot be had."""
    isolated = job.shown.get("EnableNetworkIsolation", False)
    job.container = Container(cloud, job.image, folder, {}, None if isolated else session)
    if job.stop.is_set():
        return "", 0
    try:
        if job.script is not None:
            output, status = script_mode.train(job.script, job.container, job.shown)
        else:
            output, status = script_mode.train_own(job.container, job.shown)
    except (script_mode.NoScript, NotInstalled) as error:
        raise JobFailed(f"AlgorithmError: {error}, exit code: 1") from error
    if job.container.stopped:
        job.stop.set()
    return output, status


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
    """The metrics of the last round: train:merror and so on, as far as the algorithm's definitions name them (Developer
    Guide, "Tune an XGBoost Model"): not error@0.7."""
    lines = METRIC.findall(output)
    if not lines:
        return []
    moment = base.now()
    pairs = (item.rsplit(":", 1) for item in lines[-1].split("\t"))
    named = [(name.replace("-", ":", 1), value) for name, value in pairs]
    return [
        {"MetricName": name, "Value": float(value), "Timestamp": moment}
        for name, value in named
        if name.partition(":")[2] in xgboost_hyperparameters.METRICS
    ]


def find_job(call: Call) -> Job:
    return KIND.find(call, invalid("Requested resource not found."))


@sagemaker.operation("DescribeTrainingJob")
def describe_training_job(call: Call) -> dict[str, Any]:
    return dict(find_job(call).shown)


@sagemaker.operation("ListTrainingJobs")
def list_training_jobs(call: Call) -> dict[str, Any]:
    base.only(
        call.params, "ListTrainingJobs", "CreationTimeAfter", "CreationTimeBefore", "LastModifiedTimeAfter",
        "LastModifiedTimeBefore", "NameContains", "StatusEquals", "SortBy", "SortOrder", "MaxResults", "NextToken",
    )  # fmt: skip
    return KIND.listed(call, SUMMARY)


@sagemaker.operation("StopTrainingJob")
def stop_training_job(call: Call) -> dict[str, Any]:
    job = find_job(call)
    KIND.stop(job)
    if job.container is not None:
        job.container.stop()
    if job.process is not None and job.process.poll() is None:
        job.process.terminate()
    return {}
