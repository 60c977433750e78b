"""The metrics that services of AWS keep of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from moto.cloudwatch.models import Dimension, MetricDatum

from localaws import moto_bridge
from localaws.cloud import Cloud
from localaws.services.cloudwatch import alarms

Value = tuple[str, float, str]  # name, value, unit


def publish(
    cloud: Cloud, account: str, region: str, namespace: str, values: Sequence[Value], *dimensions: Mapping[str, str]
) -> None:
    """The values now, once for each set of dimensions; alarms on them are looked at."""
    moment = datetime.now(UTC).replace(tzinfo=None)  # as moto compares times
    kept = moto_bridge.backend("cloudwatch", account, region).metric_data
    for one in dimensions:
        shared = [Dimension(key, of) for key, of in one.items()]
        for name, value, unit in values:
            datum = MetricDatum(namespace, name, value, [], moment, unit)
            datum.dimensions = shared  # not copied for each value: an endpoint publishes many for each request
            kept.append(datum)
    alarms.look(cloud, account, region, namespace, {name for name, _, _ in values})
