"""Train: the rows of train and validation in, a model out, with all that inference.py needs to answer requests.

In SageMaker's scikit-learn image it is started in script mode (`sagemaker_program`; "Using Scikit-learn with the
SageMaker Python SDK"): the channels are in SM_CHANNEL_…, the model goes into SM_MODEL_DIR, the hyperparameters are in
SM_HPS. With framework = "xgboost" SageMaker's own algorithm trains instead; only a laptop comes here, and uses the
same library.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from steps.common import LOCAL, Settings, UserError, number, read_rows, run, settings
from steps.inference import MODEL, table_of

ESTIMATORS = {  # another model: another class, and its hyperparameters in project.toml
    "binary": RandomForestClassifier,
    "multiclass": RandomForestClassifier,
    "regression": RandomForestRegressor,
}


def build(these: Settings, hyperparameters: dict[str, Any]) -> Pipeline:
    """The model, untrained: it takes a row as it comes, with words and missing values."""
    words = [place for place, name in enumerate(these.features) if name in these.categories]
    numbers = [place for place in range(len(these.features)) if place not in words]
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median", keep_empty_features=True), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore"), words),
        ]
    )
    return make_pipeline(columns, ESTIMATORS[these.task](**hyperparameters))


def labels(rows: list[list[str]], these: Settings) -> Any:
    return np.array([number(row[0]) if these.task == "regression" else row[0] for row in rows])


def train(data: Path, validation: Path, model_dir: Path, these: Settings, hyperparameters: dict[str, Any]) -> None:
    rows, held_out = read_rows(data), read_rows(validation)
    model = build(these, hyperparameters)
    model.fit(table_of([row[1:] for row in rows], these), labels(rows, these))
    score = model.score(table_of([row[1:] for row in held_out], these), labels(held_out, these))
    # MetricDefinitions of the training job read this line: "validation:accuracy", or "validation:r2" of a regression
    print(f"validation:{'r2' if these.task == 'regression' else 'accuracy'}={score:.6f};", flush=True)
    model_dir.mkdir(parents=True, exist_ok=True)
    joblib.dump({"model": model, "settings": these}, model_dir / MODEL)


def boost(data: Path, validation: Path, model_dir: Path, hyperparameters: dict[str, Any]) -> None:
    """As SageMaker's own XGBoost trains, on a laptop."""
    import xgboost  # heavy, and absent from the scikit-learn image

    channels = {
        name: np.array([[number(value) for value in row] for row in read_rows(folder)])
        for name, folder in (("train", data), ("validation", validation))
    }
    known = {name: xgboost.DMatrix(rows[:, 1:], label=rows[:, 0]) for name, rows in channels.items()}
    given = dict(hyperparameters)
    rounds, measured = int(given.pop("num_round")), str(given.pop("eval_metric", "")).split(",")
    given["eval_metric"] = [name.strip() for name in measured if name.strip()]
    booster = xgboost.train(given, known["train"], rounds, evals=[(known[name], name) for name in known])
    model_dir.mkdir(parents=True, exist_ok=True)
    booster.save_model(model_dir / "xgboost-model.json")
    (model_dir / "xgboost-model.json").rename(model_dir / "xgboost-model")


def step(local: bool) -> None:
    these = settings()
    if local:
        hyperparameters = these.hyperparameters
        data, validation, model_dir = LOCAL / "train", LOCAL / "validation", LOCAL / "model"
        shutil.rmtree(model_dir, ignore_errors=True)
        if these.framework == "xgboost":
            boost(data, validation, model_dir, hyperparameters)
            return
    elif these.framework == "xgboost":
        raise UserError("SageMaker's own XGBoost trains this model: this step is for a laptop")
    else:
        hyperparameters = {
            name: value for name, value in json.loads(os.environ["SM_HPS"]).items() if not name.startswith("sagemaker_")
        }
        data, validation = (Path(os.environ[f"SM_CHANNEL_{name}"]) for name in ("TRAIN", "VALIDATION"))
        model_dir = Path(os.environ["SM_MODEL_DIR"])
    train(data, validation, model_dir, these, hyperparameters)
    code = model_dir / "code"  # where the serving container looks for SAGEMAKER_PROGRAM
    here = Path(__file__).resolve().parent
    package = here if here.name == "steps" else here / "steps"
    shutil.copytree(package, code / "steps", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(package / "inference.py", code / "inference.py")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, step))
