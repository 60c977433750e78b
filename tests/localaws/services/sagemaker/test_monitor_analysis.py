"""What Model Monitor's comparison says of tables: each kind of violation, and none of data like the baseline's."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from localaws.services.sagemaker import monitor_analysis, monitor_statistics
from localaws.services.sagemaker.monitor_analysis import NotAnalysed, Report, analyse, rows_of

NAMES = ["answer", "length", "colour"]
RANDOM = random.Random(7)


def table(count: int, shift: float = 0.0, colours: str = "rgb") -> list[list[str]]:
    return [[str(n % 2), f"{RANDOM.gauss(5, 1) + shift:.2f}", colours[n % len(colours)]] for n in range(count)]


STATISTICS = monitor_statistics.of_table(NAMES, table(3_000))
CONSTRAINTS = monitor_statistics.suggested(STATISTICS)


def report(rows: list[list[str]], **config: Any) -> Report:
    changed = CONSTRAINTS | {"monitoring_config": CONSTRAINTS["monitoring_config"] | config}
    return analyse(rows, STATISTICS, changed)


def kinds(found: Report) -> list[tuple[str, str]]:
    return [(one["feature_name"], one["constraint_check_type"]) for one in found.violations]


def test_the_statistics_have_the_form_of_the_page() -> None:
    answer, length, colour = STATISTICS["features"]
    assert STATISTICS["dataset"] == {"item_count": 3_000}
    assert (answer["inferred_type"], length["inferred_type"], colour["inferred_type"]) == (
        "Integral", "Fractional", "String",
    )  # fmt: skip
    numbers = length["numerical_statistics"]
    assert numbers["common"] == {"num_present": 3_000, "num_missing": 0}
    assert numbers["mean"] == pytest.approx(5, abs=0.1)
    assert numbers["std_dev"] == pytest.approx(1, abs=0.1)
    kll = numbers["distribution"]["kll"]
    assert sum(bucket["count"] for bucket in kll["buckets"]) == 3_000
    assert [len(level) for level in kll["sketch"]["data"]] == [0, 1_500]
    assert colour["string_statistics"]["distinct_count"] == 3
    assert CONSTRAINTS["features"][2]["string_constraints"] == {"domains": ["b", "g", "r"]}
    assert CONSTRAINTS["features"][1]["num_constraints"] == {"is_non_negative": True}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (table(300), []),
        (table(300, shift=0.6), [("length", "baseline_drift_check")]),
        (table(300, colours="r"), [("colour", "baseline_drift_check")]),
        ([["1.5", *row[1:]] for row in table(300)],
         [("answer", "data_type_check"), ("answer", "baseline_drift_check")]),
        ([[row[0], "", row[2]] if n < 3 else row for n, row in enumerate(table(300))],
         [("length", "completeness_check")]),
        ([[row[0], row[1], "x"] if n < 3 else row for n, row in enumerate(table(300))],
         [("colour", "categorical_values_check")]),
        ([row[:2] for row in table(300)], [("colour", "missing_column_check")]),
        ([[*row, "1"] for row in table(300)], [("_c3", "extra_column_check")]),
    ],
    ids=["alike", "drift", "categories", "type", "completeness", "domain", "missing", "extra"],
)  # fmt: skip
def test_each_kind_of_violation_is_found_and_no_other(rows: list[list[str]], expected: list[tuple[str, str]]) -> None:
    assert kinds(report(rows)) == expected


def test_few_rows_are_no_drift_for_the_robust_distance() -> None:
    rows, simple = table(8, shift=0.3), {"perform_comparison": "Enabled", "comparison_method": "Simple"}
    assert ("length", "baseline_drift_check") not in kinds(report(rows))
    assert ("length", "baseline_drift_check") in kinds(report(rows, distribution_constraints=simple))


def test_what_the_configuration_switches_off_is_not_looked_at() -> None:
    off = report(table(300, shift=2), evaluate_constraints="Disabled", emit_metrics="Disabled")
    assert (off.violations, off.metrics) == ([], {})
    loose = report(table(300, shift=0.6), distribution_constraints={"comparison_threshold": 0.9})
    assert kinds(loose) == []


def test_the_metrics_are_those_of_each_column() -> None:
    metrics = report(table(200, shift=1)).metrics
    assert metrics["feature_non_null_colour"] == [200.0]
    assert len(metrics["feature_data_length"]) == 200
    assert metrics["feature_baseline_drift_length"][0] > 0.2 > metrics["feature_baseline_drift_answer"][0]


def captured(given: str, said: str, encodings: tuple[str, str] = ("CSV", "CSV")) -> str:
    parts = (("endpointInput", given, encodings[0]), ("endpointOutput", said, encodings[1]))
    return json.dumps({"captureData": {name: {"data": data, "encoding": kind} for name, data, kind in parts}})


def test_the_answer_stands_before_the_request() -> None:
    lines = [captured("5.1,red\n", "0.0\n"), captured("1,a\n2,b\n", "7,8\n"), ""]
    assert rows_of(lines) == [["0.0", "5.1", "red"], ["7", "1", "a"], ["8", "2", "b"]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (captured("1,2", "e30=", ("CSV", "BASE64")), "Encoding mismatch"),
        (captured("{}", "{}", ("JSON", "JSON")), "Not supported by the embedded AWS"),
        (captured("1\n2\n3", "7"), "a request has 3 rows and its answer 1"),
        (json.dumps({"captureData": {}}), "input and output must both be captured"),
    ],
)
def test_what_is_no_table_is_said(line: str, reason: str) -> None:
    with pytest.raises(NotAnalysed, match=reason):
        rows_of([line])


def test_a_method_that_is_not_supported_is_named() -> None:
    with pytest.raises(NotAnalysed, match="ChiSquared"):
        report(table(30), distribution_constraints={"categorical_drift_method": "ChiSquared"})


def test_a_baseline_without_a_sketch_is_compared_by_its_buckets() -> None:
    plain = json.loads(json.dumps(STATISTICS))
    for feature in plain["features"][:2]:
        del feature["numerical_statistics"]["distribution"]["kll"]["sketch"]
    assert monitor_analysis.analyse(table(300, shift=2), plain, CONSTRAINTS).violations
