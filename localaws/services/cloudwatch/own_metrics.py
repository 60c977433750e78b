"""The metrics that services of AWS keep of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from localaws import moto_bridge
from localaws.cloud import Cloud
from localaws.services.cloudwatch import alarms

Value = tuple[str, float, str]  # name, value, unit


def publish(
    cloud: Cloud, account: str, region: str, namespace: str, values: Sequence[Value], *dimensions: Mapping[str, str]
) -> None:
    """The values now, once for each set of dimensions; alarms on them are looked at."""
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
    alarms.look(cloud, account, region, namespace, {name for name, _, _ in values})
