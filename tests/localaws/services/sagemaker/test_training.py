"""Training jobs on the embedded AWS: really trained, or refused with AWS's reason."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.sagemaker import training, training_files
from tests.support.authorization import allow, session
from tests.support.sagemaker_world import (
    ACCOUNT,
    BUCKET,
    HYPERPARAMETERS,
    channel,
    client,
    job,
    make_bucket,
    make_trainer,
    train,
)
from tests.support.waiting import until

SLOW = HYPERPARAMETERS | {"num_round": "100000"}


@pytest.fixture
def role(cloud: Cloud) -> str:
    make_bucket(cloud)
    return make_trainer(cloud)


def test_a_role_that_names_its_key_by_id_or_alias_may_encrypt_with_it(cloud: Cloud) -> None:
    kms = client(cloud, "kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/models", TargetKeyId=key["KeyId"])
    writes = session(cloud, "writes", allow(["kms:GenerateDataKey", "kms:Decrypt"]), account=ACCOUNT)
    training.may_encrypt(writes, key["Arn"])
    training.may_encrypt(writes, "")
    for name in (key["KeyId"], "alias/models"):
        with pytest.raises(ClientError, match="kms:Encrypt"):
            training.may_encrypt(writes, name)
        training.may_encrypt(session(cloud, f"may-{len(name)}", allow("kms:Encrypt"), account=ACCOUNT), name)


def test_a_job_leaves_a_model_its_metrics_and_its_logs(cloud: Cloud, role: str) -> None:
    key = client(cloud, "kms").create_key()["KeyMetadata"]["Arn"]
    output = {"S3OutputPath": f"s3://{BUCKET}/models", "KmsKeyId": key}
    profiler = {"S3OutputPath": f"s3://{BUCKET}/models", "DisableProfiler": False}  # as the SDK's version 2 asks
    shown = train(cloud, "iris-1", role, OutputDataConfig=output, ProfilerConfig=profiler)
    assert shown["TrainingJobStatus"] == "Completed", shown
    assert (shown["ProfilingStatus"], shown["ProfilerConfig"]) == ("Enabled", profiler)
    defined = {one["Name"] for one in shown["AlgorithmSpecification"]["MetricDefinitions"]}
    final = {one["MetricName"] for one in shown["FinalMetricDataList"]}
    assert final <= defined
    metrics = client(cloud, "cloudwatch").list_metrics(Namespace="/aws/sagemaker/TrainingJobs")["Metrics"]
    assert {one["MetricName"] for one in metrics} == final
    assert metrics[0]["Dimensions"] == [{"Name": "TrainingJobName", "Value": "iris-1"}]
    assert [step["Status"] for step in shown["SecondaryStatusTransitions"]] == [
        "Starting", "Downloading", "Training", "Uploading", "Completed",
    ]  # fmt: skip
    url = shown["ModelArtifacts"]["S3ModelArtifacts"]
    assert url == f"s3://{BUCKET}/models/iris-1/output/model.tar.gz"
    found = client(cloud, "s3").get_object(Bucket=BUCKET, Key="models/iris-1/output/model.tar.gz")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", key)
    with tarfile.open(fileobj=io.BytesIO(found["Body"].read())) as archive:
        assert archive.getnames() == ["xgboost-model"]
    metrics = {item["MetricName"]: item["Value"] for item in shown["FinalMetricDataList"]}
    assert set(metrics) == {"train:merror", "validation:merror"}
    assert metrics["validation:merror"] < 0.1
    logs = client(cloud, "logs")
    stream = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")["logStreams"][0]["logStreamName"]
    assert stream.startswith("iris-1/algo-1-")
    events = logs.get_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream)["events"]
    assert any(event["message"].startswith("[4]\ttrain-merror:") for event in events)


@pytest.mark.parametrize(
    ("hyperparameters", "reason"),
    [
        ({"num_class": "3", "objective": "multi:softmax"}, "Missing required hyperparameter: num_round"),
        (HYPERPARAMETERS | {"num_class": "2"}, "label must be"),
    ],
)
def test_a_job_that_the_container_refuses_fails_with_its_reason(
    cloud: Cloud, role: str, hyperparameters: dict[str, str], reason: str
) -> None:
    shown = train(cloud, "refused", role, HyperParameters=hyperparameters)
    assert shown["TrainingJobStatus"] == "Failed"
    assert shown["SecondaryStatus"] == "Failed"
    assert shown["FailureReason"].startswith("AlgorithmError: framework error: \nTraceback (most recent call last):\n")
    assert reason in shown["FailureReason"]
    assert len(shown["FailureReason"]) <= 1024
    assert "Contents" not in client(cloud, "s3").list_objects_v2(Bucket=BUCKET, Prefix="models/")


def test_data_of_another_format_than_said_fails_the_job(cloud: Cloud, role: str) -> None:
    client(cloud, "s3").put_object(Bucket=BUCKET, Key="data/train/train.csv", Body=b"Iris data\n0,5.1\n")
    shown = train(cloud, "words", role)
    assert "Failed to load csv data with exception" in shown["FailureReason"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"InputDataConfig": [channel("absent")]}, "No S3 objects found under S3 URL"),
        ({"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/absent"}, "Could not assume role"),
        ({"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}}, "Not supported by the embedded AWS"),
        ({"EnableManagedSpotTraining": True}, "Not supported by the embedded AWS"),
        ({"HyperParameters": HYPERPARAMETERS | {"_kfold": "3"}}, "Not supported by the embedded AWS"),
        ({"InputDataConfig": [channel("train", "application/x-parquet")]}, "training with parquet data"),
        (
            {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 10}},
            "distributed training",
        ),
        (
            {"ResourceConfig": {"InstanceType": "ml.m5.tiny", "InstanceCount": 1, "VolumeSizeInGB": 10}},
            "Member must satisfy enum value set",
        ),
        (
            {"AlgorithmSpecification": {"TrainingImage": "me/mine:1", "TrainingInputMode": "File"}},
            "non-ECR image",
        ),
    ],
)
def test_a_job_that_cannot_run_is_refused_when_it_is_created(
    cloud: Cloud, role: str, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        client(cloud, "sagemaker").create_training_job(**job("refused", role, **changed))


def test_names_are_unique_and_unknown_jobs_are_not_found(cloud: Cloud, role: str) -> None:
    train(cloud, "once", role)
    sagemaker = client(cloud, "sagemaker")
    with pytest.raises(ClientError, match="must be unique"):
        sagemaker.create_training_job(**job("once", role))
    with pytest.raises(ClientError, match="Requested resource not found"):
        sagemaker.describe_training_job(TrainingJobName="never")
    listed = sagemaker.list_training_jobs(StatusEquals="Completed")["TrainingJobSummaries"]
    assert [item["TrainingJobName"] for item in listed] == ["once"]


def test_a_running_job_can_be_stopped(cloud: Cloud, role: str) -> None:
    sagemaker = client(cloud, "sagemaker")
    sagemaker.create_training_job(**job("stopped", role, HyperParameters=SLOW))

    def status() -> str:
        return str(sagemaker.describe_training_job(TrainingJobName="stopped")["SecondaryStatus"])

    until(lambda: status() == "Training")
    sagemaker.stop_training_job(TrainingJobName="stopped")
    until(lambda: status() == "Stopped")
    with pytest.raises(ClientError, match="is in status Stopped"):
        sagemaker.stop_training_job(TrainingJobName="stopped")


# -- keys that are no files --------------------------------------------------------------------

CLASHES = "a previously downloaded file/folder clashes with it"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("../../../../../../outside.csv", "the name leads out of its folder"),
        ("../config/hyperparameters.json", "the name leads out of its folder"),
        ("train.csv/more.csv", CLASHES),
        ("/train.csv", CLASHES),
        ("x" * 300, "file name too long"),
    ],
)
def test_a_key_that_no_file_can_have_fails_the_job_and_writes_nowhere(
    cloud: Cloud, role: str, tmp_path: Path, key: str, reason: str
) -> None:
    client(cloud, "s3").put_object(Bucket=BUCKET, Key=f"data/train/{key}", Body=b"0,1,2\n")
    shown = train(cloud, "odd", role)
    assert shown["TrainingJobStatus"] == "Failed"
    assert shown["FailureReason"].startswith("ClientError: Data download failed:Failed to download data. Cannot")
    assert f"s3://{BUCKET}/data/train/{key.strip('/')}" in shown["FailureReason"]
    assert reason in shown["FailureReason"]
    assert not [path for path in tmp_path.rglob("*") if path.name in {"outside.csv", "more.csv"}]
    assert cloud.faults == []


def test_a_channel_whose_name_leads_out_fails_the_job(cloud: Cloud, role: str) -> None:
    shown = train(cloud, "odd", role, InputDataConfig=[channel("train") | {"ChannelName": ".."}])
    assert shown["FailureReason"] == "ClientError: Data download failed:the name leads out of its folder"


def test_odd_keys_that_files_can_have_are_trained_with(cloud: Cloud, role: str) -> None:
    s3 = client(cloud, "s3")
    body = s3.get_object(Bucket=BUCKET, Key="data/train/train.csv")["Body"].read()
    s3.put_object(Bucket=BUCKET, Key='data/train/a..b/it\'s "$HOME" (\u00e9).csv', Body=body)
    assert train(cloud, "odd", role)["TrainingJobStatus"] == "Completed"


def test_a_defect_of_the_embedded_aws_ends_the_job(cloud: Cloud, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training_files, "write_configuration", fails)
    shown = train(cloud, "unlucky", role)
    assert shown["TrainingJobStatus"] == "Failed"
    assert shown["FailureReason"] == "InternalServerError: We encountered an internal error. Please try again."
    until(lambda: cloud.faults)
    assert "No space left on device" in cloud.faults.pop().traceback


def test_a_measure_with_a_threshold_is_printed_and_is_no_metric_of_the_job() -> None:
    """No definition of the algorithm names it, so a pipeline that asks for its value would fail."""
    found = training.final_metrics("[0]\ttrain-merror:0.5\n[1]\ttrain-error@0.7:0.5\tvalidation-merror:0.25\n")
    assert [(one["MetricName"], one["Value"]) for one in found] == [("validation:merror", 0.25)]
