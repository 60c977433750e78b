"""Evaluate: the model and the rows of the test in; evaluation.json, report.html and golden-payloads.json out.

And the baselines of monitors: of the rows of the training (baseline.py), and of these figures (quality/).

evaluation.json has the form of SageMaker's model quality reports (metrics.py): the pipeline compares it with the bounds
of project.toml, and Studio shows it with the version. report.html is for people. golden-payloads.json (payloads.py) has
a few rows with what the model answers: a first version of the file with which the deploy repository tests deployments.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from steps import baseline
from steps.common import LOCAL, Settings, UserError, number, read_rows, run, settings
from steps.metrics import GROUPS, NAMES, Answer, constraints, monitored_as, report
from steps.payloads import golden
from steps.report import page

CONTAINER = Path("/opt/ml/processing")


def predictions(model_dir: Path, rows: list[list[str]], these: Settings) -> list[Answer]:
    """What the model says of each row, which begins with what is true."""
    features = [row[1:] for row in rows]
    if these.framework == "xgboost":
        return boosted(model_dir / "xgboost-model", features, [number(row[0]) for row in rows], these)
    from steps.inference import model_fn, predict_fn, table_of  # scikit-learn: absent from no image, but heavy

    loaded = model_fn(str(model_dir))
    said = predict_fn(features, loaded)
    if these.task == "regression":
        return [Answer(number(row[0]), said[at]["value"], given=said[at]["value"]) for at, row in enumerate(rows)]
    if these.task == "multiclass":
        return [Answer(row[0], said[at]["label"], given=said[at]["label"]) for at, row in enumerate(rows)]
    model = loaded["model"]
    chances = model.predict_proba(table_of(features, these))[:, list(model.classes_).index(these.positive)]
    return [Answer(row[0], said[at]["label"], float(chances[at]), said[at]["label"]) for at, row in enumerate(rows)]


def boosted(model: Path, features: list[list[str]], true: list[float], these: Settings) -> list[Answer]:
    """What SageMaker's own XGBoost answers: a number, a class, or the chance of class 1."""
    import xgboost  # heavy, and absent from the scikit-learn image

    booster = xgboost.Booster()
    booster.load_model(bytearray(model.read_bytes()))  # by its name, which has no ending, XGBoost only guesses the form
    table = np.array([[number(value) for value in row] for row in features])
    said: list[Any] = booster.predict(xgboost.DMatrix(table)).tolist()
    if these.task == "regression":
        return [Answer(true[at], value, given=value) for at, value in enumerate(said)]
    if these.task == "multiclass":
        classes = [float(max(range(len(v)), key=v.__getitem__)) if isinstance(v, list) else v for v in said]
        return [Answer(class_name(true[at]), class_name(v), given=said[at]) for at, v in enumerate(classes)]
    return [Answer(class_name(true[at]), class_name(value > 0.5), value, value) for at, value in enumerate(said)]


def class_name(value: float) -> str:
    return str(int(value))


def evaluate(model_dir: Path, test: Path, output: Path, these: Settings) -> dict[str, Any]:
    rows = read_rows(test)
    answers = predictions(model_dir, rows, these)
    found = report(these.task, answers, these.positive)
    output.mkdir(parents=True, exist_ok=True)
    (output / "evaluation.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    (output / "report.html").write_text(page(these, answers, found), encoding="utf-8")
    payloads = golden(these, rows, answers)
    (output / "golden-payloads.json").write_text(json.dumps(payloads, indent=2) + "\n", encoding="utf-8")
    figures = found[GROUPS[these.task]]
    for name in NAMES[these.task]:
        print(f"test:{name}={figures[name]['value']:.6f};")
    return found


def write_baseline(model_dir: Path, folder: Path, output: Path, these: Settings) -> None:
    """What monitors compare with: the rows of the training, and how good the answers to those of the test are.

    folder: of train/ and test/
    """
    rows = read_rows(folder / "train")
    baseline.write(output, baseline.baseline(these.features, rows, predictions(model_dir, rows, these)))
    answers = predictions(model_dir, read_rows(folder / "test"), these)
    task = monitored_as(these.framework, these.task)
    found = report(task, answers, these.positive)
    count = {"version": 0.0, "dataset": {"item_count": len(answers)}}
    baseline.write(
        output / "quality", {"statistics.json": {**count, **found}, "constraints.json": constraints(task, found)}
    )


def unpack(archive: Path, folder: Path) -> Path:
    """The files of model.tar.gz; UserError for one that leads out of the folder."""
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            target = (folder / member.name).resolve()
            if folder.resolve() not in [target, *target.parents] or not (member.isfile() or member.isdir()):
                raise UserError(f"{archive.name} holds {member.name}, which is no file of the model")
        tar.extractall(folder)
    return folder


def step(local: bool) -> None:
    these = settings()
    if local:
        evaluate(LOCAL / "model", LOCAL / "test", LOCAL / "evaluation", these)
        write_baseline(LOCAL / "model", LOCAL, LOCAL / "baseline", these)
        print(
            f"{LOCAL / 'evaluation/report.html'} shows it; golden-payloads.json beside it is for the deploy repository"
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        model_dir = unpack(CONTAINER / "input/model/model.tar.gz", Path(folder))
        evaluate(model_dir, CONTAINER / "input/test", CONTAINER / "output/evaluation", these)
        write_baseline(model_dir, CONTAINER / "input", CONTAINER / "output/baseline", these)


if __name__ == "__main__":
    raise SystemExit(run(__doc__, step))
