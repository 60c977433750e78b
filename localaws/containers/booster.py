"""The XGBoost library by its C interface: a booster is ready in a tenth of a second.

Importing the Python package costs a second (it brings SciPy); a container starts for every
endpoint and every training job, so the library is called directly. Functions and their meaning:
XGBoost documentation, "XGBoost C API".
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PLACE = re.compile(r"^\[[0-9:]+\] \S+:[0-9]+: ")  # the time and the line of its own source, before what it says
Rows = Sequence[Mapping[int, float]]  # one mapping for each row: column to value; a column left out is missing


class BoosterError(Exception):
    """What the library said."""


def load_library() -> ctypes.CDLL:
    """libxgboost of the installed package, found without importing the package."""
    spec = importlib.util.find_spec("xgboost")
    if spec is None or not spec.submodule_search_locations:
        raise BoosterError("xgboost-cpu is not installed")
    found = sorted((Path(spec.submodule_search_locations[0]) / "lib").glob("*xgboost.*"))
    if not found:
        raise BoosterError("the library of xgboost-cpu is missing")
    library = ctypes.CDLL(str(found[0]))
    library.XGBGetLastError.restype = ctypes.c_char_p
    return library


LIBRARY = load_library()


def check(status: int) -> None:
    """BoosterError where the library answers that a call failed."""
    if status != 0:
        text = LIBRARY.XGBGetLastError().decode(errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        raise BoosterError(PLACE.sub("", lines[0].strip()) if lines else "unknown error")


class Matrix:
    """A data matrix; columns beyond the widest row are missing."""

    def __init__(self, rows: Rows, columns: int, labels: Sequence[float] | None = None) -> None:
        self.rows, self.columns = len(rows), columns
        values = (ctypes.c_float * (len(rows) * columns))(*[math.nan] * (len(rows) * columns))
        for number, row in enumerate(rows):
            for column, value in row.items():
                values[number * columns + column] = value
        self.handle = ctypes.c_void_p()
        check(
            LIBRARY.XGDMatrixCreateFromMat(
                values,
                ctypes.c_uint64(len(rows)),
                ctypes.c_uint64(columns),
                ctypes.c_float(math.nan),
                ctypes.byref(self.handle),
            )
        )
        if labels is not None:
            given = (ctypes.c_float * len(labels))(*labels)
            check(LIBRARY.XGDMatrixSetFloatInfo(self.handle, b"label", given, ctypes.c_uint64(len(labels))))


class Booster:
    """A model: trained round by round, or loaded from a file."""

    def __init__(self, parameters: Sequence[tuple[str, str]] = (), matrices: Sequence[Matrix] = ()) -> None:
        self.handle = ctypes.c_void_p()
        handles = (ctypes.c_void_p * len(matrices))(*[matrix.handle for matrix in matrices])
        check(LIBRARY.XGBoosterCreate(handles, ctypes.c_uint64(len(matrices)), ctypes.byref(self.handle)))
        for name, value in parameters:
            check(LIBRARY.XGBoosterSetParam(self.handle, name.encode(), value.encode()))

    def update(self, number: int, matrix: Matrix) -> None:
        """One round of training."""
        check(LIBRARY.XGBoosterUpdateOneIter(self.handle, ctypes.c_int(number), matrix.handle))

    def evaluate(self, number: int, watched: Mapping[str, Matrix]) -> str:
        """The metrics after a round, as XGBoost prints them: [0]<tab>train-merror:0.02<tab>validation-merror:0.06."""
        handles = (ctypes.c_void_p * len(watched))(*[matrix.handle for matrix in watched.values()])
        names = (ctypes.c_char_p * len(watched))(*[name.encode() for name in watched])
        line = ctypes.c_char_p()
        check(
            LIBRARY.XGBoosterEvalOneIter(
                self.handle, ctypes.c_int(number), handles, names, ctypes.c_uint64(len(watched)), ctypes.byref(line)
            )
        )
        return (line.value or b"").decode()

    def save(self, path: Path) -> None:
        check(LIBRARY.XGBoosterSaveModel(self.handle, str(path).encode()))

    def load(self, path: Path) -> None:
        check(LIBRARY.XGBoosterLoadModel(self.handle, str(path).encode()))

    @property
    def features(self) -> int:
        """How many columns the model was trained with."""
        count = ctypes.c_uint64()
        check(LIBRARY.XGBoosterGetNumFeature(self.handle, ctypes.byref(count)))
        return count.value

    def predict(self, matrix: Matrix) -> list[Any]:
        """One prediction for each row: a number, or a list of numbers where the objective gives several."""
        options = json.dumps(
            {"type": 0, "training": False, "iteration_begin": 0, "iteration_end": 0, "strict_shape": False}
        )
        shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        result = ctypes.POINTER(ctypes.c_float)()
        check(
            LIBRARY.XGBoosterPredictFromDMatrix(
                self.handle,
                matrix.handle,
                options.encode(),
                ctypes.byref(shape),
                ctypes.byref(dimensions),
                ctypes.byref(result),
            )
        )
        sizes = [shape[index] for index in range(dimensions.value)]
        width = math.prod(sizes[1:])
        if len(sizes) == 1:
            return [result[index] for index in range(sizes[0])]
        return [[result[row * width + column] for column in range(width)] for row in range(sizes[0])]


def read_csv(text: str, label: bool) -> tuple[list[dict[int, float]], list[float]]:
    """Rows and labels of CSV without a header; with label, the first column is the label. Empty cells are missing."""
    rows: list[dict[int, float]] = []
    labels: list[float] = []
    width = 0
    for number, line in enumerate(text.strip().splitlines(), 1):
        cells = line.strip().split(",")
        width = width or len(cells)
        if len(cells) != width:
            raise ValueError(f"line {number} has {len(cells)} columns, line 1 has {width}")
        if label:
            labels.append(float(cells.pop(0)))
        rows.append({column: float(cell) for column, cell in enumerate(cells) if cell.strip()})
    return rows, labels


def read_libsvm(text: str) -> tuple[list[dict[int, float]], list[float]]:
    """Rows and labels of libsvm text; where every index is 1 or more, they are counted from 1."""
    rows: list[dict[int, float]] = []
    labels: list[float] = []
    for line in text.strip().splitlines():
        cells = line.split()
        if cells and ":" not in cells[0]:
            labels.append(float(cells.pop(0).split(":")[0]))
        pairs = (cell.split(":", 1) for cell in cells if ":" in cell)
        rows.append({int(column): float(value) for column, value in pairs})
    lowest = min((column for row in rows for column in row), default=0)
    if lowest >= 1:
        rows = [{column - 1: value for column, value in row.items()} for row in rows]
    return rows, labels


def width_of(rows: Rows) -> int:
    """How many columns the rows have."""
    return max((column for row in rows for column in row), default=-1) + 1
