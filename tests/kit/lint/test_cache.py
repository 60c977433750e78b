"""`make lint` repeats a check as soon as anything changed that decides what it finds."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import lint
from scripts.kit.lint.cache import CODE, Memory, files, matches
from tests.support import ROOT


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """Of a tree with a template, its linter's configuration, code, a lock file and an environment."""
    for name in (
        *("tree/templates/10.yaml", "tree/.cfnlintrc.yaml", "tree/.github/workflows/test.yml", "tree/README.md"),
        *("tree/scripts/lint.py", "tree/scripts/kit/lint/linters.py", "tree/awslang/template/reader.py"),
        *("tree/requirements/lint.txt", "tree/.venv/lib/python3.11/site-packages/cfn_lint-1.0.dist-info/METADATA"),
        *("tree/build/other.yaml", "home/.bashrc"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("before", encoding="utf-8")
    return Memory(tmp_path / "tree", tmp_path / "tree/build/lint", (tmp_path / "tree/.venv",), tmp_path / "home")


def carried_out(memory: Memory, monkeypatch: pytest.MonkeyPatch, findings: str = "") -> bool:
    """Whether cfn-lint was carried out, and not known from before."""
    ran: list[str] = []
    monkeypatch.setitem(lint.CHECKS, "cfn-lint", lambda: ran.append("cfn-lint") or findings)  # type: ignore[func-returns-value]
    result = lint.timed("cfn-lint", memory)
    assert result.findings == findings
    assert result.unchanged is not bool(ran)
    return bool(ran)


def test_a_clean_check_is_not_repeated_while_nothing_changes(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert carried_out(memory, monkeypatch)
    assert not carried_out(memory, monkeypatch)
    (memory.root / "README.md").write_text("after", encoding="utf-8")  # cfn-lint does not read it
    (memory.root / "build/other.yaml").write_text("after", encoding="utf-8")
    assert not carried_out(memory, monkeypatch)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a template": lambda root: (root / "templates/10.yaml").write_text("after"),
    "a new template": lambda root: (root / "templates/11.yaml").write_text("before"),
    "a template under another name": lambda root: (root / "templates/10.yaml").rename(root / "templates/12.yaml"),
    "no template": lambda root: (root / "templates/10.yaml").unlink(),
    "the configuration": lambda root: (root / ".cfnlintrc.yaml").write_text("after"),
    "a further configuration": lambda root: (root / ".cfnlintrc").write_text("before"),
    "a configuration in the user's home": lambda root: (root.parent / "home/.cfnlintrc").write_text("before"),
    "the lock of the tools": lambda root: (root / "requirements/lint.txt").write_text("after"),
    "the version that is installed": lambda root: next(root.glob(".venv/lib/*/*/cfn_lint-*")).rename(
        root / ".venv/lib/python3.11/site-packages/cfn_lint-1.1.dist-info"
    ),
    "the code of lint": lambda root: (root / "scripts/lint.py").write_text("after"),
    "the code of a check": lambda root: (root / "scripts/kit/lint/linters.py").write_text("after"),
    "what reads the templates": lambda root: (root / "awslang/template/reader.py").write_text("after"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_repeats_the_check(what: str, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert carried_out(memory, monkeypatch)
    CHANGES[what](memory.root)
    assert carried_out(memory, monkeypatch), f"{what} changed"
    assert not carried_out(memory, monkeypatch)


def test_findings_are_never_remembered(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert carried_out(memory, monkeypatch, "templates/10.yaml:3 wrong")
    assert carried_out(memory, monkeypatch, "templates/10.yaml:3 wrong")
    assert carried_out(memory, monkeypatch)


def test_a_file_that_changes_during_the_check_is_checked_again(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> str:
        (memory.root / "templates/10.yaml").write_text("meanwhile", encoding="utf-8")
        return ""

    monkeypatch.setitem(lint.CHECKS, "cfn-lint", check)
    assert lint.timed("cfn-lint", memory).findings == ""
    assert carried_out(memory, monkeypatch)


def test_again_carries_out_what_is_known(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert carried_out(memory, monkeypatch)
    assert not lint.timed("cfn-lint", memory, again=True).unchanged


def test_a_folder_that_cannot_be_written_to_remembers_nothing(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.folder.parent.mkdir(exist_ok=True)
    memory.folder.write_text("a file where the folder would be", encoding="utf-8")
    assert carried_out(memory, monkeypatch)
    assert carried_out(memory, monkeypatch)


def test_every_pattern_names_a_file_of_this_tree() -> None:
    """But for configurations that the tree could have: a tool would read them."""
    here = [*files(ROOT)]
    optional = {".checkov.y*ml", "*zizmor.yml", "*zizmor.yaml", "*.yml"}
    for pattern in {*CODE, *(one for patterns in lint.READS.values() for one in patterns)} - optional:
        assert any(matches(name, [pattern]) for name in here), pattern


def test_every_yaml_file_that_yamllint_reads_decides_its_answer() -> None:
    known = {name for name in files(ROOT) if matches(name, lint.READS["yamllint"])}
    line = [str(lint.OWN / "yamllint"), "--list-files", "."]
    listed = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    looked_at = {Path(name).as_posix() for name in listed}
    assert {".github/workflows/ci.yml", "templates/30-project.yaml"} <= looked_at
    assert looked_at <= known
