"""Captured requests compared with a baseline: what Model Monitor's own container does on a schedule.

SageMaker Developer Guide, "Schema for Violations (constraint_violations.json file)", "Schema for Constraints",
"CloudWatch Metrics", "Create a Baseline" ("the prediction/output columns are assumed to be the first columns"),
"Model Monitor FAQs". The distances are those of Deequ, on which the container is built (awslabs/deequ,
Distance.scala). The words of a violation of a data type are AWS's, as users quote them; the others are ours. What no
page settles is an open question (docs/explanation/open-questions.md, "Model Monitor").
"""

from __future__ import annotations

import bisect
import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from localaws.services.sagemaker import monitor_statistics
from localaws.services.sagemaker.monitor_statistics import NUMERICAL, completeness, inferred, part, type_of

Rows = list[list[str]]
Weighted = list[tuple[float, float]]  # values in their order, each with the number of those that it stands for


class NotAnalysed(Exception):  # what happened to it
    """Why the data are no table: the execution's FailureReason."""


@dataclass(frozen=True)
class Report:
    """The three files, and the metrics: their names with the values of each."""

    statistics: dict[str, Any]
    constraints: dict[str, Any]
    violations: list[dict[str, str]]
    metrics: dict[str, list[float]]


# -- what was captured ---------------------------------------------------------------------------


def rows_of(lines: Iterable[str]) -> Rows:
    """The rows of the requests: the answer's columns, then the request's. NotAnalysed for what is no CSV"""
    found = [row for line in lines if line.strip() for row in columns(json.loads(line)["captureData"])]
    if found and len({len(row) for row in found}) > 1:
        raise NotAnalysed("AlgorithmError: the captured rows have different numbers of columns")
    return found


def columns(captured: Mapping[str, Any]) -> Rows:
    given, said = captured.get("endpointInput"), captured.get("endpointOutput")
    if given is None or said is None:
        raise NotAnalysed("AlgorithmError: input and output must both be captured")
    if given["encoding"] != said["encoding"]:
        raise NotAnalysed(
            f"AlgorithmError: Encoding mismatch: Encoding is {given['encoding']} for endpointInput, but Encoding is "
            f"{said['encoding']} for endpointOutput."
        )
    if given["encoding"] != "CSV":
        raise NotAnalysed(f"Not supported by the embedded AWS: a monitor of data whose encoding is {given['encoding']}")
    inputs, outputs = (list(csv.reader(io.StringIO(one["data"], newline=""))) for one in (given, said))
    if len(outputs) == 1 and len(inputs) > 1 and len(outputs[0]) == len(inputs):
        outputs = [[value] for value in outputs[0]]  # SageMaker's XGBoost answers several rows on one line
    if len(inputs) != len(outputs):
        raise NotAnalysed(f"AlgorithmError: a request has {len(inputs)} rows and its answer {len(outputs)}")
    return [[value.strip() for value in (*answer, *row)] for answer, row in zip(outputs, inputs, strict=True)]


# -- the comparison ------------------------------------------------------------------------------


def analyse(rows: Rows, statistics: Mapping[str, Any], constraints: Mapping[str, Any]) -> Report:
    """The report on these rows. statistics, constraints: the baseline's"""
    known = [feature["name"] for feature in statistics["features"]]
    names = [known[place] if place < len(known) else f"_c{place}" for place in range(len(rows[0]))]
    now = monitor_statistics.of_table(names, rows)
    config = constraints.get("monitoring_config", {})
    violations: list[dict[str, str]] = []
    drifts: dict[str, float] = {}
    before = {feature["name"]: feature for feature in statistics["features"]}
    wanted = {feature["name"]: feature for feature in constraints["features"]}
    for place, feature in enumerate(now["features"]):
        name = feature["name"]
        values = [row[place] for row in rows]
        own = config | (wanted.get(name, {}).get("monitoringConfigOverrides") or {})
        if name in before and (drift := distance(before[name], values, own)) is not None:
            drifts[name] = drift
        if name in wanted and own.get("evaluate_constraints", "Enabled") == "Enabled":
            violations += [
                violation(name, kind, words)
                for kind, words in broken(wanted[name], feature, values, drifts.get(name), own)
            ]
    if config.get("evaluate_constraints", "Enabled") == "Enabled":
        violations += [*of_columns(known, names)]
    metrics = measured(now, rows, drifts) if config.get("emit_metrics", "Enabled") == "Enabled" else {}
    return Report(now, monitor_statistics.suggested(now), violations, metrics)


def violation(name: str, kind: str, words: str) -> dict[str, str]:
    return {"feature_name": name, "constraint_check_type": kind, "description": words}


def broken(
    wanted: Mapping[str, Any], feature: Mapping[str, Any], values: Sequence[str], drift: float | None,
    config: Mapping[str, Any],
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """What a column breaks of its constraint."""
    present = [value for value in values if value]
    kind = wanted["inferred_type"]
    fitting = {"Integral": {"Integral"}, "Fractional": {"Integral", "Fractional"}}.get(kind)
    share = sum(type_of(value) in fitting for value in present) / len(present) if fitting and present else 1.0
    if share < (least := float(config.get("datatype_check_threshold", 0.1))):
        yield (
            "data_type_check",
            f"Data type match requirement is not met. Expected data type: {kind}, Expected match: {least * 100}%. "
            f"Observed: Only {share * 100}% of data is {kind}.",
        )
    if (whole := completeness(feature)) < wanted.get("completeness", 0.0):
        yield (
            "completeness_check",
            f"Only {whole * 100}% of the values are there, expected: {wanted['completeness'] * 100}%.",
        )
    most = threshold(wanted["inferred_type"], config)
    if drift is not None and drift > most:
        yield "baseline_drift_check", f"The distance from the baseline is {drift}, more than the threshold {most}."
    domains = (wanted.get("string_constraints") or {}).get("domains")
    if domains and present:
        share = sum(value in domains for value in present) / len(present)
        if share < (least := float(config.get("domain_content_threshold", 0.1))):
            yield (
                "categorical_values_check",
                f"Only {share * 100}% of the values are among those of the baseline, expected: {least * 100}%.",
            )


def of_columns(known: Sequence[str], names: Sequence[str]) -> Iterator[dict[str, str]]:
    counts = f"The data have {len(names)} columns, the baseline {len(known)}."
    for name in known[len(names) :]:
        yield violation(name, "missing_column_check", counts)
    for name in names[len(known) :]:
        yield violation(name, "extra_column_check", counts)


# -- distances -----------------------------------------------------------------------------------


def threshold(kind: str, config: Mapping[str, Any]) -> float:
    said = config.get("distribution_constraints", {})
    most = said.get("comparison_threshold", 0.1)
    return float(most if kind in NUMERICAL else said.get("categorical_comparison_threshold", most))


def distance(before: Mapping[str, Any], values: Sequence[str], config: Mapping[str, Any]) -> float | None:
    """How far a column is from the baseline's; None where it is not compared."""
    said, present = config.get("distribution_constraints", {}), [value for value in values if value]
    if said.get("perform_comparison", "Enabled") != "Enabled" or not present:
        return None
    if before["inferred_type"] in NUMERICAL:
        if inferred(present) not in NUMERICAL:
            return None
        old, new = weighted(part(before)), [(value, 1.0) for value in sorted(map(float, present))]
        found, count = numerical(old, new), sum(weight for _, weight in old)
    else:
        if said.get("categorical_drift_method", "LInfinity") != "LInfinity":
            raise NotAnalysed("Not supported by the embedded AWS: a monitor with categorical_drift_method ChiSquared")
        counts = {
            bucket["value"]: float(bucket["count"]) for bucket in part(before)["distribution"]["categorical"]["buckets"]
        }
        found, count = categorical(counts, Counter(present)), sum(counts.values())
    if not count:
        return None
    if said.get("comparison_method", "Robust").removeprefix("linf_").lower() == "simple":
        return found
    return max(0.0, found - 1.8 * math.sqrt((count + len(present)) / (count * len(present))))


def weighted(numbers: Mapping[str, Any]) -> Weighted:
    """The values of a baseline in their order: of its sketch, whose level n holds those that count 2 ** n times."""
    kll = numbers["distribution"]["kll"]
    data = kll.get("sketch", {}).get("data")
    if data:
        return sorted((float(value), float(2**level)) for level, values in enumerate(data) for value in values)
    return [(float(bucket["upper_bound"]), float(bucket["count"])) for bucket in kll["buckets"]]


def numerical(old: Weighted, new: Weighted) -> float:
    """The largest difference between two cumulative distribution functions."""
    first, second = cumulative(old), cumulative(new)
    return max((abs(first(value) - second(value)) for value, _ in (*old, *new)), default=0.0)


def cumulative(values: Weighted) -> Callable[[float], float]:
    places, sums = [value for value, _ in values], [0.0, *accumulate(weight for _, weight in values)]
    return lambda value: sums[bisect.bisect_right(places, value)] / sums[-1] if sums[-1] else 0.0


def categorical(old: Mapping[str, float], new: Mapping[str, float]) -> float:
    """The largest difference between the shares that a value has."""
    first, second = sum(old.values()) or 1.0, sum(new.values()) or 1.0
    return max((abs(old.get(key, 0) / first - new.get(key, 0) / second) for key in {*old, *new}), default=0.0)


# -- metrics -------------------------------------------------------------------------------------


def measured(now: Mapping[str, Any], rows: Rows, drifts: Mapping[str, float]) -> dict[str, list[float]]:
    """The metrics of each column ("CloudWatch Metrics"). feature_non_null_ is a count, as the SDK's dashboard says."""
    found: dict[str, list[float]] = {}
    for place, feature in enumerate(now["features"]):
        name = feature["name"]
        if feature["inferred_type"] in NUMERICAL:
            found[f"feature_data_{name}"] = [float(row[place]) for row in rows if row[place]]
        found[f"feature_non_null_{name}"] = [float(part(feature)["common"]["num_present"])]
        if name in drifts:
            found[f"feature_baseline_drift_{name}"] = [drifts[name]]
    return found
