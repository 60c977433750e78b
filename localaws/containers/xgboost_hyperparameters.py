"""The hyperparameters of SageMaker's built-in XGBoost, checked as its container checks them.

SageMaker Developer Guide, "XGBoost hyperparameters".
"""

from __future__ import annotations

ALIASES = {
    "learning_rate": "eta",
    "min_split_loss": "gamma",
    "reg_lambda": "lambda",
    "reg_alpha": "alpha",
}
# name: (lowest, highest, whether the lowest itself is allowed)
WHOLE: dict[str, tuple[float, float]] = {
    "num_round": (1, float("inf")),
    "csv_weights": (0, 1),
    "early_stopping_rounds": (1, float("inf")),
    "verbosity": (0, 3),
    "nthread": (1, float("inf")),
    "max_depth": (0, float("inf")),
    "refresh_leaf": (0, 1),
    "max_leaves": (0, float("inf")),
    "max_bin": (0, float("inf")),
    "one_drop": (0, 1),
    "num_class": (2, float("inf")),
    "seed": (-(2**31) + 1, 2**31 - 2),
    "num_parallel_tree": (1, float("inf")),
}
REAL: dict[str, tuple[float, float, bool]] = {
    "eta": (0, 1, True),
    "gamma": (0, float("inf"), True),
    "min_child_weight": (0, float("inf"), True),
    "max_delta_step": (0, float("inf"), True),
    "subsample": (0, 1, False),
    "colsample_bytree": (0, 1, False),
    "colsample_bylevel": (0, 1, False),
    "colsample_bynode": (0, 1, False),
    "lambda": (0, float("inf"), True),
    "alpha": (0, float("inf"), True),
    "sketch_eps": (0, 1, False),
    "scale_pos_weight": (0, float("inf"), False),
    "rate_drop": (0, 1, True),
    "skip_drop": (0, 1, True),
    "lambda_bias": (0, 1, True),
    "tweedie_variance_power": (1, 2, False),
    "base_score": (0, float("inf"), True),
    "aft_loss_distribution_scale": (0, float("inf"), True),
}
ONE_OF: dict[str, frozenset[str]] = {
    "booster": frozenset({"gbtree", "gblinear", "dart"}),
    "tree_method": frozenset({"auto", "exact", "approx", "hist", "gpu_hist"}),
    "dsplit": frozenset({"row", "col"}),
    "process_type": frozenset({"default", "update"}),
    "grow_policy": frozenset({"depthwise", "lossguide"}),
    "predictor": frozenset({"auto", "cpu_predictor", "gpu_predictor"}),
    "sample_type": frozenset({"uniform", "weighted"}),
    "normalize_type": frozenset({"tree", "forest"}),
    "save_model_on_termination": frozenset({"true", "false"}),
    "aft_loss_distribution": frozenset({"normal", "logistic", "extreme"}),
    "deterministic_histogram": frozenset({"true", "false"}),
    "sampling_method": frozenset({"uniform", "gradient_based"}),
    "use_dask_gpu_training": frozenset({"true", "false"}),
    "objective": frozenset(
        {
            "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax",
            "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror",
            "reg:logistic", "reg:gamma", "reg:pseudohubererror", "reg:squaredlogerror", "reg:absoluteerror",
            "reg:tweedie", "survival:aft", "survival:cox",
        }
    ),
}  # fmt: skip
FREE = frozenset(
    {"updater", "monotone_constraints", "interaction_constraints", "eval_metric", "_kfold", "_num_cv_round"}
    | {"_tuning_objective_metric", "prob_buffer_row"}
)
# The container's own, computed outside XGBoost.
OWN_METRICS = frozenset(
    {
        "accuracy", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "mse", "precision", "precision_macro",
        "precision_micro", "r2", "recall", "recall_macro", "recall_micro",
    }
)  # fmt: skip
METRICS = frozenset(
    {
        "aft-nloglik", "auc", "aucpr", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik",
        "interval-regression-accuracy", "logloss", "mae", "map", "mape", "merror", "mlogloss", "mphe", "ndcg",
        "poisson-nloglik", "rmse", "rmsle", "tweedie-nloglik",
    }
)  # fmt: skip


class CustomerError(Exception):
    """A mistake in what the job was given."""


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
        if name not in WHOLE and name not in REAL and name not in ONE_OF and name not in FREE:
            raise CustomerError(f"Extraneous hyperparameter found: {name}")
        check_value(name, value)
    objective = parameters.get("objective")
    if objective in {"multi:softmax", "multi:softprob"} and "num_class" not in parameters:
        raise CustomerError("Require input for parameter 'num_class' for multi-classification")
    if objective is None and "num_class" in parameters:
        raise CustomerError(
            "Do not need to setup parameter 'num_class' for learning task other than multi-classification."
        )
    for metric in filter(None, parameters.get("eval_metric", "").split(",")):
        name, _, threshold = metric.partition("@")
        if metric not in METRICS and not (threshold and name in {"error", "ndcg", "map"}):
            raise CustomerError(f"Hyperparameter eval_metric: value {metric} not in range {sorted(METRICS)}")
    return parameters


def check_value(name: str, value: str) -> None:
    """CustomerError unless the value is of the hyperparameter's kind and within its range."""
    try:
        if name in WHOLE:
            lowest, highest = WHOLE[name]
            fits = lowest <= int(value) <= highest
        elif name in REAL:
            lowest, highest, included = REAL[name]
            number = float(value)
            fits = (number >= lowest if included else number > lowest) and number <= highest
        elif name in ONE_OF:
            fits = value in ONE_OF[name]
        else:
            fits = True
    except ValueError as error:
        raise CustomerError(f"Hyperparameter {name}: could not parse value") from error
    if not fits:
        raise CustomerError(f"Hyperparameter {name}: value {value} is not in its range")
