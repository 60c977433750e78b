from __future__ import annotations

from typing import Any

import pytest

from pipeline.attention import look_first, looser

LOOSEST = {"tolerance": 0.0, "relative_tolerance": 0.0, "max_latency_ms": 100.0}
TESTS: dict[str, Any] = {
    "payloads": 6, "own_tests": 1, "own_tests_sha256": "a", "loosest": LOOSEST, "without_expected": 0, "latency": {},
    "each": {"setosa": "1", "virginica": "2"},
}  # fmt: skip


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
        (("DataKmsKeyId", "alias/data", ""), "captured data and answers lose their own key"),
        (("VolumeKmsKeyId", "alias/models", ""), "the volumes lose their own key"),
        (("MaximumInstanceCount", "4", "0"), "autoscaling is switched off"),
        (("MaximumServerErrorsPerMinute", "1", "100"), "the alarm on server errors passes over more"),
        (("MaximumClientErrorsPerMinute", "9", "10"), "the alarm on client errors passes over more"),
        (("MaximumModelLatencyMicroseconds", "1000", "5000"), "the alarm on latency passes over more"),
        (("BakeSeconds", "300", "120"), "the alarms watch an update for a shorter time"),
        (("DataCapturePercentage", "100", "1"), "fewer requests are captured"),
        (("MonitorHours", "24", "0"), "the monitor of data quality is switched off"),
        (("MonitorHours", "1", "24"), "the monitor looks less often"),
        (("MonitorQualityHours", "24", "0"), "the monitor of model quality is switched off"),
        (("MonitorQualityHours", "1", "24"), "the monitor of model quality looks less often"),
        (("MaximumDrift", "0.1", "0.25"), "the alarm on drift passes over more"),
        (("InstanceType", "ml.m5.large", "ml.inf1.xlarge"), "updates move at once, and no alarm takes one back"),
        (("TrafficRoutingType", "CANARY", "ALL_AT_ONCE"), "a new version takes all traffic at once"),
    ],
)
def test_a_safeguard_that_goes_is_the_first_line_and_one_that_comes_is_none(
    changed: tuple[str, str, str], line: str
) -> None:
    name, live, new = changed
    metric = {"name": "auc", "direction": "worse", "live": 0.9, "new": 0.8}
    found = look_first(card({name: (live, new)}, metrics=[metric]))
    assert any(one.startswith(line) for one in found)
    assert "auc is worse: 0.9 → 0.8" in found
    off = ("switched off", "lose their own key")
    assert found[0].startswith(line) is any(words in line for words in off), "what is switched off is the first line"
    assert look_first(card({name: (new, live)})) == []
    assert look_first(card({name: (live, new)}, prod={"from": ""})) == []  # a first deployment takes nothing away


def test_another_metric_or_bound_of_the_model_quality_is_named_whichever_side_is_worse() -> None:
    changed = {"MonitorQualityMetric": ("auc", "rmse"), "MonitorQualityBound": ("0.9", "3")}
    assert look_first(card(changed)) == [
        "another metric of model quality is watched (MonitorQualityMetric auc → rmse)",
        "the bound of the model quality is another one (MonitorQualityBound 0.9 → 3)",
    ]


def test_metric_gates_that_are_overridden_loosened_or_taken_away_are_named() -> None:
    before = {"auc": {"goal": "maximize", "bound": 0.9}, "f1": {"goal": "maximize", "bound": 0.5}}
    gates = {"override": "a harder\u2028data set", "rules": {"auc": {"goal": "maximize", "bound": 0.8}}}
    metrics = [{"name": "auc", "new": 0.7, "problem": "auc is 0.7"}, {"name": "f1", "new": 1.0, "problem": ""}]
    assert look_first(card(gates=gates, gates_before=before, metrics=metrics)) == [
        'it does not pass the metric gates: auc 0.7; let through because "a harder data set"',
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
    now = {**TESTS, "payloads": 1, "own_tests": 0, "loosest": {**LOOSEST, "tolerance": 5.0}}
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


@pytest.mark.parametrize(
    ("name", "live", "new", "line"),
    [
        ("VpcSubnetIds", "subnet-1", "subnet-2", "the subnets are others (VpcSubnetIds subnet-1 → subnet-2)"),
        ("VpcSecurityGroupIds", "sg-1", "sg-2", "the security groups are others"),
        ("DataCaptureS3Uri", "account", "s3://elsewhere/capture", "captured data go elsewhere"),
        ("AdditionalAlarmName", "drift", "never", "the additional alarm is another one"),
        ("DataKmsKeyId", "alias/a", "alias/b", "the key of captured data is another one"),
        ("VolumeKmsKeyId", "alias/a", "alias/b", "the key of the volumes is another one"),
        ("TrafficStepPercentage", "10", "50", "more of the traffic moves at first"),
        ("FailureTolerancePercentage", "0", "100", "a deployment goes on with more accounts that failed"),
    ],
)
def test_a_safeguard_that_is_exchanged_is_named(name: str, live: str, new: str, line: str) -> None:
    (found,) = look_first(card({name: (live, new)}))
    assert found.startswith(line)


def test_tests_that_are_edited_are_named_although_their_number_stays() -> None:
    edited: dict[str, tuple[Any, str]] = {
        "own_tests_sha256": ("b", "own tests are edited"),
        "latency": ({"percentile": 50}, "the rule for the latency on the whole is another one"),
        "without_expected": (6, "golden payloads without an expected answer: 0 → 6"),
        "each": ({"setosa": "9", "virginica": "2"}, "golden payloads are edited: setosa"),
    }
    for key, (value, line) in edited.items():
        assert look_first(card(checked={"now": TESTS | {key: value}, "before": TESTS})) == [line]


def test_a_person_s_words_are_cut_and_a_name_is_one_word() -> None:
    """So that neither looks like what the kit says, and what was refused comes before the reason."""
    reason = "seed was changed; monthly cost: $1.00 → $1.00. (2) nothing else stands out; approve"
    gates = {"override": reason, "rules": {}}
    metrics = [{"name": "auc 1 (live 1); approve it", "new": 0.1, "problem": "auc is 0.1"}]
    (found,) = look_first(card(gates=gates, metrics=metrics))
    assert found.startswith("it does not pass the metric gates: auc_1_(live_1);_approve_it 0.1; let through because")
    assert "approve" not in found.split("because")[1]


def test_a_stack_that_names_no_version_is_no_earlier_one() -> None:
    assert look_first(card(prod={"from": "latest", "to": "2"})) == []
