"""CloudWatch alarms: their state, computed from the data points, and what a change of it sets off.

Amazon CloudWatch User Guide, "Alarm evaluation", "Configuring how CloudWatch alarms treat missing data" (its tables
are the tests), "Percentile-based alarms and low data samples", "Alarm events and EventBridge", "Notifying users on
alarm changes"; API Reference, "PutMetricAlarm" (what is refused).

An alarm is evaluated when a metric comes, when it is put and when it is described. moto holds it. Metric math:
math_alarms.py. Not supported: anomaly bands, composite alarms, actions other than topics, functions and scaling
policies.
"""

from __future__ import annotations

import json
import math
import operator
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import ClientError

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import Cloud
from localaws.services.application_autoscaling import scaling
from localaws.services.cloudwatch import math_alarms
from localaws.services.cloudwatch.metrics import recent
from localaws.services.events.service import emit

MINUTE = 60.0  # seconds between two evaluations of an alarm
HELD = "rehearsal_held"  # on an alarm of moto's: until when it keeps a state that was set by hand
FURTHER = 2  # data points looked at beyond the evaluation periods: as in the User Guide's examples, 5 for 3
COMPARE: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
WEEK, DAY = 604_800, 86_400  # seconds


# -- what PutMetricAlarm refuses ---------------------------------------------------------------


def check(call: Call) -> None:
    """ValidationError for an alarm that CloudWatch refuses, NotSupported for one that is not computed here."""
    params = call.params
    for name in ("ThresholdMetricId", "EvaluationCriteria", "EvaluationInterval"):
        if params.get(name):
            raise NotSupported(f"an alarm with {name} ({params['AlarmName']})")
    if "ComparisonOperator" not in params:
        raise invalid("ComparisonOperator must be given")
    if params["ComparisonOperator"] not in COMPARE:
        raise NotSupported(f"an alarm with {params['ComparisonOperator']} ({params['AlarmName']})")
    if params.get("Metrics"):
        _check_periods({**params, "Period": math_alarms.check(params)})
    else:
        _check_statistic(params)
        _check_periods(params)
    if params.get("TreatMissingData", "missing") not in TREATMENTS:
        raise invalid(f"Option {params['TreatMissingData']} is not supported. Supported options: {TREATMENTS}")
    if "Threshold" not in params:
        raise invalid("Threshold must be given")
    if params.get("Metrics") and actions_in(params):
        raise NotSupported(f"an alarm with Metrics and actions ({params['AlarmName']}): its events are sent")
    for action in actions_in(params):
        if action.split(":")[2:3] not in (["sns"], ["lambda"], ["autoscaling"]):
            raise NotSupported(f"the alarm action {action}")


def _check_statistic(params: Mapping[str, Any]) -> None:
    statistic, extended = params.get("Statistic"), params.get("ExtendedStatistic")
    if not params.get("MetricName") or bool(statistic) == bool(extended):
        raise invalid("Exactly one of Statistic and ExtendedStatistic must be given, with a MetricName")
    if extended and not re.fullmatch(r"p([0-9]{1,2}(\.[0-9]{1,10})?|100)", extended):
        if re.fullmatch(r"(tm|tc|ts|wm|pr|iqm).*", extended, re.IGNORECASE):
            raise NotSupported(f"an alarm with the statistic {extended}")
        raise AwsError(
            "InvalidParameterValue", f"The value {extended} for parameter ExtendedStatistic is not supported"
        )


def _check_periods(params: Mapping[str, Any]) -> None:
    period, periods = int(params.get("Period") or 0), int(params.get("EvaluationPeriods") or 0)
    if period not in (10, 20, 30) and (period <= 0 or period % 60):
        raise invalid(f"Period must be 10, 20, 30 or a multiple of 60, not {period}")
    most = WEEK if period >= 3600 else DAY
    if periods < 1 or period * periods > most:
        raise invalid(f"Metrics cannot be checked across more than {most} seconds (EvaluationPeriods * Period)")
    if not 1 <= int(params.get("DatapointsToAlarm") or periods) <= periods:
        raise invalid("DatapointsToAlarm must be from 1 to EvaluationPeriods")


def actions_in(params: Mapping[str, Any]) -> list[str]:
    return [a for name in ("AlarmActions", "OKActions", "InsufficientDataActions") for a in params.get(name) or []]


def invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)


# -- evaluation --------------------------------------------------------------------------------


def state_of(
    points: Sequence[float | None],
    breaches: Callable[[float], bool],
    periods: int,
    needed: int,
    treatment: str,
    current: str,
) -> str:
    """The state that data points (the oldest first, None for a missing one) put an alarm into.

    periods: Evaluation Periods; needed: Datapoints to Alarm
    """
    real = [point for point in points if point is not None]
    breaching = sum(breaches(point) for point in real)
    if len(real) >= periods:
        return "ALARM" if sum(breaches(point) for point in real[-periods:]) >= needed else "OK"
    filled = periods - len(real)
    if treatment == "breaching":
        return "ALARM" if breaching + filled >= needed else "OK"
    if breaching >= needed:
        return "ALARM"
    if treatment == "notBreaching":
        return "OK"
    if not real:
        return current if treatment == "ignore" else "INSUFFICIENT_DATA"
    if breaching < len(real):
        return "OK"
    if treatment == "ignore":
        return current
    oldest = len(points) - next(number for number, point in enumerate(points) if point is not None)
    return "ALARM" if oldest >= needed else "OK"  # the premature alarm state


def statistic_of(points: Sequence[Any], statistic: str) -> float:
    """One period's data point: of single values and of statistic sets."""
    singles = [point.value for point in points if hasattr(point, "value")]
    sets = [point for point in points if not hasattr(point, "value")]
    count = len(singles) + sum(point.sample_count for point in sets)
    if statistic == "SampleCount":
        return float(count)
    if statistic in ("Sum", "Average"):
        total = sum(singles) + sum(point.sum for point in sets)
        return float(total if statistic == "Sum" else total / count)
    if statistic == "Minimum":
        return float(min([*singles, *(point.min for point in sets)]))
    if statistic == "Maximum":
        return float(max([*singles, *(point.max for point in sets)]))
    return percentile(singles, float(statistic.removeprefix("p")))


def percentile(values: Sequence[float], rank: float) -> float:
    """The value below which so many percent lie, between two values in proportion."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * rank / 100
    low, high = math.floor(place), math.ceil(place)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def too_few(alarm: Any, count: int) -> bool:
    """Whether a percentile of so few samples changes nothing (EvaluateLowSampleCountPercentile ignore)."""
    if alarm.evaluate_low_sample_count_percentile != "ignore" or not alarm.extended_statistic:
        return False
    share = float(alarm.extended_statistic.removeprefix("p")) / 100
    return count < 10 / max(1 - share if share >= 0.5 else share, 1e-9)


def points_of(cloud: Cloud, account: str, region: str, alarm: Any) -> tuple[list[float | None], int]:
    """The alarm's data points, the oldest first, and how many samples the newest of them is of."""
    period, number = float(math_alarms.period(alarm)), int(alarm.evaluation_periods) + FURTHER

    def of_metric(metric: Any, statistic: str, unit: str | None) -> tuple[list[float | None], int]:
        wanted = {(dimension.name, dimension.value) for dimension in metric.dimensions}
        bins: list[list[Any]] = [[] for _ in range(number)]
        for age, point in recent(cloud, account, region, period * number):
            place = int(age / period)
            if (
                place < number
                and (point.namespace, point.name) == (metric.namespace, metric.metric_name)
                and {(dimension.name, dimension.value) for dimension in point.dimensions} == wanted
                and (not unit or point.unit == unit)
                and (hasattr(point, "value") or not statistic.startswith("p"))
            ):
                bins[place].append(point)
        values = [statistic_of(of, statistic) if of else None for of in bins]
        return values[::-1], next((len(of) for of in bins if of), 0)

    if alarm.metric_data_queries:
        return math_alarms.points(alarm, number, lambda one: of_metric(one.metric, one.stat, one.unit)[0]), 0
    return of_metric(alarm, str(alarm.extended_statistic or alarm.statistic), alarm.unit)


def look(
    cloud: Cloud, account: str, region: str, namespace: str = "", metrics: Collection[str] = (), names: Any = None
) -> None:
    """Evaluate the alarms of an account and Region, or those on some metrics, and tell of every change."""
    for alarm in list(moto_bridge.backend("cloudwatch", account, region).alarms.values()):
        if alarm.rule or (names and alarm.name not in names) or not math_alarms.watches(alarm, namespace, metrics):
            continue
        if time.monotonic() < getattr(alarm, HELD, 0.0):
            continue
        evaluate(cloud, account, region, alarm)


def evaluate(cloud: Cloud, account: str, region: str, alarm: Any) -> None:
    points, samples = points_of(cloud, account, region, alarm)
    if too_few(alarm, samples) and samples:
        return
    compare, words = COMPARE[alarm.comparison_operator]
    threshold = float(alarm.threshold)
    periods = int(alarm.evaluation_periods)
    needed = int(alarm.datapoints_to_alarm or periods)
    state = state_of(
        points, lambda value: compare(value, threshold), periods, needed, alarm.treat_missing_data or "missing",
        alarm.state_value,
    )  # fmt: skip
    if state == alarm.state_value:
        # "Using Amazon CloudWatch alarms": an Auto Scaling action is repeated for every period that the state lasts.
        again = [action for action in alarm.alarm_actions if is_scaling(action)] if state == "ALARM" else []
        if again and str(alarm.actions_enabled).lower() == "true":
            scale(cloud, account, region, alarm, again)
        return
    real = [point for point in points if point is not None][-periods:]
    reason = f"Insufficient Data: {periods} datapoints were unknown."
    if state != "INSUFFICIENT_DATA":
        many = sum(compare(point, threshold) is (state == "ALARM") for point in real)
        shown = ", ".join(f"{point} ({datetime.now(UTC):%d/%m/%y %H:%M:00})" for point in real[::-1])
        reason = (
            f"Threshold Crossed: {many} out of the last {len(real)} datapoints [{shown}] was "
            f"{'' if state == 'ALARM' else 'not '}{words} the threshold ({threshold})."
            if real
            else f"Threshold Crossed: no datapoints were received for {periods} periods and {periods} missing "
            f"datapoints were treated as [{'Breaching' if state == 'ALARM' else 'NonBreaching'}]."
        )
    data = {
        "version": "1.0", "queryDate": stamp(), "statistic": alarm.extended_statistic or alarm.statistic,
        "period": math_alarms.period(alarm), "recentDatapoints": real, "threshold": threshold,
    }  # fmt: skip
    change(cloud, account, region, alarm, state, reason, json.dumps(data))


# -- changes -----------------------------------------------------------------------------------


def stamp(moment: datetime | None = None) -> str:
    moment = moment or datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


def shown_state(alarm: Any) -> dict[str, Any]:
    moment = stamp(alarm.state_updated_timestamp)
    shown = {"value": alarm.state_value, "reason": alarm.state_reason, "timestamp": moment}
    return shown | ({"reasonData": alarm.state_reason_data} if alarm.state_reason_data != "{}" else {})


def change(cloud: Cloud, account: str, region: str, alarm: Any, state: str, reason: str, data: str) -> None:
    """A new state, with its event and its actions."""
    before = shown_state(alarm)
    alarm.update_state(reason, data, state)
    tell(cloud, account, region, alarm, before)


def tell(cloud: Cloud, account: str, region: str, alarm: Any, before: Mapping[str, Any]) -> None:
    """The event and the actions of a state that has changed."""
    configuration: dict[str, Any] = {"metrics": math_alarms.shown(alarm) or [of_one_metric(alarm)]}
    if alarm.description:
        configuration["description"] = alarm.description
    detail = {
        "alarmName": alarm.name, "configuration": configuration, "previousState": before, "state": shown_state(alarm),
    }  # fmt: skip
    emit(
        cloud, account, region, source="aws.cloudwatch", detail_type="CloudWatch Alarm State Change",
        resources=[alarm.alarm_arn], detail=detail,
    )  # fmt: skip
    actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}.get(
        alarm.state_value, alarm.insufficient_data_actions
    )
    if str(alarm.actions_enabled).lower() == "true" and actions:
        cloud.background(f"actions of alarm {alarm.name}", act, cloud, account, region, alarm, list(actions), before)


def of_one_metric(alarm: Any) -> dict[str, Any]:
    metric = {
        "namespace": alarm.namespace,
        "name": alarm.metric_name,
        "dimensions": {dimension.name: dimension.value for dimension in alarm.dimensions},
    }
    statistic = {"metric": metric, "period": int(alarm.period), "stat": alarm.extended_statistic or alarm.statistic}
    return {"id": "m1", "metricStat": statistic, "returnData": True}


def set_by_hand(cloud: Cloud, account: str, region: str, name: str) -> None:
    """SetAlarmState: with the event and the actions of a change, and until the next evaluation only."""
    alarm = moto_bridge.backend("cloudwatch", account, region).alarms[name]
    setattr(alarm, HELD, time.monotonic() + MINUTE * cloud.waits)
    _, reason, _, value, moment = alarm.history[-1]
    if value != alarm.state_value:
        tell(cloud, account, region, alarm, {"value": value, "reason": reason, "timestamp": stamp(moment)})


def act(cloud: Cloud, account: str, region: str, alarm: Any, actions: Sequence[str], before: Mapping[str, Any]) -> None:
    """Publish to the topics, call the functions, as far as their policies allow CloudWatch."""
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description or None,
        "AWSAccountId": account,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": stamp(alarm.state_updated_timestamp),
        "Region": region_name(region),
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before["value"],
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "Statistic": alarm.extended_statistic or alarm.statistic.upper(),
            "Dimensions": [{"name": d.name, "value": d.value} for d in alarm.dimensions],
            "Period": int(alarm.period),
            "EvaluationPeriods": int(alarm.evaluation_periods),
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": float(alarm.threshold),
            "TreatMissingData": alarm.treat_missing_data or "",
        },
    }
    source = {"SourceArn": alarm.alarm_arn, "SourceOwner": account}
    for action in actions:
        try:
            if is_scaling(action):
                scale(cloud, account, region, alarm, [action])
            elif action.split(":")[2] == "sns":
                session = cloud.as_service("cloudwatch.amazonaws.com", account, region, **source)
                subject = f'{alarm.state_value}: "{alarm.name}" in {region_name(region)}'[:100]
                session.client("sns").publish(TopicArn=action, Subject=subject, Message=json.dumps(message))
            else:
                session = cloud.as_service("lambda.alarms.cloudwatch.amazonaws.com", account, region, **source)
                event = {"source": "aws.cloudwatch", "alarmArn": alarm.alarm_arn, "accountId": account,
                         "region": region, "alarmData": {"alarmName": alarm.name, "state": shown_state(alarm),
                                                         "previousState": dict(before)}}  # fmt: skip
                session.client("lambda").invoke(
                    FunctionName=action, InvocationType="Event", Payload=json.dumps(event).encode()
                )
            alarm.history.append(("Action", f"Successfully executed action {action}", "", "", datetime.now(UTC)))
        except ClientError as error:
            summary = f"Failed to execute action {action}. Received error: {error.response['Error']['Message']}"
            alarm.history.append(("Action", summary, "", "", datetime.now(UTC)))


def is_scaling(action: str) -> bool:
    return action.split(":")[2] == "autoscaling"


def scale(cloud: Cloud, account: str, region: str, alarm: Any, actions: Sequence[str]) -> None:
    """Let the scaling policies work with the alarm's newest data point."""
    points, _ = points_of(cloud, account, region, alarm)
    real = [point for point in points if point is not None]
    for action in actions if real else ():
        scaling.act(cloud, account, region, action, alarm.name, real[-1], float(alarm.threshold))


@cache
def region_name(region: str) -> str:
    """US East (N. Virginia)."""
    for partition in botocore.session.Session().get_data("endpoints")["partitions"]:
        if region in partition["regions"]:
            return str(partition["regions"][region]["description"])
    return region
