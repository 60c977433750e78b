"""Executes a notebook cell by cell: python cells.py NOTEBOOK EXECUTED SECONDS.

Runs in the notebooks' own environment (scripts/rehearsal/notebooks/run.py starts it), with nothing of the kit.
Writes the notebook with its outputs, also after a cell that failed. One line of JSON on stdout for each code
cell: its id, how long it took, and its error.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError


def main(notebook: str, executed: str, seconds: str) -> int:
    book = nbformat.read(notebook, as_version=4)
    started = time.monotonic()

    def begin(cell: Any, cell_index: int) -> None:
        nonlocal started
        started = time.monotonic()

    def end(cell: Any, cell_index: int, execute_reply: Any) -> None:
        errors = ["\n".join(output["traceback"]) for output in cell["outputs"] if output["output_type"] == "error"]
        finished = {"cell": cell["id"], "seconds": round(time.monotonic() - started, 3), "error": "".join(errors)}
        print(json.dumps(finished), flush=True)

    client = NotebookClient(
        book,
        timeout=int(seconds),
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        on_cell_execute=begin,
        on_cell_executed=end,
    )
    try:
        client.execute()
    except CellExecutionError:
        return 1
    except CellTimeoutError as error:
        print(json.dumps({"cell": "", "seconds": float(seconds), "error": str(error)}), flush=True)
        return 1
    finally:
        Path(executed).write_text(nbformat.writes(book) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
