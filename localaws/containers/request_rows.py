"""The rows of a request, as SageMaker's XGBoost container 3.0-5 reads them; without NumPy and SciPy, which load slowly.

Its public code, github.com/aws/sagemaker-xgboost-container at v3.0-5 (serve_utils.py, encoder.py), with the
answers that it gives: NumPy 2.1.0 and SciPy 1.15.0 say the words of the errors.
"""

from __future__ import annotations

import csv
import re

from localaws.containers import recordio
from localaws.containers.booster import Matrix, matrix_of

SAMPLE = 512  # characters of the first line that the delimiter is guessed from
LETTER = re.compile("[0-9A-Za-z]")  # what is never taken for a delimiter
LONG = range(-(2**63), 2**63)


def read_csv(body: bytes) -> Matrix:
    """The delimiter is what csv.Sniffer finds in the first line; an empty cell is a missing value."""
    lines = body.strip().decode("utf-8").split("\n")
    delimiter = csv.Sniffer().sniff(lines[0][:SAMPLE]).delimiter
    rows = [line.split("," if LETTER.fullmatch(delimiter) else delimiter) for line in lines]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(
            "setting an array element with a sequence. The requested array has an inhomogeneous shape after "
            f"1 dimensions. The detected shape was ({len(rows)},) + inhomogeneous part."
        )
    return matrix_of(({column: real(cell or "nan") for column, cell in enumerate(row)} for row in rows), len(rows[0]))


def read_libsvm(body: bytes) -> Matrix:
    """Columns are counted from 0, a label is left out; values of one column add up."""
    lines = body.strip().decode("utf-8").split("\n")
    cells = [(row, item.split(":")) for row, line in enumerate(lines) for item in line.split(" ") if ":" in item]
    columns = [whole(parts[0]) for _, parts in cells]
    values = [real(parts[1]) for _, parts in cells]
    if not cells:
        raise ValueError("cannot infer dimensions from zero sized index arrays")
    if min(columns) < 0:
        raise ValueError(f"negative axis 1 index: {min(columns)}")
    rows: list[dict[int, float]] = [{} for _ in range(cells[-1][0] + 1)]
    for (row, _), column, value in zip(cells, columns, values, strict=True):
        rows[row][column] = rows[row].get(column, 0.0) + value
    return matrix_of(rows, max(columns) + 1)


def read_recordio(body: bytes) -> Matrix:
    """The feature named values of each record."""
    return matrix_of(*recordio.read(body))


def real(text: str) -> float:
    """The number; a ValueError in NumPy's words, which drops NULs at a text's end, otherwise."""
    text = text.rstrip("\0")
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"could not convert string to float: np.str_({text!r})") from error


def whole(text: str) -> int:
    """The whole number, with the same care."""
    text = text.rstrip("\0")
    try:
        found = int(text)
    except ValueError as error:
        raise ValueError(f"invalid literal for int() with base 10: np.str_({text!r})") from error
    if found not in LONG:
        raise OverflowError("Python int too large to convert to C long")
    return found
