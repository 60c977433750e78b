"""One execution of a monitor: processing jobs that read what was captured and the baseline, and write their report.

SageMaker Developer Guide, "Interpret results"; "CloudWatch Metrics" and aws-samples/amazon-sagemaker-drift-detection
(namespace and dimensions, of which the pages differ: an open question). Of data quality here, of model quality in
monitor_merge.py.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from localaws.cloud import Cloud, Session, new_id
from localaws.services.sagemaker import base, monitor_analysis, monitor_definitions, monitor_merge, processing, storage
from localaws.services.sagemaker.jobs import DEFECT, JobFailed
from localaws.services.sagemaker.monitor_definitions import KINDS, MODEL
from localaws.services.sagemaker.monitor_jobs import (
    NO_DATA,
    Execution,
    begin,
    concluded,
    lines_of,
    load,
    publish,
    report,
    work,
)

NAMESPACE = "aws/sagemaker/Endpoints/data-metrics"


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
        definition = definition_of(cloud, account, region, schedule)
        identity = f"{window[1]:%Y%m%d%H%M}-{new_id().replace('-', '')[:24]}"
        execution = Execution(cloud, account, region, definition, schedule, window, seen, identity)
        steps = monitor_merge.run if execution.kind is MODEL else data_quality
        status, reason = steps(execution, found).partition(":")[0], ""
    except JobFailed as failure:
        reason = str(failure)
    finally:
        found |= {"LastModifiedTime": base.now(), "MonitoringExecutionStatus": status}
        if reason:
            found["FailureReason"] = reason[: processing.KILOBYTE]
        cloud.changed(schedule["MonitoringScheduleArn"])


def definition_of(cloud: Cloud, account: str, region: str, schedule: dict[str, Any]) -> dict[str, Any]:
    """What a schedule does, by its own definition or by that which it names. JobFailed where that is gone"""
    config, kind = schedule["MonitoringScheduleConfig"], KINDS[schedule["MonitoringType"]]
    if "MonitoringJobDefinition" in config:
        return monitor_definitions.within(config["MonitoringJobDefinition"])
    name = config["MonitoringJobDefinitionName"]
    definitions = cloud.state(monitor_definitions.Definitions, account, region).by_name
    if (kind.name, name) not in definitions:
        raise JobFailed(f"Could not find {kind.words} job definition {name}.")
    return definitions[kind.name, name]


def data_quality(execution: Execution, found: dict[str, Any]) -> str:
    """Compare what was captured with the baseline; the job's ExitMessage."""
    place, variants = execution.captured()
    prefixes = [f"{place}/{one}/{hour}/" for one in variants for hour in execution.hours(execution.window[0])]
    job = begin(
        execution,
        f"model-monitoring-{execution.identity}",
        execution.definition["DataQualityAppSpecification"]["ImageUri"],
        (
            ("endpoint_input", place, execution.given["LocalPath"]),
            ("baseline_statistics", execution.baseline("StatisticsResource"), "/opt/ml/processing/baseline"),
            ("constraints", execution.baseline("ConstraintsResource"), "/opt/ml/processing/constraint"),
        ),
        {**execution.output, "S3Uri": execution.report},
        execution.environment(
            {
                "dataset_format": json.dumps(
                    {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}
                ),
                "dataset_source": execution.given["LocalPath"],
            }
        ),
    )
    found["ProcessingJobArn"] = job.arn
    return work(execution, job, lambda session: concluded(compare(execution, session, job, place, prefixes)))


def compare(execution: Execution, session: Session, job: processing.Job, place: str, prefixes: list[str]) -> int:
    """Read, compare, write the three files and the metrics; how many violations there are."""
    statistics = load(session, execution.baseline("StatisticsResource"), job)
    constraints = load(session, execution.baseline("ConstraintsResource"), job)
    keys = [key for prefix in prefixes for key in storage.keys_under(session, prefix)]
    new = [key for key in keys if key not in execution.seen]
    if not new:
        raise JobFailed(NO_DATA)
    execution.seen.update(new)
    rows = monitor_analysis.rows_of(lines_of(session, storage.split(place)[0], new))
    said = monitor_analysis.analyse(rows, statistics, constraints)
    files = {
        "statistics": said.statistics, "constraints": said.constraints,
        "constraint_violations": {"violations": said.violations},
    }  # fmt: skip
    report(execution, session, job, len(rows), files)
    publish(execution, session, NAMESPACE, said.metrics)
    return len(said.violations)
