"""Models and endpoints on the embedded AWS: real model servers, real refusals, real rollbacks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.sagemaker.endpoints import Endpoints
from scripts.rehearsal.embedded import embedded_aws
from tests.support.endpoints_setting import (
    GROUP,
    PACKAGE,
    ask,
    make_config,
    make_endpoint,
    make_model,
    put_archive,
    settled,
    there,
)
from tests.support.sagemaker_world import (
    ACCOUNT,
    BUCKET,
    IMAGE,
    OTHER,
    REGION,
    client,
    make_bucket,
    make_key,
    make_trainer,
    share_group,
    specification,
    train,
)
from tests.support.waiting import until

SETOSA, VIRGINICA = b"5.1,3.5,1.4,0.2\n", b"6.3,3.3,6.0,2.5\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One trained model, in a bucket that the target account may read, registered and approved as version 1."""
    with embedded_aws(tmp_path_factory.mktemp("endpoints")) as running:
        role = make_trainer(running)
        make_trainer(running, "serving", OTHER)
        make_bucket(running, OTHER)
        url = train_for_others(running, role)
        sagemaker = client(running, "sagemaker")
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        share_group(running, GROUP, OTHER)
        for status in ("Approved", "PendingManualApproval"):
            sagemaker.create_model_package(
                ModelPackageGroupName=GROUP, InferenceSpecification=specification(url), ModelApprovalStatus=status
            )
        yield running
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


def train_for_others(cloud: Cloud, role: str) -> str:
    """Where the model's data lies, encrypted with a key that the target account may decrypt with."""
    output = {"S3OutputPath": f"s3://{BUCKET}/models", "KmsKeyId": make_key(cloud, OTHER)}
    return str(train(cloud, "first", role, OutputDataConfig=output)["ModelArtifacts"]["S3ModelArtifacts"])


def test_an_approved_version_of_another_account_predicts(world: Cloud) -> None:
    shown = make_endpoint(world, "predicts")
    assert shown["EndpointStatus"] == "InService"
    assert shown["ProductionVariants"][0]["DeployedImages"][0]["SpecifiedImage"] == IMAGE
    answer = ask(world, "predicts", SETOSA + VIRGINICA)
    assert (answer["Text"], answer["ContentType"]) == ("0.0\n2.0\n", "text/csv; charset=utf-8")
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    [context] = there(world).list_contexts(SourceUri=shown["EndpointArn"])["ContextSummaries"]
    query = {"StartArns": [context["ContextArn"]], "Direction": "Ascendants"}
    assert len(there(world).query_lineage(**query, Filters={"Types": ["Model"]})["Vertices"]) == 2
    answer = ask(world, "predicts", VIRGINICA, Accept="application/json")
    assert json.loads(answer["Text"]) == {"predictions": [{"score": 2.0}]}
    assert ask(world, "predicts", b"0:5.1 1:3.5 2:1.4 3:0.2", ContentType="text/libsvm")["Text"] == "0.0\n"
    assert ask(world, "predicts", b"")["Text"] == ""


@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        (SETOSA, {"ContentType": "application/json"}, 415),
        (b"a,b,c,d\n", {}, 415),
        (b"1,2,3,4,5,6\n", {}, 400),
        (SETOSA, {"Accept": "image/png"}, 406),
        (b"1" * (6 * 1024 * 1024 + 1), {}, 413),
    ],
)
def test_what_the_container_refuses_comes_back_as_model_error(
    world: Cloud, body: bytes, more: dict[str, str], status: int
) -> None:
    if "refuses" not in world.state(Endpoints, OTHER, REGION).by_name:
        make_endpoint(world, "refuses")
    with pytest.raises(ClientError) as refused:
        ask(world, "refuses", body, **more)
    assert refused.value.response["Error"]["Code"] == "ModelError"
    response: dict[str, Any] = dict(refused.value.response)
    assert response["OriginalStatusCode"] == status
    assert f"Received client error ({status}) from primary" in refused.value.response["Error"]["Message"]


def test_an_unknown_endpoint_or_variant_is_a_validation_error(world: Cloud) -> None:
    with pytest.raises(ClientError, match=f"Endpoint absent of account {OTHER} not found") as refused:
        ask(world, "absent", SETOSA)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    make_endpoint(world, "one-variant")
    with pytest.raises(ClientError, match="Variant other"):
        ask(world, "one-variant", SETOSA, TargetVariant="other")


def test_a_version_that_is_not_approved_cannot_be_deployed(world: Cloud) -> None:
    with pytest.raises(ClientError, match="Only an Approved model package"):
        make_model(world, "pending", ModelPackageName=f"{PACKAGE}/2")
    with pytest.raises(ClientError, match="does not exist"):
        make_model(world, "absent", ModelPackageName=f"{PACKAGE}/3")


def test_a_model_whose_data_the_role_cannot_read_is_refused(world: Cloud) -> None:
    with pytest.raises(ClientError, match="Could not access model data"):
        make_model(world, "no-data", Image=IMAGE, ModelDataUrl=f"s3://{BUCKET}/absent/model.tar.gz")
    with pytest.raises(ClientError, match="Could not assume role"):
        there(world).create_model(
            ModelName="no-role",
            PrimaryContainer={"ModelPackageName": f"{PACKAGE}/1"},
            ExecutionRoleArn=f"arn:aws:iam::{OTHER}:role/absent",
        )
    with pytest.raises(ClientError, match="Cross-account pass role"):
        there(world).create_model(
            ModelName="other-role",
            PrimaryContainer={"ModelPackageName": f"{PACKAGE}/1"},
            ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/trainer",
        )


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-sparkml-serving:3.3", "only SageMaker's own XGBoost"),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3", "only processing jobs"),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:latest", "the versions that run here"),
        ("141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.0-5", "not in the region us-east-1"),
        ("111111111111.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5", "not found"),
    ],
)
def test_an_image_that_cannot_run_is_refused_by_name(world: Cloud, image: str, message: str) -> None:
    with pytest.raises(ClientError, match=message):
        make_model(world, "image", Image=image, ModelDataUrl=f"s3://{BUCKET}/any.tar.gz")


@pytest.mark.parametrize(
    ("variant", "more", "message"),
    [
        ({"InstanceType": "ml.t3.medium"}, {}, "Member must satisfy enum value set"),
        ({"ModelName": "absent"}, {}, 'Could not find model "arn:aws:sagemaker:us-east-1:333333333333:model/absent"'),
        ({"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}, {}, "cannot have InstanceType"),
        ({"VariantName": "-"}, {}, "Member must satisfy regular expression pattern"),
        (
            {},
            {"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}},
            "Not supported by the embedded AWS",
        ),
        (
            {},
            {
                "DataCaptureConfig": {
                    "InitialSamplingPercentage": 101,
                    "DestinationS3Uri": f"s3://{BUCKET}/captured",
                    "CaptureOptions": [{"CaptureMode": "Input"}],
                }
            },
            "less than or equal to 100",
        ),
    ],
)
def test_a_configuration_that_aws_refuses_is_refused(
    world: Cloud, variant: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    names = [model["ModelName"] for model in there(world).list_models()["Models"]]
    if "for-configs" not in names:
        make_model(world, "for-configs")
    with pytest.raises(ClientError, match=message):
        make_config(world, "refused", "for-configs", variant=variant, **more)


def test_a_model_that_does_not_load_fails_the_endpoint(world: Cloud) -> None:
    url = put_archive(world, "broken/model.tar.gz", b"this is no model")
    make_model(world, "broken", Image=IMAGE, ModelDataUrl=url)
    make_config(world, "broken", "broken")
    there(world).create_endpoint(EndpointName="broken", EndpointConfigName="broken")
    shown = settled(world, "broken")
    assert shown["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in shown["FailureReason"]
    group = {"logGroupName": "/aws/sagemaker/Endpoints/broken"}
    logs = there(world, "logs")
    stream = logs.describe_log_streams(**group)["logStreams"][0]["logStreamName"]
    said = [event["message"] for event in logs.get_log_events(**group, logStreamName=stream)["events"]]
    assert any("Unable to load model" in line for line in said)
    with pytest.raises(ClientError, match="not found"):
        ask(world, "broken", SETOSA)


def test_a_failed_update_leaves_the_endpoint_in_service_as_it_was(world: Cloud) -> None:
    make_endpoint(world, "reverts")
    url = put_archive(world, "broken/again.tar.gz", b"this is no model either")
    make_model(world, "reverts-bad", Image=IMAGE, ModelDataUrl=url)
    make_config(world, "reverts-bad", "reverts-bad")
    there(world).update_endpoint(EndpointName="reverts", EndpointConfigName="reverts-bad")
    shown = settled(world, "reverts")
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", "reverts")
    assert "ping health check" in shown["FailureReason"]
    assert ask(world, "reverts", VIRGINICA)["Text"] == "2.0\n"


def test_an_update_swaps_the_server_and_ends_the_old_one(world: Cloud) -> None:
    make_endpoint(world, "swaps")
    before = pid(world, "swaps")
    make_model(world, "swaps-2")
    make_config(world, "swaps-2", "swaps-2", variant={"InitialInstanceCount": 2})
    there(world).update_endpoint(EndpointName="swaps", EndpointConfigName="swaps-2")
    shown = settled(world, "swaps")
    assert (shown["EndpointConfigName"], "FailureReason" in shown) == ("swaps-2", False)
    assert shown["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert pid(world, "swaps") != before
    assert not Path(f"/proc/{before}").exists() or not alive(before)
    assert ask(world, "swaps", SETOSA)["Text"] == "0.0\n"
    assert len(there(world).list_actions(SourceUri=shown["EndpointArn"])["ActionSummaries"]) == 2


def pid(world: Cloud, endpoint: str) -> int:
    return world.state(Endpoints, OTHER, REGION).by_name[endpoint].fleet.servers["AllTraffic"].process.pid


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_retained_properties_survive_an_update(world: Cloud) -> None:
    make_endpoint(world, "retains")
    there(world).update_endpoint_weights_and_capacities(
        EndpointName="retains", DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}]
    )
    there(world).update_endpoint(EndpointName="retains", EndpointConfigName="retains", RetainAllVariantProperties=True)
    assert settled(world, "retains")["ProductionVariants"][0]["CurrentInstanceCount"] == 3


CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
            "WaitIntervalInSeconds": 60,
        },
        "TerminationWaitInSeconds": 60,
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
}


def test_a_canary_is_rolled_back_by_an_alarm_and_goes_through_without(world: Cloud) -> None:
    make_endpoint(world, "canary", variant={"InitialInstanceCount": 2})
    make_model(world, "canary-2")
    make_config(world, "canary-2", "canary-2", variant={"InitialInstanceCount": 2})
    cloudwatch = there(world, "cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0.1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",  # else the next evaluation takes back what is set by hand
    )
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    update = {"EndpointName": "canary", "EndpointConfigName": "canary-2", "DeploymentConfig": CANARY}
    there(world).update_endpoint(**update)
    shown = settled(world, "canary")
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", "canary")
    assert "alarms in the ALARM state: errors" in shown["FailureReason"]
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="test")
    there(world).update_endpoint(**update)
    shown = settled(world, "canary")
    assert shown["EndpointConfigName"] == "canary-2"
    assert "FailureReason" not in shown
    assert shown["LastDeploymentConfig"] == CANARY


def test_a_canary_needs_two_instances(world: Cloud) -> None:
    make_endpoint(world, "alone")
    with pytest.raises(ClientError, match="not be more than 50%"):
        there(world).update_endpoint(EndpointName="alone", EndpointConfigName="alone", DeploymentConfig=CANARY)
    with pytest.raises(ClientError, match="LinearStepSize must be given"):
        there(world).update_endpoint(
            EndpointName="alone",
            EndpointConfigName="alone",
            DeploymentConfig={
                "BlueGreenUpdatePolicy": {
                    "TrafficRoutingConfiguration": {"Type": "LINEAR", "WaitIntervalInSeconds": 60}
                }
            },
        )


def test_serverless_becomes_real_time_and_nothing_becomes_serverless(world: Cloud) -> None:
    make_model(world, "less")
    config = {"MemorySizeInMB": 2048, "MaxConcurrency": 5, "ProvisionedConcurrency": 6}
    less = {"VariantName": "AllTraffic", "ModelName": "less", "ServerlessConfig": config}
    with pytest.raises(ClientError, match="ProvisionedConcurrency must be less than or equal to MaxConcurrency"):
        there(world).create_endpoint_config(EndpointConfigName="less", ProductionVariants=[less])
    config["ProvisionedConcurrency"] = 5
    there(world).create_endpoint_config(EndpointConfigName="less", ProductionVariants=[less])
    make_config(world, "more", "less")
    there(world).create_endpoint(EndpointName="less", EndpointConfigName="less")
    assert settled(world, "less")["ProductionVariants"][0]["CurrentServerlessConfig"] == config
    assert ask(world, "less", SETOSA)["Text"] == "0.0\n"
    there(world).update_endpoint(EndpointName="less", EndpointConfigName="more")
    assert settled(world, "less")["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    with pytest.raises(ClientError, match="cannot be updated from instances to serverless"):
        there(world).update_endpoint(EndpointName="less", EndpointConfigName="less")


def test_captured_data_lies_in_s3_and_invocations_are_counted(world: Cloud) -> None:
    there(world, "s3").create_bucket(Bucket="captured-333333333333")
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://captured-333333333333/iris",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    shown = make_endpoint(world, "captures", DataCaptureConfig=capture)
    assert shown["DataCaptureConfig"]["CaptureStatus"] == "Started"
    ask(world, "captures", VIRGINICA, InferenceId="order-7")
    found = there(world, "s3").list_objects_v2(Bucket="captured-333333333333", Prefix="iris/captures/AllTraffic/")
    body = there(world, "s3").get_object(Bucket="captured-333333333333", Key=found["Contents"][0]["Key"])["Body"]
    line = json.loads(body.read())
    asked, said = (line["captureData"][member]["data"] for member in ("endpointInput", "endpointOutput"))
    assert (asked, said, line["eventMetadata"]["inferenceId"]) == (VIRGINICA.decode(), "2.0\n", "order-7")
    dimensions = [{"Name": "EndpointName", "Value": "captures"}, {"Name": "VariantName", "Value": "AllTraffic"}]
    metrics = there(world, "cloudwatch").list_metrics(Namespace="AWS/SageMaker", Dimensions=dimensions)["Metrics"]
    assert {"Invocations", "Invocation5XXErrors", "ModelLatency"} <= {m["MetricName"] for m in metrics}


def test_an_asynchronous_endpoint_writes_its_answer_to_s3(world: Cloud) -> None:
    there(world, "s3").create_bucket(Bucket="async-333333333333")
    there(world, "s3").put_object(Bucket="async-333333333333", Key="in.csv", Body=SETOSA)
    config = {"OutputConfig": {"S3OutputPath": "s3://async-333333333333/out"}}
    make_endpoint(world, "later", AsyncInferenceConfig=config)
    with pytest.raises(ClientError, match="use InvokeEndpointAsync"):
        ask(world, "later", SETOSA)
    place = there(world, "sagemaker-runtime").invoke_endpoint_async(
        EndpointName="later", InputLocation="s3://async-333333333333/in.csv", ContentType="text/csv"
    )["OutputLocation"]
    s3 = there(world, "s3")
    key = place.removeprefix("s3://async-333333333333/")
    until(lambda: s3.list_objects_v2(Bucket="async-333333333333", Prefix=key).get("Contents"))
    assert s3.get_object(Bucket="async-333333333333", Key=key)["Body"].read() == b"0.0\n"


def test_what_is_deleted_is_gone(world: Cloud) -> None:
    make_endpoint(world, "deleted")
    process = pid(world, "deleted")
    there(world).delete_endpoint(EndpointName="deleted")
    there(world).delete_endpoint_config(EndpointConfigName="deleted")
    there(world).delete_model(ModelName="deleted")
    assert not alive(process)
    with pytest.raises(ClientError, match='Could not find endpoint "arn:aws:sagemaker:us-east-1:333333333333'):
        there(world).describe_endpoint(EndpointName="deleted")
    with pytest.raises(ClientError, match="not find endpoint configuration"):
        there(world).describe_endpoint_config(EndpointConfigName="deleted")
    with pytest.raises(ClientError, match="not find model"):
        there(world).describe_model(ModelName="deleted")


def test_no_server_outlives_the_embedded_aws(tmp_path: Path) -> None:
    with embedded_aws(tmp_path / "short") as running:
        make_trainer(running)
        make_trainer(running, "serving", OTHER)
        make_bucket(running, OTHER)
        url = train_for_others(running, f"arn:aws:iam::{ACCOUNT}:role/trainer")
        make_model(running, "ends", Image=IMAGE, ModelDataUrl=url)
        make_config(running, "ends", "ends")
        there(running).create_endpoint(EndpointName="ends", EndpointConfigName="ends")
        settled(running, "ends")
        process = pid(running, "ends")
        assert alive(process)
    assert not alive(process)
