"""What a rehearsal writes belongs to its user alone: folders 0700, files 0600, from the moment they are there.

Credentials of every account of the rehearsal are in it, and to have them is to run commands as its user: a build
runs with the user's rights. A folder that its user made keeps its mode.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UMASK = 0o077
OTHERS_WRITE = 0o022  # the group, and everybody


class NotPrivate(PermissionError):
    """A folder in which what is written would not be its user's alone."""


def make_folder(path: Path) -> None:
    """A folder that is closed to others. One that is there stays as it is: what is made in it is closed.

    NotPrivate where others could put their own in the place of what is made in it.
    """
    try:
        with closed_to_others():
            path.mkdir(parents=True)
    except FileExistsError:
        status = path.stat()
        if status.st_uid != os.geteuid():
            raise NotPrivate(f"{path} belongs to another user") from None
        if status.st_mode & OTHERS_WRITE:
            raise NotPrivate(f"other users may write into {path} (chmod go-w changes that)") from None
        return
    path.chmod(0o700)  # a umask may take even more away


def make_file(path: Path) -> int:
    """The descriptor of a new file in the place of the one that is there, which others may have open."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    os.fchmod(descriptor, 0o600)  # a umask may take even more away
    return descriptor


def write(path: Path, text: str) -> None:
    with os.fdopen(make_file(path), "w", encoding="utf-8") as file:
        file.write(text)


@contextmanager
def closed_to_others() -> Iterator[None]:
    """Whatever this process and its children create meanwhile is closed to others, whatever the umask was."""
    before = os.umask(UMASK)
    try:
        yield
    finally:
        os.umask(before)


def make_program(path: Path, content: bytes) -> None:
    """A file that can be run, written by a process of its own.

    Written here, another thread's fork could hold it open for writing for a moment, and the kernel refuses to run a
    file that is (execve(2), ETXTBSY: "Text file busy").
    """
    write = ["/bin/sh", "-c", 'umask 077 && cat > "$1" && chmod 700 "$1"', "sh", os.fspath(path)]
    subprocess.run(write, input=content, check=True, env={"PATH": "/usr/bin:/bin"})
