"""A marker is not believed where a file has another content, or a command cannot have written it."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from scripts import package, release
from scripts.kit import console
from scripts.kit.bundle import pack
from scripts.kit.console import UsageError
from scripts.kit.marker import MARKER
from scripts.kit.output import Output
from scripts.rehearsal.notebooks import run as running
from tests.support.publisher import Publisher
from tests.support.strangers import commands, content, forge


def test_a_file_that_was_changed_after_the_kit_wrote_it_is_its_persons(tmp_path: Path) -> None:
    output = Output(tmp_path / "out", "test")
    output.replace({"a.txt": b"1", "b.txt": b"1"})
    (tmp_path / "out/a.txt").write_bytes(b"edited")
    before = content(tmp_path / "out")
    for files in ({"a.txt": b"2"}, {"c.txt": b"2"}):  # to be overwritten, and to be removed
        with pytest.raises(UsageError, match=r"a\.txt is there, and it is not what the kit wrote"):
            output.replace(files)
    assert content(tmp_path / "out") == before


@pytest.mark.parametrize("name", commands(Path()))
def test_a_forged_marker_makes_nothing_of_a_stranger_the_kits(
    publisher: Publisher,
    strangers: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the names that each command writes, and contents that the forger cannot know."""
    monkeypatch.setattr(release, "git", lambda *_, folder: "")
    monkeypatch.setattr(running, "python_of", lambda _: Path())
    (strangers / "git").mkdir()
    (strangers / "git/notes.md").write_text("mine")
    (strangers / "template").mkdir()
    (strangers / "template/mine.yaml").write_text("mine")
    for path in running.NOTEBOOKS.glob("*.ipynb"):
        (strangers / path.stem).mkdir()
        (strangers / path.stem / "mine.ipynb").write_text("mine")
    said_by = {"console_bundle": "console-bundle"}.get(name, name)
    mine = [*pack.TEMPLATES, "manifest.json", "index.html", "SHA256SUMS", "environment.yaml", "git/notes.md"]
    forge(strangers, said_by, dict.fromkeys(mine, b"what the kit wrote"))
    before = content(strangers)
    assert console.run(partial(commands(publisher.tree)[name], strangers)) == 2
    said = capsys.readouterr().err
    assert "is not what the kit wrote" in said or "which this command does not write" in said
    assert content(strangers) == before


@pytest.mark.parametrize("name", ["package", "console_bundle", "release"])
def test_a_forged_marker_with_the_right_contents_gives_a_command_none_but_its_own_names(
    publisher: Publisher,
    strangers: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(release, "git", lambda *_, folder: "")
    (strangers / "README.md").write_bytes(readme := b"known to everybody")
    forge(strangers, {"console_bundle": "console-bundle"}.get(name, name), {"README.md": readme})
    before = content(strangers)
    assert console.run(partial(commands(publisher.tree)[name], strangers)) == 2
    assert "lists 'README.md', which this command does not write" in capsys.readouterr().err
    assert content(strangers) == before


def test_a_pipe_or_a_device_in_the_place_of_the_marker_is_not_read(tmp_path: Path) -> None:
    for number, target in enumerate(("pipe", "/dev/zero")):
        folder = tmp_path / str(number)
        folder.mkdir()
        os.mkfifo(folder / "pipe")
        (folder / MARKER).symlink_to(target)
        with pytest.raises(UsageError, match="was not made by the kit"):
            Output(folder, "test").replace({"a.txt": b"1"})


def test_a_file_with_another_name_elsewhere_keeps_its_content(tmp_path: Path) -> None:
    """A hard link: to write into the file would change the other one too."""
    output = Output(tmp_path / "out", "test")
    output.replace({"a.txt": b"1"})
    (tmp_path / "mine").hardlink_to(tmp_path / "out/a.txt")
    output.replace({"a.txt": b"2"})
    assert (tmp_path / "mine").read_bytes() == b"1"


@pytest.mark.parametrize("name", ["package", "console_bundle", "rehearse"])
def test_a_marker_that_came_with_a_copy_says_nothing_even_of_the_right_contents(
    publisher: Publisher, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as in a repository that was cloned: its author knew what is in it."""
    command, ours, theirs = commands(publisher.tree)[name], tmp_path / "ours", tmp_path / "theirs"
    assert console.run(partial(command, ours)) == 0
    shutil.copytree(ours, theirs)
    before = content(theirs)
    assert console.run(partial(command, theirs)) == 2
    assert "was not made by the kit" in capsys.readouterr().err
    assert content(theirs) == before
    assert console.run(partial(command, ours)) == 0


def test_a_copied_tree_is_packed_again_by_what_its_manifest_lists(publisher: Publisher, tmp_path: Path) -> None:
    shutil.copytree(publisher.tree, tmp_path / "copy")
    assert console.run(lambda: package.main(["--root", str(tmp_path / "copy")])) == 0
    assert pack.read_build(tmp_path / "copy/build").files
