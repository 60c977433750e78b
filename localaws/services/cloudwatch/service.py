"""CloudWatch's checks before and consequences after moto's answer: alarms that change their state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.service import EVERY, Service
from localaws.services.cloudwatch import alarms

INSIGHTS = ("DeleteInsightRules", "DescribeInsightRules", "DisableInsightRules", "EnableInsightRules", "PutInsightRule")
cloudwatch = Service(  # moto keeps the rules of Contributor Insights: no report comes of them
    "cloudwatch", moto=EVERY, refused=INSIGHTS, invalid="ValidationError"
)


@cloudwatch.before("DescribeAlarms", "DescribeAlarmsForMetric")
def look(call: Call) -> None:
    alarms.look(call.cloud, call.account, call.region, names=call.params.get("AlarmNames"))


@cloudwatch.before("PutMetricAlarm")
def check_alarm(call: Call) -> Any:
    """The alarm as it was before; None for a new one."""
    alarms.check(call)
    return moto_bridge.backend("cloudwatch", call.account, call.region).alarms.get(call.params["AlarmName"])


@cloudwatch.after("PutMetricAlarm")
def begin(call: Call, former: Any) -> None:
    """A new alarm has no data yet (moto calls it OK); one that is changed keeps its state."""
    alarm = moto_bridge.backend("cloudwatch", call.account, call.region).alarms[call.params["AlarmName"]]
    alarm.state_value = "INSUFFICIENT_DATA"
    if former is not None:
        for name in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
            setattr(alarm, name, getattr(former, name))
    alarms.look(call.cloud, call.account, call.region, names=[alarm.name])


@cloudwatch.after("SetAlarmState")
def set_state(call: Call, _: Any) -> None:
    alarms.set_by_hand(call.cloud, call.account, call.region, call.params["AlarmName"])


EARLIEST, LATEST = timedelta(weeks=2), timedelta(hours=2)  # before and after now


@cloudwatch.before("PutMetricData")
def check_data(call: Call) -> None:
    """API Reference, PutMetricData and MetricDatum: a time that CloudWatch takes, a value, the resolution."""
    now = datetime.now(UTC)
    if call.params.get("EntityMetricData"):
        raise NotSupported("metrics of entities (EntityMetricData)")
    if not call.params.get("MetricData"):
        raise AwsError("MissingParameter", "The parameter MetricData is required.")
    for number, one in enumerate(call.params.get("MetricData") or [], 1):
        where = f"MetricData.member.{number}"
        if not one.keys() & {"Value", "Values", "StatisticValues"}:
            message = f"At least one of the parameters {where}.Value and {where}.StatisticValues must be specified."
            raise AwsError("MissingParameter", message)
        if one.get("StorageResolution", 60) not in (1, 60):
            message = f"The value {one['StorageResolution']} for parameter {where}.StorageResolution is invalid."
            raise AwsError("InvalidParameterValue", message)
        time = one.get("Timestamp")
        if time is not None and not now - EARLIEST <= time.replace(tzinfo=time.tzinfo or UTC) <= now + LATEST:
            message = f"The value {time.isoformat()} for parameter {where}.Timestamp is invalid: "
            raise AwsError("InvalidParameterValue", message + "from two weeks ago to two hours ahead.")


@cloudwatch.after("PutMetricData")
def new_data(call: Call, _: Any) -> None:
    names = {metric["MetricName"] for metric in call.params["MetricData"]}
    alarms.look(call.cloud, call.account, call.region, call.params["Namespace"], names)
