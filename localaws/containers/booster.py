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
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

CONTAINERS_FOLDER = "/miniconda3/lib/python3.10/site-packages/xgboost/lib"  # where the library is in SageMaker's image
Rows = Iterable[Mapping[int, float]]  # one mapping for each row: column to value; a column left out is missing


class BoosterError(Exception):
    """What the library said: time, line of its source, message and stack trace, as the container passes it on."""


def library_folder() -> Path:
    """Where libxgboost of the installed package is, found without importing the package."""
    spec = importlib.util.find_spec("xgboost")
    if spec is None or not spec.submodule_search_locations:
        raise BoosterError("xgboost-cpu is not installed")
    return Path(spec.submodule_search_locations[0]) / "lib"


def load_library(folder: Path) -> ctypes.CDLL:
    found = sorted(folder.glob("*xgboost.*"))
    if not found:
        raise BoosterError("the library of xgboost-cpu is missing")
    library = ctypes.CDLL(str(found[0]))
    library.XGBGetLastError.restype = ctypes.c_char_p
    return library


FOLDER = library_folder()
LIBRARY = load_library(FOLDER)


def check(status: int) -> None:
    """BoosterError where the library answers that a call failed."""
    if status != 0:
        text = LIBRARY.XGBGetLastError().decode(errors="replace")
        raise BoosterError(text.replace(str(FOLDER), CONTAINERS_FOLDER) or "unknown error")


class Matrix:
    """A data matrix of the library."""

    def __init__(self, handle: ctypes.c_void_p) -> None:
        self.handle = handle

    @property
    def rows(self) -> int:
        return self._count(LIBRARY.XGDMatrixNumRow)

    @property
    def columns(self) -> int:
        return self._count(LIBRARY.XGDMatrixNumCol)

    def _count(self, function: Any) -> int:
        count = ctypes.c_uint64()
        check(function(self.handle, ctypes.byref(count)))
        return count.value


def matrix_of(rows: Rows, columns: int) -> Matrix:
    """The matrix of rows that are already read."""
    ends, indices, values = array("Q", [0]), array("Q"), array("d")
    for row in rows:
        indices.extend(row)
        values.extend(row.values())
        ends.append(len(indices))
    handle = ctypes.c_void_p()
    check(
        LIBRARY.XGDMatrixCreateFromCSR(
            interface(ends),
            interface(indices),
            interface(values),
            ctypes.c_uint64(columns),
            b'{"missing": NaN, "nthread": 1}',
            ctypes.byref(handle),
        )
    )
    return Matrix(handle)


def interface(content: array[Any]) -> bytes:
    """NumPy's array interface, as the library takes it."""
    kind = {"Q": "<u8", "d": "<f8"}[content.typecode]
    address, length = content.buffer_info()
    return json.dumps({"data": [address, True], "shape": [length], "typestr": kind, "version": 3}).encode()


def matrix_from(files: Sequence[Path], form: str) -> Matrix:
    """The matrix that the library reads from text files. form: how, such as format=csv&label_column=0."""
    handle = ctypes.c_void_p()
    uri = f"{';'.join(map(str, files))}?{form}"
    check(LIBRARY.XGDMatrixCreateFromURI(json.dumps({"uri": uri, "silent": 1}).encode(), ctypes.byref(handle)))
    return Matrix(handle)


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

    def first(self, rounds: int) -> Booster:
        """The model as it was after so many rounds."""
        found = Booster()
        check(LIBRARY.XGBoosterSlice(self.handle, 0, rounds, 1, ctypes.byref(found.handle)))
        return found

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
