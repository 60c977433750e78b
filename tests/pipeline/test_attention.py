from __future__ import annotations

from typing import Any

import pytest

from pipeline.attention import look_first, looser

TESTS = {"payloads": 6, "own_tests": 1, "loosest": {"tolerance": 0.0, "relative_tolerance": 0.0, "max_latency_ms": 100}}


def card(settings: dict[str, tuple[str, str]] | None = None, **more: Any) -> dict[str, Any]:
    changed = [{"name": name, "live": live, "new": new} for name, (live, new) in (settings or {}).items()]
    prod = {"settings": changed, "from": "1", "to": "2", "left": [], **more.pop("prod", {})}
    return {"stages": {"prod": prod}, "metrics": [], "gates": {}, "gates_before": {}, "checked": {}, **more}


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (("EnableNetworkIsolation", "true", "false"), "network isolation is switched off"),
        (("VpcSubnetIds", "account", ""), "the VPC is switched off (VpcSubnetIds account → none)"),
        (("DataCaptureS3Uri", "account", ""), "data capture is switched off"),
        (("AdditionalAlarmName", "drift", ""), "the additional alarm is switched off"),
        (("VolumeKmsKeyId", "alias/models", ""), "the volumes lose their own key"),
        (("MaximumInstanceCount", "4", "0"), "autoscaling is switched off"),
        (("MaximumServerErrorsPerMinute", "1", "100"), "the alarm on server errors passes over more"),
        (("MaximumClientErrorsPerMinute", "9", "10"), "the alarm on client errors passes over more"),
        (("MaximumModelLatencyMicroseconds", "1000", "5000"), "the alarm on latency passes over more"),
        (("BakeSeconds", "300", "120"), "the alarms watch an update for a shorter time"),
        (("DataCapturePercentage", "100", "1"), "fewer requests are captured"),
        (("TrafficRoutingType", "CANARY", "ALL_AT_ONCE"), "a new version takes all traffic at once"),
    ],
)
def test_a_safeguard_that_goes_is_the_first_line_and_one_that_comes_is_none(
    changed: tuple[str, str, str], line: str
) -> None:
    name, live, new = changed
    metric = {"name": "auc", "direction": "worse", "live": 0.9, "new": 0.8}
    found = look_first(card({name: (live, new)}, metrics=[metric]))
    assert found[0].startswith(line)
    assert found[1] == "auc is worse than the live version's: 0.9 → 0.8"
    assert look_first(card({name: (new, live)})) == []
    assert look_first(card({name: (live, new)}, prod={"from": ""})) == []  # a first deployment takes nothing away


def test_metric_gates_that_are_overridden_loosened_or_taken_away_are_named() -> None:
    before = {"auc": {"goal": "maximize", "bound": 0.9}, "f1": {"goal": "maximize", "bound": 0.5}}
    gates = {
        "override": "a harder\u2028data set",
        "metrics": [{"problem": "auc is 0.7"}, {"problem": ""}],
        "rules": {"auc": {"goal": "maximize", "bound": 0.8}},
    }
    assert look_first(card(gates=gates, gates_before=before)) == [
        "the metric gates are overridden: a harder data set (auc is 0.7)",
        "the metric gate f1 is taken away",
        "the metric gate auc is loosened (bound 0.9 → 0.8)",
    ]
    assert look_first(card(gates={"rules": before}, gates_before={})) == []


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ({"bound": 0.1}, {"bound": 0.2}, "bound 0.1 → 0.2"),
        ({"bound": 0.2}, {"bound": 0.1}, ""),
        ({"bound": 0.1}, {}, "bound 0.1 → none"),
        ({"worse_by": 0.1}, {"worse_by": 0.5}, "worse_by 0.1 → 0.5"),
        ({}, {"bound": 0.1}, ""),
        ({"bound": 0.1}, {"bound": 0.1, "goal": "maximize"}, "goal minimize → maximize"),
    ],
)
def test_a_gate_is_looser_where_more_passes(before: dict[str, Any], now: dict[str, Any], found: str) -> None:
    assert looser({"goal": "minimize", **before}, {"goal": "minimize", **now}) == found


def test_weaker_tests_an_earlier_version_and_deleted_endpoints_are_named() -> None:
    now = {**TESTS, "payloads": 1, "own_tests": 0, "loosest": {**TESTS["loosest"], "tolerance": 5.0}}  # type: ignore[dict-item]
    prod = {"from": "10", "to": "9", "left": [["1", "x"]], "replaced": True}
    assert look_first(card(prod=prod, checked={"now": now, "before": TESTS})) == [
        "its container or model was replaced since it was deployed under the same number",
        "an earlier version comes back: 10 → 9",
        "endpoints are deleted: 1",
        "fewer golden payloads: 6 → 1",
        "fewer files of own tests: 1 → 0",
        "the tests allow a wider tolerance: 0 → 5",
    ]
    assert look_first(card(checked={"now": TESTS, "before": now})) == []
    assert look_first(card(checked={"now": now, "before": None})) == []
