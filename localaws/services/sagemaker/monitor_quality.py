"""What answers are worth beside what is true: the metrics of Model Monitor's analysis of model quality.

SageMaker Developer Guide, "Model quality metrics and Amazon CloudWatch monitoring" (groups, names, the confusion matrix
by what is true, standard deviations of five samples of 80% from 200 rows on), "Create a model quality baseline". The
form of constraints: the page's baseline, as its users print it; of a violation: aws-samples'
sagemaker-model-monitor-bring-your-own-container. What the page shows of a best constant classifier is left out: it
names no rule for it.
"""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

GROUPS = {
    "Regression": "regression", "BinaryClassification": "binary_classification",
    "MulticlassClassification": "multiclass_classification",
}  # fmt: skip
MORE_IS_WORSE = ("mae", "mse", "rmse", "false_positive_rate", "false_negative_rate")
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
ENOUGH, SAMPLES, SHARE = 200, 5, 0.8


class NoMeasure(Exception):  # what happened to it
    """Why the answers cannot be compared with the labels: the execution's FailureReason."""


@dataclass(frozen=True)
class Pair:
    """An answer and its label. chance: of class 1, where the answer says it"""

    true: str
    said: str
    chance: float | None = None


@dataclass(frozen=True)
class Attributes:
    """Which columns of an answer hold what; threshold: of a chance, above which it means class 1"""

    problem: str
    inference: int | None
    probability: int | None
    threshold: float


def pair(answer: Sequence[str], label: Sequence[str], of: Attributes) -> Pair:
    """NoMeasure for an answer without the column, or a label that is none."""
    if len(label) != 1:
        raise NoMeasure(f"AlgorithmError: a label has {len(label)} columns, one was expected")
    try:
        chance = None if of.probability is None else float(answer[of.probability])
        said = answer[of.inference] if of.inference is not None else str(int((chance or 0.0) > of.threshold))
    except (IndexError, ValueError) as error:
        raise NoMeasure(
            f"AlgorithmError: the answer {','.join(answer)} has no such column, or no number in it"
        ) from error
    if of.problem == "MulticlassClassification":
        return Pair(label[0], said)
    try:
        numbers = (float(label[0]), float(said))
    except ValueError as error:
        raise NoMeasure(f"AlgorithmError: {label[0]} and {said} must be numbers for {of.problem}") from error
    if of.problem == "Regression":
        return Pair(label[0], said)
    if not {*numbers} <= {0.0, 1.0}:
        raise NoMeasure(f"AlgorithmError: classes must be 0 and 1 for {of.problem}, not {label[0]} and {said}")
    true, given = (str(int(number)) for number in numbers)
    return Pair(true, given, chance)


def measured(problem: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """statistics.json, but for the times."""
    figures = {"Regression": regression, "BinaryClassification": binary, "MulticlassClassification": multiclass}
    values, drawn = figures[problem](pairs), list[dict[str, float]]()
    if len(pairs) >= ENOUGH:
        source = random.Random(len(pairs))
        drawn = [figures[problem](source.sample(pairs, int(len(pairs) * SHARE))) for _ in range(SAMPLES)]
    found: dict[str, Any] = {
        name: {
            "value": value,
            "standard_deviation": statistics.stdev(sample[name] for sample in drawn) if drawn else "NaN",
        }
        for name, value in values.items()
    }
    if problem != "Regression":
        found = {"confusion_matrix": confusion(pairs), **found}
    if chances(pairs):
        found |= curves(pairs)
    return {"version": 0.0, "dataset": {"item_count": len(pairs)}, f"{GROUPS[problem]}_metrics": found}


def values_of(problem: str, found: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are one number: what is published, and has constraints."""
    metrics = found[f"{GROUPS[problem]}_metrics"]
    return {name: one["value"] for name, one in metrics.items() if "value" in one}


def suggested(problem: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """constraints.json: every metric must be as good as it is."""
    constraints = {
        name: {
            "threshold": value,
            "comparison_operator": "GreaterThanThreshold" if name in MORE_IS_WORSE else "LessThanThreshold",
        }
        for name, value in values_of(problem, found).items()
    }
    return {"version": 0.0, f"{GROUPS[problem]}_constraints": constraints}


def violations(problem: str, found: Mapping[str, Any], constraints: Mapping[str, Any]) -> list[dict[str, str]]:
    """What of constraints.json does not hold; NoMeasure where it is for another kind of problem."""
    group = f"{GROUPS[problem]}_constraints"
    if group not in constraints:
        raise NoMeasure(f"AlgorithmError: the baseline's constraints have no {group}")
    now, broken = values_of(problem, found), list[dict[str, str]]()
    for name, one in constraints[group].items():
        kind, bound = one["comparison_operator"], float(one["threshold"])
        if name in now and (now[name] < bound if kind == "LessThanThreshold" else now[name] > bound):
            words = f"Metric {name} with {now[name]} was {kind} {bound}"
            broken.append({"constraint_check_type": kind, "description": words, "metric_name": name})
    return broken


# -- the figures ---------------------------------------------------------------------------------


def regression(pairs: Sequence[Pair]) -> dict[str, float]:
    both = [(float(one.true), float(one.said)) for one in pairs]
    squared = statistics.fmean((true - said) ** 2 for true, said in both)
    spread = statistics.pvariance([true for true, _ in both])
    return {
        "mae": statistics.fmean(abs(true - said) for true, said in both),
        "mse": squared,
        "rmse": squared**0.5,
        "r2": 1 - squared / spread if spread else 0.0,
    }


def share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def scores(precision: float, recall: float) -> dict[str, float]:
    """The F-scores, by name."""
    return {
        name: share((1 + beta**2) * precision * recall, beta**2 * precision + recall) for name, beta in BETAS.items()
    }


def binary(pairs: Sequence[Pair]) -> dict[str, float]:
    counts = Counter((one.true, one.said) for one in pairs)
    hits, missed, false, passed = (counts[key] for key in (("1", "1"), ("1", "0"), ("0", "1"), ("0", "0")))
    precision, recall = share(hits, hits + false), share(hits, hits + missed)
    found = {
        "recall": recall,
        "precision": precision,
        "accuracy": share(hits + passed, len(pairs)),
        "true_positive_rate": recall,
        "true_negative_rate": share(passed, passed + false),
        "false_positive_rate": share(false, passed + false),
        "false_negative_rate": share(missed, hits + missed),
        **scores(precision, recall),
    }
    return found | ({"auc": area(rates(pairs))} if chances(pairs) else {})


def multiclass(pairs: Sequence[Pair]) -> dict[str, float]:
    """Each class counts by how often it is true."""
    right = Counter(one.true for one in pairs if one.true == one.said)
    true, said = Counter(one.true for one in pairs), Counter(one.said for one in pairs)
    found = {"accuracy": share(right.total(), len(pairs))}
    names = ("recall", "precision", *BETAS)
    sums = dict.fromkeys(names, 0.0)
    for name, count in true.items():
        recall, precision = right[name] / count, share(right[name], said[name])
        for key, value in {"recall": recall, "precision": precision, **scores(precision, recall)}.items():
            sums[key] += count / len(pairs) * value
    return found | {f"weighted_{name}": value for name, value in sums.items()}


def confusion(pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """How often what is true (first) was said to be what (second)."""
    counts = Counter((one.true, one.said) for one in pairs)
    names = sorted({name for both in counts for name in both})
    return {true: {said: counts[true, said] for said in names} for true in names}


def chances(pairs: Sequence[Pair]) -> bool:
    return all(one.chance is not None for one in pairs)


def rates(pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """The false and the true positives as the threshold falls; equal chances are one point."""
    by_chance = Counter((one.chance, one.true) for one in pairs)
    found, false, hits = [(0, 0)], 0, 0
    for chance in sorted({one.chance for one in pairs if one.chance is not None}, reverse=True):
        false, hits = false + by_chance[chance, "0"], hits + by_chance[chance, "1"]
        found.append((false, hits))
    return found


def area(points: Sequence[tuple[int, int]]) -> float:
    false, hits = points[-1]
    return share(sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points)), false * hits)


def curves(pairs: Sequence[Pair]) -> dict[str, Any]:
    points = rates(pairs)
    false, hits = points[-1]
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": [share(x, false) for x, _ in points],
            "true_positive_rates": [share(y, hits) for _, y in points],
        },
        "precision_recall_curve": {
            "precisions": [share(y, x + y) if x + y else 1.0 for x, y in points],
            "recalls": [share(y, hits) for _, y in points],
        },
    }
