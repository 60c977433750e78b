"""Monitoring schedules: when a monitor looks at what an endpoint captured, and what became of it.

CreateMonitoringSchedule, UpdateMonitoringSchedule, DescribeMonitoringSchedule, ListMonitoringSchedules,
StartMonitoringSchedule, StopMonitoringSchedule, DeleteMonitoringSchedule and ListMonitoringExecutions (SageMaker API
Reference, the page of each operation; Developer Guide, "The cron expression for monitoring schedule"). Schedules of
data quality and model quality by the hour, of data quality with a definition within too; NOW, bias and explainability
are refused by name. An execution begins after as many hours, shortened as all waiting of AWS is here, and not at the
full hour with the delay that AWS has.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.services.sagemaker import base, monitor_definitions, monitor_runs
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.monitor_definitions import DATA, KINDS
from localaws.services.sagemaker.service import sagemaker

CRON = re.compile(r"cron\(0 (?:(\*)|([0-9]{1,2})(?:/([0-9]{1,2}))?) \? \* \* \*\)")
SUMMARY = (
    "MonitoringScheduleName", "MonitoringScheduleArn", "CreationTime", "LastModifiedTime", "MonitoringScheduleStatus",
    "EndpointName", "MonitoringJobDefinitionName", "MonitoringType",
)  # fmt: skip
SHORTEST = 0.2  # seconds between two executions, however much waiting is shortened


@dataclass
class Schedule:
    """shown: as DescribeMonitoringSchedule shows it; ended: it was deleted; since: when it looked last

    seen: the keys of what it has looked at: time runs faster here than the clock by which captured data are filed
    """

    shown: dict[str, Any]
    since: datetime
    seen: set[str] = field(default_factory=set)
    ended: threading.Event = field(default_factory=threading.Event)


@dataclass
class Schedules:
    """The schedules of an account in a Region; executions: their summaries, the oldest first, of deleted ones too"""

    by_name: dict[str, Schedule] = field(default_factory=dict)
    executions: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def state(call: Call) -> Schedules:
    return call.cloud.state(Schedules, call.account, call.region)


def find(call: Call) -> Schedule:
    name = call.params["MonitoringScheduleName"]
    if name not in state(call).by_name:
        whole = arn("sagemaker", call.region, call.account, f"monitoring-schedule/{name}")
        raise base.missing(f'Could not find monitoring schedule "{whole}".')
    return state(call).by_name[name]


def hours(expression: str) -> int:
    """Between two executions. ValidationException for what the page does not list."""
    if expression == "NOW":
        raise NotSupported("the schedule expression NOW")
    found = CRON.fullmatch(expression)
    if found and found[1]:
        return 1
    rate = int(found[3] or 24) if found else 0
    if not found or int(found[2]) > 23 or not 1 <= rate <= 24:
        raise invalid(f"Schedule expression {expression} is not supported.")
    return rate


def checked(call: Call) -> dict[str, Any]:
    """What the request asks for, as it is shown."""
    config = call.params["MonitoringScheduleConfig"]
    base.only(
        config, "MonitoringScheduleConfig", "ScheduleConfig", "MonitoringJobDefinition", "MonitoringJobDefinitionName",
        "MonitoringType",
    )  # fmt: skip
    if (kind := config.get("MonitoringType", "DataQuality")) not in KINDS:
        raise NotSupported(f"a monitoring schedule of the type {kind}")
    if "ScheduleConfig" not in config:
        raise NotSupported("a monitoring schedule without ScheduleConfig")
    if ("MonitoringJobDefinition" in config) is ("MonitoringJobDefinitionName" in config):
        raise invalid("Exactly one of MonitoringJobDefinition and MonitoringJobDefinitionName must be given.")
    base.only(config["ScheduleConfig"], "ScheduleConfig", "ScheduleExpression")
    hours(config["ScheduleConfig"]["ScheduleExpression"])
    if "MonitoringJobDefinition" in config:
        if kind != "DataQuality":  # it has no place for labels (API Reference, MonitoringJobDefinition)
            raise NotSupported(f"a monitoring schedule of the type {kind} with MonitoringJobDefinition")
        definition = monitor_definitions.within(config["MonitoringJobDefinition"])
        name = call.params["MonitoringScheduleName"]
        whole = arn("sagemaker", call.region, call.account, f"monitoring-schedule/{name}")
        monitor_definitions.check(call, DATA, definition, whole)
    else:
        definition = monitor_definitions.find(call, KINDS[kind], config["MonitoringJobDefinitionName"])
    return {
        "MonitoringScheduleConfig": {"MonitoringType": kind, **config},
        "MonitoringType": kind,
        "EndpointName": monitor_definitions.endpoint_of(definition),
        "LastModifiedTime": base.now(),
    }


@sagemaker.operation("CreateMonitoringSchedule")
def create_monitoring_schedule(call: Call) -> dict[str, Any]:
    base.only(call.params, "CreateMonitoringSchedule", "MonitoringScheduleName", "MonitoringScheduleConfig", "Tags")
    name, moment = call.params["MonitoringScheduleName"], base.now()
    whole = arn("sagemaker", call.region, call.account, f"monitoring-schedule/{name}")
    shown = checked(call) | {
        "MonitoringScheduleName": name,
        "MonitoringScheduleArn": whole,
        "MonitoringScheduleStatus": "Scheduled",
        "CreationTime": moment,
    }
    schedule = Schedule(shown, moment)
    with state(call).lock:
        if name in state(call).by_name:
            raise AwsError("ResourceInUse", f'Cannot create already existing monitoring schedule "{whole}".')
        state(call).by_name[name] = schedule
    base.put_tags(call.cloud, whole, call.params.get("Tags", []))
    call.cloud.on_stop.append(schedule.ended.set)
    place = (call.cloud, call.account, call.region, schedule)
    threading.Thread(target=run, args=place, name=f"schedule {name}", daemon=True).start()
    return {"MonitoringScheduleArn": whole}


def run(cloud: Cloud, account: str, region: str, schedule: Schedule) -> None:
    """Begin the executions. The thread is none of the cloud's work in the background: nothing waits for its end."""
    kept = cloud.state(Schedules, account, region)
    expression = schedule.shown["MonitoringScheduleConfig"]["ScheduleConfig"]["ScheduleExpression"]
    while not schedule.ended.wait(max(hours(expression) * 3_600 * cloud.waits, SHORTEST)):
        name = schedule.shown["MonitoringScheduleName"]
        if schedule.shown["MonitoringScheduleStatus"] == "Scheduled":
            since, schedule.since = schedule.since, base.now()
            summary = monitor_runs.summary(schedule.shown, schedule.since)
            with kept.lock:
                kept.executions.append(summary)
            work = (cloud, account, region, schedule.shown, summary, (since, schedule.since), schedule.seen)
            cloud.background(f"monitoring execution of {name}", monitor_runs.run, *work).join()
        expression = schedule.shown["MonitoringScheduleConfig"]["ScheduleConfig"]["ScheduleExpression"]


@sagemaker.operation("UpdateMonitoringSchedule")
def update_monitoring_schedule(call: Call) -> dict[str, Any]:
    schedule = find(call)
    schedule.shown |= checked(call)
    return {"MonitoringScheduleArn": schedule.shown["MonitoringScheduleArn"]}


@sagemaker.operation("DescribeMonitoringSchedule")
def describe_monitoring_schedule(call: Call) -> dict[str, Any]:
    shown = dict(find(call).shown)
    if mine := [
        one for one in state(call).executions if one["MonitoringScheduleName"] == shown["MonitoringScheduleName"]
    ]:
        shown["LastMonitoringExecutionSummary"] = dict(mine[-1])
    return shown


@sagemaker.operation("ListMonitoringSchedules")
def list_monitoring_schedules(call: Call) -> dict[str, Any]:
    params = call.params
    every = [{**one.shown["MonitoringScheduleConfig"], **one.shown} for one in list(state(call).by_name.values())]
    items = [{name: shown[name] for name in SUMMARY if name in shown} for shown in every]
    for asked, member in (
        ("EndpointName", "EndpointName"), ("StatusEquals", "MonitoringScheduleStatus"),
        ("MonitoringJobDefinitionName", "MonitoringJobDefinitionName"), ("MonitoringTypeEquals", "MonitoringType"),
    ):  # fmt: skip
        if asked in params:
            items = [item for item in items if item.get(member) == params[asked]]
    found = base.selected(items, params, "MonitoringScheduleName", sorts={"Status": "MonitoringScheduleStatus"})
    return base.page(found, params, "MonitoringScheduleSummaries")


@sagemaker.operation("StartMonitoringSchedule")
def start_monitoring_schedule(call: Call) -> dict[str, Any]:
    find(call).shown |= {"MonitoringScheduleStatus": "Scheduled", "LastModifiedTime": base.now()}
    return {}


@sagemaker.operation("StopMonitoringSchedule")
def stop_monitoring_schedule(call: Call) -> dict[str, Any]:
    find(call).shown |= {"MonitoringScheduleStatus": "Stopped", "LastModifiedTime": base.now()}
    return {}


@sagemaker.operation("DeleteMonitoringSchedule")
def delete_monitoring_schedule(call: Call) -> dict[str, Any]:
    schedule = find(call)
    schedule.ended.set()
    del state(call).by_name[schedule.shown["MonitoringScheduleName"]]
    base.drop_tags(call.cloud, schedule.shown["MonitoringScheduleArn"])
    return {}


@sagemaker.operation("ListMonitoringExecutions")
def list_monitoring_executions(call: Call) -> dict[str, Any]:
    params, items = call.params, [dict(one) for one in state(call).executions]
    for asked, member in (
        ("MonitoringScheduleName", "MonitoringScheduleName"), ("EndpointName", "EndpointName"),
        ("StatusEquals", "MonitoringExecutionStatus"), ("MonitoringJobDefinitionName", "MonitoringJobDefinitionName"),
        ("MonitoringTypeEquals", "MonitoringType"),
    ):  # fmt: skip
        if asked in params:
            items = [item for item in items if item.get(member) == params[asked]]
    for asked, sign in (("ScheduledTimeAfter", 1), ("ScheduledTimeBefore", -1)):
        if asked in params:
            bound = base.aware(params[asked])
            items = [item for item in items if sign * (item["ScheduledTime"] - bound).total_seconds() > 0]
    found = base.selected(items, params, "MonitoringScheduleName", sorts={"Status": "MonitoringExecutionStatus"})
    return base.page(found, params, "MonitoringExecutionSummaries")
