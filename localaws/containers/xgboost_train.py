"""What SageMaker's built-in XGBoost container 3.0-5 does to train, run as a process on a folder like /opt/ml.

Reads input/config/hyperparameters.json, input/config/inputdataconfig.json and the files of
input/data/<channel>; writes model/xgboost-model; a failure goes to output/failure and exit code 1
(SageMaker Developer Guide, "How Amazon SageMaker AI Provides Training Information", "XGBoost
hyperparameters", "Input/Output Interface for the XGBoost Algorithm"). What it takes, prints and says of
a failure is what the container's public code does: github.com/aws/sagemaker-xgboost-container at v3.0-5
(train.py, data_utils.py, callback.py) and github.com/aws/sagemaker-containers (_trainer.py).
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localaws.containers.booster import Booster, BoosterError, Matrix, matrix_from
from localaws.containers.content_types import CSV, KINDS, CustomerError, kind_of
from localaws.containers.xgboost_hyperparameters import COMPUTED, HIGHER_IS_BETTER, validated

MODEL_NAME = "xgboost-model"
FOLDER_DEPTH = 3  # how deep the container looks for data
CUSTOMERS = (  # what the library says where the job's own input is wrong
    "label must be in [0,1] for logistic regression",
    "label must be in [0, num_class)",
    "label must be discrete values in the range of [0, num_class)",  # the same two in the words of later libraries
    "label must be in (0, 1) for logistic regression",
    "feature_names mismatch",
    "Check failed: preds.size() == info.labels_.size()",
    "Check failed: !auc_error AUC: the dataset only contains pos or neg samples",
    "Check failed: base_score > 0.0f && base_score < 1.0f base_score must be in (0,1) for logistic loss",
    "Check failed: label_correct PoissonRegression: label must be nonnegative",
    "Check failed: label_correct TweedieRegression: label must be nonnegative",
    "Parameter reg_lambda should be greater equal to 0",
)


class AlgorithmError(Exception):
    """A failure that the container does not blame on its input."""


def say(text: str) -> None:
    print(f"[{time.strftime('%Y-%m-%d:%H:%M:%S', time.gmtime())}:INFO] {text}", flush=True)


def check_channels(channels: dict[str, Any]) -> None:
    """CustomerError unless there is a train channel and each is one that the container knows."""
    if "train" not in channels:
        raise CustomerError("Missing required channel: train")
    for name, channel in channels.items():
        if name not in {"train", "validation"}:
            raise CustomerError(f"Extraneous channel found: {name}")
        channel.setdefault("ContentType", "text/libsvm")
        if channel["ContentType"] not in KINDS:  # as it is written: a parameter or a capital letter is too much
            raise CustomerError(f"Channel configuration for '{name}' channel is not supported: {channel}")


def data_files(folder: Path, depth: int = 1) -> Iterator[Path]:
    """Every file up to FOLDER_DEPTH folders deep."""
    for path in sorted(folder.iterdir()):
        if path.is_file():
            yield path
        elif depth < FOLDER_DEPTH:
            yield from data_files(path, depth + 1)


def size_of(folder: Path) -> int:
    """How many bytes of data a channel has; CustomerError for a hidden file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    if any(path.name.startswith(".") for path in files):
        raise CustomerError("Hidden file found in the data path! Remove that before training.")
    return sum(path.stat().st_size for path in files)


def check_format(folder: Path, kind: str) -> None:
    """CustomerError for a file that does not begin as the content type says; the rest of it is for the library."""
    first = next(Path(root) for root, folders, _ in os.walk(folder) if not folders)
    for path in sorted(path for path in first.iterdir() if path.name[0] not in "._"):
        with path.open(encoding="utf-8", errors="ignore") as file:
            if kind == CSV:
                delimiter_of(file.readline())
            else:
                check_libsvm(path.name, file)


def delimiter_of(line: str) -> str:
    """What separates the columns of a line of CSV."""
    try:
        found = csv.Sniffer().sniff(line).delimiter
    except csv.Error as error:
        raise CustomerError(f"Could not determine delimiter on line {line[:50]}:\n{error}") from error
    say(f"Determined delimiter of CSV input is '{found}'")
    return found


def check_libsvm(name: str, lines: Iterator[str]) -> None:
    """Looks at the lines up to the first that has two features or more."""
    for line in lines:
        label, *features = line.split(" ")
        fits = label.count(":") < 2 and all(map(is_number, label.split(":"))) and all(":" in item for item in features)
        if not fits or (features and features[0].count(":") != 1):
            raise CustomerError(
                f"First line '{line[:50]}...' of file '{name}' is not 'LIBSVM' format. "
                "Please ensure the file is in 'LIBSVM' format."
            )
        if len(features) > 1:
            return


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_channel(ml: Path, name: str, kind: str) -> Matrix | None:
    """The matrix of a channel; None where it holds no data."""
    folder = ml / "input" / "data" / name
    if not folder.is_dir() or not size_of(folder):
        return None
    check_format(folder, kind)
    form = "format=libsvm"
    files = list(data_files(folder))
    if kind == CSV:
        with files[0].open(encoding="utf-8", errors="ignore") as file:
            form = f"format=csv&label_column=0&delimiter={delimiter_of(file.readline())}"
    try:
        with tempfile.TemporaryDirectory(dir="/tmp") as place:
            return matrix_from(numbered(files, Path(place)), form)
    except BoosterError as error:
        raise CustomerError(f"Failed to load {kind} data with exception:\n{error}") from error


def numbered(files: list[Path], folder: Path) -> list[Path]:
    """The files in a folder whose name the library takes: it splits paths at some characters, and follows links."""
    links = [folder / str(number) for number in range(len(files))]
    for link, file in zip(links, files, strict=True):
        try:
            link.hardlink_to(file)
        except OSError:  # another file system
            shutil.copyfile(file, link)
    return links


def train(ml: Path) -> None:
    """Everything that the container does, under the folder ml."""
    say("Imported framework sagemaker_xgboost_container.training")
    say("No GPUs detected (normal if no gpus installed)")
    say("Running XGBoost Sagemaker in algorithm mode")
    config = ml / "input" / "config"
    parameters = validated(json.loads((config / "hyperparameters.json").read_text(encoding="utf-8")))
    channels = json.loads((config / "inputdataconfig.json").read_text(encoding="utf-8"))
    check_channels(channels)
    kind = kind_of(channels["train"]["ContentType"])  # the container takes the validation data for the same
    matrices = {}
    for name, called in (("train", "training"), ("validation", "validation")):
        if name in channels:
            matrix = read_channel(ml, name, kind)
            if matrix is None:
                raise CustomerError(f"No data in {called} channel path /opt/ml/input/data/{name}")
            matrices[name] = matrix
    say("Single node training.")
    say(f"Train matrix has {matrices['train'].rows} rows and {matrices['train'].columns} columns")
    if "validation" in matrices:
        say(f"Validation matrix has {matrices['validation'].rows} rows")
    try:
        booster = fit(parameters, matrices)
    except BoosterError as error:
        if any(text in str(error) for text in CUSTOMERS):
            raise CustomerError(str(error)) from error
        raise AlgorithmError(f"XGB train call failed with exception:\n {error}") from error
    model = ml / "model"
    model.mkdir(parents=True, exist_ok=True)
    booster.save(model / MODEL_NAME)


def fit(parameters: dict[str, str], matrices: dict[str, Matrix]) -> Booster:
    """The booster after all rounds, or the best one where early stopping ends them; prints the metrics of each."""
    own = {"num_round", "early_stopping_rounds", "eval_metric", "save_model_on_termination", "csv_weights"}
    settings = [(name, value) for name, value in parameters.items() if name not in own | {"use_dask_gpu_training"}]
    metrics = [metric for metric in parameters.get("eval_metric", "").split(",") if metric]
    settings.append(("nthread", parameters.get("nthread", "1")))  # the data is small; the machine is shared
    watched = list(matrices.values())
    if metrics:
        settings += [("eval_metric", metric) for metric in reported(metrics, Booster(settings, watched), matrices)]
    booster = Booster(settings, watched)
    patience = int(parameters.get("early_stopping_rounds", "0")) if metrics and "validation" in matrices else 0
    best, best_round = None, 0
    for number in range(int(parameters["num_round"])):
        booster.update(number, matrices["train"])
        scores = measured(booster.evaluate(number, matrices))
        print(f"[{number}]" + "".join(f"\t{name}:{score:.5f}" for name, score in scores.items()), flush=True)
        if not patience:
            continue
        score = scores[f"validation-{metrics[-1]}"] * (1 if metrics[-1] in HIGHER_IS_BETTER else -1)
        if best is None or score > best:
            best, best_round = score, number
        elif number - best_round >= patience:
            break
    return booster.first(best_round + 1) if patience else booster


def reported(metrics: list[str], plain: Booster, matrices: dict[str, Matrix]) -> list[str]:
    """The metrics in the order in which they are printed. The container computes some itself and gives the library
    the others alone: where none is left, the library adds its own metric of the objective.
    """
    left = [metric for metric in metrics if metric not in COMPUTED]
    if not left:
        left = [name.removeprefix("train-") for name in measured(plain.evaluate(0, {"train": matrices["train"]}))]
    return list(dict.fromkeys([*left, *metrics]))


def measured(line: str) -> dict[str, float]:
    """The metrics in what the library says of a round: [0]<tab>train-merror:0.02<tab>validation-merror:0.06."""
    pairs = (item.rsplit(":", 1) for item in line.split("\t")[1:])
    return {name: float(value) for name, value in pairs}


def main() -> int:
    ml = Path(sys.argv[1]).resolve()
    try:
        train(ml)
    except (CustomerError, AlgorithmError) as error:
        # The container's traceback, without the lines that name its own files.
        name = "UserError" if isinstance(error, CustomerError) else "AlgorithmError"
        reason = f"sagemaker_algorithm_toolkit.exceptions.{name}: {error}"
        failure = f"framework error: \nTraceback (most recent call last):\n{reason}\n\n{error}"
        print(f"Reporting training FAILURE\n{failure}", file=sys.stderr)
        (ml / "output").mkdir(parents=True, exist_ok=True)
        (ml / "output" / "failure").write_text(failure, encoding="utf-8")
        return 1
    say("Reporting training SUCCESS")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
