"""How old each data point of a metric is, as AWS counts time.

moto holds the data points. A data point is as old as it was when it came, and from then on time runs as every waiting
of AWS runs here (cloud.waits): a period of an alarm is a waiting.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from localaws import moto_bridge
from localaws.cloud import Cloud

CAME = "rehearsal_came"  # on a data point of moto's: when it came (monotonic), and its age then


def came(point: Any) -> tuple[float, float]:
    """When a data point came, and how many seconds old it was then."""
    if not hasattr(point, CAME):
        age = (datetime.now(UTC).replace(tzinfo=None) - point.timestamp.replace(tzinfo=None)).total_seconds()
        setattr(point, CAME, (time.monotonic(), max(age, 0.0)))
    found: tuple[float, float] = getattr(point, CAME)
    return found


def recent(cloud: Cloud, account: str, region: str, seconds: float) -> Iterator[tuple[float, Any]]:
    """Age in seconds of AWS's and data point, the newest first, of those that came within so many seconds."""
    now = time.monotonic()
    for point in reversed(list(moto_bridge.backend("cloudwatch", account, region).metric_data)):
        moment, age = came(point)
        passed = max(now - moment, 0.0) / cloud.waits if cloud.waits else 0.0  # it may have come since
        if passed > seconds:
            return
        if age + passed <= seconds:
            yield age + passed, point
