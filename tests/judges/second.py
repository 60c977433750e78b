"""What matters only with a second version, account or Region: each such place of the pipeline's steps, made to see one.

A request that writes is sent once in a test, and its answer is given again afterwards; a loop over versions, artifacts,
accounts, Regions or pages ends after its first turn. The unit tests must notice each.

python -m tests.judges.second shows every place, and ends with 1 if nothing notices one of them. It takes some minutes,
so it is no part of `make test`.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mistakes.unit_tests import Prepared
from tests.support import ROOT

WRITES = re.compile(r"(add|create|delete|put|start|update)_[a-z_]+")
MANY = re.compile(
    r"\b(accounts?|artifacts|copies|endpoints|page|pages|places|regions|stages|urls|versions)\b", re.IGNORECASE
)
# The tests that are about a module and not named after it; what these do not notice, all of them are asked about.
TESTS = {
    "asynchronous": "test_endpoints.py", "build": "test_build.py test_build_refusals.py", "executions": "test_gate.py",
    "live": "test_card.py test_gate.py", "manifest": "test_build.py", "page": "test_card.py",
    "registry": "test_build.py test_approvals.py", "settings": "test_build.py", "unasked": "test_gate.py",
}  # fmt: skip
HELPERS = """

import os as _os
import signal as _signal

_signal.alarm(120)  # a step that waits for what never comes is noticed
_answers = {}


def _once(place, call):
    key = place, (_os.environ.get("PYTEST_CURRENT_TEST") or "").rpartition(" ")[0]
    if key not in _answers:
        _answers[key] = call()
    return _answers[key]


def _first(found):
    for one in found:
        yield one
        return
"""


@dataclass(frozen=True)
class Place:
    """One place of a module. what: it does with one alone; text: of the module then"""

    file: str
    line: int
    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.what}"


def places(file: str, text: str) -> Iterator[Place]:
    """Every place of a module."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and WRITES.fullmatch(node.func.attr):
            called = ast.get_source_segment(text, node)
            made = replaced(text, node, f"_once({node.lineno}, lambda: {called})")
            yield Place(file, node.lineno, f"{node.func.attr} once", made)
        elif isinstance(node, ast.For | ast.comprehension):
            over = ast.get_source_segment(text, node.iter) or ""
            if MANY.search(over):
                made = replaced(text, node.iter, f"_first({over})")
                yield Place(file, node.iter.lineno, f"the first of {' '.join(over.split())}", made)


def replaced(text: str, node: ast.expr, by: str) -> str:
    """A module's text with something else in the place of an expression. Columns count bytes."""
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before = b"".join([*lines[:first], lines[first][: node.col_offset]])
    after = b"".join([lines[last][node.end_col_offset or 0 :], *lines[last + 1 :]])
    return before.decode() + by + after.decode() + HELPERS


def of_the_steps() -> list[Place]:
    """Every place of the pipeline's steps."""
    files = sorted((ROOT / "pipeline").glob("*.py"))
    return [one for path in files for one in places(f"pipeline/{path.name}", path.read_text(encoding="utf-8"))]


def requests() -> list[Place]:
    """Those that write."""
    return [one for one in of_the_steps() if one.what.endswith(" once")]


def unnoticed(prepared: Prepared, chosen: Sequence[Place]) -> Iterator[Place]:
    """The places that no unit test notices."""
    for place in chosen:
        stem = Path(place.file).stem
        near = TESTS.get(stem) or f"test_{stem}.py"
        known = all((ROOT / "tests/pipeline" / name).is_file() for name in near.split())
        if (
            not (known and prepared.run(place.file, place.text, near)[0])
            and not prepared.run(place.file, place.text)[0]
        ):
            yield place


def main() -> int:
    chosen = [one for one in of_the_steps() if not sys.argv[1:] or one.file in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        prepared = Prepared(Path(folder), os.environ)
        try:
            left = 0
            for one in chosen:
                alone = list(unnoticed(prepared, [one]))
                left += len(alone)
                print(f"{'NOT NOTICED' if alone else 'noticed'}: {one}", flush=True)
        finally:
            prepared.close()
    print(f"{len(chosen)} places, {left} that nothing notices")
    return int(left > 0)


if __name__ == "__main__":
    sys.exit(main())
