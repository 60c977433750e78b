"""Statistics of metrics, and which metrics there are: computed here from the data points that moto holds.

CloudWatch API Reference, GetMetricStatistics, GetMetricData, ListMetrics; CloudWatch User Guide, "Metrics concepts"
(each unique combination of dimensions is a metric of its own), "CloudWatch statistics definitions".
Not supported: trimmed means and other statistics beyond the five and percentiles, Metrics Insights, other accounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.services.cloudwatch import math_expressions
from localaws.services.cloudwatch.alarms import statistic_of
from localaws.services.cloudwatch.math_expressions import Series
from localaws.services.cloudwatch.service import cloudwatch

POINTS, PAGE = 1_440, 500  # of GetMetricStatistics, of ListMetrics
SIMPLE = {"SampleCount", "Average", "Sum", "Minimum", "Maximum"}
PERCENTILE = re.compile(r"p([0-9]{1,2}(\.[0-9]{1,10})?|100)")
FURTHER = re.compile(r"(tm|tc|ts|wm|pr|iqm).*", re.IGNORECASE)
SHORT = (1, 5, 10, 20, 30)  # seconds of a period below a minute
RECENT = timedelta(hours=3)  # RecentlyActive=PT3H
Bins = dict[tuple[datetime, str], list[Any]]


def dimensions_of(asked: Iterable[Mapping[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((one["Name"], one["Value"]) for one in asked)


def held(call: Call) -> Iterator[tuple[Any, frozenset[tuple[str, str]]]]:
    """Every data point, with its dimensions."""
    for point in moto_bridge.backend("cloudwatch", call.account, call.region).get_all_metrics():
        yield point, frozenset((one.name, one.value) for one in point.dimensions)


def binned(call: Call, metric: Mapping[str, Any], period: int, unit: str | None) -> Bins:
    """The metric's data points of the time that the request asks for, by the start of their period and their unit."""
    start, end = begun(call.params["StartTime"], period), naive(call.params["EndTime"])
    asked, found = dimensions_of(metric.get("Dimensions", [])), Bins()
    for point, dimensions in held(call):
        moment = naive(point.timestamp)
        if (
            (point.namespace, point.name, dimensions) == (metric["Namespace"], metric["MetricName"], asked)
            and start <= moment < end
            and unit in (None, point.unit or "None")
        ):
            place = start + timedelta(seconds=int((moment - start).total_seconds() // period) * period)
            found.setdefault((place, point.unit or "None"), []).append(point)
    return dict(sorted(found.items()))


def naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def begun(moment: datetime, period: int) -> datetime:
    """The start of the first period: rounded down to the minute, or to a shorter period."""
    seconds = min(period, 60)
    whole = naive(moment).replace(microsecond=0)
    return whole - timedelta(seconds=whole.second % seconds)


def check_times(call: Call) -> None:
    if naive(call.params["StartTime"]) >= naive(call.params["EndTime"]):
        message = "The parameter StartTime must be less than the parameter EndTime."
        raise AwsError(
            "InvalidParameterValue" if call.operation == "GetMetricStatistics" else "ValidationError", message
        )


def check_period(period: int) -> None:
    if period not in SHORT and (period < 60 or period % 60):
        raise AwsError("InvalidParameterValue", f"The parameter Period must be a multiple of 60 or one of {SHORT}")


def value_of(points: list[Any], statistic: str) -> float | None:
    """The statistic; None for a percentile of statistic sets, which do not have one."""
    if statistic not in SIMPLE and not PERCENTILE.fullmatch(statistic):
        if FURTHER.fullmatch(statistic):
            raise NotSupported(f"the statistic {statistic}")
        raise AwsError("InvalidParameterValue", f"The value {statistic} for parameter Stat is not supported")
    if statistic not in SIMPLE and not all(hasattr(point, "value") for point in points):
        return None
    return statistic_of(points, statistic)


@cloudwatch.operation("GetMetricStatistics")
def get_metric_statistics(call: Call) -> dict[str, Any]:
    params = call.params
    simple, extended, period = params.get("Statistics", []), params.get("ExtendedStatistics", []), params["Period"]
    if bool(simple) == bool(extended):
        raise AwsError(
            "InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics, and not both"
        )
    check_times(call)
    check_period(period)
    number = (naive(params["EndTime"]) - naive(params["StartTime"])).total_seconds() / period
    if number > POINTS:
        raise AwsError(
            "InvalidParameterCombination",
            f"You have requested up to {int(number)} datapoints, which exceeds the limit of {POINTS}. You may reduce "
            "the datapoints requested by increasing Period, or decreasing the time range.",
        )
    shown = []
    for (moment, unit), points in binned(call, params, period, params.get("Unit")).items():
        values = {name: value for name in simple or extended if (value := value_of(points, name)) is not None}
        shown.append(
            {"Timestamp": moment.replace(tzinfo=UTC), "Unit": unit}
            | (values if simple else {"ExtendedStatistics": values})
        )
    return {"Label": params["MetricName"], "Datapoints": shown}


@cloudwatch.operation("GetMetricData")
def get_metric_data(call: Call) -> dict[str, Any]:
    check_times(call)
    queries = {query["Id"]: query for query in call.params["MetricDataQueries"]}
    if len(queries) < len(call.params["MetricDataQueries"]):
        raise AwsError("ValidationError", "The values for parameter Id in MetricDataQueries are not unique.")
    if wrong := [name for name in queries if not re.fullmatch("[a-z][A-Za-z0-9_]*", name)]:
        message = f"The value {wrong[0]} for parameter Id in MetricDataQueries must start with a lowercase letter."
        raise AwsError("ValidationError", message)  # (API Reference, MetricDataQuery: Id)
    series = {name: series_of(call, query) for name, query in queries.items() if "MetricStat" in query}
    expressions = {name: query["Expression"] for name, query in queries.items() if "Expression" in query}
    if missing := sorted(queries.keys() - series.keys() - expressions.keys()):
        raise AwsError("ValidationError", f"The query {missing[0]} needs one of MetricStat and Expression.")
    series |= math_expressions.computed(expressions, series)
    shown = []
    for name, query in queries.items():
        if not query.get("ReturnData", True):
            continue
        metric = query.get("MetricStat", {}).get("Metric", {})
        backwards = call.params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        points = sorted(series[name].items(), reverse=backwards)
        shown.append(
            {
                "Id": name,
                "Label": query.get("Label") or metric.get("MetricName") or name,
                "Timestamps": [moment.replace(tzinfo=UTC) for moment, _ in points],
                "Values": [value for _, value in points],
                "StatusCode": "Complete",
            }
        )
    return {"MetricDataResults": shown, "Messages": []}


def series_of(call: Call, query: Mapping[str, Any]) -> Series:
    """The values of one metric, by the start of their period."""
    asked = query["MetricStat"]
    if query.get("AccountId", call.account) != call.account:
        raise NotSupported("metrics of another account")
    check_period(asked["Period"])
    by_period: dict[datetime, list[Any]] = {}
    for (moment, _), points in binned(call, asked["Metric"], asked["Period"], asked.get("Unit")).items():
        by_period.setdefault(moment, []).extend(points)
    values = {moment: value_of(points, asked["Stat"]) for moment, points in by_period.items()}
    return {moment: value for moment, value in values.items() if value is not None}


@cloudwatch.operation("ListMetrics")
def list_metrics(call: Call) -> dict[str, Any]:
    """Each metric once, however many data points it has."""
    params, token = call.params, call.params.get("NextToken", "0")
    if params.get("OwningAccount", call.account) != call.account or params.get("IncludeLinkedAccounts"):
        raise NotSupported("metrics of another account")
    since = naive(datetime.now(UTC)) - RECENT if params.get("RecentlyActive") else datetime.min
    found = {
        (point.namespace, point.name, dimensions): None
        for point, dimensions in held(call)
        if params.get("Namespace") in (None, point.namespace)
        and params.get("MetricName") in (None, point.name)
        and all(has(dimensions, asked) for asked in params.get("Dimensions", []))
        and naive(point.timestamp) >= since
    }
    first, last = int(token), int(token) + PAGE
    shown = [
        {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in sorted(dimensions)],
        }
        for namespace, name, dimensions in list(found)[first:last]
    ]
    return {"Metrics": shown} | ({"NextToken": str(last)} if last < len(found) else {})


def has(dimensions: frozenset[tuple[str, str]], asked: Mapping[str, str]) -> bool:
    """Whether a metric has the dimension, with the value where the filter gives one."""
    return any(name == asked["Name"] and asked.get("Value") in (None, value) for name, value in dimensions)
