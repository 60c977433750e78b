"""An endpoint of template 50 is updated in each way under load: nothing is lost, or its alarm takes it back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import Cloud
from tests.support import updates
from tests.support.sagemaker_world import BUCKET, client
from tests.support.updates import BAD, ENDPOINT, KINDS, NEW, OLD, PAGE, REQUEST, THREADS, measured
from tests.support.waiting import until

ONE_OF_EACH = list(zip(("CANARY", "LINEAR", "ROLLING"), BAD, strict=True))
World = tuple[Cloud, dict[str, str]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with updates.world(tmp_path_factory.mktemp("updates"), waits=0.01) as found:
        yield found


def test_a_good_version_loses_no_request_and_takes_over_as_it_was_asked_to(world: World) -> None:
    cloud, versions = world
    for one in measured(cloud, versions, 50, [(kind, "good") for kind in KINDS]):
        assert (one.lost, one.reason) == (0, ""), one
        assert one.former, one
        # Of two instances one is a canary, a step or a batch: for a baking period both fleets answer.
        assert (one.beside > 4 * THREADS) is (one.kind != "ALL_AT_ONCE"), one
        assert updates.serves(cloud)["package"] == versions["good"]
    newest = updates.serves(cloud)["EndpointConfigName"]
    assert updates.by_fleet(cloud)[newest] == one.new > 0, "CloudWatch counts what the callers of the last update heard"


@pytest.mark.parametrize(("kind", "version"), ONE_OF_EACH)
def test_a_bad_version_is_taken_back_by_the_alarm_that_watches_for_its_fault(
    world: World, kind: str, version: str
) -> None:
    cloud, versions = world
    (one,) = measured(cloud, versions, 50, [(kind, version)])
    assert f"alarms in the ALARM state: {ENDPOINT}-{BAD[version]}" in one.reason
    assert updates.serves(cloud)["package"] == versions["former"]
    assert one.former > one.lost + one.new, one


CAPTURE = {"DataCaptureS3Uri": f"s3://{BUCKET}/capture", "BakeSeconds": "120"}
AWAY = {"MoveAtOnce": "true", "BakeSeconds": "3600"}  # 36 seconds here, if it baked


def shadowed(cloud: Cloud, former: str, shadow: str, **settings: str) -> list[tuple[float, bytes]]:
    """What callers heard while the former version got another one in its shadow, and lost it again."""
    with updates.load(cloud) as heard:
        for given, expected in (({"ShadowModelPackageName": shadow}, ["Shadow"]), (AWAY, [])):
            began = time.monotonic()
            updates.deploy(cloud, former, Release="900", **{**CAPTURE, **settings, **given})
            assert time.monotonic() - began < 30, "an update that takes a shadow away waits for nothing"
            shown = updates.serves(cloud)
            assert (shown["EndpointStatus"], "FailureReason" in shown) == ("InService", False), shown
            assert [one["VariantName"] for one in shown.get("ShadowProductionVariants", [])] == expected
            many = len(heard)
            until(lambda: len(heard) > many + 9 * THREADS)  # noqa: B023 - called before the loop goes on
    return heard


def counted(cloud: Cloud, variant: str, metric: str) -> float:
    """The sum of a metric of one variant."""
    dimensions = {"EndpointName": ENDPOINT, "VariantName": variant}
    points = client(cloud, "cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker", MetricName=metric, Statistics=["Sum"], Period=86_400,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=time.time() - 86_400, EndTime=time.time() + 86_400,
    )["Datapoints"]  # fmt: skip
    return float(sum(point["Sum"] for point in points))


def captured(cloud: Cloud, variant: str) -> list[Any]:
    """What was captured of one variant, in the order of its files."""
    s3 = client(cloud, "s3")
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"capture/{ENDPOINT}/{variant}/")["Contents"]
    bodies = [s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed[-20:]]
    return [json.loads(body) for body in bodies]


def test_a_shadow_gets_the_requests_and_no_caller_its_answers(world: World) -> None:
    cloud, versions = world
    heard = shadowed(cloud, versions["former"], versions["good"], TrafficRoutingType="ROLLING")
    assert {body for _, body in heard} == {OLD}, "every request was answered, by the version that is live"
    answers = {
        name: {record["captureData"]["endpointOutput"]["data"] for record in captured(cloud, name)}
        for name in ("AllTraffic", "Shadow")
    }
    assert answers == {"AllTraffic": {OLD.decode()}, "Shadow": {NEW.decode()}}
    (request,) = {record["captureData"]["endpointInput"]["data"] for record in captured(cloud, "Shadow")}
    assert request == REQUEST.decode()
    assert 9 * THREADS < counted(cloud, "Shadow", "Invocations") < len(heard)
    assert counted(cloud, "Shadow", "Invocation5XXErrors") == 0


@pytest.mark.parametrize(("version", "errors"), [("slow", False), ("crashing", True)])
def test_a_shadow_that_is_slow_or_crashes_costs_no_caller_anything(world: World, version: str, errors: bool) -> None:
    cloud, versions = world
    before, copies = (counted(cloud, "Shadow", metric) for metric in ("Invocation5XXErrors", "Invocations"))
    heard = shadowed(cloud, versions["former"], versions[version])
    assert {body for _, body in heard} == {OLD}
    assert (counted(cloud, "Shadow", "Invocation5XXErrors") > before) is errors
    if version == "slow":  # it answers two copies a second, and the callers go on
        assert len(heard) > 5 * (counted(cloud, "Shadow", "Invocations") - copies)
    assert updates.serves(cloud)["package"] == versions["former"]


def test_a_shadow_that_does_not_start_is_taken_back_and_costs_no_caller_anything(world: World) -> None:
    cloud, versions = world
    updates.deploy(cloud, versions["former"], Release="900", **CAPTURE)
    crashes = updates.scripted(cloud, "lifeless", "raise SystemExit(3)\n")
    with updates.load(cloud) as heard:
        updates.deploy(cloud, versions["former"], Release="901", ShadowModelPackageName=crashes, **CAPTURE)
    assert {body for _, body in heard} == {OLD}
    shown = updates.serves(cloud)
    assert ("ShadowProductionVariants" in shown, shown["package"]) == (False, versions["former"])
    assert "variant Shadow did not pass the ping health check" in shown["FailureReason"]


def test_the_page_has_a_row_for_each_kind_and_version() -> None:
    rows = [line.split(" | ")[:2] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    expected = [[f"| {kind}", version] for version in ("good", *BAD) for kind in KINDS]
    assert rows[2:] == expected
    assert Path(__file__).name in PAGE.read_text(encoding="utf-8")
