"""A command writes only into a folder that is absent, empty or the kit's own, and removes only what it wrote there."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import Cloud
from scripts import console_bundle, notebooks, package, rehearse, release, supported
from scripts.kit import console
from scripts.kit.bundle import pack
from scripts.kit.console import UsageError
from scripts.kit.marker import MARKER, identity
from scripts.kit.output import UNKNOWN, Output, replace_file
from scripts.kit.publish import by_hand
from scripts.rehearsal import folder as rehearsal_folder
from scripts.rehearsal.notebooks import command
from scripts.rehearsal.notebooks import run as running
from tests.support import NASTY
from tests.support.bundle_tree import make_bundle_tree
from tests.support.publisher import Publisher

Strangers = dict[str, bytes | str]


@pytest.fixture
def publisher(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    return Publisher(cloud, tmp_path, monkeypatch)


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """A stranger's folder: a checkout with a repository, templates, an environment file and a link."""
    folder = make_bundle_tree(tmp_path / NASTY)
    for name in ("environment.yaml", "requests.jsonl", "policies.json", "manifest.json", "index.html", "SHA256SUMS"):
        (folder / name).write_text(f"my own {name}\n")
    (folder / ".git" / "refs").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "link").symlink_to("README.md")
    (folder / "empty").mkdir()
    return folder


def content(folder: Path) -> Strangers:
    """Every entry below a folder, byte by byte, with its mode and time."""
    found: Strangers = {}
    for path in sorted(folder.rglob("*")):
        name, status = path.relative_to(folder).as_posix(), path.lstat()
        body = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        target = str(path.readlink()) if path.is_symlink() else ""
        found[name] = repr((status.st_mode, status.st_mtime_ns, target)).encode() + body
    return found


def forge(folder: Path, command: str, files: dict[str, bytes], begun: tuple[str, ...] = ()) -> None:
    """A marker as the kit would write it, which says of a stranger's files that the kit wrote them."""
    prints = {name: [hashlib.sha256(body).hexdigest()] for name, body in files.items()}
    made = {"schema": 2, "folder": identity(folder), "written": {command: prints}, "begun": {command: list(begun)}}
    (folder / MARKER).write_text(json.dumps(made))


def commands(tree: Path) -> dict[str, Callable[[Path], int]]:
    """Each command that writes a folder, by its name."""
    line = ["--environment", str(tree.parent / "environment.yaml"), "--bundle", str(tree / "build")]
    template = ["--template", str(tree / pack.PRODUCT), "--trust"]
    return {
        "package": lambda folder: package.main(["--root", str(tree), "--output", str(folder)]),
        "console_bundle": lambda folder: console_bundle.main([*line, "--output", str(folder)]),
        "release": lambda folder: release.main(["--allow-changes", "--output", str(folder)]),
        "rehearse": lambda folder: rehearse.main(["--until", "organization", "--folder", str(folder)]),
        "rehearse --template": lambda folder: rehearse.main([*template, "--folder", str(folder)]),
        "notebooks": lambda folder: notebooks.main(["--folder", str(folder)]),
    }


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


def test_a_rehearsal_in_a_folder_that_no_path_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a build's PATH cannot hold a folder with ':' in its name"):
        rehearsal_folder.enter(tmp_path / "a:b")
    assert not (tmp_path / "a:b").exists()


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
        "", "{", "[]", "[" * 5000, '{"schema": 2, "written": 3}', '{"schema": 2, "written": {"test": 3}}',
        '{"schema": 1, "written": {"test": ["a.txt"]}}',
        '{"schema": 2, "folder": "", "written": {"test": {"a\\u0000": []}}, "begun": {}}',
    ],
)  # fmt: skip
def test_a_broken_marker_makes_no_folder_the_kits_own(tmp_path: Path, text: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARKER).write_text(text)
    with pytest.raises(UsageError, match="was not made by the kit"):
        Output(tmp_path / "out", "test").replace({"a.txt": b"1"})


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


# -- markers that are not to be believed -------------------------------------------------------


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


# -- single files ------------------------------------------------------------------------------


def test_a_page_is_written_over_itself_and_over_no_other_file(tmp_path: Path) -> None:
    page = tmp_path / NASTY / "page.md"
    replace_file(page, "# The title\n\none\n", "--to")
    replace_file(page, "# The title\n\ntwo\n", "--to")
    assert page.read_text() == "# The title\n\ntwo\n"
    page.write_text("my own notes\n")
    with pytest.raises(UsageError, match=r"(?s)--to .*: the file is there, and the kit did not write it"):
        replace_file(page, "# The title\n\nthree\n", "--to")
    assert page.read_text() == "my own notes\n"
    link = tmp_path / "link.md"
    link.symlink_to(page)
    with pytest.raises(UsageError, match="the kit did not write it"):
        replace_file(link, "my own notes\n", "--to")


def test_a_page_is_not_written_through_another_name_of_it(tmp_path: Path) -> None:
    replace_file(tmp_path / "page.md", "# The title\n\none\n", "--to")
    (tmp_path / "mine.md").hardlink_to(tmp_path / "page.md")
    replace_file(tmp_path / "page.md", "# The title\n\ntwo\n", "--to")
    assert (tmp_path / "mine.md").read_text() == "# The title\n\none\n"


def pages(plot: bytes) -> dict[str, bytes]:
    digest = hashlib.sha256(plot).hexdigest()
    return {"notebook-01.md": f"# Made\n\n<!-- notebook-01-plot.png: SHA-256 {digest} -->\n".encode(),
            "notebook-01-plot.png": plot}  # fmt: skip


def test_a_notebooks_copies_are_written_over_themselves(tmp_path: Path) -> None:
    for plot in (b"one", b"two", b"two"):
        names = [path.name for path in command.write_pages(tmp_path, "notebook-01", pages(plot))]
        assert names == ["notebook-01.md", "notebook-01-plot.png"]
        assert (tmp_path / "notebook-01-plot.png").read_bytes() == plot


@pytest.mark.parametrize("left", ["before the page", "before the plot"])
def test_a_notebooks_copies_are_written_again_after_an_interruption(tmp_path: Path, left: str) -> None:
    list(command.write_pages(tmp_path, "notebook-01", pages(b"one")))
    writing = command.write_pages(tmp_path, "notebook-01", pages(b"two"))
    if left == "before the page":
        (tmp_path / "notebook-01-plot.png").unlink()
    else:
        next(writing)
    list(command.write_pages(tmp_path, "notebook-01", pages(b"three")))
    assert (tmp_path / "notebook-01-plot.png").read_bytes() == b"three"


@pytest.mark.parametrize("kind", ["file", "file beside a page", "edited", "link", "link beside a page", "folder"])
def test_a_strangers_picture_is_never_overwritten_by_a_notebooks_plot(tmp_path: Path, kind: str) -> None:
    docs, mine = tmp_path / "docs", tmp_path / "mine.png"
    docs.mkdir()
    mine.write_bytes(b"mine")
    if kind in {"file beside a page", "edited", "link beside a page"}:
        list(command.write_pages(docs, "notebook-01", pages(b"one")))
        (docs / "notebook-01-plot.png").unlink()
    if "link" in kind:
        (docs / "notebook-01-plot.png").symlink_to(mine)
    elif kind == "folder":
        (docs / "notebook-01-plot.png").mkdir()
    else:
        (docs / "notebook-01-plot.png").write_bytes(b"mine")
    before = content(docs)
    with pytest.raises(UsageError, match=r"notebook-01-plot\.png is there, and it is not what the kit wrote"):
        list(command.write_pages(docs, "notebook-01", pages(b"two")))
    assert content(docs) == before
    assert mine.read_bytes() == b"mine"


def test_a_page_of_a_stranger_names_no_plot_of_the_kit(tmp_path: Path) -> None:
    """A page that was written by hand, with the right SHA-256 of a picture beside it."""
    (tmp_path / "notebook-01.md").write_bytes(pages(b"mine")["notebook-01.md"].replace(b"# Made", b"# Mine"))
    (tmp_path / "notebook-01-plot.png").write_bytes(b"mine")
    before = content(tmp_path)
    with pytest.raises(UsageError, match="is not what the kit wrote"):
        list(command.write_pages(tmp_path, "notebook-01", pages(b"two")))
    assert content(tmp_path) == before


def test_the_page_of_what_is_supported_spares_a_strangers_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supported, "page", lambda: "# What the embedded AWS supports\n")
    (tmp_path / "README.md").write_text("mine\n")
    assert console.run(lambda: supported.main(["--to", str(tmp_path / "README.md")])) == 2
    assert (tmp_path / "README.md").read_text() == "mine\n"
    assert "the kit did not write it. Name another" in capsys.readouterr().err
