"""The embedded training beside SageMaker's XGBoost container 3.0-5: the same input, the same metrics and failures.

The tables are what the container's own code printed and wrote (github.com/aws/sagemaker-xgboost-container at v3.0-5,
algorithm mode, with the iris data: odd rows to train with, even ones to validate with). Where the library's words
changed between its version, 3.0.5, and this project's, a case says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from localaws.containers import xgboost_train
from localaws.containers.content_types import CustomerError
from localaws.containers.xgboost_hyperparameters import METRICS, ONE_OF, UPDATERS
from tests.support.sagemaker_world import IRIS

ROWS = IRIS.read_text(encoding="utf-8").split()
TRAIN, VALIDATION = ROWS[::2], ROWS[1::2]
BOTH = {"train/train.csv": TRAIN, "validation/validation.csv": VALIDATION}
GOOD = {"objective": "multi:softmax", "num_class": "3", "num_round": "2"}
CHANNEL = {
    "ContentType": "text/csv",
    "TrainingInputMode": "File",
    "S3DistributionType": "FullyReplicated",
    "RecordWrapperType": "None",
}
PLAIN = [
    "[0]\ttrain-mlogloss:0.75194\tvalidation-mlogloss:0.76020",
    "[1]\ttrain-mlogloss:0.54067\tvalidation-mlogloss:0.55503",
]
AT = "can be used only when the tree_method parameter is set to either"


def lines(rows: list[str]) -> str:
    return "\n".join(rows) + "\n"


def changed(number: int, row: str) -> list[str]:
    """The rows to train with, one of them another."""
    return [*TRAIN[:number], row, *TRAIN[number + 1 :]]


def play(
    ml: Path,
    hyperparameters: Mapping[str, str] = GOOD,
    channels: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
) -> None:
    """A training in the folder ml; files beside or in place of the two of the iris data."""
    given = {**{name: lines(rows) for name, rows in BOTH.items()}, **(files or {})}
    for name, text in given.items():
        path = ml / "input" / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    config = ml / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    chosen = {"train": CHANNEL, "validation": CHANNEL} if channels is None else channels
    (config / "inputdataconfig.json").write_text(json.dumps(chosen))
    xgboost_train.train(ml)


def metrics(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if "-m" in line or "\ttrain-" in line]


@pytest.mark.parametrize(
    ("hyperparameters", "expected"),
    [
        ({}, PLAIN),
        (
            {"eval_metric": "mlogloss,merror"},
            [
                "[0]\ttrain-mlogloss:0.75194\ttrain-merror:0.02667\tvalidation-mlogloss:0.76020\tvalidation-merror:0.05333",
                "[1]\ttrain-mlogloss:0.54067\ttrain-merror:0.01333\tvalidation-mlogloss:0.55503\tvalidation-merror:0.02667",
            ],
        ),
        (
            {"learning_rate": "0.1"},
            [
                "[0]\ttrain-mlogloss:0.97347\tvalidation-mlogloss:0.97631",
                "[1]\ttrain-mlogloss:0.86786\tvalidation-mlogloss:0.87240",
            ],
        ),
        ({"early_stopping_rounds": "1"}, PLAIN),  # without a metric nothing stops early
    ],
)
def test_the_metrics_are_the_containers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], hyperparameters: dict[str, str], expected: list[str]
) -> None:
    play(tmp_path, GOOD | hyperparameters)
    assert metrics(capsys) == expected
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["xgboost-model"]


@pytest.mark.parametrize(
    "files",
    [
        {"train/train.csv": lines(changed(0, TRAIN[0].rsplit(",", 1)[0]))},  # a row that has lost a column
        {"train/train.csv": lines(changed(10, f"{TRAIN[10]},1"))},
        {"train/train.csv": lines(changed(10, "setosa" + TRAIN[10][1:]))},  # a word is 0
        {"train/train.csv": lines(TRAIN).replace(",", ", ")},
        {"train/train.csv": lines(TRAIN).replace("\n", "\r\n")},
        {name: lines(rows).replace(",", ";") for name, rows in BOTH.items()},
        {name: lines(rows).replace(",", "\t") for name, rows in BOTH.items()},
        {"train/train.csv": lines(TRAIN[:40]), "train/a/b/more.csv": lines(TRAIN[40:])},
        {"train/a/b/c/too-deep.csv": lines(["words"])},
    ],
    ids=range(9),
)  # fmt: skip
def test_the_container_is_lenient_with_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str]
) -> None:
    play(tmp_path, files=files)
    assert metrics(capsys)[0].startswith("[0]\ttrain-mlogloss:0.75")


def test_a_metric_that_the_container_computes_comes_beside_the_objectives_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play(tmp_path, {"num_round": "1", "eval_metric": "mae"})
    names = [item.split(":")[0] for item in metrics(capsys)[0].split("\t")[1:]]
    assert names == ["train-rmse", "train-mae", "validation-rmse", "validation-mae"]


def test_early_stopping_keeps_the_best_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    play(tmp_path, GOOD | {"num_round": "200", "early_stopping_rounds": "3", "eval_metric": "merror"})
    assert len(metrics(capsys)) == 5  # the best of them is the second
    play(tmp_path / "two", GOOD | {"eval_metric": "merror"})
    short, same = (path / "model" / "xgboost-model" for path in (tmp_path, tmp_path / "two"))
    assert short.stat().st_size == same.stat().st_size


def test_libsvm_is_the_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without = {name: value for name, value in CHANNEL.items() if name != "ContentType"}
    play(tmp_path, channels={"train": without}, files={"train/train.csv": "1 0:2 1:3\n0 0:1 1:2\n"})
    assert "Train matrix has 2 rows and 2 columns" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"num_round": "0"}, "Hyperparameter num_round: 0 is not in [1, +inf)"),
        ({"num_round": "many"}, "Hyperparameter num_round: could not parse value (caused by ValueError)"),
        ({"max_depth": "1.5"}, "Hyperparameter max_depth: could not parse value (caused by ValueError)"),
        ({"eta": "x"}, "Hyperparameter eta: could not parse value (caused by ValueError)"),
        ({"eta": "2"}, "Hyperparameter eta: 2.0 is not in [0, 1]"),
        ({"subsample": "0"}, "Hyperparameter subsample: 0.0 is not in (0, 1]"),
        ({"seed": "99999999999"}, "Hyperparameter seed: 99999999999 is not in (-2147483648, 2147483647)"),
        ({"prob_buffer_row": "1"}, "Hyperparameter prob_buffer_row: 1 is not in (1.0, +inf)"),
        ({"booster": "tree"}, "Hyperparameter booster: tree is not in ['gbtree', 'gblinear', 'dart']"),
        ({"objective": "multi:softmaxx"}, f"Hyperparameter objective: multi:softmaxx is not in {ONE_OF['objective']}"),
        ({"unknown": "1"}, "Extraneous hyperparameter found: unknown"),
        (
            {"eval_metric": "merror,nonsense"},
            f"Hyperparameter eval_metric: value ['merror', 'nonsense'] not in range {METRICS}",
        ),
        ({"updater": "zz"}, f"Hyperparameter updater: value ['zz'] not in range {UPDATERS}"),
        (
            {"eval_metric": "merror@0.5"},
            "Metric 'merror@0.5' is not supported. Parameter 'eval_metric' with customized threshold should be one of "
            "these options: 'error', 'ndcg', 'map'.",
        ),
        ({"eval_metric": "error@x"}, "Threshold value 't' in 'error@t' expects float input."),
        ({"eval_metric": "auc"}, "Metric 'auc' can only be applied for classification and ranking problems."),
        ({"eval_metric": "aft-nloglik"}, "Metric 'aft-nloglik' can only be applied for 'survival:aft' objective."),
        ({"monotone_constraints": "(1,0,0,0)"}, f"monotone_constraints {AT} 'exact' or 'hist'."),
        (
            {"interaction_constraints": "[[0,1]]"},
            "Hyperparameter interaction_constraints: value [[0, 1]] not in range [1, +inf)",
        ),
    ],
)
def test_a_hyperparameter_is_refused_in_the_containers_words(
    tmp_path: Path, hyperparameters: dict[str, str], message: str
) -> None:
    with pytest.raises(CustomerError) as refused:
        play(tmp_path, GOOD | hyperparameters)
    assert str(refused.value) == message


@pytest.mark.parametrize("missing", ["num_round", "num_class"])
def test_a_missing_hyperparameter_is_named(tmp_path: Path, missing: str) -> None:
    with pytest.raises(CustomerError, match=missing):
        play(tmp_path, {name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ({"validation": CHANNEL}, "Missing required channel: train"),
        ({"train": CHANNEL, "test": CHANNEL}, "Extraneous channel found: test"),
        *(
            (
                {"train": CHANNEL | {"ContentType": kind}},
                f"Channel configuration for 'train' channel is not supported: {CHANNEL | {'ContentType': kind}}",
            )
            for kind in ("application/json", "text/csv; charset=utf-8", "text/csv;label_size=1", "TEXT/CSV")
        ),
        (
            {"train": CHANNEL | {"ContentType": "text/libsvm"}},
            "First line '0,5.1,3.5,1.4,0.2\n...' of file 'train.csv' is not 'LIBSVM' format. Please ensure the file is "
            "in 'LIBSVM' format.",
        ),
    ],
    ids=range(7),
)
def test_a_channel_is_refused_in_the_containers_words(tmp_path: Path, channels: dict[str, Any], message: str) -> None:
    with pytest.raises(CustomerError) as refused:
        play(tmp_path, channels=channels)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train/train.csv": ""}, "No data in training channel path /opt/ml/input/data/train"),
        ({"validation/validation.csv": ""}, "No data in validation channel path /opt/ml/input/data/validation"),
        ({"train/.hidden": "1"}, "Hidden file found in the data path! Remove that before training."),
        ({"train/train.csv": "\n0,1\n"}, "Could not determine delimiter on line \n:\nCould not determine delimiter"),
        ({"train/train.csv": "1\n2\n"}, "Delimiter '1' is not found in the line."),
        ({"train/train.csv": "Iris data\n0,1\n"}, "Failed to load csv data with exception:\n["),
    ],
    ids=range(6),
)
def test_data_is_refused_in_the_containers_words(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(CustomerError) as refused:
        play(tmp_path, files=files)
    assert message in str(refused.value)


def test_more_columns_to_validate_with_are_the_algorithms_failure(tmp_path: Path) -> None:
    with pytest.raises(xgboost_train.AlgorithmError) as failed:
        play(tmp_path, files={"validation/validation.csv": lines([f"{row},1" for row in VALIDATION])})
    assert str(failed.value).startswith("XGB train call failed with exception:\n [")
    assert "(5 vs. 4) : Number of columns does not match number of features in booster." in str(failed.value)


def test_a_label_beyond_the_classes_is_the_jobs_own_mistake(tmp_path: Path) -> None:
    """3.0.5 says "label must be in [0, num_class)", later libraries "label must be discrete values in the range of"."""
    with pytest.raises(CustomerError, match="SoftmaxMultiClassObj: label must be"):
        play(tmp_path, GOOD | {"num_class": "2"})
