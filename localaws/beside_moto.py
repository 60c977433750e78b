"""What AWS does and moto leaves out: checks before moto answers a request, consequences after it did.

Each service's part stands in a module of its own: services/alarms.py, services/strict.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from localaws import moto_bridge, shapes
from localaws.calls import Call, HttpRequest
from localaws.services import strict
from localaws.services.cloudwatch import alarms


def _look(call: Call) -> None:
    alarms.look(call.cloud, call.account, call.region, names=call.params.get("AlarmNames"))


def _check_alarm(call: Call) -> Any:
    alarms.check(call)
    return moto_bridge.backend("cloudwatch", call.account, call.region).alarms.get(call.params["AlarmName"])


def _begin(call: Call, former: Any) -> None:
    """A new alarm has no data yet (moto calls it OK); one that is changed keeps its state."""
    alarm = moto_bridge.backend("cloudwatch", call.account, call.region).alarms[call.params["AlarmName"]]
    alarm.state_value = "INSUFFICIENT_DATA"
    if former is not None:
        for name in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
            setattr(alarm, name, getattr(former, name))
    alarms.look(call.cloud, call.account, call.region, names=[alarm.name])


def _set_state(call: Call, _: Any) -> None:
    alarms.set_by_hand(call.cloud, call.account, call.region, call.params["AlarmName"])


def _new_data(call: Call, _: Any) -> None:
    names = {metric["MetricName"] for metric in call.params["MetricData"]}
    alarms.look(call.cloud, call.account, call.region, call.params["Namespace"], names)


BEFORE: dict[tuple[str, str], Callable[[Call], Any]] = {
    ("cloudwatch", "DescribeAlarms"): _look,
    ("cloudwatch", "DescribeAlarmsForMetric"): _look,
    ("cloudwatch", "PutMetricAlarm"): _check_alarm,
    **strict.CHECKS,
}
AFTER: dict[tuple[str, str], Callable[[Call, Any], None]] = {  # with what was found before
    ("cloudwatch", "PutMetricAlarm"): _begin,
    ("cloudwatch", "PutMetricData"): _new_data,
    ("cloudwatch", "SetAlarmState"): _set_state,
    ("s3", "CompleteMultipartUpload"): strict.encrypted_object,
    ("s3", "CopyObject"): strict.encrypted_object,
    ("s3", "CreateBucket"): strict.block_public_access,
    ("s3", "PutObject"): strict.encrypted_object,
}


# What a service answers to an input that breaks its API's model, which moto takes as it comes.
MODELLED = {
    "application-autoscaling": "ValidationException",
    "cloudwatch": "ValidationError",
    "ecr": "InvalidParameterException",
    "kms": "ValidationException",
    "logs": "InvalidParameterException",
    "secretsmanager": "ValidationException",
}


def answer(call: Call, text: Callable[[], HttpRequest] | None = None) -> tuple[int, dict[str, str], Any]:
    """moto's answer, between AWS's own checks and consequences.

    text: writes the text of a request that has none yet; the body may be the output itself then
    """
    place = (call.service, call.operation)
    if call.service in MODELLED:
        shapes.check(call, MODELLED[call.service])
    found = BEFORE[place](call) if place in BEFORE else None
    values = moto_bridge.by_values(call) if text else None
    status, headers, body = (
        (200, {}, values) if values is not None else moto_bridge.answer(replace(call, http=text()) if text else call)
    )
    if place in AFTER and status < 400:
        AFTER[place](call, found)
    return status, headers, body
