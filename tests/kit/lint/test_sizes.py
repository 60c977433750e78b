"""Modules and templates have a length at which they are split."""

from __future__ import annotations

import subprocess
from pathlib import Path

from scripts.kit.lint.sizes import check, too_long


def test_a_file_at_its_limit_is_fine_and_one_line_more_is_found() -> None:
    texts = {
        "scripts/a.py": "x\n" * 400,
        "scripts/b.py": "x\n" * 401,
        "templates/10-a.yaml": "x\n" * 500,
        "templates/60-b.yaml": "x\n" * 501,
        "docs/long.md": "x\n" * 1000,
    }
    assert too_long(texts) == [
        "templates/60-b.yaml: 501 lines, at most 500: split it by subject",
        "scripts/b.py: 401 lines, at most 400: split it by subject",
    ]


def test_the_files_that_git_knows_or_would_know_are_read(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("build/\n")
    (tmp_path / "build").mkdir()
    for name in ("a.py", "build/b.py"):
        (tmp_path / name).write_text("x = 1\n" * 401)
    assert check(tmp_path) == ["a.py: 401 lines, at most 400: split it by subject"]
