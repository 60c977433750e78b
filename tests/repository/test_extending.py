"""docs/guides/extend-the-pipeline.md: its step is added to a copy of the tree, and production waits for it."""

from __future__ import annotations

from pathlib import Path

from tests.support import ROOT
from tests.support.exercises import Copy, steps_of

PAGE = (ROOT / "docs/guides/extend-the-pipeline.md").read_text(encoding="utf-8")
STEPS = steps_of(PAGE.split("## Add a step")[1].split("\n### ")[0])


def test_a_change_board_is_asked_after_the_approver(tmp_path: Path) -> None:
    copy = Copy.of_the_tree(tmp_path)
    first, added, *_ = STEPS
    (failed,) = copy.follow(first)
    assert failed.returncode == 1
    assert "InvalidActionDeclaration" in failed.stdout or "ChangeBoard" in failed.stdout
    for done in copy.follow(added):
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
