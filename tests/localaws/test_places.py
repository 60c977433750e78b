"""Every name of AWS's that becomes a path stays below its folder, or is refused with a reason."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Any

import pytest

from localaws import places
from localaws.places import Clash, NoPlace
from tests.support import NASTY


@pytest.mark.parametrize(
    "name", ["a", "a/b/c", NASTY, f"{NASTY}/{NASTY}", "a..b/..c", "...", "~/x", "-rf", "a\\b", "\u00e9" * 127]
)
def test_a_name_that_a_file_can_have_is_its_path(tmp_path: Path, name: str) -> None:
    written = places.write(tmp_path, name, b"x")
    assert written.relative_to(tmp_path).as_posix() == name
    assert written.read_bytes() == b"x"


@pytest.mark.parametrize(("name", "path"), [("/etc/x", "etc/x"), ("//x", "x"), ("a//b", "a/b"), ("./a/./b", "a/b")])
def test_a_name_that_a_file_system_shortens_stays_below_the_folder(tmp_path: Path, name: str, path: str) -> None:
    assert places.write(tmp_path, name, b"x").resolve() == (tmp_path / path).resolve()


@pytest.mark.parametrize("name", ["..", "../x", "a/../x", "a/..", "/../x", "a/../../x", "", "/"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    with pytest.raises(NoPlace, match="the name leads out of its folder"):
        places.write(folder, name, b"x")
    with pytest.raises(NoPlace, match="the name leads out of its folder"):
        places.make(folder, name)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["a", "a/b"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("x" * 256, "file name too long"), (f"{'x' * 256}/a", "file name too long"), ("a\0b", "invalid argument")],
)
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(NoPlace, match=reason):
        places.write(tmp_path, name, b"x")
    with pytest.raises(NoPlace, match=reason):
        places.make(tmp_path, name)


@pytest.mark.parametrize(
    ("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a", "a/b/c"), ("a/b", "a//b"), ("a", "./a")]
)
def test_two_names_that_stand_in_each_others_way_are_refused(tmp_path: Path, first: str, second: str) -> None:
    written = places.write(tmp_path, first, b"first")
    with pytest.raises(Clash):
        places.write(tmp_path, second, b"second")
    assert written.read_bytes() == b"first"


def test_a_folder_in_the_way_of_a_file_is_a_clash_and_a_folder_that_is_there_is_none(tmp_path: Path) -> None:
    places.write(tmp_path, "a", b"x")
    with pytest.raises(Clash):
        places.make(tmp_path, "a/b")
    assert places.make(tmp_path, "b/") == places.make(tmp_path, "b")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_is_no_fault_of_the_name() -> None:
    with pytest.raises(OSError, match="No space left on device"), places.said():
        Path("/dev/full").write_bytes(b"x")


@pytest.mark.parametrize("refused", [False, True])
def test_a_folder_is_made_whether_or_not_its_file_system_can_spread_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    asked: list[int] = []

    def ioctl(descriptor: int, request: int, flags: Any) -> int:
        asked.append(request)
        if refused:
            raise OSError(errno.ENOTTY, "no such request")
        return 0

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    places.spread(tmp_path / "all" / "builds")
    places.spread(tmp_path / "all" / "builds")
    assert (tmp_path / "all" / "builds").is_dir()
    if sys.platform == "linux":
        assert asked == ([places.GET_FLAGS] if refused else [places.GET_FLAGS, places.SET_FLAGS])
