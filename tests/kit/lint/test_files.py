"""The files that the linters read are the same in a clone and in a downloaded copy without .git."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts import lint
from scripts.kit.lint.files import files, is_ignored, known_to_git, walked
from tests.support import ROOT


def write(root: Path, *names: str, text: str = "x\n") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_a_walk_finds_what_git_finds_in_this_repository() -> None:
    assert sorted(walked(ROOT)) == files(ROOT)
    assert {"Makefile", "scripts/kit/lint/files.py", ".github/workflows/ci.yml"} <= set(files(ROOT))


@pytest.mark.parametrize("clone", [True, False])
def test_what_is_ignored_is_left_out_with_git_and_without(tmp_path: Path, clone: bool) -> None:
    if clone:
        subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    write(tmp_path, ".gitignore", text="/.venv/\n/.venv-*/\n/build/\n/environment.yaml\n__pycache__/\n*.pyc\n")
    write(tmp_path, ".venv/a", ".venv-lint/b/c", "build/d", "environment.yaml", "e/__pycache__/f", "e/g.pyc")
    write(tmp_path, "docs/build/h", "docs/environment.yaml", "i", "e/j")
    assert files(tmp_path) == [".gitignore", "docs/build/h", "docs/environment.yaml", "e/j", "i"]
    assert files(tmp_path, ["docs/build", "./i"]) == ["docs/build/h", "i"]
    assert files(tmp_path, ["doc"]) == []


def test_a_copy_inside_somebody_elses_clone_is_walked(tmp_path: Path) -> None:  # english: quoted
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    write(tmp_path, ".gitignore", text="unpacked/\n")
    write(tmp_path, "unpacked/a")
    assert files(tmp_path / "unpacked") == ["a"]


def test_another_repository_in_the_environment_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("kit", "other"):
        subprocess.run(["git", "init", "--quiet", tmp_path / name], check=True)
        write(tmp_path / name, f"of-{name}")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    assert files(tmp_path / "kit") == ["of-kit"]


def test_without_git_itself_a_clone_is_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    write(tmp_path, "a")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert files(tmp_path) == ["a"]


def test_a_file_that_git_tracks_and_that_is_gone_is_left_out(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    write(tmp_path, "a", "b")
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    (tmp_path / "b").unlink()
    assert files(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("path", "pattern", "ignored"),
    [
        ("a/", "/a/", True),
        ("a", "/a/", False),
        ("b/a/", "/a/", False),
        ("b/a/", "a/", True),
        ("a", "/a", True),
        ("a/", "/a", True),
        (".venv-lint/", "/.venv-*/", True),
        ("b/a.pyc", "*.pyc", True),
        ("b/a.pyc.txt", "*.pyc", False),
    ],
)
def test_patterns_of_gitignore(path: str, pattern: str, ignored: bool) -> None:
    assert is_ignored(path, [pattern]) is ignored


@pytest.mark.parametrize("check", ["yamllint", "ruff", "format", "english", "sizes"])
def test_linting_reads_the_same_in_a_copy_without_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    for name in (".gitignore", ".yamllint", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    bad = {"bad.py": "import os\nx = [ 1 ]\n" + "# somebody\n" * 400, "bad.yaml": "a:   {b: 1 }\n"}  # english: quoted
    write(tmp_path, "good.py", text="x = 1\n")
    for folder in (".venv-lint", ".venv-other/lib", "build"):
        for name, text in bad.items():
            write(tmp_path, f"{folder}/{name}", text=text)
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    assert lint.CHECKS[check]() == ""
    for name, text in bad.items():
        write(tmp_path, name, text=text)
    assert "bad." in lint.CHECKS[check]()


def test_no_symlink_is_a_file_of_the_kit() -> None:
    """A clone on another machine lacks what it names, and `make` then fails."""
    assert [name for name in known_to_git(ROOT) if (ROOT / name).is_symlink()] == []
