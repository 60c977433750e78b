"""Monitoring schedules: what AWS refuses of them, and executions that look at captured data and say what they found.

The endpoint is one without a server, whose captured data the tests write; tests/rehearsal/test_every_setting.py has
real ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.sagemaker import monitor_schedules, monitor_statistics
from localaws.services.sagemaker.deployment import Endpoint
from localaws.services.sagemaker.endpoints import Endpoints
from localaws.services.sagemaker.servers import new_fleet
from scripts.rehearsal.embedded import embedded_aws, published
from tests.support.roles import EVERYTHING, make_role
from tests.support.waiting import until

ACCOUNT, REGION, DATA = "111111111111", "us-east-1", "captured"
IMAGE = f"{published().monitors[REGION]}.dkr.ecr.{REGION}.amazonaws.com/sagemaker-model-monitor-analyzer"
HOURLY = {"ScheduleExpression": "cron(0 * ? * * *)"}


def client(cloud: Cloud, service: str = "sagemaker") -> Any:
    return cloud.root(ACCOUNT, REGION).client(service)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Cloud]:
    """An endpoint that captures, and a baseline of its one feature."""
    with embedded_aws(tmp_path, waits=0.00001) as cloud:
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": "m",
            "InitialInstanceCount": 1,
            "InitialVariantWeight": 1.0,
        }
        capture = {"EnableCapture": True, "DestinationS3Uri": f"s3://{DATA}/capture", "InitialSamplingPercentage": 100}
        config = {"EndpointConfigName": "c", "ProductionVariants": [variant], "DataCaptureConfig": capture}
        shown = {"EndpointName": "shop", "EndpointStatus": "InService"}
        cloud.state(Endpoints, ACCOUNT, REGION).by_name["shop"] = Endpoint(shown, new_fleet(config))
        s3 = client(cloud, "s3")
        s3.create_bucket(Bucket=DATA)
        found = monitor_statistics.of_table(["answer", "length"], [[str(n % 2), str(n % 10)] for n in range(200)])
        for name, content in (("statistics", found), ("constraints", monitor_statistics.suggested(found))):
            s3.put_object(Bucket=DATA, Key=f"baseline/{name}.json", Body=json.dumps(content).encode())
        yield cloud
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def send(cloud: Cloud, *lengths: int) -> None:
    """Captured requests, as they are filed."""
    parts = [(("endpointInput", f"{length}"), ("endpointOutput", f"{n % 2}")) for n, length in enumerate(lengths)]
    lines = [{"captureData": {key: {"data": text, "encoding": "CSV"} for key, text in part}} for part in parts]
    key = f"capture/shop/AllTraffic/{datetime.now(UTC):%Y/%m/%d/%H}/{len(lengths)}.jsonl"
    client(cloud, "s3").put_object(Bucket=DATA, Key=key, Body="\n".join(map(json.dumps, lines)).encode())


def define(cloud: Cloud, name: str = "d", role: str = "", **changed: Any) -> Any:
    baseline = {
        f"{kind}Resource": {"S3Uri": f"s3://{DATA}/baseline/{kind.lower()}.json"}
        for kind in ("Statistics", "Constraints")
    }
    output = {"S3Uri": f"s3://{DATA}/reports", "LocalPath": "/opt/ml/processing/output"}
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20}
    return client(cloud).create_data_quality_job_definition(
        **{
            "JobDefinitionName": name,
            "DataQualityBaselineConfig": baseline,
            "DataQualityAppSpecification": {"ImageUri": IMAGE},
            "DataQualityJobInput": {
                "EndpointInput": {"EndpointName": "shop", "LocalPath": "/opt/ml/processing/input/endpoint"}
            },
            "DataQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": output}]},
            "JobResources": {"ClusterConfig": cluster},
            "RoleArn": role or make_role(cloud, f"monitor-{name}", "sagemaker", EVERYTHING),
            "Tags": [{"Key": "team", "Value": "a"}],
            **changed,
        }
    )


def configured(definition: str = "d", **changed: Any) -> dict[str, Any]:
    config = {"ScheduleConfig": HOURLY, "MonitoringJobDefinitionName": definition, "MonitoringType": "DataQuality"}
    return {"MonitoringScheduleName": "s", "MonitoringScheduleConfig": {**config, **changed}}


def last(cloud: Cloud, *statuses: str) -> dict[str, Any]:
    """The newest execution with one of these states."""

    def look() -> Any:
        found = client(cloud).list_monitoring_executions(MonitoringScheduleName="s")["MonitoringExecutionSummaries"]
        return next((one for one in found if one["MonitoringExecutionStatus"] in statuses), None)

    found: dict[str, Any] = until(look)
    return found


def test_an_execution_says_what_it_found_and_writes_its_report(world: Cloud) -> None:
    sagemaker, s3 = client(world), client(world, "s3")
    define(world)
    arn = sagemaker.create_monitoring_schedule(**configured())["MonitoringScheduleArn"]
    assert last(world, "Failed")["FailureReason"] == "Job inputs had no data"
    send(world, *range(10), *range(10))
    done = last(world, "Completed")
    job = sagemaker.describe_processing_job(ProcessingJobName=done["ProcessingJobArn"].rsplit("/", 1)[1])
    assert job["ExitMessage"] == "Completed: Job completed successfully with no violations."
    assert (job["MonitoringScheduleArn"], job["ProcessingJobStatus"]) == (arn, "Completed")
    send(world, *[9] * 300)
    found = last(world, "CompletedWithViolations")
    job = sagemaker.describe_processing_job(ProcessingJobName=found["ProcessingJobArn"].rsplit("/", 1)[1])
    place = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"].removeprefix(f"s3://{DATA}/")
    assert place.startswith("reports/shop/s/20")
    files = {one["Key"].rsplit("/", 1)[1] for one in s3.list_objects_v2(Bucket=DATA, Prefix=place)["Contents"]}
    assert files == {"statistics.json", "constraints.json", "constraint_violations.json"}
    said = json.loads(s3.get_object(Bucket=DATA, Key=f"{place}/constraint_violations.json")["Body"].read())
    assert [one["feature_name"] for one in said["violations"]] == ["length"]
    metric = {"Namespace": "aws/sagemaker/Endpoints/data-metrics", "MetricName": "feature_baseline_drift_length"}
    (listed,) = client(world, "cloudwatch").list_metrics(**metric)["Metrics"]
    assert {one["Name"]: one["Value"] for one in listed["Dimensions"]} == {
        "Endpoint": "shop",
        "MonitoringSchedule": "s",
    }
    shown = sagemaker.describe_monitoring_schedule(MonitoringScheduleName="s")
    assert shown["LastMonitoringExecutionSummary"]["MonitoringScheduleName"] == "s"
    sagemaker.delete_monitoring_schedule(MonitoringScheduleName="s")
    assert sagemaker.list_monitoring_executions(EndpointName="shop")[
        "MonitoringExecutionSummaries"
    ]  # the history stays
    assert sagemaker.list_monitoring_schedules()["MonitoringScheduleSummaries"] == []
    sagemaker.delete_data_quality_job_definition(JobDefinitionName="d")
    assert sagemaker.list_data_quality_job_definitions()["JobDefinitionSummaries"] == []


def test_a_role_that_may_not_read_the_baseline_makes_the_execution_fail(world: Cloud) -> None:
    allowed = {"Effect": "Allow", "Action": ["ecr:*", "s3:GetObject"], "Resource": "*"}
    define(world, role=make_role(world, "narrow", "sagemaker", allowed))
    client(world).create_monitoring_schedule(**configured())
    assert "AccessDenied" in last(world, "Failed")["FailureReason"]


def test_a_stopped_schedule_begins_nothing_and_an_update_counts_from_then_on(world: Cloud) -> None:
    sagemaker = client(world)
    define(world)
    sagemaker.create_monitoring_schedule(**configured())
    sagemaker.stop_monitoring_schedule(MonitoringScheduleName="s")
    until(lambda: not sagemaker.list_monitoring_executions(StatusEquals="InProgress")["MonitoringExecutionSummaries"])
    before = len(sagemaker.list_monitoring_executions()["MonitoringExecutionSummaries"])
    with pytest.raises(AssertionError):
        until(lambda: len(sagemaker.list_monitoring_executions()["MonitoringExecutionSummaries"]) > before, 0.6)
    define(world, "e")
    daily = {"ScheduleExpression": "cron(0 0 ? * * *)"}
    sagemaker.update_monitoring_schedule(**configured("e", ScheduleConfig=daily))
    sagemaker.start_monitoring_schedule(MonitoringScheduleName="s")
    (listed,) = sagemaker.list_monitoring_schedules(StatusEquals="Scheduled")["MonitoringScheduleSummaries"]
    assert (listed["MonitoringJobDefinitionName"], listed["EndpointName"]) == ("e", "shop")
    tags = sagemaker.list_tags(
        ResourceArn=sagemaker.describe_data_quality_job_definition(JobDefinitionName="e")["JobDefinitionArn"]
    )
    assert tags["Tags"] == [{"Key": "team", "Value": "a"}]


@pytest.mark.parametrize(
    ("expression", "hours"),
    [("cron(0 * ? * * *)", 1), ("cron(0 12 ? * * *)", 24), ("cron(0 17/12 ? * * *)", 12), ("cron(0 0/2 ? * * *)", 2)],
)
def test_the_expressions_of_the_page_are_understood(expression: str, hours: int) -> None:
    assert monitor_schedules.hours(expression) == hours


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"ScheduleConfig": {"ScheduleExpression": "cron(5 * ? * * *)"}}, "ValidationException"),
        ({"ScheduleConfig": {"ScheduleExpression": "cron(0 0/25 ? * * *)"}}, "ValidationException"),
        ({"ScheduleConfig": {"ScheduleExpression": "NOW"}}, "NOW"),
        ({"MonitoringType": "ModelQuality"}, "ModelQuality"),
        ({"MonitoringJobDefinitionName": "other"}, "ResourceNotFound"),
    ],
)
def test_a_wrong_schedule_is_refused(world: Cloud, changed: dict[str, Any], refusal: str) -> None:
    define(world)
    with pytest.raises(ClientError, match=refusal):
        client(world).create_monitoring_schedule(**configured(**changed))


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"DataQualityAppSpecification": {"ImageUri": IMAGE.replace(REGION, "eu-west-1")}}, "Model Monitor's own"),
        ({"DataQualityBaselineConfig": {}}, "ConstraintsResource"),
        ({"DataQualityJobInput": {"EndpointInput": {"EndpointName": "no", "LocalPath": "/opt/ml/processing/x"}}},
         "Could not find endpoint"),
        ({"JobResources": {"ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20}}},
         "several instances"),
    ],
)  # fmt: skip
def test_a_wrong_definition_is_refused(world: Cloud, changed: dict[str, Any], refusal: str) -> None:
    with pytest.raises(ClientError, match=refusal):
        define(world, **changed)


def test_names_are_taken_and_missing_ones_are_said(world: Cloud) -> None:
    sagemaker = client(world)
    define(world)
    with pytest.raises(ClientError, match="ResourceInUse"):
        define(world, role=make_role(world, "second", "sagemaker", EVERYTHING))
    sagemaker.create_monitoring_schedule(**configured())
    with pytest.raises(ClientError, match="ResourceInUse"):
        sagemaker.create_monitoring_schedule(**configured())
    for name in ("describe", "start", "stop", "delete"):
        with pytest.raises(ClientError, match="ResourceNotFound"):
            getattr(sagemaker, f"{name}_monitoring_schedule")(MonitoringScheduleName="other")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        sagemaker.delete_data_quality_job_definition(JobDefinitionName="other")
