"""Every step after the other on 200 rows, for each model of project.toml, as `python -m steps.… --local` runs them.

But for a model that a container of your own trains: none of the steps is for it.
"""

from __future__ import annotations

import json
import random
import tomllib
from dataclasses import replace
from pathlib import Path

import project
import pytest
from steps import common, evaluate, preprocess, train
from steps.common import read_rows, write_rows
from steps.metrics import GROUPS, NAMES

ROWS = 200


def models(text: str) -> list[str]:
    """The models of a project.toml that the steps train."""
    tables = {name: value for name, value in tomllib.loads(text).items() if isinstance(value, dict)}
    return [name for name, table in tables.items() if table.get("framework") != "container"]


MODELS = models((project.ROOT / "project.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_trained_and_evaluated(name: str, tmp_path: Path) -> None:
    these = project.read(model=name)
    lines = these.file.read_text(encoding="utf-8").splitlines()
    head, body = (lines[:1], lines[1:]) if these.header else ([], lines)
    random.Random(1).shuffle(body)
    data = tmp_path / these.file.name
    data.write_text("\n".join([*head, *body[:ROWS]]) + "\n", encoding="utf-8")
    settings = these.for_steps()
    preprocess.preprocess(data, tmp_path, settings)
    folders = tmp_path / "train", tmp_path / "validation", tmp_path / "model"
    if these.framework == "xgboost":
        train.boost(*folders, settings.hyperparameters)
    else:
        train.train(*folders, settings, settings.hyperparameters)
    found = evaluate.evaluate(tmp_path / "model", tmp_path / "test", tmp_path / "evaluation", settings)
    figures = found[GROUPS[these.task]]
    assert set(NAMES[these.task]) <= set(figures)
    assert json.loads((tmp_path / "evaluation/evaluation.json").read_text(encoding="utf-8")) == found
    assert all(len(row) == 1 + len(these.features) for row in read_rows(tmp_path / "test"))


def test_a_regression_needs_no_other_code(tmp_path: Path) -> None:
    settings = replace(
        project.read().for_steps(),
        framework="sklearn",
        task="regression",
        label="y",
        features=["x", "z"],
        categories=[],
        unlabelled="refuse",
        metrics={},
    )
    drawn = [(random.Random(place).random(), place % 7) for place in range(ROWS)]
    write_rows(tmp_path / "mine.csv", [["x", "y", "z"], *([x, 3 * x + z, z] for x, z in drawn)])
    preprocess.preprocess(tmp_path / "mine.csv", tmp_path, settings)
    folders = tmp_path / "train", tmp_path / "validation", tmp_path / "model"
    train.train(*folders, settings, {"n_estimators": 20, "random_state": 1})
    found = evaluate.evaluate(tmp_path / "model", tmp_path / "test", tmp_path / "evaluation", settings)
    assert found["regression_metrics"]["r2"]["value"] > 0.9


def test_a_model_with_its_own_container_has_no_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    assert models('model = "mine"\n[mine]\nframework = "container"\n[rents]\nframework = "xgboost"\n') == ["rents"]
    own = replace(project.read(), framework="container")
    monkeypatch.setattr(project, "read", lambda: own)
    with pytest.raises(common.UserError, match="its own container trains and serves it: it has no steps to run"):
        common.settings()
