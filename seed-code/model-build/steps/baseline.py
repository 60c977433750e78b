"""The baseline of a monitor: what the training rows look like, with the model's answers before them.

statistics.json and constraints.json as SageMaker's Model Monitor reads them (Developer Guide, "Schema for
Statistics", "Schema for Constraints"). The answers come first, since a monitor puts what an endpoint answered before
what it was asked ("Create a Baseline"). Names of columns have small letters, digits and underscores alone, as the
same page asks.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steps.common import MISSING, is_number
from steps.metrics import Answer

KEPT = 2048  # values of a level of the sketch: of more, every second one is kept, and counts for two
BUCKETS = 10
WORDS = 100  # different words of a column that are listed
NAMED = 10  # columns that the alarm of a monitor can watch
LONGEST = 256  # characters of a version's metadata
CONFIG = {
    "evaluate_constraints": "Enabled",
    "emit_metrics": "Enabled",
    "datatype_check_threshold": 1.0,
    "domain_content_threshold": 1.0,
    "distribution_constraints": {
        "perform_comparison": "Enabled",
        "comparison_threshold": 0.1,
        "comparison_method": "Robust",
    },
}


def column_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "column"


def named(features: Sequence[str]) -> str:
    """The first features, as a version's metadata names them; a comma may not be in it (CustomerMetadataValue)."""
    found: list[str] = []
    for feature in features[:NAMED]:
        if len(" ".join([*found, column_name(feature)])) <= LONGEST:
            found.append(column_name(feature))
    return " ".join(found)


def baseline(features: Sequence[str], rows: Sequence[Sequence[str]], answers: Sequence[Answer]) -> dict[str, Any]:
    """The content of both files, by name. rows: the label, then the features; answers: to each"""
    said = [one.given if isinstance(one.given, list) else [one.given] for one in answers]
    names = [f"answer_{place}" for place in range(len(said[0]))] if len(said[0]) > 1 else ["answer"]
    table = [[*map(str, said[at]), *row[1:]] for at, row in enumerate(rows)]
    columns = {name: [row[place] for row in table] for place, name in enumerate([*names, *map(column_name, features)])}
    found = [statistics(name, ["" if value in MISSING else value for value in of]) for name, of in columns.items()]
    return {
        "statistics.json": {"version": 0, "dataset": {"item_count": len(table)}, "features": found},
        "constraints.json": {"version": 0, "features": list(map(constraint, found)), "monitoring_config": CONFIG},
    }


def write(folder: Path, files: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def kind_of(values: Sequence[str]) -> str:
    present = [value for value in values if value]
    if not present:
        return "Unknown"
    if not all(map(is_number, present)):
        return "String"
    return "Integral" if all(re.fullmatch(r"[-+]?[0-9]+", value) for value in present) else "Fractional"


def statistics(name: str, values: Sequence[str]) -> dict[str, Any]:
    kind, present = kind_of(values), [value for value in values if value]
    common = {"num_present": len(present), "num_missing": len(values) - len(present)}
    if kind in ("Integral", "Fractional"):
        return {"name": name, "inferred_type": kind, "numerical_statistics": numbers(common, list(map(float, present)))}
    counts = Counter(present)
    buckets = [{"value": value, "count": count} for value, count in counts.most_common()]
    words = {"common": common, "distinct_count": len(counts), "distribution": {"categorical": {"buckets": buckets}}}
    return {"name": name, "inferred_type": kind, "string_statistics": words}


def numbers(common: dict[str, int], values: list[float]) -> dict[str, Any]:
    mean, low, high = sum(values) / len(values), min(values), max(values)
    width = (high - low) / BUCKETS
    counts = Counter(min(int((value - low) / width), BUCKETS - 1) if width else 0 for value in values)
    buckets = [
        {"lower_bound": low + at * width, "upper_bound": low + (at + 1) * width, "count": float(counts[at])}
        for at in range(BUCKETS)
    ]
    kept, levels = sorted(values), 0
    while len(kept) > KEPT:
        kept, levels = kept[::2], levels + 1
    sketch = {"parameters": {"c": 0.64, "k": float(KEPT)}, "data": [*([] for _ in range(levels)), kept]}
    return {
        "common": common,
        "mean": mean,
        "sum": sum(values),
        "std_dev": math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)),
        "min": low,
        "max": high,
        "distribution": {"kll": {"buckets": buckets, "sketch": sketch}},
    }


def constraint(feature: dict[str, Any]) -> dict[str, Any]:
    of = feature.get("numerical_statistics") or feature["string_statistics"]
    present, missing = of["common"]["num_present"], of["common"]["num_missing"]
    found: dict[str, Any] = {
        "name": feature["name"],
        "inferred_type": feature["inferred_type"],
        "completeness": present / (present + missing) if present + missing else 0.0,
    }
    if "numerical_statistics" in feature:
        found["num_constraints"] = {"is_non_negative": of["min"] >= 0}
    elif feature["inferred_type"] == "String" and of["distinct_count"] <= WORDS:
        buckets = of["distribution"]["categorical"]["buckets"]
        found["string_constraints"] = {"domains": sorted(bucket["value"] for bucket in buckets)}
    return found
