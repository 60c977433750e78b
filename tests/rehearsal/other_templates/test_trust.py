"""Another team's commands run only after the user said so."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from localaws import confinement
from scripts.kit.console import UsageError
from scripts.rehearsal.other_templates import rehearsing, trust
from scripts.rehearse import parser
from tests.support import ROOT

TEMPLATE = Path("theirs.yaml")
REAL = ROOT / "tests" / "fixtures" / "projects" / "not-supported.yaml"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def confined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "problem", lambda: "")


def test_without_a_terminal_it_is_an_error_with_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    args = parser().parse_args(["--template", str(REAL), "--folder", str(tmp_path / "rehearsal")])
    with pytest.raises(UsageError, match="Read the template and its buildspecs, then add --trust"):
        rehearsing.rehearse(args)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "no\n", "maybe\n"])
def test_on_a_terminal_it_is_asked_and_anything_but_yes_is_no(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    with pytest.raises(UsageError, match=r"theirs\.yaml was not run"):
        trust.require(TEMPLATE, given=False)


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_yes_is_enough(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    trust.require(TEMPLATE, given=False)
    assert capsys.readouterr().err.endswith("Run it? Read its buildspecs first. [y/N] ")


def test_with_trust_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    trust.require(TEMPLATE, given=True)
    said = capsys.readouterr().err
    assert "Run it?" not in said
    assert "see no file, process or variable except their own. Not confined: the network" in said


def test_what_is_not_confined_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(confinement, "problem", lambda: "unshare: Operation not permitted")
    trust.require(TEMPLATE, given=True)
    assert "are NOT confined on this machine (unshare: Operation not permitted)" in capsys.readouterr().err


def test_the_kits_own_story_is_not_asked() -> None:
    assert not parser().parse_args([]).trust
    assert "trust" not in (ROOT / "scripts" / "rehearsal" / "story.py").read_text()
