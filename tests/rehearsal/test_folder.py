"""A rehearsal's folder is used by one rehearsal at a time, and does not grow with each of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts import rehearse
from scripts.kit.console import UsageError, UserError
from scripts.kit.output import MARKER
from scripts.rehearsal import folder
from scripts.rehearsal.folder import LOCK, claim
from tests.support import ROOT

HOLD = "import sys; from pathlib import Path; from scripts.rehearsal.folder import claim; p = Path(sys.argv[1])\n"
HOLD += "claim(p, p); print(flush=True); sys.stdin.read()"
Start = Callable[[Path], int]


@pytest.fixture
def another() -> Iterator[Start]:
    """Starts a process that claims a folder; its number."""
    running: list[subprocess.Popen[str]] = []

    def start(wanted: Path) -> int:
        line = [sys.executable, "-c", HOLD, str(wanted)]
        process = subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process.pid

    yield start
    for process in running:
        process.communicate("")


def test_a_second_rehearsal_gets_a_folder_of_its_own(
    tmp_path: Path, another: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = tmp_path / "build" / "rehearsal"
    first = another(wanted)
    (wanted / "report.html").write_text("kept")
    (wanted / "builds").mkdir()
    assert claim(wanted, wanted) == tmp_path / "build" / "rehearsal-2"
    said = capsys.readouterr().err
    assert f"is in use by the rehearsal of process {first}; this one writes into" in said
    another(wanted)
    assert (tmp_path / "build" / "rehearsal-3" / LOCK).exists()
    folder.clear(tmp_path / "build" / "rehearsal-2")
    assert (wanted / "report.html").read_text() == "kept"
    assert (wanted / "builds").is_dir()


def test_a_folder_that_was_named_and_is_in_use_is_refused(
    tmp_path: Path, another: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = tmp_path / "mine"
    first = another(wanted)
    (wanted / "summary.json").write_text("kept")
    with pytest.raises(UserError, match=f"the rehearsal of process {first} is using it. Name another folder, or end"):
        rehearse.main(["--folder", str(wanted), "--until", "organization"])
    assert (wanted / "summary.json").read_text() == "kept"


def test_a_folder_is_free_again_once_its_process_was_killed(tmp_path: Path) -> None:
    line = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert folder.lock(tmp_path) == f"process {process.pid}"
        process.kill()
        process.wait()
    assert folder.lock(tmp_path) == ""


def test_a_folder_does_not_grow_with_each_rehearsal(tmp_path: Path) -> None:
    wanted = tmp_path / "rehearsal"

    def left() -> set[str]:
        return {path.relative_to(wanted).as_posix() for path in wanted.rglob("*")}

    assert rehearse.main(["--folder", str(wanted), "--until", "organization"]) == 0
    once = left()
    assert {"summary.json", "report.html", "requests.jsonl", LOCK} <= once
    for name in ("builds/a:1/log", "checkouts/iris/train.py", "git/x", "training/y"):
        (wanted / name).parent.mkdir(parents=True, exist_ok=True)
        (wanted / name).touch()
    (wanted / "notes.md").write_text("a person's")
    assert rehearse.main(["--folder", str(wanted), "--until", "organization"]) == 0
    assert left() == {*once, "notes.md"}


@pytest.mark.parametrize(
    "names",
    [(), ("requests.jsonl", "builds/", "iris-p-0123456789ab-modelbuild/"), (LOCK, "builds/", "report.html")],
    ids=["empty", "without a lock", "with a lock"],
)
def test_what_an_older_version_left_in_the_default_folder_is_deleted(
    tmp_path: Path, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "DEFAULT", tmp_path)
    make(tmp_path, names)
    claim(tmp_path, tmp_path)
    folder.clear(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {LOCK, MARKER}


@pytest.mark.parametrize("names", [("builds/", "src/"), ("requests.jsonl", "notes.md"), ("report.html",)])
def test_a_folder_with_anything_else_in_it_is_left_as_it_is(tmp_path: Path, names: tuple[str, ...]) -> None:
    make(tmp_path, names)
    with pytest.raises(UsageError, match="was not made by the kit"):
        claim(tmp_path, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {name.rstrip("/") for name in names}


def test_a_named_folder_with_builds_of_a_strangers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "builds").mkdir()
    (tmp_path / "builds/mine.txt").write_text("precious")
    with pytest.raises(UsageError, match="was not made by the kit"):
        claim(tmp_path)
    assert (tmp_path / "builds/mine.txt").read_text() == "precious"


def test_a_forged_marker_deletes_nothing_that_a_rehearsal_does_not_write(tmp_path: Path) -> None:
    make(tmp_path, ("src/", ".git/"))
    (tmp_path / MARKER).write_text(json.dumps({"written": {"rehearse": ["src/", ".git/"]}}))
    claim(tmp_path)
    folder.clear(tmp_path)
    assert {"src", ".git"} <= {path.name for path in tmp_path.iterdir()}


def make(where: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if name.endswith("/"):
            (where / name).mkdir()
        else:
            (where / name).touch()


def test_a_rehearsal_of_a_template_leaves_what_the_story_left(tmp_path: Path) -> None:
    claim(tmp_path, tmp_path)
    for name in ("template/builds/x", "template/report.json", "template/requests.jsonl", "policies.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    folder.empty(tmp_path / "template", keep=frozenset({"requests.jsonl"}))
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == {
        LOCK, MARKER, "policies.json", "template", "template/requests.jsonl",
    }  # fmt: skip
