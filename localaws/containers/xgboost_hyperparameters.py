"""The hyperparameters of SageMaker's built-in XGBoost 3.0-5, checked as its container checks them.

SageMaker Developer Guide, "XGBoost hyperparameters"; the words of a refusal as the container's public code has them,
github.com/aws/sagemaker-xgboost-container at v3.0-5 (hyperparameter_validation.py, xgb_constants.py).
"""

from __future__ import annotations

import ast

from localaws.containers.content_types import CustomerError

ALIASES = {
    "learning_rate": "eta",
    "min_split_loss": "gamma",
    "reg_lambda": "lambda",
    "reg_alpha": "alpha",
}
# Intervals as the container writes them: a round bracket leaves the bound itself out.
WHOLE = {
    "num_round": "[1, +inf)",
    "csv_weights": "[0, 1]",
    "early_stopping_rounds": "[1, +inf)",
    "verbosity": "[0, 3]",
    "nthread": "[1, +inf)",
    "max_depth": "[0, +inf)",
    "refresh_leaf": "[0, 1]",
    "max_leaves": "[0, +inf)",
    "max_bin": "[0, +inf)",
    "one_drop": "[0, 1]",
    "num_class": "[2, +inf)",
    "_kfold": "[2, +inf)",
    "_num_cv_round": "[1, +inf)",
    "seed": "(-2147483648, 2147483647)",
    "num_parallel_tree": "[1, +inf)",
    "prob_buffer_row": "(1.0, +inf)",
}
REAL = {
    "eta": "[0, 1]",
    "gamma": "[0, +inf)",
    "min_child_weight": "[0, +inf)",
    "max_delta_step": "[0, +inf)",
    "subsample": "(0, 1]",
    "colsample_bytree": "(0, 1]",
    "colsample_bylevel": "(0, 1]",
    "colsample_bynode": "(0, 1]",
    "lambda": "[0, +inf)",
    "alpha": "[0, +inf)",
    "sketch_eps": "(0, 1)",
    "scale_pos_weight": "(0, +inf)",
    "rate_drop": "[0, 1]",
    "skip_drop": "[0, 1]",
    "lambda_bias": "[0, 1]",
    "tweedie_variance_power": "(1, 2)",
    "base_score": "[0, +inf)",
    "aft_loss_distribution_scale": "[0, +inf)",
}
HIGHER_IS_BETTER = [
    "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "precision", "r2",
    "recall", "precision_macro", "precision_micro", "recall_macro", "recall_micro",
]  # fmt: skip
METRICS = [
    *HIGHER_IS_BETTER, "aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik",
    "interval-regression-accuracy", "logloss", "mae", "mape", "merror", "mlogloss", "mphe", "mse", "poisson-nloglik",
    "rmse", "rmsle", "tweedie-nloglik",
]  # fmt: skip
ONE_OF = {
    "booster": ["gbtree", "gblinear", "dart"],
    "tree_method": ["auto", "exact", "approx", "hist", "gpu_hist"],
    "dsplit": ["row", "col"],
    "process_type": ["default", "update"],
    "grow_policy": ["depthwise", "lossguide"],
    "predictor": ["auto", "cpu_predictor", "gpu_predictor"],
    "sample_type": ["uniform", "weighted"],
    "normalize_type": ["tree", "forest"],
    "objective": [
        "aft_loss_distribution", "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson",
        "multi:softmax", "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear",
        "reg:squarederror", "reg:logistic", "reg:gamma", "reg:pseudohubererror", "reg:squaredlogerror",
        "reg:absoluteerror", "reg:tweedie", "survival:aft", "survival:cox",
    ],
    "_tuning_objective_metric": [f"validation:{name}" for name in METRICS],
    "save_model_on_termination": ["true", "false"],
    "aft_loss_distribution": ["normal", "logistic", "extreme"],
    "deterministic_histogram": ["true", "false"],
    "sampling_method": ["uniform", "gradient_based"],
    "use_dask_gpu_training": ["true", "false"],
}  # fmt: skip
UPDATERS = [
    "grow_colmaker", "distcol", "grow_histmaker", "grow_skmaker", "sync", "refresh", "prune", "grow_colmaker",
    "distcol", "grow_histmaker", "grow_colmaker", "shotgun", "coord_descent", "refresh", "prune",
]  # fmt: skip
LISTS = {"updater": UPDATERS, "eval_metric": METRICS}
THRESHOLDS = ("error", "ndcg", "map")
# Metrics that the container itself computes: these in the library's place …
COMPUTED = frozenset({"rmse", "mae"})
# … and these the library lacks.
OWN_METRICS = frozenset(
    {
        "accuracy", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "mse", "precision", "precision_macro",
        "precision_micro", "r2", "recall", "recall_macro", "recall_micro",
    }
)  # fmt: skip
NESTED = ("monotone_constraints", "interaction_constraints")


def not_supported(hyperparameters: dict[str, str]) -> str:
    """The feature of the container that the hyperparameters ask for and that is not supported; "" for none."""
    asked: list[str] = [name for name in ("_kfold", "_tuning_objective_metric") if name in hyperparameters]
    if hyperparameters.get("use_dask_gpu_training") == "true":
        asked.append("use_dask_gpu_training")
    if hyperparameters.get("csv_weights", "0") != "0":
        asked.append("csv_weights")
    if hyperparameters.get("tree_method") == "gpu_hist" or hyperparameters.get("predictor") == "gpu_predictor":
        asked.append("training on a GPU")
    asked += [f"eval_metric {m}" for m in hyperparameters.get("eval_metric", "").split(",") if m in OWN_METRICS]
    return ", ".join(asked)


def validated(given: dict[str, str]) -> dict[str, str]:
    """The hyperparameters under their own names; CustomerError where the container refuses them."""
    parameters = {ALIASES.get(name, name): value for name, value in given.items()}
    if "num_round" not in parameters:
        raise CustomerError("Missing required hyperparameter: num_round")
    for name, value in parameters.items():
        check_kind(name, value)
    for name, value in parameters.items():
        check_range(name, value)
    check_together(parameters)
    return parameters


def check_kind(name: str, value: str) -> None:
    """CustomerError for a name that does not exist and a value of another kind."""
    if not any(name in known for known in (WHOLE, REAL, ONE_OF, LISTS, NESTED)):
        raise CustomerError(f"Extraneous hyperparameter found: {name}")
    try:
        if name in WHOLE:
            int(value)
        elif name in REAL:
            float(value)
        elif name in NESTED:
            ast.literal_eval(value)
    except ValueError as error:
        raise CustomerError(f"Hyperparameter {name}: could not parse value (caused by ValueError)") from error
    except SyntaxError as error:  # the container does not catch it
        raise CustomerError(str(error)) from error


def check_range(name: str, value: str) -> None:
    """CustomerError for a value that is not allowed."""
    if name in WHOLE and not inside(int(value), WHOLE[name]):
        raise CustomerError(f"Hyperparameter {name}: {int(value)} is not in {WHOLE[name]}")
    if name in REAL and not inside(float(value), REAL[name]):
        raise CustomerError(f"Hyperparameter {name}: {float(value)} is not in {REAL[name]}")
    if name in ONE_OF and value not in ONE_OF[name]:
        raise CustomerError(f"Hyperparameter {name}: {value} is not in {ONE_OF[name]}")
    if name in LISTS:
        items = value.split(",")
        known = [
            item in LISTS[name] or (name == "eval_metric" and "@" in item and has_threshold(item)) for item in items
        ]
        if not all(known):
            raise CustomerError(f"Hyperparameter {name}: value {items} not in range {LISTS[name]}")

    if name == "monotone_constraints" and any(item not in (-1, 0, 1) for item in ast.literal_eval(value)):
        raise CustomerError(f"Hyperparameter {name}: value {ast.literal_eval(value)} not in range [-1, 0, 1]")
    if name == "interaction_constraints" and any(item < 1 for group in ast.literal_eval(value) for item in group):
        raise CustomerError(f"Hyperparameter {name}: value {ast.literal_eval(value)} not in range [1, +inf)")


def inside(value: float, interval: str) -> bool:
    """Whether a number is in an interval; not a number is in each, as in the container."""
    lowest, highest = (float(bound) for bound in interval[1:-1].split(","))
    below = value <= lowest if interval[0] == "(" else value < lowest
    above = interval[-1] == ")" and highest != float("inf") and value == highest
    return not (below or above or value > highest)


def has_threshold(metric: str) -> bool:
    """True for a metric with a threshold, such as error@0.7; CustomerError for another one."""
    name, threshold = (part.strip() for part in metric.split("@")[:2])
    if name not in THRESHOLDS:
        raise CustomerError(
            f"Metric '{metric}' is not supported. Parameter 'eval_metric' with customized threshold should be one of "
            f"these options: {', '.join(map(repr, THRESHOLDS))}."
        )
    try:
        float(threshold)
    except ValueError as error:
        raise CustomerError(f"Threshold value 't' in '{name}@t' expects float input.") from error
    return True


def check_together(parameters: dict[str, str]) -> None:
    """CustomerError for values that do not go together."""
    objective, method = parameters.get("objective", ""), parameters.get("tree_method")
    metrics = parameters.get("eval_metric", "").split(",")
    if objective in {"multi:softmax", "multi:softprob"} and "num_class" not in parameters:
        raise CustomerError("Require input for parameter 'num_class' for multi-classification")
    if "auc" in metrics and not objective.startswith(("binary:", "rank:")):
        raise CustomerError("Metric 'auc' can only be applied for classification and ranking problems.")
    if "aft-nloglik" in metrics and objective != "survival:aft":
        raise CustomerError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")
    if "monotone_constraints" in parameters and method not in {"exact", "hist"}:
        raise CustomerError(
            "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'."
        )
    if "interaction_constraints" in parameters and method not in {"exact", "hist", "approx"}:
        raise CustomerError(
            "interaction_constraints can be used only when the tree_method parameter is set to either 'exact', "
            "'hist' or 'approx'."
        )
