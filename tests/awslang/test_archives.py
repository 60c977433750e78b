"""Zip files that anybody may have made."""

from __future__ import annotations

import io
import zipfile

import pytest

from awslang.archives import BadArchive, open_zip, read_zip
from tests.support.zips import zip_of


def damaged() -> bytes:
    """A zip whose file's content is another than its checksum says."""
    content = bytearray(zip_of({"a.txt": "hello"}))
    content[content.index(b"hello")] ^= 1
    return bytes(content)


def bomb() -> bytes:
    """A zip of a few kilobytes that says it holds 2 GB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(str(number), b"\0" * 1000)
    content = bytearray(buffer.getvalue())
    start = 0
    for _ in range(2):
        start = content.index(b"PK\x01\x02", start + 1)
        content[start + 24 : start + 28] = (1_000_000_000).to_bytes(4, "little")
    return bytes(content)


def test_the_files_are_read_and_folders_are_not() -> None:
    assert read_zip(zip_of({"a/": "", "a/b.txt": "x", "..c": "y"})) == {"a/b.txt": b"x", "..c": b"y"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a zip file"),
        (b"PK\x05\x06", "is not a zip file"),
        (damaged(), "is a zip file that is damaged: Bad CRC-32"),
        (bomb(), "holds 2,000,000,000 bytes, and at most 512,000,000 are unpacked"),
        (zip_of({"../a": "x"}), "holds a file outside of its folder: '../a'"),
        (zip_of({"a/../../b": "x"}), "holds a file outside of its folder"),
        (zip_of({"/a": "x"}), "holds a file outside of its folder: '/a'"),
        (zip_of({"..\\a": "x"}), "holds a file outside of its folder"),
        (zip_of({"C:\\a": "x"}), "holds a file outside of its folder"),
    ],
)
def test_an_archive_that_cannot_be_used_is_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(BadArchive) as caught:
        read_zip(content)
    assert str(caught.value).startswith(message)


def test_what_the_caller_raises_is_not_taken_for_the_archives() -> None:
    with pytest.raises(KeyError), open_zip(zip_of({"a": "x"})):
        raise KeyError("mine")
