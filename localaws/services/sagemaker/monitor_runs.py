"""One execution of a monitor: a processing job that reads what was captured and the baseline, and writes its report.

SageMaker Developer Guide, "Container Contract Inputs", "Container Contract Outputs", "Interpret results"; "CloudWatch
Metrics" and aws-samples/amazon-sagemaker-drift-detection (namespace and dimensions, of which the pages differ: an open
question); aws/sagemaker-python-sdk#2634 ("Job inputs had no data"). The job's role reads, writes and pulls the image.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.cloud import Cloud, Session, arn, new_id
from localaws.services.cloudwatch import own_metrics
from localaws.services.sagemaker import base, images, logs, monitor_analysis, monitor_definitions, processing, storage
from localaws.services.sagemaker.endpoints import Endpoints
from localaws.services.sagemaker.jobs import DEFECT, JobFailed

NAMESPACE = "aws/sagemaker/Endpoints/data-metrics"
BASELINE = (("baseline", "StatisticsResource"), ("constraint", "ConstraintsResource"))


def summary(shown: dict[str, Any], at: datetime) -> dict[str, Any]:
    """Of an execution that begins, as ListMonitoringExecutions shows it."""
    return {
        "MonitoringScheduleName": shown["MonitoringScheduleName"],
        "ScheduledTime": at,
        "CreationTime": at,
        "LastModifiedTime": at,
        "MonitoringExecutionStatus": "InProgress",
        "EndpointName": shown["EndpointName"],
        "MonitoringType": shown["MonitoringType"],
        **{k: v for k, v in shown["MonitoringScheduleConfig"].items() if k == "MonitoringJobDefinitionName"},
    }


def run(
    cloud: Cloud, account: str, region: str, schedule: dict[str, Any], found: dict[str, Any],
    window: tuple[datetime, datetime], seen: set[str],
) -> None:  # fmt: skip
    """The whole execution; found: its summary. What fails is said there."""
    status, reason = "Failed", DEFECT
    try:
        definition = definition_of(cloud, account, region, schedule["MonitoringScheduleConfig"])
        captured, keys = place_of(cloud, account, region, definition, window)
        name = f"model-monitoring-{window[1]:%Y%m%d%H%M}-{new_id().replace('-', '')[:24]}"
        job = begin(cloud, account, region, name, definition, schedule, captured, window)
        found["ProcessingJobArn"] = job.arn
        status, reason = work(cloud, job, definition, captured, keys, seen)
    except JobFailed as failure:
        reason = str(failure)
    finally:
        found |= {"LastModifiedTime": base.now(), "MonitoringExecutionStatus": status}
        if reason:
            found["FailureReason"] = reason[: processing.KILOBYTE]
        cloud.changed(schedule["MonitoringScheduleArn"])


def definition_of(cloud: Cloud, account: str, region: str, config: dict[str, Any]) -> dict[str, Any]:
    """What a schedule does, by its own definition or by that which it names. JobFailed where that is gone"""
    if "MonitoringJobDefinition" in config:
        return monitor_definitions.within(config["MonitoringJobDefinition"])
    definitions = cloud.state(monitor_definitions.Definitions, account, region).by_name
    found = definitions.get(config["MonitoringJobDefinitionName"])
    if found is None:
        raise JobFailed(f"Could not find data quality job definition {config['MonitoringJobDefinitionName']}.")
    return found


def place_of(
    cloud: Cloud, account: str, region: str, definition: dict[str, Any], window: tuple[datetime, datetime]
) -> tuple[str, list[str]]:
    """Where the endpoint's captured data are, and the prefixes of the hours. JobFailed where it captures none"""
    name = monitor_definitions.endpoint_of(definition)
    endpoint = cloud.state(Endpoints, account, region).by_name.get(name)
    if endpoint is None:
        raise JobFailed(f'Could not find endpoint "{arn("sagemaker", region, account, f"endpoint/{name}")}".')
    config = endpoint.fleet.config.get("DataCaptureConfig", {})
    if not config.get("EnableCapture"):
        raise JobFailed("Job inputs had no data")
    place, hour, prefixes = f"{config['DestinationS3Uri'].rstrip('/')}/{name}", window[0], list[str]()
    while hour.replace(minute=0, second=0, microsecond=0) <= window[1]:
        for variant in endpoint.fleet.config["ProductionVariants"]:
            prefixes.append(f"{place}/{variant['VariantName']}/{hour:%Y/%m/%d/%H}/")
        hour += timedelta(hours=1)
    return place, prefixes


def begin(
    cloud: Cloud, account: str, region: str, name: str, definition: dict[str, Any], schedule: dict[str, Any],
    captured: str, window: tuple[datetime, datetime],
) -> processing.Job:  # fmt: skip
    """The processing job, as DescribeProcessingJob shows it."""
    whole, moment = arn("sagemaker", region, account, f"processing-job/{name}"), base.now()
    given, output = definition["DataQualityJobInput"]["EndpointInput"], output_of(definition)
    local = {"endpoint_input": (captured, given["LocalPath"])} | {
        f"{short}_statistics" if short == "baseline" else "constraints": (
            definition["DataQualityBaselineConfig"][member]["S3Uri"], f"/opt/ml/processing/{short}",
        )
        for short, member in BASELINE
    }  # fmt: skip
    report = f"{output['S3Uri'].rstrip('/')}/{given['EndpointName']}/{schedule['MonitoringScheduleName']}"
    files = f"{report}/{window[1]:%Y/%m/%d/%H}"
    source = {"S3DataType": "S3Prefix", "S3InputMode": "File", "S3DataDistributionType": "FullyReplicated"}
    job = processing.Job(
        {
            "ProcessingJobName": name,
            "ProcessingJobArn": whole,
            "ProcessingJobStatus": "InProgress",
            "MonitoringScheduleArn": schedule["MonitoringScheduleArn"],
            "ProcessingInputs": [
                {"InputName": key, "S3Input": {**source, "S3Uri": url, "LocalPath": path}}
                for key, (url, path) in local.items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [{"OutputName": "result", "S3Output": {**output, "S3Uri": files}}],
                **{k: v for k, v in definition["DataQualityJobOutputConfig"].items() if k == "KmsKeyId"},
            },
            "ProcessingResources": definition["JobResources"],
            "StoppingCondition": definition["StoppingCondition"],
            "AppSpecification": {"ImageUri": definition["DataQualityAppSpecification"]["ImageUri"]},
            "Environment": {
                "dataset_format": json.dumps(
                    {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}
                ),
                "dataset_source": given["LocalPath"],
                "output_path": output["LocalPath"],
                "publish_cloudwatch_metrics": "Enabled",
                "sagemaker_endpoint_name": given["EndpointName"],
                "sagemaker_monitoring_schedule_name": schedule["MonitoringScheduleName"],
                "start_time": base.plain(window[0]),
                "end_time": base.plain(window[1]),
            },
            "RoleArn": definition["RoleArn"],
            "CreationTime": moment,
            "LastModifiedTime": moment,
            "ProcessingStartTime": moment,
        }
    )
    cloud.state(processing.ProcessingJobs, account, region).add(name, whole, job)
    base.put_tags(cloud, whole)
    processing.announce(cloud, job)
    return job


def output_of(definition: dict[str, Any]) -> dict[str, Any]:
    output: dict[str, Any] = definition["DataQualityJobOutputConfig"]["MonitoringOutputs"][0]["S3Output"]
    return {"S3UploadMode": "Continuous", **output}


def work(
    cloud: Cloud, job: processing.Job, definition: dict[str, Any], captured: str, prefixes: list[str], seen: set[str]
) -> tuple[str, str]:
    """Status and FailureReason of the execution, once its job has ended."""
    account, region = base.owner(job.arn)
    try:
        session = base.service_role(cloud, definition["RoleArn"], region, account, job.arn)
        images.pull(session, definition["DataQualityAppSpecification"]["ImageUri"])
        violations = analyse(cloud, job, session, definition, captured, prefixes, seen)
    except (AwsError, ClientError, JobFailed, monitor_analysis.NotAnalysed) as error:
        reason = error.message if isinstance(error, AwsError) else str(error)
        processing.end(cloud, job, "Failed", reason)
        return "Failed", reason
    said = f"with {violations} violations" if violations else "with no violations"
    status = "CompletedWithViolations" if violations else "Completed"
    job.shown["ExitMessage"] = f"{status}: Job completed successfully {said}."
    processing.end(cloud, job, "Completed", "")
    return status, ""


def analyse(
    cloud: Cloud, job: processing.Job, session: Session, definition: dict[str, Any], captured: str,
    prefixes: list[str], seen: set[str],
) -> int:  # fmt: skip
    """Read, compare, write the three files and the metrics; how many violations there are."""
    config = definition["DataQualityBaselineConfig"]
    statistics, constraints = (json.loads(read(session, config[member]["S3Uri"], job)) for _, member in BASELINE)
    bucket, found = (
        storage.split(captured)[0],
        [key for prefix in prefixes for key in storage.keys_under(session, prefix)],
    )
    new = [key for key in found if key not in seen]
    if not new:
        raise JobFailed("Job inputs had no data")
    seen.update(new)
    s3 = session.client("s3")
    bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in new)
    rows = monitor_analysis.rows_of(line for body in bodies for line in body.splitlines())
    report = monitor_analysis.analyse(rows, statistics, constraints)
    place, key_id = job.shown["ProcessingOutputConfig"], definition["DataQualityJobOutputConfig"].get("KmsKeyId", "")
    for name, content in (
        ("statistics.json", report.statistics), ("constraints.json", report.constraints),
        ("constraint_violations.json", {"violations": report.violations}),
    ):  # fmt: skip
        url = f"{place['Outputs'][0]['S3Output']['S3Uri']}/{name}"
        storage.put(session, url, json.dumps(content, indent=2).encode(), key_id)
    logs.write(session, processing.LOG_GROUP, f"{job.shown['ProcessingJobName']}/algo-1", f"{len(rows)} rows analysed")
    publish(cloud, session, job, report.metrics)
    return len(report.violations)


def read(session: Session, url: str, job: processing.Job) -> bytes:
    """A file of the baseline: found by its prefix, as every input of a processing job."""
    bucket, key = storage.split(url)
    if key not in storage.keys_under(session, url):
        raise JobFailed(f"ClientError: {storage.nothing_found(session, url, job.shown['RoleArn'])}")
    content: bytes = session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def publish(cloud: Cloud, session: Session, job: processing.Job, metrics: dict[str, list[float]]) -> None:
    if not logs.may_put_metrics(session, NAMESPACE):
        return
    environment = job.shown["Environment"]
    dimensions = {
        "Endpoint": environment["sagemaker_endpoint_name"],
        "MonitoringSchedule": environment["sagemaker_monitoring_schedule_name"],
    }
    values = [(name, value, "None") for name, found in metrics.items() for value in found]
    own_metrics.publish(cloud, *base.owner(job.arn), NAMESPACE, values, dimensions)
