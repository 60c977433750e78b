"""Metrics in the form of SageMaker's model quality reports, in plain Python.

"Model quality metrics and Amazon CloudWatch monitoring": the group of each kind of task, the names of its metrics, and
their standard deviation, which is that of five samples of 80% where there are 200 rows or more.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

GROUPS = {
    "regression": "regression_metrics",
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
}
NAMES = {  # what a full pipeline can keep and bound
    "regression": ("mae", "mse", "rmse", "r2"),
    "binary": (
        "accuracy", "precision", "recall", "auc", "f0_5", "f1", "f2", "true_positive_rate", "true_negative_rate",
        "false_positive_rate", "false_negative_rate",
    ),
    "multiclass": (
        "accuracy", "weighted_precision", "weighted_recall", "weighted_f0_5", "weighted_f1", "weighted_f2",
    ),
}  # fmt: skip
# How a monitor of model quality reads what the endpoint answers: SageMaker's kind of problem, the column of the
# prediction, and that of the chance of class 1.
READ_AS = {
    "regression": "Regression 0 none",
    "binary": "BinaryClassification none 0",
    "multiclass": "MulticlassClassification 0 none",
}
MORE_IS_WORSE = ("mae", "mse", "rmse", "false_positive_rate", "false_negative_rate")
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
ENOUGH, SAMPLES, SHARE, SEED = 200, 5, 0.8, 42


@dataclass(frozen=True)
class Answer:
    """One row of the test: what is true, what the model says, and of a binary task the chance of the positive class.

    given: what the endpoint answers to the row
    """

    true: Any
    said: Any
    chance: float = 0.0
    given: Any = None


def report(task: str, answers: list[Answer], positive: str = "") -> dict[str, Any]:
    """evaluation.json."""
    figures: Callable[[list[Answer]], dict[str, float]] = {
        "regression": regression,
        "binary": lambda these: binary(these, positive),
        "multiclass": multiclass,
    }[task]
    found: dict[str, Any] = with_deviations(figures, answers)
    if task != "regression":
        found = {"confusion_matrix": confusion(answers), **found}
    if task == "binary":
        false_rates, true_rates = curve(answers, positive)
        found["receiver_operating_characteristic_curve"] = {
            "false_positive_rates": false_rates,
            "true_positive_rates": true_rates,
        }
    return {GROUPS[task]: found}


def monitored_as(framework: str, task: str) -> str:
    """The task as a monitor sees it: of two classes, inference.py answers the one that it takes for right."""
    return "multiclass" if (framework, task) == ("sklearn", "binary") else task


def constraints(task: str, found: dict[str, Any]) -> dict[str, Any]:
    """constraints.json of model quality: every figure of the report is the worst that may be ("baseline")."""
    group = GROUPS[task]
    return {
        "version": 0.0,
        f"{group.removesuffix('_metrics')}_constraints": {
            name: {
                "threshold": found[group][name]["value"],
                "comparison_operator": "GreaterThanThreshold" if name in MORE_IS_WORSE else "LessThanThreshold",
            }
            for name in NAMES[task]
        },
    }


def with_deviations(
    figures: Callable[[list[Answer]], dict[str, float]], answers: list[Answer]
) -> dict[str, dict[str, Any]]:
    drawn: list[dict[str, float]] = []
    if len(answers) >= ENOUGH:
        source = random.Random(SEED)
        drawn = [figures(source.sample(answers, int(len(answers) * SHARE))) for _ in range(SAMPLES)]
    return {
        name: {
            "value": value,
            "standard_deviation": statistics.stdev(sample[name] for sample in drawn) if drawn else "NaN",
        }
        for name, value in figures(answers).items()
    }


def regression(answers: list[Answer]) -> dict[str, float]:
    errors = [answer.said - answer.true for answer in answers]
    mean = statistics.fmean(answer.true for answer in answers)
    spread = sum((answer.true - mean) ** 2 for answer in answers)
    squared = sum(error**2 for error in errors)
    return {
        "mae": statistics.fmean(abs(error) for error in errors),
        "mse": squared / len(errors),
        "rmse": (squared / len(errors)) ** 0.5,
        "r2": 1 - squared / spread if spread else 0.0,
    }


def share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def f_score(precision: float, recall: float, beta: float) -> float:
    return share((1 + beta**2) * precision * recall, beta**2 * precision + recall)


def counts(answers: list[Answer], positive: Any) -> tuple[int, int, int, int]:
    """True positives, false positives, false negatives, true negatives of one class."""
    hits = sum(answer.said == positive == answer.true for answer in answers)
    false = sum(answer.said == positive != answer.true for answer in answers)
    missed = sum(answer.true == positive != answer.said for answer in answers)
    return hits, false, missed, len(answers) - hits - false - missed


def accuracy(answers: list[Answer]) -> float:
    return share(sum(answer.true == answer.said for answer in answers), len(answers))


def binary(answers: list[Answer], positive: str) -> dict[str, float]:
    hits, false, missed, passed = counts(answers, positive)
    precision, recall = share(hits, hits + false), share(hits, hits + missed)
    return {
        "accuracy": accuracy(answers),
        "precision": precision,
        "recall": recall,
        "auc": area(*curve(answers, positive)),
        **{name: f_score(precision, recall, beta) for name, beta in BETAS.items()},
        "true_positive_rate": recall,
        "true_negative_rate": share(passed, passed + false),
        "false_positive_rate": share(false, passed + false),
        "false_negative_rate": share(missed, hits + missed),
    }


def multiclass(answers: list[Answer]) -> dict[str, float]:
    """Each class counts by how often it is true."""
    sums = dict.fromkeys(NAMES["multiclass"], 0.0)
    for name in {answer.true for answer in answers}:
        hits, false, missed, _ = counts(answers, name)
        weight = (hits + missed) / len(answers)
        precision, recall = share(hits, hits + false), share(hits, hits + missed)
        sums["weighted_precision"] += weight * precision
        sums["weighted_recall"] += weight * recall
        for score, beta in BETAS.items():
            sums[f"weighted_{score}"] += weight * f_score(precision, recall, beta)
    return {**sums, "accuracy": accuracy(answers)}


def confusion(answers: list[Answer]) -> dict[str, dict[str, int]]:
    """How often each class (first) was said to be each class (second)."""
    names = sorted({str(name) for answer in answers for name in (answer.true, answer.said)})
    matrix = {name: dict.fromkeys(names, 0) for name in names}
    for answer in answers:
        matrix[str(answer.true)][str(answer.said)] += 1
    return matrix


def curve(answers: list[Answer], positive: str) -> tuple[list[float], list[float]]:
    """The rates of false and true positives as the threshold falls; equal chances are one point."""
    wanted = sum(answer.true == positive for answer in answers)
    others, hits, false = len(answers) - wanted, 0, 0
    false_rates, true_rates, last = [0.0], [0.0], None
    for answer in sorted(answers, key=lambda answer: -answer.chance):
        if last is not None and answer.chance != last:
            false_rates.append(share(false, others))
            true_rates.append(share(hits, wanted))
        hits, false = hits + (answer.true == positive), false + (answer.true != positive)
        last = answer.chance
    return [*false_rates, 1.0], [*true_rates, 1.0]


def area(x: list[float], y: list[float]) -> float:
    return sum((x[at] - x[at - 1]) * (y[at] + y[at - 1]) / 2 for at in range(1, len(x)))
