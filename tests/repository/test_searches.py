"""A chapter that does not find what it looks for says what is missing: it ends in no StopIteration."""

from __future__ import annotations

import ast

from tests.support import ROOT


def test_the_rehearsal_takes_the_first_of_nothing_nowhere() -> None:
    """`next` has a second argument there, or Playing.only says what is missing."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "scripts/rehearsal").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "next"
        and len(node.args) == 1
    ]
    assert found == []
