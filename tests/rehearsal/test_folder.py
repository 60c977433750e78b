"""A rehearsal's folder is used by one rehearsal at a time, and does not grow with each of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts import rehearse
from scripts.kit.console import UsageError, UserError
from scripts.kit.marker import MARKER, identity, print_of
from scripts.kit.output import Output
from scripts.rehearsal import folder
from scripts.rehearsal.folder import STORY, TEMPLATE, claim, claimed
from scripts.rehearsal.names import LOCK
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
    (wanted / "notes.md").write_text("a person's")
    assert rehearse.main(["--folder", str(wanted), "--until", "organization"]) == 0
    assert left() == {*once, "notes.md"}


def test_all_that_the_embedded_aws_writes_into_the_folder_is_cleared_by_the_next_rehearsal() -> None:
    """What is not cleared is there when a rehearsal makes it again: "File exists"."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "localaws").rglob("*.py"))
    written = set(re.findall(r'cloud\.folder / "([a-z.]+)"', sources))
    assert {"builds", "images", "requests.jsonl"} <= written
    assert written - {name.rstrip("/") for name in STORY} == set()


@pytest.mark.parametrize(
    "names",
    [
        ("requests.jsonl", "builds/", "iris-p-0123456789ab-modelbuild/"),
        (LOCK, "builds/", "report.html"),
        (MARKER, LOCK, "builds/", "git/"),
    ],
    ids=["without a lock", "with a lock", "with a marker of names alone"],
)
def test_what_an_older_version_left_in_the_default_folder_is_put_aside(
    tmp_path: Path, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It wrote down no contents, so a person's files may be among it."""
    monkeypatch.setattr(folder, "DEFAULT", tmp_path)
    make(tmp_path, names)
    (tmp_path / "builds/mine.txt").write_text("mine")
    claim(tmp_path, tmp_path)
    left = {name.rstrip("/") for name in names} - {LOCK, MARKER}
    assert {path.name for path in tmp_path.iterdir()} == {LOCK, MARKER, "put-aside-1"}
    assert {path.name for path in (tmp_path / "put-aside-1").iterdir()} == left
    assert (tmp_path / "put-aside-1/builds/mine.txt").read_text() == "mine"
    assert "put-aside-1 holds what a run that was cut short, or an older version, left" in capsys.readouterr().err


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


def forge(where: Path, written: tuple[str, ...] = (), begun: tuple[str, ...] = (), copied: bool = False) -> None:
    """A marker that says of what is there that a rehearsal wrote it, or was writing below these names."""
    at = "1" if copied else identity(where)
    prints = {path: sorted(one) for path, one in Output(where, "rehearse").prints(written).items()}
    made = {"schema": 2, "folder": at, "written": {"rehearse": prints}, "begun": {"rehearse": list(begun)}}
    (where / MARKER).write_text(json.dumps(made))


def test_a_forged_marker_deletes_nothing_that_a_rehearsal_does_not_write(tmp_path: Path) -> None:
    make(tmp_path, ("src/", ".git/"))
    forge(tmp_path, ("src/", ".git/"), ("src/", ".git/"))
    claim(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"src", ".git", LOCK, MARKER}


def snapshot(where: Path) -> dict[str, object]:
    """Everything below a folder but the lock and the marker: content, link or kind, with mode and time."""
    return {
        path.relative_to(where).as_posix(): (
            path.lstat().st_mode, path.lstat().st_mtime_ns, print_of(path)
        ) for path in where.rglob("*") if path.name not in {LOCK, MARKER}
    }  # fmt: skip


LATER = [  # what a person may put into a folder that a rehearsal used
    "environment.yaml", "aws-config", "policies.json", "requests.jsonl", "report.html", "git/notes.md", "git/empty/",
    "builds/mine/log.txt", "training/data.csv", "checkouts/iris/mine.py", "repositories/x", "bundle/README.md",
]  # fmt: skip


@pytest.mark.parametrize("name", LATER)
def test_a_file_that_a_person_puts_below_a_rehearsals_names_is_refused_and_untouched(tmp_path: Path, name: str) -> None:
    """No rehearsal ever wrote that file: its name alone does not make it the kit's."""
    wanted = tmp_path / "mine"
    with claimed(claim(wanted)):
        (wanted / "git").mkdir()
        (wanted / "git/of-the-kit").write_text("of the kit")
    if name.endswith("/"):
        (wanted / name).mkdir(parents=True)
    else:
        (wanted / name).parent.mkdir(parents=True, exist_ok=True)
        (wanted / name).write_text("mine")
    before = snapshot(wanted)
    with pytest.raises(UsageError, match=f"{name.split('/')[0]}.* is there, and it is not what the kit wrote"):
        rehearse.main(["--folder", str(wanted), "--until", "organization"])
    assert snapshot(wanted) == before


def test_what_a_person_changes_while_a_rehearsal_is_kept_is_theirs(tmp_path: Path) -> None:
    with claimed(claim(tmp_path / "mine")) as ours:
        (tmp_path / "mine/environment.yaml").write_text("of the kit")
        ours.keep()
        (tmp_path / "mine/environment.yaml").write_text("mine")
    with pytest.raises(UsageError, match=r"environment\.yaml is there, and it is not what the kit wrote"):
        claim(tmp_path / "mine")
    assert (tmp_path / "mine/environment.yaml").read_text() == "mine"


def test_a_link_in_a_rehearsals_folder_leads_to_nothing_that_is_removed(tmp_path: Path) -> None:
    theirs, wanted = tmp_path / "theirs", tmp_path / "mine"
    theirs.mkdir()
    (theirs / "file").write_text("theirs")
    with claimed(claim(wanted)):
        (wanted / "git").mkdir()
        (wanted / "git/file").write_text("theirs")
    shutil.rmtree(wanted / "git")
    (wanted / "git").symlink_to(theirs)
    with pytest.raises(UsageError, match="git is there, and it is not what the kit wrote"):
        claim(wanted)
    assert (theirs / "file").read_text() == "theirs"


def test_what_a_killed_rehearsal_left_is_put_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It could not write down what is its own, so a person's files may be among it."""
    wanted = claim(tmp_path / "mine")
    for number in (1, 2):
        (wanted / "git").mkdir()
        (wanted / "git/notes.md").write_text(f"{number}")
        (wanted / "environment.yaml").write_text(f"{number}")
        claim(wanted)
        assert (wanted / f"put-aside-{number}/git/notes.md").read_text() == f"{number}"
        assert (wanted / f"put-aside-{number}/environment.yaml").read_text() == f"{number}"
        assert f"put-aside-{number} holds what a run that was cut short" in capsys.readouterr().err
    assert {path.name for path in wanted.iterdir()} == {LOCK, MARKER, "put-aside-1", "put-aside-2"}


def test_a_marker_that_came_with_a_copy_says_nothing_of_what_was_begun(tmp_path: Path) -> None:
    make(tmp_path, ("git/",))
    (tmp_path / "git/notes.md").write_text("mine")
    forge(tmp_path, begun=("git/",), copied=True)
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match="the folder is not empty and was not made by the kit"):
        claim(tmp_path)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("kind", ["a person's", "pipe", "link"])
def test_a_lock_that_the_kit_did_not_write_is_left_alone(tmp_path: Path, kind: str) -> None:
    wanted = tmp_path / "mine"
    folder.enter(wanted)
    (tmp_path / "notes").write_text("")
    if kind == "pipe":
        os.mkfifo(wanted / LOCK)
    elif kind == "link":
        (wanted / LOCK).symlink_to(tmp_path / "notes")
    else:
        (wanted / LOCK).write_text("mine")
    with pytest.raises(UsageError, match=r"\.rehearsal\.lock is there, and the kit did not write it"):
        claim(wanted)
    assert (tmp_path / "notes").read_text() == ""


@pytest.mark.parametrize("mode", [0o755, 0o711, 0o700])
def test_a_folder_that_a_person_made_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    wanted = tmp_path / "mine"
    wanted.mkdir()
    wanted.chmod(mode)
    assert rehearse.main(["--folder", str(wanted), "--until", "organization"]) == 0
    assert stat.S_IMODE(wanted.stat().st_mode) == mode
    inside = [path for path in wanted.rglob("*") if not path.is_symlink()]
    assert {path.name for path in inside if path.stat().st_mode & 0o077} == set()


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_folder_into_which_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    wanted = tmp_path / "mine"
    wanted.mkdir()
    wanted.chmod(mode)
    with pytest.raises(UsageError, match=r"other users may write into .* \(chmod go-w changes that\)"):
        rehearse.main(["--folder", str(wanted), "--until", "organization"])
    assert list(wanted.iterdir()) == []
    assert stat.S_IMODE(wanted.stat().st_mode) == mode


def make(where: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if name.endswith("/"):
            (where / name).mkdir()
        else:
            (where / name).touch()


def test_a_rehearsal_of_a_template_leaves_what_the_story_left(tmp_path: Path) -> None:
    with claimed(claim(tmp_path, tmp_path)):
        (tmp_path / "policies.json").touch()
    for _ in range(2):
        with claimed(claim(tmp_path, tmp_path, TEMPLATE), TEMPLATE):
            (tmp_path / "template/builds").mkdir(parents=True)
            (tmp_path / "template/builds/x").touch()
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == {
        LOCK, MARKER, "policies.json", "template", "template/builds", "template/builds/x",
    }  # fmt: skip
    claim(tmp_path, tmp_path)
    assert not (tmp_path / "policies.json").exists()
    assert (tmp_path / "template/builds/x").exists()


def test_what_a_file_browser_leaves_stops_no_rehearsal(tmp_path: Path) -> None:
    with claimed(claim(tmp_path / "mine")):
        (tmp_path / "mine/git").mkdir()
    (tmp_path / "mine/git/.DS_Store").write_bytes(b"where its window was")
    claim(tmp_path / "mine")
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {LOCK, MARKER}
