"""CloudWatch's checks before and consequences after moto's answer: alarms that change their state."""

from __future__ import annotations

from typing import Any

from localaws import moto_bridge
from localaws.calls import Call
from localaws.service import EVERY, Service
from localaws.services.cloudwatch import alarms

cloudwatch = Service("cloudwatch", moto=EVERY, invalid="ValidationError")


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


@cloudwatch.after("PutMetricData")
def new_data(call: Call, _: Any) -> None:
    names = {metric["MetricName"] for metric in call.params["MetricData"]}
    alarms.look(call.cloud, call.account, call.region, call.params["Namespace"], names)
