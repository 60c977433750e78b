"""The requests that wait for an asynchronous endpoint, and the metrics of them, by which it is scaled.

SageMaker Developer Guide, "Alarms and logs for tracking metrics from asynchronous endpoints", "Autoscale an
asynchronous endpoint": "Requests that are received when there are zero instances are queued". SageMaker publishes the
metrics every minute for as long as the endpoint exists; here that begins with the first request, and ends QUIET after
the last.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from localaws.cloud import Cloud
from localaws.services.cloudwatch import own_metrics
from localaws.services.sagemaker.deployment import Endpoint

MINUTE, QUIET = 60.0, 30 * 60.0  # seconds


@dataclass
class Backlog:
    """waiting: requests that are not answered; until: when (monotonic) the metrics end; works: they are published"""

    waiting: int = 0
    until: float = 0.0
    works: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Backlogs:
    """Of the endpoints of an account in a Region, by name."""

    by_name: dict[str, Backlog] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def queued(cloud: Cloud, account: str, region: str, endpoint: Endpoint) -> Iterator[None]:
    """A request is in the queue, or is being answered; it waits here as long as there is no instance."""
    backlogs = cloud.state(Backlogs, account, region)
    with backlogs.lock:
        backlog = backlogs.by_name.setdefault(endpoint.name, Backlog())
    with backlog.lock:
        backlog.waiting += 1
        begins, backlog.works = not backlog.works, True
    if begins:
        cloud.background(f"backlog of {endpoint.name}", publish, cloud, account, region, endpoint, backlog)
    try:
        while not instances(endpoint) and not cloud.stopping.is_set():
            cloud.stopping.wait(0.02)
        yield
    finally:
        with backlog.lock:
            backlog.waiting -= 1
            backlog.until = time.monotonic() + QUIET * cloud.waits


def instances(endpoint: Endpoint) -> int:
    return sum(endpoint.fleet.counts.values())


def publish(cloud: Cloud, account: str, region: str, endpoint: Endpoint, backlog: Backlog) -> None:
    while not cloud.stopping.is_set():
        with backlog.lock:
            waiting = backlog.waiting
            if not waiting and time.monotonic() > backlog.until:
                backlog.works = False
                return
        count = instances(endpoint)
        values = [
            ("ApproximateBacklogSize", float(waiting), "Count"),
            ("HasBacklogWithoutCapacity", float(bool(waiting) and not count), "Count"),
        ]
        if count:
            values.append(("ApproximateBacklogSizePerInstance", waiting / count, "Count"))
        own_metrics.publish(cloud, account, region, "AWS/SageMaker", values, {"EndpointName": endpoint.name})
        cloud.wait(MINUTE)
