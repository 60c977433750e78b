"""Monitors of an endpoint of tests/support/endpoint_stack.py: their baselines, requests to it, what they found."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from localaws.services.sagemaker import monitor_quality, monitor_statistics
from tests.support.endpoint_stack import Place
from tests.support.sagemaker_world import BUCKET, IRIS, client
from tests.support.waiting import until

NAMES = ["answer", "sepal_length", "sepal_width", "petal_length", "petal_width"]
ROWS = [row.split(",") for row in IRIS.read_text(encoding="utf-8").split()]


class Watched(Protocol):
    """An endpoint with monitors. data: the bucket of its account's data"""

    @property
    def data(self) -> str: ...

    def there(self, service: str) -> Any:
        """A client of its account and Region."""

    def name(self, project: str) -> str:
        """The endpoint's name."""


def with_baseline(place: Place, project: str) -> dict[str, str]:
    """The settings of a stage with a monitor, once its baseline is in the model bucket."""
    found = monitor_statistics.of_table(NAMES, [[f"{float(row[0])}", *row[1:]] for row in ROWS])
    folder = f"iris-{project}/models/baselines/x"
    for name, content in (("statistics", found), ("constraints", monitor_statistics.suggested(found))):
        body = json.dumps(content).encode()
        under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": place.key}
        client(place.cloud, "s3").put_object(Bucket=BUCKET, Key=f"{folder}/{name}.json", Body=body, **under)
    columns = ",".join([*NAMES, *NAMES])
    return {
        "DataCaptureS3Uri": "account", "MonitorHours": "1", "MonitorBaseline": folder, "MonitorColumns": columns,
    }  # fmt: skip


def with_quality(place: Place, project: str) -> dict[str, str]:
    """The settings of a stage with a monitor of model quality, once its baseline is in the model bucket."""
    problem = "MulticlassClassification"
    right = [monitor_quality.Pair(f"{float(row[0])}", f"{float(row[0])}") for row in ROWS]
    constraints = monitor_quality.suggested(problem, monitor_quality.measured(problem, right))
    folder = f"iris-{project}/models/baselines/x/quality"
    body = json.dumps(constraints).encode()
    client(place.cloud, "s3").put_object(Bucket=BUCKET, Key=f"{folder}/constraints.json", Body=body)
    return {
        "DataCaptureS3Uri": "account", "MonitorQualityHours": "1", "MonitorQualityBaseline": folder,
        "MonitorQualityAnswers": f"{problem},0,none", "MonitorQualityMetric": "accuracy", "MonitorQualityBound": "0.9",
    }  # fmt: skip


def label(place: Watched, project: str, name: str, truth: Callable[[str], str]) -> None:
    """Ask about flowers of every class, one a request, and put what is true of each: truth(class in the data)."""
    runtime, lines = place.there("sagemaker-runtime"), []
    for n, row in enumerate(ROWS[::5]):
        runtime.invoke_endpoint(
            EndpointName=place.name(project), ContentType="text/csv", Body=",".join(row[1:]).encode(),
            InferenceId=f"{name}-{n}",
        )  # fmt: skip
        data = {"data": truth(f"{float(row[0])}"), "encoding": "CSV"}
        about = {"eventId": f"{name}-{n}"}
        lines.append(json.dumps({"groundTruthData": data, "eventMetadata": about, "eventVersion": "0"}))
    key = f"ground-truth/{place.name(project)}/{datetime.now(UTC):%Y/%m/%d/%H}/{name}.jsonl"
    place.there("s3").put_object(Bucket=place.data, Key=key, Body="\n".join(lines).encode())


def ask(place: Watched, project: str, shift: float) -> None:
    """One request with every flower, all a little longer by shift."""
    lines = [",".join(f"{float(value) + shift:.1f}" for value in row[1:]) for row in ROWS]
    place.there("sagemaker-runtime").invoke_endpoint(
        EndpointName=place.name(project), ContentType="text/csv", Body="\n".join(lines).encode()
    )


def execution(place: Watched, project: str, *statuses: str, of: str = "m") -> dict[str, Any]:
    """The newest execution that ended so; of: m for the monitor of data quality, q for that of model quality"""

    def look() -> Any:
        found = place.there("sagemaker").list_monitoring_executions(
            MonitoringScheduleName=f"{place.name(project)}-{of}"
        )
        every = found["MonitoringExecutionSummaries"]
        return next((one for one in every if one["MonitoringExecutionStatus"] in statuses), None)

    found: dict[str, Any] = until(look)
    return found


def violations(place: Watched, found: dict[str, Any]) -> dict[str, str]:
    """By column or metric, what the report of an execution says."""
    name = found["ProcessingJobArn"].rsplit("/", 1)[1]
    job = place.there("sagemaker").describe_processing_job(ProcessingJobName=name)
    report = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"].removeprefix(f"s3://{place.data}/")
    key = f"{report}/constraint_violations.json"
    said = json.loads(place.there("s3").get_object(Bucket=place.data, Key=key)["Body"].read())
    return {one.get("feature_name") or one["metric_name"]: one["constraint_check_type"] for one in said["violations"]}


def alarm(place: Watched, project: str, kind: str = "drift") -> str:
    (found,) = place.there("cloudwatch").describe_alarms(AlarmNames=[f"{place.name(project)}-{kind}"])["MetricAlarms"]
    return str(found["StateValue"])
