"""Answers requests at the endpoint: the four functions that SageMaker's scikit-learn image calls.

"Using Scikit-learn with the SageMaker Python SDK", "SageMaker Scikit-learn Model Server": model_fn loads, input_fn
reads a request, predict_fn answers it, output_fn writes the answer. A request is text/csv, one row a line, or
application/json, {"instances": [{"column": value, …}, …]}. The answer is JSON, for each row a label with its
probability, or a value; where text/csv is asked for, labels or values alone.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from steps.common import MISSING, Settings, number

MODEL = "model.joblib"
DIGITS = 4  # of a probability in an answer


def table_of(rows: list[list[Any]], these: Settings) -> Any:
    """Rows of features as the model takes them: a number, NaN for a missing one, a word; ValueError otherwise."""
    made = np.empty((len(rows), len(these.features)), dtype=object)
    for at, row in enumerate(rows):
        if len(row) != len(these.features):
            raise ValueError(f"row {at + 1} has {len(row)} values, the model takes {', '.join(these.features)}")
        for place, name in enumerate(these.features):
            text = "" if row[place] is None else str(row[place]).strip()
            if name in these.categories:
                made[at, place] = "" if text in MISSING else text
                continue
            try:
                made[at, place] = number(text)
            except ValueError as error:
                raise ValueError(f"row {at + 1}: {name} is {text!r}, no number") from error
    return made


def model_fn(model_dir: str) -> dict[str, Any]:
    loaded: dict[str, Any] = joblib.load(Path(model_dir) / MODEL)
    return loaded


def input_fn(body: str | bytes, content_type: str) -> list[Any]:
    text = body.decode("utf-8") if isinstance(body, (bytes, bytearray)) else body
    kind = content_type.split(";")[0].strip()
    if kind == "text/csv":
        return [row for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True) if row]
    if kind == "application/json":
        rows: list[Any] = json.loads(text)["instances"]
        return rows
    raise ValueError(f"{content_type} is not supported: send text/csv or application/json")


def predict_fn(rows: list[Any], loaded: dict[str, Any]) -> list[dict[str, Any]]:
    model, these = loaded["model"], loaded["settings"]
    listed = [[row.get(name) for name in these.features] if isinstance(row, dict) else row for row in rows]
    table = table_of(listed, these)
    if these.task == "regression":
        return [{"value": round(float(value), 6)} for value in model.predict(table)]
    found = []
    for chances in model.predict_proba(table):
        best = int(chances.argmax())
        found.append({"label": str(model.classes_[best]), "probability": round(float(chances[best]), DIGITS)})
    return found


def output_fn(answers: list[dict[str, Any]], accept: str) -> tuple[str, str]:
    if accept.split(";")[0].strip() == "text/csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([next(iter(answer.values()))] for answer in answers)
        return text.getvalue(), "text/csv"
    return json.dumps({"predictions": answers}), "application/json"
