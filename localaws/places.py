"""Where what has a name on AWS is kept as a file: an object's key, an archive's entry, a branch, a channel.

S3 takes keys that no file system can hold (Amazon S3 User Guide, "Naming Amazon S3 objects": any UTF-8 of up to 1,024
bytes, with period-only path segments among those to avoid). Every such name becomes a path here and nowhere else.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

GET_FLAGS, SET_FLAGS, TOP_OF_HIERARCHY = 0x80086601, 0x40086602, 0x00020000  # linux/fs.h, on 64 bits
CLASH = (FileExistsError, NotADirectoryError, IsADirectoryError)
REFUSED = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}  # of a name, and of nothing else that is done here


class NoPlace(Exception):  # a reason, not an error of this program
    """No file can have this name; the text says why, in the operating system's words where it was asked."""


class Clash(NoPlace):
    """Another name stands in the way: one is a file, and the other a folder, or they are one on this machine."""


def below(folder: Path, name: str) -> Path:
    """The path of a name below the folder, whatever it holds. A slash at its beginning counts for nothing."""
    parts = [part for part in name.split("/") if part]
    if not parts or ".." in parts:
        raise NoPlace("the name leads out of its folder")
    if "\0" in name:
        raise NoPlace("invalid argument")
    return folder.joinpath(*parts)


def write(folder: Path, name: str, content: bytes) -> Path:
    """A new file of this name below the folder; Clash where there is one, or what is there is in the way."""
    target = below(folder, name)
    with said():
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(content)
    return target


def make(folder: Path, name: str) -> Path:
    """The folder of this name below the folder; Clash where a file is in the way."""
    target = below(folder, name)
    with said():
        target.mkdir(parents=True, exist_ok=True)
    return target


@contextmanager
def said() -> Iterator[None]:
    """NoPlace for what the operating system says of a name; what it says of anything else, a full disk, stays."""
    try:
        yield
    except CLASH as error:
        raise Clash(reason(error)) from error
    except OSError as error:
        if error.errno in REFUSED:
            raise NoPlace(reason(error)) from error
        raise


def reason(error: OSError) -> str:
    """The operating system's words, as Go writes them, in which AWS's agents are written: file name too long."""
    return (error.strerror or str(error)).lower()


def spread(folder: Path) -> None:
    """Make a folder, unless it is there. On ext4, have what is in it far from each other (chattr(1), T).

    Close together, a new file is looked for among the places of all that were deleted a minute ago, one by one.
    """
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform != "linux":
        return
    with suppress(OSError):  # another file system
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            flags = array("l", [0])
            fcntl.ioctl(descriptor, GET_FLAGS, flags)
            flags[0] |= TOP_OF_HIERARCHY
            fcntl.ioctl(descriptor, SET_FLAGS, flags)
        finally:
            os.close(descriptor)
