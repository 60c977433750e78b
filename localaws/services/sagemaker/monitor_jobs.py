"""What the executions of every monitor have in common: their processing jobs, with what these read and write.

SageMaker Developer Guide, "Container Contract Inputs", "Container Contract Outputs". Every request is the role's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.cloud import Cloud, Session, arn
from localaws.services.cloudwatch import own_metrics
from localaws.services.sagemaker import base, images, logs, monitor_analysis, monitor_quality, processing, storage
from localaws.services.sagemaker.endpoints import Endpoints
from localaws.services.sagemaker.jobs import JobFailed
from localaws.services.sagemaker.monitor_definitions import Kind, endpoint_of, kind_of

NO_DATA = "Job inputs had no data"  # aws/sagemaker-python-sdk#2634


@dataclass(frozen=True)
class Execution:
    """One execution of a schedule, which is due.

    schedule: as DescribeMonitoringSchedule shows it; window: the execution before it, and this one; seen: the keys of
    captured data that were looked at; identity: ends the names of its jobs
    """

    cloud: Cloud
    account: str
    region: str
    definition: dict[str, Any]
    schedule: dict[str, Any]
    window: tuple[datetime, datetime]
    seen: set[str]
    identity: str

    @property
    def kind(self) -> Kind:
        return kind_of(self.definition)

    @property
    def endpoint(self) -> str:
        return endpoint_of(self.definition)

    @property
    def given(self) -> dict[str, Any]:
        """EndpointInput."""
        found: dict[str, Any] = self.definition[f"{self.kind.name}JobInput"]["EndpointInput"]
        return found

    @property
    def output(self) -> dict[str, Any]:
        config = self.definition[f"{self.kind.name}JobOutputConfig"]["MonitoringOutputs"]
        return {"S3UploadMode": "Continuous", **config[0]["S3Output"]}

    @property
    def report(self) -> str:
        """Where the report of an execution is."""
        place = f"{self.output['S3Uri'].rstrip('/')}/{self.endpoint}/{self.schedule['MonitoringScheduleName']}"
        return f"{place}/{self.window[1]:%Y/%m/%d/%H}"

    @property
    def key_id(self) -> str:
        return str(self.definition[f"{self.kind.name}JobOutputConfig"].get("KmsKeyId", ""))

    def baseline(self, member: str) -> str:
        return str(self.definition[f"{self.kind.name}BaselineConfig"][member]["S3Uri"])

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """What every analysis is given ("Container Contract Inputs"), and more."""
        return {
            "output_path": self.output["LocalPath"],
            "publish_cloudwatch_metrics": "Enabled",
            "sagemaker_endpoint_name": self.endpoint,
            "sagemaker_monitoring_schedule_name": self.schedule["MonitoringScheduleName"],
            "start_time": base.plain(self.window[0]),
            "end_time": base.plain(self.window[1]),
            **more,
        }

    def hours(self, since: datetime) -> list[str]:
        """The folders of the hours since then, as captured data and labels have them: 2026/02/01/13."""
        hour, found = since.replace(minute=0, second=0, microsecond=0), list[str]()
        while hour <= self.window[1]:
            found.append(f"{hour:%Y/%m/%d/%H}")
            hour += timedelta(hours=1)
        return found

    def captured(self) -> tuple[str, list[str]]:
        """Where the endpoint's captured data are, and its variants. JobFailed where it captures none"""
        name = self.endpoint
        endpoint = self.cloud.state(Endpoints, self.account, self.region).by_name.get(name)
        if endpoint is None:
            whole = arn("sagemaker", self.region, self.account, f"endpoint/{name}")
            raise JobFailed(f'Could not find endpoint "{whole}".')
        config = endpoint.fleet.config.get("DataCaptureConfig", {})
        if not config.get("EnableCapture"):
            raise JobFailed(NO_DATA)
        variants = [variant["VariantName"] for variant in endpoint.fleet.config["ProductionVariants"]]
        return f"{config['DestinationS3Uri'].rstrip('/')}/{name}", variants


def begin(
    execution: Execution, name: str, image: str, inputs: Iterable[tuple[str, str, str]], output: Mapping[str, str],
    environment: Mapping[str, str],
) -> processing.Job:  # fmt: skip
    """A processing job as DescribeProcessingJob shows it. inputs: name, URL and path of each"""
    definition, moment = execution.definition, base.now()
    whole = arn("sagemaker", execution.region, execution.account, f"processing-job/{name}")
    source = {"S3DataType": "S3Prefix", "S3InputMode": "File", "S3DataDistributionType": "FullyReplicated"}
    key = {"KmsKeyId": execution.key_id} if execution.key_id else {}
    job = processing.Job(
        {
            "ProcessingJobName": name,
            "ProcessingJobArn": whole,
            "ProcessingJobStatus": "InProgress",
            "MonitoringScheduleArn": execution.schedule["MonitoringScheduleArn"],
            "ProcessingInputs": [
                {"InputName": key, "S3Input": {**source, "S3Uri": url, "LocalPath": path}} for key, url, path in inputs
            ],
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "result", "S3Output": dict(output)}], **key},
            "ProcessingResources": definition["JobResources"],
            "StoppingCondition": definition["StoppingCondition"],
            "AppSpecification": {"ImageUri": image},
            "Environment": dict(environment),
            "RoleArn": definition["RoleArn"],
            "CreationTime": moment,
            "LastModifiedTime": moment,
            "ProcessingStartTime": moment,
        }
    )
    execution.cloud.state(processing.ProcessingJobs, execution.account, execution.region).add(name, whole, job)
    base.put_tags(execution.cloud, whole)
    processing.announce(execution.cloud, job)
    return job


def work(execution: Execution, job: processing.Job, does: Callable[[Session], str]) -> str:
    """The job's ExitMessage, once it has ended; JobFailed with the reason where it failed."""
    try:
        role = execution.definition["RoleArn"]
        session = base.service_role(execution.cloud, role, execution.region, execution.account, job.arn)
        images.pull(session, job.shown["AppSpecification"]["ImageUri"])
        said = does(processing.enter_vpc(session, execution.definition.get("NetworkConfig", {})))
    except (AwsError, ClientError, JobFailed, monitor_analysis.NotAnalysed, monitor_quality.NoMeasure) as error:
        reason = error.message if isinstance(error, AwsError) else str(error)
        processing.end(execution.cloud, job, "Failed", reason)
        raise JobFailed(reason) from error
    if said:
        job.shown["ExitMessage"] = said
    processing.end(execution.cloud, job, "Completed", "")
    return said


def concluded(violations: int) -> str:
    """The ExitMessage of an analysis, which begins with the execution's status ("Interpret results")."""
    said = f"with {violations} violations" if violations else "with no violations"
    return f"{'CompletedWithViolations' if violations else 'Completed'}: Job completed successfully {said}."


def load(session: Session, url: str, job: processing.Job) -> Any:
    """A file of the baseline: found by its prefix, as every input of a processing job."""
    bucket, key = storage.split(url)
    if key not in storage.keys_under(session, url):
        raise JobFailed(f"ClientError: {storage.nothing_found(session, url, job.shown['RoleArn'])}")
    return json.loads(session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def lines_of(session: Session, bucket: str, keys: Iterable[str]) -> Iterable[str]:
    """The lines of these objects."""
    for key in keys:
        yield from session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines()


def report(execution: Execution, session: Session, job: processing.Job, rows: int, files: Mapping[str, Any]) -> None:
    for name, content in files.items():
        url = f"{execution.report}/{name}.json"
        storage.put(session, url, json.dumps(content, indent=2).encode(), execution.key_id)
    logs.write(session, processing.LOG_GROUP, f"{job.shown['ProcessingJobName']}/algo-1", f"{rows} rows analysed")


def publish(execution: Execution, session: Session, namespace: str, metrics: Mapping[str, Sequence[float]]) -> None:
    """The metrics of an endpoint's monitor, where its role may put them."""
    if not logs.may_put_metrics(session, namespace):
        return
    dimensions = {
        "Endpoint": execution.endpoint,
        "MonitoringSchedule": execution.schedule["MonitoringScheduleName"],
    }
    values = [(name, value, "None") for name, found in metrics.items() for value in found]
    own_metrics.publish(execution.cloud, execution.account, execution.region, namespace, values, dimensions)
