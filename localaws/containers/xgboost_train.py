"""What SageMaker's built-in XGBoost container does to train, run as a process on a folder like /opt/ml.

Reads input/config/hyperparameters.json, input/config/inputdataconfig.json and the files of
input/data/<channel>; writes model/xgboost-model; a failure goes to output/failure and exit code 1
(SageMaker Developer Guide, "How Amazon SageMaker AI Provides Training Information", "XGBoost
hyperparameters", "Input/Output Interface for the XGBoost Algorithm").
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from localaws.containers.booster import Booster, BoosterError, Matrix, read_csv, read_libsvm, width_of
from localaws.containers.xgboost_hyperparameters import CustomerError, validated

MODEL_NAME = "xgboost-model"
HIGHER_IS_BETTER = ("auc", "aucpr", "map", "ndcg")
CSV_TYPES = frozenset({"csv", "text/csv"})
LIBSVM_TYPES = frozenset({"libsvm", "text/libsvm", "text/x-libsvm"})


def content_type(channel: dict[str, Any]) -> str:
    """csv or libsvm, from the channel's content type (libsvm where there is none)."""
    given = channel.get("ContentType") or "text/libsvm"
    kind, _, parameters = given.lower().partition(";")
    size = re.search(r"label_size\s*=\s*(\S+)", parameters)
    if size and size.group(1) != "1":
        raise CustomerError(
            f"{given} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1"
        )
    if kind.strip() in CSV_TYPES:
        return "csv"
    if kind.strip() in LIBSVM_TYPES:
        return "libsvm"
    raise CustomerError(f"{given} is not an accepted ContentType: csv, libsvm, parquet, recordio-protobuf.")


def read_channel(folder: Path, kind: str) -> tuple[list[dict[int, float]], list[float]]:
    """Rows and labels of every data file of a channel."""
    rows: list[dict[int, float]] = []
    labels: list[float] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name[0] not in "._"):
        text = path.read_text(encoding="utf-8")
        try:
            more, theirs = read_csv(text, label=True) if kind == "csv" else read_libsvm(text)
        except ValueError as error:
            snippet = text[:100].splitlines()[0] if text.strip() else ""
            raise CustomerError(
                f"First line '{snippet}...' of file '{path.name}' is not '{kind.upper()}' format. "
                f"Please ensure the file is in '{kind.upper()}' format. ({error})"
            ) from error
        rows += more
        labels += theirs
    return rows, labels


def train(ml: Path) -> None:
    """Everything that the container does, under the folder ml."""
    config = ml / "input" / "config"
    parameters = validated(json.loads((config / "hyperparameters.json").read_text(encoding="utf-8")))
    channels = json.loads((config / "inputdataconfig.json").read_text(encoding="utf-8"))
    if "train" not in channels:
        raise CustomerError("Missing required channel: train")
    for name in channels:
        if name not in {"train", "validation"}:
            raise CustomerError(f"Extraneous channel found: {name}")
    data = {}
    for name in sorted(channels):
        data[name] = read_channel(ml / "input" / "data" / name, content_type(channels[name]))
        if not data[name][0]:
            raise CustomerError(f"No data in {'training' if name == 'train' else name} channel path")
    columns = max(width_of(rows) for rows, _ in data.values())
    matrices = {name: Matrix(rows, columns, labels) for name, (rows, labels) in data.items()}
    print(f"Single node training.\nTrain matrix has {matrices['train'].rows} rows and {columns} columns")
    if "validation" in matrices:
        print(f"Validation matrix has {matrices['validation'].rows} rows")
    booster = fit(parameters, matrices)
    model = ml / "model"
    model.mkdir(parents=True, exist_ok=True)
    booster.save(model / MODEL_NAME)


def fit(parameters: dict[str, str], matrices: dict[str, Matrix]) -> Booster:
    """The booster after all rounds, or when early stopping ends them; prints the metrics of each."""
    own = {"num_round", "early_stopping_rounds", "eval_metric", "save_model_on_termination", "csv_weights"}
    settings = [(name, value) for name, value in parameters.items() if name not in own | {"use_dask_gpu_training"}]
    settings += [("eval_metric", metric) for metric in filter(None, parameters.get("eval_metric", "").split(","))]
    settings.append(("nthread", parameters.get("nthread", "1")))  # the data is small; the machine is shared
    booster = Booster(settings, list(matrices.values()))
    patience = int(parameters.get("early_stopping_rounds", "0"))
    best, best_round = None, 0
    for number in range(int(parameters["num_round"])):
        booster.update(number, matrices["train"])
        line = booster.evaluate(number, matrices)
        print(rounded(line))
        metric, value = line.rsplit("\t", 1)[-1].split(":")
        score = float(value) if metric.split("-", 1)[1].startswith(HIGHER_IS_BETTER) else -float(value)
        if best is None or score > best:
            best, best_round = score, number
        elif patience and number - best_round >= patience:
            break
    return booster


def rounded(line: str) -> str:
    """A line of metrics with five decimals, as the container prints them."""
    return re.sub(r":(-?[0-9]+\.[0-9]+)", lambda found: f":{float(found.group(1)):.5f}", line)


def main() -> int:
    ml = Path(sys.argv[1])
    try:
        train(ml)
    except (CustomerError, BoosterError) as error:
        kind = "ClientError" if isinstance(error, CustomerError) or "label must be" in str(error) else "AlgorithmError"
        print(f"{kind}: {error}", file=sys.stderr)
        (ml / "output").mkdir(parents=True, exist_ok=True)
        (ml / "output" / "failure").write_text(f"{kind}: {error}", encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
