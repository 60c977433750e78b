"""Monitoring schedules: what AWS refuses of them, and executions that look at captured data and say what they found.

The endpoint is one without a server, whose captured data the tests write; tests/rehearsal/test_every_setting.py has
real ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.sagemaker import monitor_schedules, monitor_statistics
from tests.support.monitored import (
    CLUSTER,
    DATA,
    HOURLY,
    IMAGE,
    OUTPUT,
    REGION,
    client,
    file_lines,
    job_of,
    last,
    monitored_world,
    report_of,
)
from tests.support.roles import EVERYTHING, make_role
from tests.support.waiting import until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Cloud]:
    """An endpoint that captures, and a baseline of its one feature."""
    with monitored_world(tmp_path) as cloud:
        found = monitor_statistics.of_table(["answer", "length"], [[str(n % 2), str(n % 10)] for n in range(200)])
        for name, content in (("statistics", found), ("constraints", monitor_statistics.suggested(found))):
            body = json.dumps(content).encode()
            client(cloud, "s3").put_object(Bucket=DATA, Key=f"baseline/{name}.json", Body=body)
        yield cloud


def send(cloud: Cloud, *lengths: int) -> None:
    """Captured requests, as they are filed."""
    parts = [(("endpointInput", f"{length}"), ("endpointOutput", f"{n % 2}")) for n, length in enumerate(lengths)]
    lines = [{"captureData": {key: {"data": text, "encoding": "CSV"} for key, text in part}} for part in parts]
    file_lines(cloud, "capture/shop/AllTraffic", str(len(lengths)), lines)


def define(cloud: Cloud, name: str = "d", role: str = "", **changed: Any) -> Any:
    baseline = {
        f"{kind}Resource": {"S3Uri": f"s3://{DATA}/baseline/{kind.lower()}.json"}
        for kind in ("Statistics", "Constraints")
    }
    return client(cloud).create_data_quality_job_definition(
        **{
            "JobDefinitionName": name,
            "DataQualityBaselineConfig": baseline,
            "DataQualityAppSpecification": {"ImageUri": IMAGE},
            "DataQualityJobInput": {
                "EndpointInput": {"EndpointName": "shop", "LocalPath": "/opt/ml/processing/input/endpoint"}
            },
            "DataQualityJobOutputConfig": OUTPUT,
            "JobResources": CLUSTER,
            "RoleArn": role or make_role(cloud, f"monitor-{name}", "sagemaker", EVERYTHING),
            "Tags": [{"Key": "team", "Value": "a"}],
            **changed,
        }
    )


def configured(definition: str = "d", **changed: Any) -> dict[str, Any]:
    config = {"ScheduleConfig": HOURLY, "MonitoringJobDefinitionName": definition, "MonitoringType": "DataQuality"}
    return {"MonitoringScheduleName": "s", "MonitoringScheduleConfig": {**config, **changed}}


def test_an_execution_says_what_it_found_and_writes_its_report(world: Cloud) -> None:
    sagemaker = client(world)
    define(world)
    arn = sagemaker.create_monitoring_schedule(**configured())["MonitoringScheduleArn"]
    assert last(world, "Failed")["FailureReason"] == "Job inputs had no data"
    send(world, *range(10), *range(10))
    done = last(world, "Completed")
    job = job_of(world, done)
    assert job["ExitMessage"] == "Completed: Job completed successfully with no violations."
    assert (job["MonitoringScheduleArn"], job["ProcessingJobStatus"]) == (arn, "Completed")
    send(world, *[9] * 300)
    found = last(world, "CompletedWithViolations")
    place = job_of(world, found)["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    assert place.startswith(f"s3://{DATA}/reports/shop/s/20")
    files = report_of(world, found)
    assert files.keys() == {"statistics.json", "constraints.json", "constraint_violations.json"}
    said = files["constraint_violations.json"]
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
        ({"MonitoringType": "ModelQuality"}, "Could not find model quality job definition"),
        ({"MonitoringType": "ModelBias"}, "the type ModelBias"),
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
