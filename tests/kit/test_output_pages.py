"""A page, and the plots beside it, are written over themselves and over no other file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from scripts import supported
from scripts.kit import console
from scripts.kit.console import UsageError
from scripts.kit.output import replace_file
from scripts.rehearsal.notebooks import command
from tests.support import NASTY
from tests.support.strangers import content


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
