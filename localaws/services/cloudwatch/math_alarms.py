"""Alarms on one expression over metrics of one period (metric math): what they watch, and their data points.

CloudWatch User Guide, "Create a CloudWatch alarm based on a metric math expression"; API Reference, PutMetricAlarm
(Metrics), MetricDataQuery. Several periods, several expressions and metrics of other accounts are not supported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.services.cloudwatch import math_expressions
from localaws.services.cloudwatch.math_expressions import Series

MOST = 10  # metrics of an alarm
Points = Callable[[Any], list[float | None]]  # of a metric, the oldest first


def check(params: Mapping[str, Any]) -> int:
    """The period of the metrics. ValidationError for an alarm that CloudWatch refuses."""
    name, queries = params["AlarmName"], params["Metrics"]
    given = [
        member for member in ("MetricName", "Namespace", "Period", "Statistic", "Dimensions") if params.get(member)
    ]
    if given:
        raise invalid(f"Metrics cannot be given together with {', '.join(given)}")
    metrics = [one["MetricStat"] for one in queries if "MetricStat" in one]
    expressions = [one for one in queries if "MetricStat" not in one]
    if len({one["Id"] for one in queries}) < len(queries):
        raise invalid("The ids of Metrics must be unique")
    if any("AccountId" in one for one in queries) or len(expressions) != 1:
        raise NotSupported(f"an alarm with other Metrics than one expression over metrics of this account ({name})")
    if not 1 <= len(metrics) <= MOST:
        raise invalid(f"An alarm takes from 1 to {MOST} metrics, not {len(metrics)}")
    if [one["Id"] for one in queries if one.get("ReturnData", True)] != [expressions[0]["Id"]]:
        raise invalid("Exactly one of Metrics, the expression, must have ReturnData true")
    if len(periods := {int(metric["Period"]) for metric in metrics}) > 1:
        raise NotSupported(f"an alarm on metrics with several periods ({name})")
    sample: dict[str, Series] = {
        one["Id"]: {datetime(2026, 1, 1, tzinfo=UTC): 1.0} for one in queries if "MetricStat" in one
    }
    math_expressions.computed({expressions[0]["Id"]: expressions[0]["Expression"]}, sample)
    return periods.pop()


def invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def stats(alarm: Any) -> dict[str, Any]:
    """The metrics of an alarm of moto's, by id; {} for one on a single metric."""
    return {query.id: query.metric_stat for query in alarm.metric_data_queries if query.metric_stat is not None}


def period(alarm: Any) -> int:
    """Seconds of a data point."""
    found = stats(alarm)
    return int(next(iter(found.values())).period if found else alarm.period)


def watches(alarm: Any, namespace: str, names: Any) -> bool:
    """Whether one of its metrics is of this namespace and among these names; "" and () for any."""
    metrics = [(one.metric.namespace, one.metric.metric_name) for one in stats(alarm).values()]
    metrics = metrics or [(alarm.namespace, alarm.metric_name)]
    return any((not namespace or of == namespace) and (not names or name in names) for of, name in metrics)


def points(alarm: Any, number: int, of: Points) -> list[float | None]:
    """The expression's data points, the oldest first. of: those of one of its metrics"""
    first = datetime(2026, 1, 1, tzinfo=UTC)  # a place in the row, as a time
    moments = [first + timedelta(seconds=place) for place in range(number)]
    series: dict[str, Series] = {
        key: {at: value for at, value in zip(moments, of(one), strict=True) if value is not None}
        for key, one in stats(alarm).items()
    }
    (query,) = (query for query in alarm.metric_data_queries if query.metric_stat is None)
    found = math_expressions.computed({query.id: query.expression}, series)[query.id]
    return [found.get(at) for at in moments]


def shown(alarm: Any) -> list[dict[str, Any]]:
    """configuration.metrics of the alarm's event ("Alarm events and EventBridge")."""
    metrics: list[dict[str, Any]] = []
    for query in alarm.metric_data_queries:
        one: dict[str, Any] = {"id": query.id}
        if query.metric_stat is None:
            one |= {"expression": query.expression, **({"label": query.label} if query.label else {})}
        else:
            stat = query.metric_stat
            metric = {
                "namespace": stat.metric.namespace,
                "name": stat.metric.metric_name,
                "dimensions": {dimension.name: dimension.value for dimension in stat.metric.dimensions},
            }
            one["metricStat"] = {"metric": metric, "period": int(stat.period), "stat": stat.stat}
        metrics.append(one | {"returnData": str(query.return_data).lower() == "true"})
    return metrics
