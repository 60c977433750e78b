"""An endpoint without a server, whose captured data the tests of monitors write, with a bucket for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localaws.cloud import Cloud
from localaws.services.sagemaker.deployment import Endpoint
from localaws.services.sagemaker.endpoints import Endpoints
from localaws.services.sagemaker.servers import new_fleet
from scripts.rehearsal.embedded import embedded_aws, published
from tests.support.waiting import until

ACCOUNT, REGION, DATA = "111111111111", "us-east-1", "captured"
IMAGE = f"{published().monitors[REGION]}.dkr.ecr.{REGION}.amazonaws.com/sagemaker-model-monitor-analyzer"
HOURLY = {"ScheduleExpression": "cron(0 * ? * * *)"}
OUTPUT = {"MonitoringOutputs": [{"S3Output": {"S3Uri": f"s3://{DATA}/reports", "LocalPath": "/opt/ml/processing/out"}}]}
CLUSTER = {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20}}


def client(cloud: Cloud, service: str = "sagemaker") -> Any:
    return cloud.root(ACCOUNT, REGION).client(service)


@contextmanager
def monitored_world(folder: Path) -> Iterator[Cloud]:
    """An endpoint that captures, named shop, and the bucket."""
    with embedded_aws(folder, waits=0.00001) as cloud:
        variant = {
            "VariantName": "AllTraffic", "ModelName": "m", "InitialInstanceCount": 1, "InitialVariantWeight": 1.0,
        }  # fmt: skip
        capture = {"EnableCapture": True, "DestinationS3Uri": f"s3://{DATA}/capture", "InitialSamplingPercentage": 100}
        config = {"EndpointConfigName": "c", "ProductionVariants": [variant], "DataCaptureConfig": capture}
        shown = {"EndpointName": "shop", "EndpointStatus": "InService"}
        cloud.state(Endpoints, ACCOUNT, REGION).by_name["shop"] = Endpoint(shown, new_fleet(config))
        client(cloud, "s3").create_bucket(Bucket=DATA)
        yield cloud
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def file_lines(cloud: Cloud, folder: str, name: str, lines: Sequence[Any]) -> None:
    """A file of JSON lines in the folder of this hour."""
    key = f"{folder}/{datetime.now(UTC):%Y/%m/%d/%H}/{name}.jsonl"
    client(cloud, "s3").put_object(Bucket=DATA, Key=key, Body="\n".join(map(json.dumps, lines)).encode())


def last(cloud: Cloud, *statuses: str) -> dict[str, Any]:
    """The newest execution with one of these states."""

    def look() -> Any:
        found = client(cloud).list_monitoring_executions(MonitoringScheduleName="s")["MonitoringExecutionSummaries"]
        return next((one for one in found if one["MonitoringExecutionStatus"] in statuses), None)

    found: dict[str, Any] = until(look)
    return found


def job_of(cloud: Cloud, execution: dict[str, Any]) -> dict[str, Any]:
    name = execution["ProcessingJobArn"].rsplit("/", 1)[1]
    found: dict[str, Any] = client(cloud).describe_processing_job(ProcessingJobName=name)
    return found


def report_of(cloud: Cloud, execution: dict[str, Any]) -> dict[str, Any]:
    """The files of an execution's report, by name."""
    s3 = client(cloud, "s3")
    place = job_of(cloud, execution)["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    keys = [
        one["Key"] for one in s3.list_objects_v2(Bucket=DATA, Prefix=place.removeprefix(f"s3://{DATA}/"))["Contents"]
    ]
    return {key.rsplit("/", 1)[1]: json.loads(s3.get_object(Bucket=DATA, Key=key)["Body"].read()) for key in keys}
