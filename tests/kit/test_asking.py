"""What cannot be undone is done only for a person who typed its name on a terminal, or for --yes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from localaws.cloud import Cloud, Session
from scripts import rollback, teardown
from scripts.kit import asking, console
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support import ROOT
from tests.support.terminal import Ended, Terminal
from tests.support.waiting import until

PROJECT = "iris-multi-01"
TYPE = f"Type the project's name ({PROJECT}) to go on: "
INSTALLATION = f"multi-account-deployment-{people.DATA_SCIENCE}"
NO_WAY = "cannot be undone, and there is no terminal to ask on. Nothing was changed"
READS = ("AssumeRole", "BatchGet", "Describe", "Get", "Head", "List", "Search")


@dataclass(frozen=True)
class Kit:
    """An installation with a project, and how its commands are started."""

    cloud: Cloud
    story: Story

    def line(self, command: str, *arguments: str) -> list[str]:
        given = ["--environment", str(self.story.environment_path), *arguments]
        return [sys.executable, "-m", f"scripts.{command}", *given]

    def variables(self) -> dict[str, str]:
        manager: Session = people.sign_in(self.cloud, self.story.setting.management, people.ENGINEER, self.story.region)
        mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**mine, **manager.environment(), "NO_COLOR": "1"}

    def terminal(self, command: str, *arguments: str, stderr: Path | None = None) -> Terminal:
        return Terminal(self.line(command, *arguments), self.variables(), stderr=stderr)

    def answered(self, answer: str, *arguments: str, question: str = TYPE) -> Ended:
        with self.terminal("teardown", *arguments) as terminal:
            terminal.wait_for(question)
            terminal.type(answer)
            return terminal.end()

    def requests(self) -> list[str]:
        return (self.story.folder / "requests.jsonl").read_text().splitlines()

    def writes(self) -> int:
        return sum(not json.loads(line)["operation"].startswith(READS) for line in self.requests())

    def projects(self) -> list[str]:
        client = self.story.engineer.client("sagemaker")
        return [one["ProjectName"] for one in client.list_projects()["ProjectSummaryList"]]


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    folder = tmp_path_factory.mktemp("asking")
    with embedded_aws(folder) as cloud:
        story = Story(cloud, folder)
        play(story, until="project")
        until(lambda: not cloud.busy)  # the notifier has seen the first execution
        yield Kit(cloud, story)
    assert not cloud.faults, cloud.faults[0].traceback


def alone(kit: Kit, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """A command without a terminal. given: what is in the pipe of its input, None for none at all"""
    stdin = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    return subprocess.run(
        kit.line(*arguments), env=kit.variables(), cwd=ROOT, capture_output=True, text=True, timeout=240, **stdin
    )


# -- no person can be asked -----------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, f"{PROJECT}\n{PROJECT}\n", "y\nyes\n"], ids=["nothing", "its name", "yes"])
@pytest.mark.parametrize(
    "line",
    [
        ("teardown", "--project", PROJECT),
        ("teardown", "--project", PROJECT, "--empty-buckets", "--model-group", "--logs"),
        ("teardown", "--everything"),
        ("teardown", "--everything", "--empty-buckets"),
        ("rollback", "--project", PROJECT, "--stage", "prod"),
        ("rollback", "--project", PROJECT, "--stage", "prod", "--version", "1"),
    ],
    ids=lambda line: " ".join(line),
)
def test_without_a_terminal_nothing_is_asked_of_aws_either(kit: Kit, line: tuple[str, ...], given: str | None) -> None:
    before = len(kit.requests())
    done = alone(kit, *line, given=given)
    assert done.returncode == 2
    assert NO_WAY in done.stderr
    assert "Look at the plan with --dry-run, then add --yes" in done.stderr
    assert done.stdout == ""
    assert len(kit.requests()) == before


def test_an_input_that_is_closed_is_no_terminal(kit: Kit) -> None:
    line = kit.line("teardown", "--project", PROJECT)
    shell = ["sh", "-c", '"$@" <&-', "sh", *line]
    done = subprocess.run(shell, env=kit.variables(), cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 2
    assert NO_WAY in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        ("teardown", "--project", PROJECT, "--dry-run"),
        ("teardown", "--everything", "--empty-buckets", "--dry-run"),
        ("teardown", "--orphans"),
    ],
    ids=lambda line: " ".join(line),
)
def test_what_changes_nothing_asks_nothing(kit: Kit, line: tuple[str, ...]) -> None:
    before = kit.writes()
    done = alone(kit, *line)
    assert done.returncode == 0, done.stderr
    assert "Type the" not in done.stderr
    assert kit.writes() == before


# -- a person is asked -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    ["\n", "y\n", "yes\n", "iris\n", "IRIS-MULTI-01\n", f"{PROJECT} x\n", f"{INSTALLATION}\n", "\x04"],
    ids=["nothing", "y", "yes", "a part", "capitals", "more", "the installation", "Ctrl-D"],
)
def test_anything_but_the_projects_name_changes_nothing(kit: Kit, answer: str) -> None:
    before = kit.writes()
    ended = kit.answered(answer, "--project", PROJECT)
    assert ended.code == 1
    assert f"error: what was typed is not {PROJECT}. Nothing was changed" in ended.seen
    assert "- delete project" in ended.seen[: ended.seen.index(TYPE)], "the plan comes before the question"
    assert "This deletes all that the plan shows with a hyphen. It cannot be undone." in ended.seen
    assert kit.writes() == before
    assert kit.projects() == [PROJECT]


def test_ctrl_c_at_the_question_changes_nothing(kit: Kit) -> None:
    before = kit.writes()
    ended = kit.answered("\x03", "--project", PROJECT)
    assert ended.code == console.INTERRUPTED
    assert kit.writes() == before


def test_what_was_typed_before_the_question_is_no_answer(kit: Kit) -> None:
    before = kit.writes()
    with kit.terminal("teardown", "--project", PROJECT) as terminal:
        terminal.type(f"{PROJECT}\n" * 3)
        terminal.wait_for(TYPE)
        terminal.type("\n")
        assert terminal.end().code == 1
    assert kit.writes() == before


def test_of_everything_the_installations_name_is_asked_with_its_account(kit: Kit) -> None:
    before = kit.writes()
    question = f"Type the installation's name ({INSTALLATION}) to go on: "
    ended = kit.answered(f"{PROJECT}\n", "--everything", question=question)
    assert (ended.code, kit.writes()) == (1, before)
    assert f"what was typed is not {INSTALLATION}" in ended.seen


def test_the_question_says_what_becomes_of_the_buckets(kit: Kit) -> None:
    ended = kit.answered("\n", "--project", PROJECT, "--empty-buckets")
    assert ended.code == 1
    assert "and every object and version in the buckets with the keys of the models. It cannot" in ended.seen


def test_the_question_is_seen_where_the_progress_goes_to_a_file(kit: Kit, tmp_path: Path) -> None:
    with kit.terminal("teardown", "--project", PROJECT, stderr=tmp_path / "log") as terminal:
        terminal.wait_for(TYPE)
        terminal.type("\n")
        assert terminal.end().code == 1
    assert "It cannot be undone." in (tmp_path / "log").read_text()


def test_the_question_reaches_a_person_through_make(kit: Kit, tmp_path: Path) -> None:
    """The recipe as the Makefile has it, without what would make an environment first."""
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = rules[rules.index("teardown: $(READY)") :].split("\n\n")[0].replace(" $(READY)", "")
    (tmp_path / "Makefile").write_text(f"RUN = {sys.executable} -m\nGIVEN = $(ARGS)\n{recipe}\n")
    line = ["make", "--file", str(tmp_path / "Makefile"), "teardown", f"PROJECT={PROJECT}"]
    line += [f"ARGS=--environment '{kit.story.environment_path}'"]
    before = kit.writes()
    with Terminal(line, kit.variables()) as terminal:
        terminal.wait_for(TYPE)
        terminal.type("no\n")
        assert terminal.end().code == 2  # make's own, for a recipe that failed
    assert kit.writes() == before


# -- and goes on -------------------------------------------------------------------------------


def test_the_name_takes_the_project_down(kit: Kit) -> None:
    before = kit.writes()
    ended = kit.answered(f"  {PROJECT} \n", "--project", PROJECT, "--json")
    assert ended.code == 0, ended.seen
    assert f"{PROJECT} is taken down" in ended.seen
    assert '"applied": true' in ended.out
    assert kit.projects() == []
    assert kit.writes() > before, "so that the tests above would see a write"


def test_with_nothing_to_delete_nothing_is_asked(kit: Kit) -> None:
    with kit.terminal("teardown", "--project", "never-there") as terminal:
        ended = terminal.end()
    assert ended.code == 0, ended.seen
    assert "Type the" not in ended.seen


def test_yes_takes_everything_down_without_a_terminal(kit: Kit) -> None:
    done = alone(kit, "teardown", "--everything", "--model-group", "--empty-buckets", "--logs", "--yes")
    assert done.returncode == 0, done.stderr
    assert "Type the" not in done.stderr
    assert "everything is taken down" in done.stderr


# -- the functions -----------------------------------------------------------------------------


def test_a_terminal_that_cannot_be_opened_again_has_the_question_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("x\n"))
    assert asking.answer("What? ") == "x"
    assert capsys.readouterr().err == "What? "


def test_an_answer_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("x" * 10_000_000))
    assert len(asking.answer("What? ")) == asking.LONGEST


@pytest.mark.parametrize("command", [teardown, rollback])
def test_the_help_says_when_a_name_is_asked_for(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])  # type: ignore[attr-defined]  # both have it
    said = " ".join(textwrap.dedent(capsys.readouterr().out).split())
    assert "you type the project's name on the terminal" in said
    assert "without a terminal, nothing is done without --yes" in said
    assert "without asking; needed where there is no terminal to ask on" in said
