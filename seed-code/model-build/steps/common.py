"""What the steps share: the model's settings, tables as CSV files, and where files lie.

A table goes from step to step as CSV without a header, the label in the first column: the form that SageMaker's own
XGBoost reads ("Input/Output Interface for the XGBoost Algorithm").
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MISSING = {"", "NA", "N/A", "NaN", "nan", "null"}  # how a file may write a value that is not there
SEPARATORS = {";", "\t", "|"}  # of other forms than CSV with commas
LOCAL = Path("build/local")  # what the steps of a laptop hand to each other
HANDED = Path(__file__).with_name("settings.json")  # what start.py puts beside the steps: containers read no TOML


class UserError(Exception):
    """A mistake that the user can fix."""


@dataclass(frozen=True)
class Settings:
    """What the steps know of project.toml.

    model: its name
    features: the columns that the model sees, in the order of the data; categories: those of them that hold words
    positive: of a binary task, the class that precision, recall and AUC are about
    metrics: goal and bound of each, by name
    """

    model: str
    framework: str
    task: str
    data: str
    label: Any
    features: list[str]
    categories: list[str]
    positive: str
    unlabelled: str
    hyperparameters: dict[str, Any]
    metrics: dict[str, dict[str, Any]]


def settings() -> Settings:
    """As start.py handed them over; on a laptop, as project.toml has them. UserError for an own container's model."""
    if HANDED.exists():
        return Settings(**json.loads(HANDED.read_text(encoding="utf-8")))
    from project import read  # needs Python 3.11: in no container

    found = read().for_steps()
    if found.framework == "container":
        raise UserError(
            f"project.toml, [{found.model}]: its own container trains and serves it: it has no steps to run"
        )
    return found


# -- tables ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """The rows of a CSV file. numbers: of each row, its line in the file; a missing value is an empty text"""

    names: list[str]
    rows: list[list[str]]
    numbers: list[int]

    def column(self, name: str) -> list[str]:
        place = self.names.index(name)
        return [row[place] for row in self.rows]


def read_table(file: Path, header: bool) -> Table:
    """A file as its team writes it; without a header, its columns are named column 1, column 2, …

    UserError where it is no table.
    """
    names: list[str] = []
    rows: list[list[str]] = []
    numbers: list[int] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, skipinitialspace=True)
            for found in reader:
                row = [value.strip() for value in found]
                if not any(row):
                    continue
                if not names:
                    if len(row) == 1 and (other := SEPARATORS.intersection(row[0])):
                        raise UserError(f"{file.name} separates its columns with {min(other)!r}: write commas")
                    names = row if header else [f"column {number + 1}" for number in range(len(row))]
                    if header:
                        continue
                if len(row) != len(names):
                    expected = "the header" if header else "the first row"
                    raise UserError(
                        f"{file.name}, row {reader.line_num} has {len(row)} columns, {expected} has {len(names)}: "
                        "write a missing value as nothing between two commas"
                    )
                rows.append(["" if value in MISSING else value for value in row])
                numbers.append(reader.line_num)
    except FileNotFoundError as error:
        raise UserError(f"{file} does not exist: put the data there, or name another file in project.toml") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read as CSV in UTF-8: {error}") from error
    if not names:
        raise UserError(f"{file.name} is empty: write one row a line")
    return Table(names, rows, numbers)


def write_rows(file: Path, rows: Iterable[Iterable[Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as text:
        csv.writer(text, lineterminator="\n").writerows(rows)


def read_rows(folder: Path) -> list[list[str]]:
    """The rows of all CSV files of a channel."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise UserError(f"{folder} holds no CSV file: run the step before this one first")
    rows: list[list[str]] = []
    for file in files:
        with file.open(encoding="utf-8", newline="") as text:
            rows += [row for row in csv.reader(text) if row]
    return rows


def number(text: str) -> float:
    """A value as a number; a missing one is NaN."""
    return float(text) if text not in MISSING else float("nan")


def is_number(text: str) -> bool:
    """Whether a container reads it as a number: neither 1_000, as Python writes it, nor infinity."""
    try:
        return "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False


# -- where it runs -----------------------------------------------------------------------------


def run(description: str | None, step: Callable[[bool], None]) -> int:
    """Carry a step out; with --local on a laptop, where it says on one line what is wrong."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--local", action="store_true", help=f"on this machine: from {LOCAL}, into {LOCAL}")
    local = parser.parse_known_args()[0].local  # a container of script mode gives the hyperparameters as well
    try:
        step(local)
    except UserError as error:
        if not local:
            raise
        print(f"error: {error}")
        return 1
    return 0
