"""Transform jobs on the embedded AWS: a real model server is asked about files, and a pipeline tunes and transforms.

Beside them, on the same trained model, models whose data are no archive, which transform jobs do not take.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.errors import NotSupported
from localaws.cloud import Cloud
from localaws.services.sagemaker.models import Models
from localaws.services.sagemaker.transform import check_job
from scripts.rehearsal.embedded import embedded_aws
from tests.support.sagemaker_world import ACCOUNT, BUCKET, IMAGE, REGION, client, job, make_bucket, make_trainer, train
from tests.support.waiting import until

SETOSA, VIRGINICA = "5.1,3.5,1.4,0.2", "6.3,3.3,6.0,2.5"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A trained model, and files to ask it about."""
    with embedded_aws(tmp_path_factory.mktemp("transform")) as cloud:
        role = make_trainer(cloud)
        make_bucket(cloud)
        shown = train(cloud, "first", role)
        container = {"Image": IMAGE, "ModelDataUrl": shown["ModelArtifacts"]["S3ModelArtifacts"]}
        client(cloud, "sagemaker").create_model(ModelName="iris", PrimaryContainer=container, ExecutionRoleArn=role)
        s3 = client(cloud, "s3")
        s3.put_object(Bucket=BUCKET, Key="batch/a.csv", Body=f"{SETOSA}\n{VIRGINICA}\n".encode())
        s3.put_object(Bucket=BUCKET, Key="batch/more/b.csv", Body=f"{VIRGINICA}\n".encode())
        s3.put_object(Bucket=BUCKET, Key="wrong/c.csv", Body=b"a,b\n")
        yield cloud
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def request(name: str, folder: str = "batch/", **changed: Any) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{folder}"}}
    return {
        "TransformJobName": name,
        "ModelName": "iris",
        "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/out/{name}", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    } | changed


def ended(cloud: Cloud, name: str) -> dict[str, Any]:
    def look() -> Any:
        shown = client(cloud, "sagemaker").describe_transform_job(TransformJobName=name)
        return shown if shown["TransformJobStatus"] in {"Completed", "Failed", "Stopped"} else None

    found: dict[str, Any] = until(look)
    return found


def written(cloud: Cloud, key: str) -> str:
    body: bytes = client(cloud, "s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body.decode()


@pytest.mark.parametrize(("strategy", "instances"), [("SingleRecord", 1), ("MultiRecord", 2)])
def test_each_file_gets_its_answers_in_the_order_of_its_lines(world: Cloud, strategy: str, instances: int) -> None:
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": instances}
    asked = request(strategy, BatchStrategy=strategy, TransformResources=resources)
    client(world, "sagemaker").create_transform_job(**asked)
    assert ended(world, strategy)["TransformJobStatus"] == "Completed"
    assert written(world, f"out/{strategy}/a.csv.out") == "0.0\n2.0\n"
    assert written(world, f"out/{strategy}/more/b.csv.out") == "2.0\n"
    answer = client(world, "s3").head_object(Bucket=BUCKET, Key=f"out/{strategy}/a.csv.out")
    assert answer["ServerSideEncryption"] == "aws:kms", "S3's own key of the account, whatever the bucket says"
    with pytest.raises(ClientError, match="ResourceInUse"):
        client(world, "sagemaker").create_transform_job(**asked)
    groups = client(world, "logs").describe_log_streams(logGroupName="/aws/sagemaker/TransformJobs")["logStreams"]
    assert any(stream["logStreamName"].startswith(f"{strategy}/i-") for stream in groups)
    component = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:experiment-trial-component/{strategy}-aws-transform-job"
    read = client(world, "sagemaker").list_associations(DestinationArn=component)["AssociationSummaries"]
    assert sorted(one["SourceType"] for one in read) == ["DataSet", "Image", "Model"]


def test_a_file_that_the_model_cannot_read_fails_the_job_with_its_answer(world: Cloud) -> None:
    client(world, "sagemaker").create_transform_job(**request("wrong", "wrong/"))
    shown = ended(world, "wrong")
    assert shown["TransformJobStatus"] == "Failed"
    assert shown["FailureReason"].startswith("AlgorithmError: See job logs for more information: 4")
    client(world, "sagemaker").create_transform_job(**request("nothing", "absent/"))
    assert "No S3 objects found under S3 URL" in ended(world, "nothing")["FailureReason"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"DataProcessing": {"JoinSource": "Input"}}, "DataProcessing"),
        ({"ModelName": "absent"}, "Could not find model"),
        ({"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, "must not exceed 100 MB"),
    ],
)
def test_what_is_not_supported_is_refused_before_anything_runs(
    world: Cloud, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        client(world, "sagemaker").create_transform_job(**request("refused", **changed))


def test_several_instances_in_a_vpc_are_not_supported(world: Cloud) -> None:
    """Developer Guide, "Give Batch Transform Jobs Access to Resources in Your Amazon VPC"."""
    made = world.state(Models, ACCOUNT, REGION).by_name["iris"]
    inside = replace(made, shown={**made.shown, "VpcConfig": {"Subnets": ["subnet-1a"], "SecurityGroupIds": ["sg-1a"]}})
    asked = request("inside")
    check_job(asked, inside)  # one instance: does not raise
    with pytest.raises(NotSupported, match="several instances in a VPC"):
        check_job({**asked, "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}, inside)


def test_a_model_is_served_from_a_file_or_a_prefix_without_compression(world: Cloud) -> None:
    sagemaker, s3 = client(world, "sagemaker"), client(world, "s3")
    role = f"arn:aws:iam::{ACCOUNT}:role/trainer"
    packed = sagemaker.describe_model(ModelName="iris")["PrimaryContainer"]["ModelDataUrl"]
    body = s3.get_object(Bucket=BUCKET, Key=packed.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        file = archive.extractfile("xgboost-model")
        assert file
        s3.put_object(Bucket=BUCKET, Key="large/xgboost-model", Body=file.read())

    def make(name: str, url: str, kind: str, packed: str = "None") -> None:
        source = {"S3DataSource": {"S3Uri": url, "S3DataType": kind, "CompressionType": packed}}
        container = {"Image": IMAGE, "ModelDataSource": source}
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)

    for url, kind in (("large/xgboost-model", "S3Object"), ("large/", "S3Prefix")):
        make(kind, f"s3://{BUCKET}/{url}", kind)
        variant = {"VariantName": "A", "ModelName": kind, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(EndpointConfigName=kind, ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=kind, EndpointConfigName=kind)
        status = until(partial(in_service, world, kind))
        assert status == "InService", sagemaker.describe_endpoint(EndpointName=kind)
        answer = client(world, "sagemaker-runtime").invoke_endpoint(
            EndpointName=kind, ContentType="text/csv", Body=VIRGINICA.encode()
        )
        assert answer["Body"].read().strip() == b"2.0"
    with pytest.raises(ClientError, match="must end with a slash, and be uncompressed"):
        make("packed", f"s3://{BUCKET}/large/", "S3Prefix", "Gzip")
    with pytest.raises(ClientError, match="Could not access model data"):
        make("absent", f"s3://{BUCKET}/absent/", "S3Prefix")
    serverless = {
        "VariantName": "A",
        "ModelName": "S3Object",
        "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1},
    }
    with pytest.raises(ClientError, match="ModelDataSource is not supported for serverless"):
        sagemaker.create_endpoint_config(EndpointConfigName="serverless", ProductionVariants=[serverless])
    with pytest.raises(ClientError, match="ModelDataSource is not supported for batch transform"):
        sagemaker.create_transform_job(**request("large", ModelName="S3Object"))


def in_service(cloud: Cloud, name: str) -> str | None:
    status: str = client(cloud, "sagemaker").describe_endpoint(EndpointName=name)["EndpointStatus"]
    return None if status == "Creating" else status


def test_a_pipeline_tunes_makes_a_model_of_the_best_and_transforms_with_it(world: Cloud) -> None:
    sagemaker, role = client(world, "sagemaker"), f"arn:aws:iam::{ACCOUNT}:role/trainer"
    given = job("unused", role)
    static = {"objective": "multi:softmax", "num_class": "3", "eval_metric": "merror"}
    definition = {
        name: given[name]
        for name in (
            "AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig",
            "StoppingCondition",
        )
    }  # fmt: skip
    tuning = {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:merror"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "IntegerParameterRanges": [{"Name": "num_round", "MinValue": "2", "MaxValue": "5"}],
                "ContinuousParameterRanges": [
                    {"Name": "eta", "MinValue": "0.1", "MaxValue": "0.5", "ScalingType": "Logarithmic"}
                ],
            },
        },
        "TrainingJobDefinition": {"StaticHyperParameters": static, **definition},
    }
    best = {"Get": "Steps.Tune.TrainingJobSummaries[0].TrainingJobName"}
    parts = [f"s3://{BUCKET}/models", best, "output/model.tar.gz"]
    container = {"Image": IMAGE, "ModelDataUrl": {"Std:Join": {"On": "/", "Values": parts}}}
    asked = request("unused") | {"ModelName": {"Get": "Steps.Make.ModelName"}}
    del asked["TransformJobName"]
    steps = [
        {"Name": "Tune", "Type": "Tuning", "Arguments": tuning},
        {"Name": "Make", "Type": "Model", "Arguments": {"ExecutionRoleArn": role, "PrimaryContainer": container}},
        {"Name": "Ask", "Type": "Transform", "Arguments": asked},
    ]
    text = json.dumps({"Version": "2020-12-01", "Steps": steps})
    sagemaker.create_pipeline(PipelineName="tuned", PipelineDefinition=text, RoleArn=role)
    execution = sagemaker.start_pipeline_execution(PipelineName="tuned")["PipelineExecutionArn"]

    def over() -> Any:
        status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"]
        return None if status == "Executing" else status

    status = until(over)
    listed = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution)["PipelineExecutionSteps"]
    assert status == "Succeeded", listed
    metadata = {step["StepName"]: step["Metadata"] for step in listed}
    assert metadata["Tune"]["TuningJob"]["Arn"].startswith(
        f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:hyper-parameter-tuning-job/"
    )
    assert list(metadata["Ask"]) == ["TransformJob"]
    assert written(world, "out/unused/a.csv.out") == "0.0\n2.0\n"


def test_a_tuning_step_that_is_too_large_is_refused_when_the_pipeline_is_created(world: Cloud) -> None:
    config = {"Strategy": "Random", "ResourceLimits": {"MaxNumberOfTrainingJobs": 60, "MaxParallelTrainingJobs": 1}}
    step = {"Name": "Tune", "Type": "Tuning", "Arguments": {"HyperParameterTuningJobConfig": config}}
    text = json.dumps({"Version": "2020-12-01", "Steps": [step]})
    role = f"arn:aws:iam::{ACCOUNT}:role/trainer"
    with pytest.raises(ClientError, match="a tuning job of 60 training jobs"):
        client(world, "sagemaker").create_pipeline(PipelineName="large", PipelineDefinition=text, RoleArn=role)


@pytest.mark.parametrize("kind", ["QualityCheck", "ClarifyCheck", "Callback", "EMR", "AutoML"])
def test_a_step_that_is_not_supported_is_refused_by_its_name_when_the_pipeline_is_created(
    world: Cloud, kind: str
) -> None:
    text = json.dumps({"Version": "2020-12-01", "Steps": [{"Name": "Check", "Type": kind, "Arguments": {}}]})
    with pytest.raises(ClientError, match=rf"pipeline steps of type {kind} \(step Check\)"):
        client(world, "sagemaker").create_pipeline(
            PipelineName="refused", PipelineDefinition=text, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/trainer"
        )
