"""Zip files that anybody may have made, read within bounds: none is encrypted, leaves its folder or fills the memory.

What an archive says of the size of its files is checked before anything is unpacked, and zipfile unpacks no more than
that.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

MOST_BYTES = 512_000_000  # unpacked
MOST_ENTRIES = 100_000
SUPPORTED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    UnicodeDecodeError,
    NotImplementedError,
)
ENCRYPTED = 0x1  # the flag of an entry (APPNOTE.TXT, "general purpose bit flag")


class BadArchive(ValueError):
    """The archive cannot be used; the text says why, beginning with "is" or "holds"."""


@contextmanager
def open_zip(content: bytes) -> Iterator[zipfile.ZipFile]:
    """An archive whose entries are all right. BadArchive, also for what turns out while it is read."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (*DAMAGED, OSError, ValueError) as error:
        raise BadArchive("is not a zip file") from error
    with archive:
        check(archive.infolist(), len(content))
        try:
            yield archive
        except BadArchive:
            raise
        except DAMAGED as error:
            raise BadArchive(f"is a zip file that is damaged: {error}") from error


def check(entries: list[zipfile.ZipInfo], length: int) -> None:
    """BadArchive for the first entry that is not right. length: of the archive, in bytes."""
    if len(entries) > MOST_ENTRIES:
        raise BadArchive(f"holds {len(entries):,} files, and at most {MOST_ENTRIES:,} are unpacked")
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0]:
            raise BadArchive(f"holds a file outside of its folder: {entry.filename!r}")
        if not 0 <= entry.header_offset < length:
            raise BadArchive(f"is a zip file that is damaged: {entry.filename!r} is not in it")
        if entry.flag_bits & ENCRYPTED:
            raise BadArchive(f"holds a file that is encrypted: {entry.filename!r}. Make it without a password")
        if entry.compress_type not in SUPPORTED:
            raise BadArchive(f"holds a file with a compression that is not supported: {entry.filename!r}")
    if (size := sum(entry.file_size for entry in entries)) > MOST_BYTES:
        raise BadArchive(f"holds {size:,} bytes, and at most {MOST_BYTES:,} are unpacked")


def read_zip(content: bytes) -> dict[str, bytes]:
    """The files of an archive by their path. BadArchive says what is wrong with it."""
    with open_zip(content) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
