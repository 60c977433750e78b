"""What SageMaker's own XGBoost takes, and which way a metric is better. Nothing here talks to AWS.

A training job fails for what is not here, after it was paid for. SageMaker Developer Guide, "XGBoost hyperparameters",
"Tune an XGBoost Model" (direction of metrics); names and intervals that the pages lack: the container's public code,
github.com/aws/sagemaker-xgboost-container at v3.0-5 (hyperparameter_validation.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ALIASES = {"learning_rate": "eta", "min_split_loss": "gamma", "reg_lambda": "lambda", "reg_alpha": "alpha"}
ENDLESS = float("inf")
WHOLE: dict[str, tuple[float, float]] = {  # lowest and highest value
    "num_round": (1, ENDLESS), "num_class": (2, ENDLESS), "max_depth": (0, ENDLESS), "max_leaves": (0, ENDLESS),
    "max_bin": (0, ENDLESS), "early_stopping_rounds": (1, ENDLESS), "num_parallel_tree": (1, ENDLESS),
    "nthread": (1, ENDLESS), "verbosity": (0, 3), "csv_weights": (0, 1), "refresh_leaf": (0, 1), "one_drop": (0, 1),
    "seed": (-(2**31) + 1, 2**31 - 2),
}  # fmt: skip
REAL: dict[str, tuple[float, float]] = {
    "eta": (0, 1), "gamma": (0, ENDLESS), "min_child_weight": (0, ENDLESS), "max_delta_step": (0, ENDLESS),
    "subsample": (0, 1), "colsample_bytree": (0, 1), "colsample_bylevel": (0, 1), "colsample_bynode": (0, 1),
    "lambda": (0, ENDLESS), "alpha": (0, ENDLESS), "sketch_eps": (0, 1), "scale_pos_weight": (0, ENDLESS),
    "rate_drop": (0, 1), "skip_drop": (0, 1), "lambda_bias": (0, 1), "tweedie_variance_power": (1, 2),
    "base_score": (0, ENDLESS), "aft_loss_distribution_scale": (0, ENDLESS),
}  # fmt: skip
OPEN = {  # the bounds that are no value themselves, lowest or highest
    **dict.fromkeys(("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode"), (0,)),
    "scale_pos_weight": (0,), "sketch_eps": (0, 1), "tweedie_variance_power": (1, 2),
}  # fmt: skip
TEXTS = {
    "objective": (
        "binary:logistic", "binary:logitraw", "binary:hinge", "multi:softmax", "multi:softprob", "reg:squarederror",
        "reg:logistic", "reg:gamma", "reg:pseudohubererror", "reg:squaredlogerror", "reg:absoluteerror", "reg:tweedie",
        "reg:linear", "count:poisson", "rank:pairwise", "rank:ndcg", "rank:map", "survival:aft", "survival:cox",
    ),
    "booster": ("gbtree", "gblinear", "dart"),
    "tree_method": ("auto", "exact", "approx", "hist", "gpu_hist"),
    "grow_policy": ("depthwise", "lossguide"),
    "process_type": ("default", "update"),
    "sample_type": ("uniform", "weighted"),
    "normalize_type": ("tree", "forest"),
    "sampling_method": ("uniform", "gradient_based"),
}  # fmt: skip
UNCHECKED = {  # rarely used; the container itself checks their values
    "updater", "dsplit", "predictor", "aft_loss_distribution", "monotone_constraints", "interaction_constraints",
    "deterministic_histogram", "use_dask_gpu_training", "save_model_on_termination", "prob_buffer_row",
}  # fmt: skip
MEASURES = {  # of eval_metric
    "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "precision", "r2",
    "recall", "precision_macro", "precision_micro", "recall_macro", "recall_micro", "aft-nloglik", "cox-nloglik",
    "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy", "logloss", "mae", "mape", "merror",
    "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle", "tweedie-nloglik",
}  # fmt: skip

SHARES_OF_ERRORS = {"error", "merror", "false_positive_rate", "false_negative_rate"}
LESS_IS_BETTER = SHARES_OF_ERRORS | {"mae", "mape", "mphe", "mse", "rmse", "rmsle", "logloss", "mlogloss"}
MORE_IS_BETTER = {
    "accuracy", "balanced_accuracy", "auc", "aucpr", "precision", "precision_macro", "precision_micro", "recall",
    "recall_macro", "recall_micro", "f0_5", "f1", "f1_binary", "f1_macro", "f2", "map", "ndcg", "r2",
    "true_positive_rate", "true_negative_rate",
    "weighted_precision", "weighted_recall", "weighted_f0_5", "weighted_f1", "weighted_f2",
}  # fmt: skip


def is_reported(measure: str) -> bool:
    """Whether a training job reports it as a metric: those of "Tune an XGBoost Model" by their names there.

    With a threshold (error@0.7) it is printed under another name, and tweedie-nloglik always is: with its power.
    """
    return "@" not in measure and measure != "tweedie-nloglik"


def of_goal(metric: str, wanted: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the goal and the bound of a metric whose meaning is known."""
    name = metric.rpartition(":")[2].partition("@")[0]
    if name not in LESS_IS_BETTER | MORE_IS_BETTER:
        return
    goal = "minimize" if name in LESS_IS_BETTER else "maximize"
    if wanted["goal"] != goal:
        yield f'{metric}: less of it is {"better" if name in LESS_IS_BETTER else "worse"}: write goal = "{goal}"'
    lowest = -ENDLESS if name == "r2" else 0
    highest = 1 if name in MORE_IS_BETTER | SHARES_OF_ERRORS else ENDLESS
    if "bound" in wanted and not lowest <= wanted["bound"] <= highest:
        yield f"{metric} is {span(lowest, highest)}: the bound {wanted['bound']} says nothing: correct it"


def span(lowest: float, highest: float) -> str:
    if lowest == -ENDLESS:
        return f"at most {highest}"
    return f"{lowest} or more" if highest == ENDLESS else f"{lowest} to {highest}"


def of_xgboost(given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with each hyperparameter: its name, the kind of its value, the value."""
    known = sorted({*WHOLE, *REAL, *TEXTS, *UNCHECKED, *ALIASES, "eval_metric"})
    for written, value in given.items():
        name = ALIASES.get(written, written)
        if name == "eval_metric":
            yield from of_measures(str(value), str(given.get("objective", "")))
        elif name in TEXTS and value not in TEXTS[name]:
            yield f"{written} is {value!r}: write one of {', '.join(TEXTS[name])}"
        elif name in WHOLE | REAL:
            yield from of_number(written, value, name)
        elif written not in known:
            yield f"SageMaker's XGBoost has no {written}: it has {', '.join(known)}"


def of_number(written: str, value: Any, name: str) -> Iterator[str]:
    lowest, highest = (WHOLE | REAL)[name]
    kind, words = (int, "a whole number") if name in WHOLE else (float, "a number")
    try:
        number = kind(str(value))  # as the container reads the text that it gets
    except ValueError:
        number = None
    if number is None or not lowest <= number <= highest or number in OPEN.get(name, ()):
        without = " or ".join(map(str, OPEN.get(name, ())))
        yield f"{written} is {value!r}: write {words}, {span(lowest, highest)}{f', not {without}' if without else ''}"


def of_measures(value: str, objective: str) -> Iterator[str]:
    measures = value.split(",")
    for measure in measures:
        if measure != measure.strip():
            yield f"eval_metric is {value!r}: write commas without spaces"
        elif measure.partition("@")[0] not in MEASURES:
            yield f"eval_metric: XGBoost measures no {measure}: it measures {', '.join(sorted(MEASURES))}"
    if "auc" in measures and not objective.startswith(("binary:", "rank:")):
        yield "eval_metric: auc belongs to the objectives binary:… and rank:…: take another one"
