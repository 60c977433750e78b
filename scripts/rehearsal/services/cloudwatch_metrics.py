"""Metrics that services of AWS keep of themselves, put into CloudWatch (which moto holds)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from scripts.rehearsal import moto_bridge

Value = tuple[str, float, str]  # name, value, unit


def publish(account: str, region: str, namespace: str, values: Sequence[Value], *dimensions: Mapping[str, str]) -> None:
    """The values now, once for each set of dimensions."""
    moment = datetime.now(UTC).replace(tzinfo=None)  # as moto compares times
    moto_bridge.backend("cloudwatch", account, region).put_metric_data(
        namespace,
        [
            {
                "MetricName": name,
                "Value": value,
                "Unit": unit,
                "Timestamp": moment,
                "Dimensions": [{"Name": key, "Value": of} for key, of in one.items()],
            }
            for name, value, unit in values
            for one in dimensions
        ],
    )
