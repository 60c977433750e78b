"""Preprocess: the data as it is in, the rows to train, to validate and to test with out.

Change `clean` for what your data needs. What depends on the training rows alone (the mean of a column, the words of a
category) belongs into the model of train.py instead, so that a request at the endpoint goes the same way.
"""

from __future__ import annotations

import random
from pathlib import Path

from steps.common import LOCAL, Settings, Table, UserError, read_table, run, settings, write_rows

CONTAINER = Path("/opt/ml/processing")
PARTS = {"train": 0.7, "validation": 0.15, "test": 0.15}
SEED = 42  # the same rows are always split the same way


def clean(table: Table, these: Settings) -> list[list[str]]:
    """The rows that can be learnt from: the label, then the features in their order."""
    label = table.column(label_of(table, these))
    columns = [table.column(name) for name in these.features]
    rows = [[label[place]] + [column[place] for column in columns] for place in range(len(label))]
    labelled = [row for row in rows if row[0]]
    if len(labelled) < len(rows) and these.unlabelled != "drop":
        raise UserError(f"{len(rows) - len(labelled)} rows have no label")
    print(f"{len(rows)} rows, {len(rows) - len(labelled)} of them without a label and left out")
    return labelled


def label_of(table: Table, these: Settings) -> str:
    """The name of the label's column."""
    return table.names[these.label - 1] if isinstance(these.label, int) else str(these.label)


def split(rows: list[list[str]], stratify: bool) -> dict[str, list[list[str]]]:
    """The rows of each part. stratify: each class is divided alike, as a class that no part tests says nothing"""
    groups: dict[str, list[list[str]]] = {}
    for row in rows:
        groups.setdefault(row[0] if stratify else "", []).append(row)
    parts: dict[str, list[list[str]]] = {name: [] for name in PARTS}
    for key in sorted(groups):
        group = groups[key][:]
        random.Random(SEED).shuffle(group)
        tested, validated = (max(1, round(len(group) * PARTS[name])) for name in ("test", "validation"))
        parts["test"] += group[:tested]
        parts["validation"] += group[tested : tested + validated]
        parts["train"] += group[tested + validated :]
    for part in parts.values():
        random.Random(SEED).shuffle(part)
    return parts


def preprocess(data: Path, output: Path, these: Settings) -> None:
    rows = clean(read_table(data, header=not isinstance(these.label, int)), these)
    for name, part in split(rows, stratify=these.task != "regression").items():
        write_rows(output / name / f"{name}.csv", part)
        print(f"{name}: {len(part)} rows")


def step(local: bool) -> None:
    these = settings()
    if local:
        preprocess(Path(__file__).resolve().parents[1] / these.data, LOCAL, these)
    else:
        preprocess(CONTAINER / "input/data" / Path(these.data).name, CONTAINER / "output", these)


if __name__ == "__main__":
    raise SystemExit(run(__doc__, step))
