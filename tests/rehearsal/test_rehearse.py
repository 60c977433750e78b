"""`python -m scripts.rehearse` as it is typed, on a copy of this tree: how it ends, and what it leaves."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import rehearse
from scripts.rehearsal import chapters, on_push, record, story_command
from scripts.rehearsal.story import Story, StoryFailed
from tests.support import ROOT

PARTS = ("awslang", "localaws", "pipeline", "scripts", "seed-code", "templates", "pyproject.toml")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the rehearsal is made of, to be edited."""
    for name in PARTS:
        source, target = ROOT / name, tmp_path / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return tmp_path


def typed(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.rehearse", *arguments]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=300)


def test_an_example_is_called_by_its_framework_or_by_its_model() -> None:
    named = [rehearse.parser().parse_args(["--example", name]).example for name in ("sklearn", "penguins", "iris")]
    assert named == ["sklearn", "sklearn", "iris"]


def test_a_build_on_a_push_is_asked_for_in_the_environment_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(story: Story, until: str | None, names: list[str]) -> None:
        chapters.organization(story)
        assert "builds: {on_push: true}" in story.environment_path.read_text()
        raise StoryFailed("seen")

    monkeypatch.setattr(story_command, "play", play)
    assert rehearse.main(["--folder", str(tmp_path), "--build-on-push"]) == 1
    assert json.loads((tmp_path / "summary.json").read_text())["failure"]["message"] == "seen"


def test_what_is_pushed_for_the_first_example_is_one_description() -> None:
    before = (ROOT / "seed-code/model-build/project.toml").read_text()
    lines = zip(before.splitlines(), on_push.changed(before).splitlines(), strict=True)
    assert [(old, new.split("#")[0].strip()) for old, new in lines if old != new] == [
        (
            'description = "Iris species from four lengths, XGBoost"  # of every version that is registered',
            'description = "Iris species from four lengths, XGBoost, trained on a push"',
        )
    ]


@pytest.mark.slow
def test_a_relative_folder_works_for_builds_too(tree: Path) -> None:
    done = typed(tree, "--folder", "build/x", "--until", "project")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tree / "build/x/summary.json").read_text())
    assert summary["outcome"] == "stopped early"
    assert [stage["status"] for stage in summary["pipeline"]["stages"]][:2] == ["Succeeded", "Succeeded"]


@pytest.mark.slow
def test_a_story_that_fails_ends_with_the_message_of_its_failure(tree: Path) -> None:
    right, wrong = "Principal: {Service: events.amazonaws.com}", "Principal: {Service: event.amazonaws.com}"
    template = next(path for path in sorted(tree.glob("templates/1*.yaml")) if right in path.read_text())
    template.write_text(template.read_text().replace(right, wrong, 1))
    done = typed(tree, "--folder", "failed", "--until", "permissions")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "warning" not in done.stderr
    assert "failed in chapter permissions in account 999999999999: `python -m scripts.accounts" in done.stderr
    assert re.search(rf"templates/{template.name}:\d+ ", done.stderr), "the failure names file and line"
    assert "event.amazonaws.com" in done.stderr.split("failed in chapter")[1]
    summary = json.loads((tree / "failed/summary.json").read_text())
    assert summary["outcome"] == "failed"
    assert "scripts.accounts" in summary["failure"]["message"]
    assert "event.amazonaws.com" in (tree / "failed/report.html").read_text()


def test_a_report_that_cannot_be_made_is_a_warning_after_the_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def play(story: Story, until: str | None, names: list[str]) -> None:
        raise StoryFailed("staging burnt down", "333333333333", "the log")

    def page(facts: object) -> str:
        raise KeyError("decision")

    monkeypatch.setattr(story_command, "play", play)
    monkeypatch.setattr(record, "page", page)
    assert rehearse.main(["--folder", str(tmp_path), "--json"]) == 1
    out, err = capsys.readouterr()
    failed, warned = err.index("failed in account 333333333333: staging burnt down\nthe log\n"), err.index("warning: ")
    assert failed < warned
    assert "warning: report.html could not be written: KeyError: 'decision'" in err
    assert json.loads(out)["failure"] == {"message": "staging burnt down", "account": "333333333333", "log": "the log"}
    assert not (tmp_path / "report.html").exists()
