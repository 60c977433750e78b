"""The statistics of a table, and the constraints that they suggest, as Model Monitor writes them.

SageMaker Developer Guide, "Schema for Statistics (statistics.json file)", "Schema for Constraints (constraints.json
file)"; the thresholds that it suggests: DataQualityMonitoringConfig of the SageMaker Python SDK. A value without text
is a missing one. The sketch holds the values themselves: of more than LEVEL, every second one, which then counts for
two.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LEVEL = 2_048  # values of a level of the sketch, its parameter k
BUCKETS = 10  # "By default, the distribution is materialized in 10 buckets"
INTEGRAL = re.compile(r"[-+]?[0-9]+")
NUMERICAL = ("Integral", "Fractional")
DOMAIN = 100  # values of a column of words that are listed; no page says how many "small cardinality" is
MONITORING_CONFIG = {
    "evaluate_constraints": "Enabled",
    "emit_metrics": "Enabled",
    "datatype_check_threshold": 1.0,
    "domain_content_threshold": 1.0,
    "distribution_constraints": {
        "perform_comparison": "Enabled", "comparison_threshold": 0.1, "comparison_method": "Robust",
    },
}  # fmt: skip


def type_of(value: str) -> str:
    """Integral, Fractional or String; Unknown for a missing value."""
    if not value:
        return "Unknown"
    if INTEGRAL.fullmatch(value):
        return "Integral"
    try:
        return "Fractional" if math.isfinite(float(value)) and "_" not in value else "String"
    except ValueError:
        return "String"


def inferred(values: Iterable[str]) -> str:
    """The type that all values of a column have."""
    found = {type_of(value) for value in values}
    return next((kind for kind in ("String", "Fractional", "Integral") if kind in found), "Unknown")


def of_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """statistics.json."""
    columns = [[row[place] for row in rows] for place in range(len(names))]
    features = [of_column(name, column) for name, column in zip(names, columns, strict=True)]
    return {"version": 0, "dataset": {"item_count": len(rows)}, "features": features}


def of_column(name: str, values: Sequence[str]) -> dict[str, Any]:
    kind, present = inferred(values), [value for value in values if value]
    common = {"num_present": len(present), "num_missing": len(values) - len(present)}
    if kind not in NUMERICAL:
        counts = Counter(present)
        buckets = [{"value": value, "count": count} for value, count in counts.most_common()]
        words = {"common": common, "distinct_count": len(counts), "distribution": {"categorical": {"buckets": buckets}}}
        return {"name": name, "inferred_type": kind, "string_statistics": words}
    return {"name": name, "inferred_type": kind, "numerical_statistics": numbers(common, list(map(float, present)))}


def numbers(common: Mapping[str, int], values: Sequence[float]) -> dict[str, Any]:
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    sketch = {"parameters": {"c": 0.64, "k": float(LEVEL)}, "data": levels(values)}
    return {
        "common": dict(common), "mean": mean, "sum": sum(values), "std_dev": deviation, "min": min(values),
        "max": max(values), "distribution": {"kll": {"buckets": buckets(values), "sketch": sketch}},
    }  # fmt: skip


def buckets(values: Sequence[float]) -> list[dict[str, float]]:
    low, width = min(values), (max(values) - min(values)) / BUCKETS
    counts = Counter(min(int((value - low) / width), BUCKETS - 1) if width else 0 for value in values)
    return [
        {"lower_bound": low + place * width, "upper_bound": low + (place + 1) * width, "count": float(counts[place])}
        for place in range(BUCKETS)
    ]


def levels(values: Sequence[float]) -> list[list[float]]:
    kept, above = sorted(values), 0
    while len(kept) > LEVEL:
        kept, above = kept[::2], above + 1
    return [*([] for _ in range(above)), kept]


def suggested(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """constraints.json."""
    features = [constraint(feature) for feature in statistics["features"]]
    return {"version": 0, "features": features, "monitoring_config": MONITORING_CONFIG}


def constraint(feature: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "name": feature["name"], "inferred_type": feature["inferred_type"], "completeness": completeness(feature),
    }  # fmt: skip
    if "numerical_statistics" in feature:
        return found | {"num_constraints": {"is_non_negative": feature["numerical_statistics"]["min"] >= 0}}
    words = feature["string_statistics"]
    if words["distinct_count"] > DOMAIN or feature["inferred_type"] != "String":
        return found
    values = [bucket["value"] for bucket in words["distribution"]["categorical"]["buckets"]]
    return found | {"string_constraints": {"domains": sorted(values)}}


def part(feature: Mapping[str, Any]) -> Mapping[str, Any]:
    """The statistics of a feature: of numbers, or of words."""
    found: Mapping[str, Any] = feature.get("numerical_statistics") or feature["string_statistics"]
    return found


def completeness(feature: Mapping[str, Any]) -> float:
    """The share of values that are not missing."""
    common = part(feature)["common"]
    count = common["num_present"] + common["num_missing"]
    return common["num_present"] / count if count else 0.0
