"""The step TestShadow: what the candidate answers in production's shadow, beside the version that is live.

It waits for the time of the shadow, or until each endpoint has had enough requests or the version is rejected, and says
what SageMaker counted of each variant in CloudWatch (requests, errors, latency), and on how many captured requests both
answers agree. It judges nothing: the approver does, by the card. So a candidate that fails every request fails no step,
and an account that cannot be asked is named. An endpoint whose shadow did not start is without it by itself: SageMaker
takes such an update back. Then CheckShadow fails (shadow_gate.py). Only counts leave an account (captured.py).

What the shadow runs may be another version than the approved one: a tag is pushed again, or a specification
replaced, after the gate has looked. Then there is nothing to watch: the step ends at once, the record says what it was,
and no card is made (gate.py). Whatever happens, the step ends without an error and in time: the next one takes the
shadow away.

SageMaker Developer Guide, "Amazon SageMaker AI metrics in Amazon CloudWatch" (by endpoint and variant, every minute).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pipeline import captured, images, outcome, record, shadow
from pipeline.asynchronous import place as place_of
from pipeline.captured import LIVE, SHADOW, Variant
from pipeline.clients import AccountClients
from pipeline.comparison import PERCENTILES
from pipeline.console import UserError, export, say, shorten
from pipeline.frozen import exchanged
from pipeline.manifest import digest
from pipeline.outcome import Served
from pipeline.report import Result, write_junit, write_results
from pipeline.shadow_page import contradiction, result
from pipeline.testers import AT_ONCE, CONFIG, regional, testers

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

POLL_SECONDS = (1.0, 60.0)  # between two looks: the first, and the most
SETTLE = 180.0  # seconds after which the last requests are captured and counted (an open question)
LONGEST = 500  # characters of an error that is kept
LAST_LOOK = 120.0  # seconds that reading may go on after that
TOGETHER, LEAST = 100_000, 200  # requests that are compared at all endpoints, and at each whatever their number
MINUTE = 60
ERRORS = ("Invocation4XXErrors", "Invocation5XXErrors")
Become = Callable[[str, str], AccountClients]


@dataclass
class Place:
    """One endpoint with a shadow, and what was read of it so far.

    package, images: what the shadow is to run, as the manifest has it
    problem: why it cannot be asked, "" for nothing; gone: whether that is because it has no shadow
    exchanged: what else it runs, "" where that is what was allowed
    """

    account: str
    region: str
    endpoint: str
    bucket: str
    prefix: str
    package: str
    images: Sequence[Mapping[str, str]] = ()
    problem: str = ""
    exchanged: str = ""
    gone: bool = False
    variants: dict[str, Variant] = field(default_factory=lambda: {LIVE: Variant(), SHADOW: Variant()})
    counts: dict[str, Any] = field(default_factory=dict)

    @property
    def compared(self) -> int:
        return captured.compared(self.variants[LIVE], self.variants[SHADOW])["compared"]

    @property
    def captured(self) -> dict[str, int]:
        return {"live": self.variants[LIVE].count, "new": self.variants[SHADOW].count}

    def document(self) -> dict[str, Any]:
        found = {"account": self.account, "region": self.region}
        if self.problem:
            return {**found, "problem": self.problem, **({"gone": True} if self.gone else {})}
        both = self.variants.values()
        more = {
            "captured": self.captured,
            "left_out": sum(one.left for one in both),
            "unread": any(one.unread for one in both),
        }
        return {**found, **captured.compared(self.variants[LIVE], self.variants[SHADOW]), **more, **self.counts}


def places_of(manifest: Mapping[str, Any]) -> list[Place]:
    found, planned, package = [], manifest["shadow"], manifest["model_package"]
    for account, region in planned["places"]:
        uri = place_of(planned["capture"], "capture", account, region).removeprefix("s3://")
        bucket, _, folder = uri.rstrip("/").partition("/")
        prefix = f"{folder}/{planned['endpoint']}/" if folder else f"{planned['endpoint']}/"
        there = package.get("copies", {}).get(region, package).get("images", [])
        found.append(Place(account, region, planned["endpoint"], bucket, prefix, package["regions"][region], there))
    return found


def observe(
    places: list[Place],
    minutes: float,
    enough: int,
    become: Become,
    began: datetime,
    settle: float = SETTLE,
    ends: Callable[[], bool] = lambda: False,
) -> None:
    """Read what both variants answer until the time is over, or each endpoint has had enough; then what was counted.

    enough: requests at each endpoint, 0 for all the time
    ends: whether the version has no business there any more
    """
    pause, until = POLL_SECONDS[0], time.monotonic() + minutes * MINUTE
    most = max(LEAST, min(captured.MOST, TOGETHER // max(1, len(places))))
    enough, no_longer = min(enough, most), until + settle + LAST_LOOK
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        while True:
            over = time.monotonic() >= until + settle or ends()
            asked = [one for one in places if not one.problem]
            list(pool.map(lambda one: tried(one, lambda: look(one, become, began, most, no_longer)), asked))
            if any(one.exchanged for one in places):
                return
            if over or all(one.problem or (enough and one.compared >= enough) for one in places):
                break
            time.sleep(min(pause, max(0.1, until + settle - time.monotonic())))
            pause = min(pause * 1.5, POLL_SECONDS[1])
        list(pool.map(lambda one: tried(one, lambda: measure(one, become, began, settle)), places))


def tried(place: Place, work: Callable[[], None]) -> None:
    """Do it; an error of AWS is the place's problem, and of the first there alone."""
    if place.problem:
        return
    try:
        work()
    except ClientError as error:
        said = error.response["Error"]
        place.problem = shorten(f"{error.operation_name}: {said.get('Code')}: {said.get('Message')}", LONGEST)
    except BotoCoreError as error:
        place.problem = shorten(str(error), LONGEST)


def look(place: Place, become: Become, began: datetime, most: int, ends: float) -> None:
    """Look what runs, and read what was captured. The tester's role is entered each time: its session ends.

    most: requests of a variant; ends: when, in time.monotonic(), nothing more is read
    """
    clients = become(place.account, place.region)
    served = outcome.look(clients("sagemaker"), Served(place.account, place.region, place.endpoint))
    if served.shadow is None:
        why = served.failure_reason or f"it runs on {served.config or served.status}"
        place.problem, place.gone = shorten(f"the endpoint has no shadow: {why}", LONGEST), True
        return
    if served.shadow != place.package:
        place.exchanged = f"expected {place.package}, got {served.shadow or 'no model package'}"
    place.exchanged = place.exchanged or images.exchanged(served.shadow_images, place.images)
    s3 = clients("s3")
    for name, variant in place.variants.items():
        captured.read(s3, place.bucket, f"{place.prefix}{name}/", began, variant, most, ends)


def measure(place: Place, become: Become, began: datetime, settle: float) -> None:
    """Ask what was counted; again for a while where that contradicts what was captured."""
    cloudwatch = become(place.account, place.region)("cloudwatch")
    pause, ends, now = POLL_SECONDS[0], time.monotonic() + settle, datetime.now(UTC)
    while True:
        place.counts = {  # a copy comes after its request, so copies are counted first
            key: counted(cloudwatch, place.endpoint, variant, began, now)
            for key, variant in (("new", SHADOW), ("live", LIVE))
        }
        if not contradiction(place.document()) or time.monotonic() >= ends:
            return
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS[1])


def counted(
    cloudwatch: CloudWatchClient, endpoint: str, variant: str, began: datetime, now: datetime
) -> dict[str, Any]:
    """What SageMaker counted of a variant: requests, errors, and the model's latency in ms by percentile.

    One period covers the time, from the minute on in which it began. Where CloudWatch makes two of it, counts are
    added and the slower latency holds.
    """
    start = began.replace(second=0, microsecond=0)
    period = ceil((now - start) / timedelta(minutes=1)) * MINUTE

    def ask(metric: str, **statistics: Any) -> list[Any]:
        return cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
            StartTime=start,
            EndTime=start + timedelta(seconds=period),
            Period=period,
            **statistics,
        )["Datapoints"]

    def total(metric: str) -> int:
        return int(sum(point["Sum"] for point in ask(metric, Statistics=["Sum"])))

    latency: dict[str, float] = {}
    for point in ask("ModelLatency", ExtendedStatistics=[f"p{number}" for number in PERCENTILES]):
        for name, value in point["ExtendedStatistics"].items():
            latency[name[1:]] = max(latency.get(name[1:], 0.0), round(value / 1000, 1))  # from microseconds
    return {"requests": total("Invocations"), "errors": sum(map(total, ERRORS)), "latency_ms": latency}


def document(
    manifest: Mapping[str, Any], seen: Mapping[str, Any], execution: str, sha256: str, began: datetime
) -> dict[str, Any]:
    """The record of a shadow. seen: of watch()"""
    package = manifest["model_package"]
    return {
        "schema": outcome.SCHEMA,
        "execution": execution,
        "stage": "shadow",
        "version": package["version"],
        "arn": package["arn"],
        "live": manifest["shadow"]["live"],
        "began": began.isoformat(timespec="seconds"),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "manifest_sha256": sha256,
        **seen,
    }


def another(places: list[Place], manifest: Mapping[str, Any]) -> str:
    """How what the shadow runs is not what was allowed; "" where it is."""
    in_registry = exchanged(regional, manifest["model_package"], since_build=True)
    at_places = (f"account {one.account}, Region {one.region}: {one.exchanged}" for one in places if one.exchanged)
    return shorten(next(chain(in_registry, at_places), ""), LONGEST)


def main(manifest: Mapping[str, Any], given: Path, stage: str, external_id: str) -> int:
    """Observe, and write it down. manifest, given: of Build; stage: production's name"""
    planned: dict[str, Any] = manifest.get("shadow") or {}
    if not shadow.is_planned(manifest):
        raise UserError("the manifest has no shadow: release the change again")
    began = datetime.now(UTC)
    try:
        seen = watch(manifest, planned, testers(manifest, stage, external_id), began)
    except Exception as error:  # whatever it is, the next step must take the shadow away
        seen = {"why": shorten(f"TestShadow ended by {type(error).__name__}: {error}", LONGEST)}
    execution = os.environ.get("PIPELINE_EXECUTION_ID") or manifest["pipeline_execution_id"]
    found = document(manifest, seen, execution, digest(given), began)
    try:
        keep(manifest, found)
    except Exception as error:  # the same; the card then says that nothing is recorded
        say(f"what the shadow answered cannot be kept: {type(error).__name__}: {error}")
    return 0


def watch(manifest: Mapping[str, Any], planned: Mapping[str, Any], become: Become, began: datetime) -> dict[str, Any]:
    """What was seen at each endpoint; or that something else ran than what was allowed, and what."""
    places, minutes, enough = places_of(manifest), planned["minutes"], planned["requests"]
    until = f"{minutes} minutes" + (f", or {enough:,} requests at each endpoint" if enough else "")
    say(f"{manifest['model_package']['arn']} is in production's shadow for {until}")
    if not (other := another(places, manifest)):
        observe(places, minutes, enough, become, began, ends=lambda: bool(another(places, manifest)))
        other = another(places, manifest)
    return {"exchanged": True, "why": other} if other else {"places": [one.document() for one in places]}


def keep(manifest: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Write the record, and the report and the artifact that the build project keeps of every test."""
    bucket, number = outcome.bucket_of(manifest), os.environ.get("CODEBUILD_BUILD_NUMBER", "1")
    key = f"{record.OUTCOMES}{found['execution']}/shadow-{number}.json"
    record.write(boto3.client("s3", config=CONFIG), bucket, key, dict(found))
    say(json.dumps(found.get("places", []), indent=2))
    text = f"shadow: {found['why'] if 'why' in found else result(found)}."
    say(f"{text} It is recorded as {key} in the project's bucket")
    results = [
        Result(
            f"{one['account']}/{one['region']}",
            result({**found, "places": [one]}),
            skipped=one.get("problem", ""),
        )
        for one in found.get("places", [])
    ] or [Result("shadow", "the shadow runs what was allowed", failure=found.get("why", ""))]
    write_junit(Path("reports") / "shadow.xml", "shadow", results)
    write_results(Path("results") / "shadow.json", results)
    export({"SUMMARY": shorten(text)})
