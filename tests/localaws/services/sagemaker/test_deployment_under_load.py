"""An endpoint of template 50 is updated in each way under load: nothing is lost, or its alarm takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.cloud import Cloud
from tests.support import updates
from tests.support.updates import BAD, ENDPOINT, KINDS, PAGE, THREADS, measured

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


def test_the_page_has_a_row_for_each_kind_and_version() -> None:
    rows = [line.split(" | ")[:2] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    expected = [[f"| {kind}", version] for version in ("good", *BAD) for kind in KINDS]
    assert rows[2:] == expected
    assert Path(__file__).name in PAGE.read_text(encoding="utf-8")
