"""A command writes only into a folder that is absent, empty or the kit's own, and removes only what it wrote there."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scripts import package, release
from scripts.kit import console
from scripts.kit.bundle import pack
from scripts.kit.console import UsageError
from scripts.kit.marker import MARKER, identity
from scripts.kit.output import UNKNOWN, Output
from scripts.kit.publish import by_hand
from scripts.rehearsal import folder as rehearsal_folder
from scripts.rehearsal.notebooks import command
from scripts.rehearsal.notebooks import run as running
from tests.support import NASTY
from tests.support.bundle_tree import make_bundle_tree
from tests.support.publisher import Publisher
from tests.support.strangers import commands, content, forge


@pytest.mark.parametrize("name", commands(Path()))
def test_a_strangers_folder_is_refused_and_untouched(
    publisher: Publisher,
    strangers: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(release, "git", lambda *_, folder: "")
    monkeypatch.setattr(running, "python_of", lambda _: Path())
    before = content(strangers)
    monkeypatch.chdir(strangers)
    for folder in (strangers, Path()):
        assert console.run(partial(commands(publisher.tree)[name], folder)) == 2
        message = capsys.readouterr().err
        assert f"{strangers if 'rehearse' in name or name == 'notebooks' else folder}: the folder is not" in message
        assert "was not made by the kit. Name a folder that is empty or does not exist" in message
        assert content(strangers) == before


@pytest.mark.parametrize("name", ["package", "console_bundle", "rehearse"])
def test_a_strangers_folder_is_refused_behind_one_that_is_absent(
    publisher: Publisher, strangers: Path, name: str
) -> None:
    before = content(strangers)
    with pytest.raises(UsageError, match="was not made by the kit"):
        commands(publisher.tree)[name](strangers / "absent" / "..")
    assert content(strangers) == before


def test_a_link_in_a_rehearsals_folder_is_not_followed(tmp_path: Path) -> None:
    folder, mine = tmp_path / "rehearsal", tmp_path / "environment.yaml"
    rehearsal_folder.enter(folder)
    rehearsal_folder.enter(folder)
    mine.write_text("mine")
    (folder / "environment.yaml").symlink_to(mine)
    with pytest.raises(UsageError, match=r"environment\.yaml is there, and it is not what the kit wrote"):
        rehearsal_folder.claim(folder)
    assert mine.read_text() == "mine"
    assert (folder / "environment.yaml").is_symlink()


def test_a_rehearsal_in_a_folder_that_no_path_or_log_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a build's PATH cannot hold a folder with ':' in its name"):
        rehearsal_folder.enter(tmp_path / "a:b")
    with pytest.raises(UsageError, match="its name is no text in UTF-8"):
        rehearsal_folder.enter(tmp_path / "a\udcff")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("made", ["absent", "empty", "by the command before"])
def test_package_and_console_bundle_write_where_nothing_of_a_stranger_is(
    publisher: Publisher, tmp_path: Path, made: str
) -> None:
    for name in ("package", "console_bundle"):
        folder = tmp_path / name / NASTY
        if made != "absent":
            folder.mkdir(parents=True)
        if made == "by the command before":
            assert commands(publisher.tree)[name](folder) == 0
        assert commands(publisher.tree)[name](folder) == 0
        assert (folder / {"package": pack.MANIFEST, "console_bundle": by_hand.PAGE}[name]).is_file()


def test_only_what_was_written_before_is_removed(tmp_path: Path) -> None:
    output = Output(tmp_path / "out", "test")
    output.replace({"a/old.txt": b"1", "both.txt": b"1"})
    (tmp_path / "out/a/mine.txt").write_text("mine")
    (tmp_path / "out/empty").mkdir()
    output.replace({"both.txt": b"2", "b/new.txt": b"2"})
    there = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*")}
    assert there == {MARKER, "a", "a/mine.txt", "both.txt", "b", "b/new.txt", "empty"}
    assert (tmp_path / "out/both.txt").read_bytes() == b"2"


def test_folders_that_are_empty_without_the_files_go_too(tmp_path: Path) -> None:
    output = Output(tmp_path / "out", "test")
    output.replace({"a/b/old.txt": b"1"})
    output.replace({"new.txt": b"2"})
    assert {p.name for p in (tmp_path / "out").iterdir()} == {MARKER, "new.txt"}


def test_what_another_command_wrote_stays(tmp_path: Path) -> None:
    Output(tmp_path / "out", "one").replace({"one.txt": b"1"})
    Output(tmp_path / "out", "two").replace({"two.txt": b"2"})
    Output(tmp_path / "out", "one").replace({"other.txt": b"1"})
    assert {p.name for p in (tmp_path / "out").iterdir()} == {MARKER, "two.txt", "other.txt"}
    with pytest.raises(UsageError, match=r"two\.txt is there, and it is not what the kit wrote"):
        Output(tmp_path / "out", "one").replace({"two.txt": b"1"})


@pytest.mark.parametrize("kind", ["file", "folder", "link to a file", "link to a folder", "file in place of a folder"])
def test_what_a_person_put_in_the_kits_folder_is_never_overwritten(tmp_path: Path, kind: str) -> None:
    output, folder, mine = Output(tmp_path / "out", "test"), tmp_path / "out", tmp_path / "mine"
    output.replace({"kept.txt": b"1"})
    mine.mkdir()
    (mine / "new.txt").write_text("mine")
    if kind == "file":
        (folder / "a").mkdir()
        (folder / "a/new.txt").write_text("mine")
    elif kind == "folder":
        (folder / "a/new.txt").mkdir(parents=True)
    elif kind == "link to a file":
        (folder / "a").mkdir()
        (folder / "a/new.txt").symlink_to(mine / "new.txt")
    elif kind == "link to a folder":
        (folder / "a").symlink_to(mine)
    else:
        (folder / "a").write_text("mine")
    before = content(folder), content(mine)
    with pytest.raises(UsageError, match=r"a(/new\.txt)? is there, and it is not what the kit wrote\. Move it"):
        output.replace({"a/new.txt": b"2"})
    assert (content(folder), content(mine)) == before


def test_a_file_that_became_a_link_is_refused(tmp_path: Path) -> None:
    output, mine = Output(tmp_path / "out", "test"), tmp_path / "mine.txt"
    output.replace({"a.txt": b"1"})
    mine.write_text("mine")
    (tmp_path / "out/a.txt").unlink()
    (tmp_path / "out/a.txt").symlink_to(mine)
    with pytest.raises(UsageError, match=r"a\.txt is there, and it is not what the kit wrote"):
        output.replace({"a.txt": b"2"})
    assert mine.read_text() == "mine"
    assert (tmp_path / "out/a.txt").is_symlink()


def test_a_folder_of_the_kit_that_became_a_link_is_left_alone(tmp_path: Path) -> None:
    output, mine = Output(tmp_path / "out", "test"), tmp_path / "mine"
    output.replace({"templates/a.yaml": b"1"})
    (tmp_path / "out/templates").rename(mine)
    (tmp_path / "out/templates").symlink_to(mine)
    before = content(mine)
    with pytest.raises(UsageError, match="templates is there, and it is not what the kit wrote"):
        output.replace({"other.txt": b"2"})
    assert content(mine) == before


@pytest.mark.parametrize("name", ["../mine.txt", "a/../../mine.txt", "/etc/passwd"])
def test_a_marker_that_lists_what_is_outside_is_refused(tmp_path: Path, name: str) -> None:
    output = Output(tmp_path / "out", "test")
    output.replace({"a.txt": b"1"})
    (tmp_path / "mine.txt").write_text("mine")
    forge(tmp_path / "out", "test", {"a.txt": b"1", name: b"mine"})
    with pytest.raises(UsageError, match="outside of the folder"):
        output.replace({"a.txt": b"2"})
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "[" * 5000, '{"schema": 2, "folder": "HERE"}', '{"schema": 2, "written": {}, "begun": {}}',
        '{"schema": 1, "folder": "HERE", "written": {"test": ["a.txt"]}, "begun": {}}',
        '{"schema": 2, "folder": "elsewhere", "written": {}, "begun": {}}',
        '{"schema": 2, "folder": "HERE", "written": 3, "begun": {}}',
        '{"schema": 2, "folder": "HERE", "written": {"test": 3}, "begun": {}}',
        '{"schema": 2, "folder": "HERE", "written": {"test": {"a\\u0000": []}}, "begun": {}}',
    ],
)  # fmt: skip
def test_a_broken_marker_makes_no_folder_the_kits_own(tmp_path: Path, text: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARKER).write_text(text.replace("HERE", identity(tmp_path / "out")))
    with pytest.raises(UsageError, match="was not made by the kit"):
        Output(tmp_path / "out", "test").replace({"a.txt": b"1"})


def test_a_whole_marker_makes_a_folder_the_kits_own(tmp_path: Path) -> None:
    """So that the ones above are refused for what is wrong with them."""
    (tmp_path / "out").mkdir()
    whole = {"schema": 2, "folder": identity(tmp_path / "out"), "written": {}, "begun": {}}
    (tmp_path / "out" / MARKER).write_text(json.dumps(whole))
    Output(tmp_path / "out", "test").replace({"a.txt": b"1"})
    assert (tmp_path / "out/a.txt").read_bytes() == b"1"


@pytest.mark.parametrize("fails", range(4))
def test_an_interrupted_command_can_be_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int) -> None:
    """Interrupted at any of its writes: of the marker, of the files, and of the marker again."""
    output, write, count = Output(tmp_path / "out", "test"), io.open, iter(range(100))
    output.replace({"old.txt": b"1"})

    def interrupted(path: Path, mode: str = "r", *arguments: Any, **more: Any) -> Any:
        if "w" in mode and next(count) == fails:
            write(path, "w").close()  # begun
            raise KeyboardInterrupt
        return write(path, mode, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(io, "open", interrupted)
        with pytest.raises(KeyboardInterrupt):
            output.replace({"a.txt": b"2", "b.txt": b"2"})
    output.replace({"a.txt": b"3", "b.txt": b"3"})
    assert {p.name for p in (tmp_path / "out").iterdir()} == {MARKER, "a.txt", "b.txt"}


# -- folders that a version without markers wrote ----------------------------------------------


def test_a_build_folder_of_an_older_version_is_used_again(publisher: Publisher) -> None:
    build = publisher.tree / "build"
    (build / "rehearsal").mkdir()
    (build / "rehearsal/report.html").write_text("an older rehearsal")
    (build / MARKER).unlink()
    (build / "notes.txt").write_text("mine")
    publisher.pack()
    assert (build / "notes.txt").read_text() == "mine"
    assert (build / "rehearsal/report.html").exists()
    assert pack.read_build(build).files


def test_a_build_folder_with_nothing_but_a_rehearsal_is_packed_into(tmp_path: Path) -> None:
    tree = make_bundle_tree(tmp_path / "tree")
    (tree / "build/rehearsal").mkdir(parents=True)
    (tree / "build/rehearsal/report.html").write_text("kept")
    assert package.main(["--root", str(tree)]) == 0
    assert (tree / "build/rehearsal/report.html").read_text() == "kept"


@pytest.mark.parametrize("name", ["console_bundle", "package"])
def test_a_named_folder_that_lost_its_marker_is_refused(publisher: Publisher, tmp_path: Path, name: str) -> None:
    """What another program's manifest or checksums list is not the kit's, even in a folder that the kit filled."""
    command, folder = commands(publisher.tree)[name], tmp_path / "named"
    folder.mkdir()
    (folder / "photo.jpg").write_text("mine")
    (folder / "manifest.json").write_text('{"version": "1", "sha256": "x", "files": {"photo.jpg": {"sha256": "y"}}}')
    (folder / release.SUMS).write_text(f"{'0' * 64}  photo.jpg\n{'0' * 64}  manifest.json\n")
    before = content(folder)
    with pytest.raises(UsageError, match="was not made by the kit"):
        command(folder)
    assert content(folder) == before


def test_a_release_folder_of_an_older_version_is_known_by_its_checksums(tmp_path: Path) -> None:
    (tmp_path / "kit-1.zip").write_bytes(b"zip")
    (tmp_path / release.SUMS).write_text(f"{'0' * 64}  kit-1.zip\n")
    assert release.former(tmp_path).keys() == {"kit-1.zip", release.SUMS}
    assert release.former(tmp_path)["kit-1.zip"] == {"0" * 64}
    (tmp_path / "photo.jpg").write_text("mine")
    assert release.former(tmp_path) == {}


def test_a_rehearsals_folder_of_an_older_version_is_known_by_what_it_holds(tmp_path: Path) -> None:
    for name in ("builds", "bundle", "iris-p-abc-modelbuild"):
        (tmp_path / name).mkdir()
    for name in ("environment.yaml", "requests.jsonl"):
        (tmp_path / name).touch()
    assert rehearsal_folder.former(tmp_path) == dict.fromkeys(
        ["builds/", "bundle/", "environment.yaml", "iris-p-abc-modelbuild/", "requests.jsonl"], UNKNOWN
    )
    (tmp_path / "README.md").touch()
    assert rehearsal_folder.former(tmp_path) == {}


def test_notebooks_of_an_older_version_are_known_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "01-train").mkdir()
    assert command.former(tmp_path, ["01-train/", "02-approve/"]) == {"01-train/": UNKNOWN}
    (tmp_path / "mine").mkdir()
    assert command.former(tmp_path, ["01-train/", "02-approve/"]) == {}
