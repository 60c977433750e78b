"""How traffic moves to a new fleet: the shares and the waits of each kind of deployment."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.services.sagemaker.deployment import share_of, shifts


def policy(kind: str, **size: Any) -> dict[str, Any]:
    return {
        "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 60, **size},
        "TerminationWaitInSeconds": 300,
    }


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def test_all_at_once_bakes_before_the_old_fleet_ends() -> None:
    assert shifts(policy("ALL_AT_ONCE"), 2) == [(1.0, 300)]
    assert shifts({}, 2) == [(1.0, 0)]


def test_a_canary_takes_a_part_then_everything() -> None:
    assert shifts(policy("CANARY", CanarySize=percent(25)), 4) == [(0.25, 60), (1.0, 300)]


def test_linear_shifting_goes_in_equal_steps() -> None:
    steps = shifts(policy("LINEAR", LinearStepSize={"Type": "INSTANCE_COUNT", "Value": 1}), 4)
    assert steps == [(0.25, 60), (0.5, 60), (0.75, 60), (1.0, 300)]


@pytest.mark.parametrize(("value", "total", "share"), [(10, 4, 0.25), (50, 3, 1 / 3), (50, 1, 1.0), (20, 10, 0.2)])
def test_a_share_is_whole_instances_and_at_least_one(value: int, total: int, share: float) -> None:
    assert share_of(percent(value), total) == pytest.approx(share)
