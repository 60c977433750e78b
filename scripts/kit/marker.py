"""The kit's marker in a folder that it writes into: which files each command wrote there, and with what content.

A file is the kit's only as long as it holds what the kit wrote: a name alone may be taken by a person's file, and a
marker may be forged, or copied with a tree.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from awslang.bounded import check_depth, open_file, read_file

MARKER = ".multi-account-deployment.json"
SCHEMA = 2  # of the marker; the first one named files without their content
LARGEST = 50_000_000  # bytes of a marker
FOLDER = "folder"  # the print of a folder, which counts without what is in it
PIECE = 1 << 20  # bytes

Prints = Mapping[str, frozenset[str]]  # by path; that of a folder ends with a slash


@dataclass(frozen=True)
class Marker:
    """written: what each command wrote; begun: the names that a command may be writing, or was as it was killed."""

    written: Mapping[str, Prints] = field(default_factory=dict)
    begun: Mapping[str, frozenset[str]] = field(default_factory=dict)


def print_of(path: Path) -> str:
    """What is at a path: the SHA-256 of a file's content, a link's target, or the kind of anything else."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"link {path.readlink()}"
    if stat.S_ISDIR(status.st_mode):
        return FOLDER
    if not stat.S_ISREG(status.st_mode):
        return "special"
    found = hashlib.sha256()
    with open_file(path) as file:
        while piece := file.read(PIECE):
            found.update(piece)
    return found.hexdigest()


def beneath(folder: Path, name: str) -> Iterator[str]:
    """A name in a folder, and everything below it; links are not followed. A folder's path ends with a slash."""
    top = folder / name.rstrip("/")
    if not os.path.lexists(top):
        return
    if top.is_symlink() or not top.is_dir():
        yield name.rstrip("/")
        return
    for at, folders, files in os.walk(top):
        inside = Path(at).relative_to(folder).as_posix()
        yield f"{inside}/"
        links = [one for one in folders if (Path(at) / one).is_symlink()]
        yield from (f"{inside}/{one}" for one in (*files, *links))


def read(folder: Path) -> Marker | None:
    """The marker of a folder; None where there is none of this schema, for this folder, that can be read.

    One that came with a repository, an archive or a copy says nothing of what is here.
    """
    try:
        content = json.loads(read_file(folder / MARKER, LARGEST))
        check_depth(content)
        if content["schema"] != SCHEMA or content["folder"] != identity(folder):
            return None
        written = {
            str(command): {_path(name): frozenset(map(str, prints)) for name, prints in found.items()}
            for command, found in content["written"].items()
        }
        begun = {str(command): frozenset(map(_path, names)) for command, names in content["begun"].items()}
        return Marker(written, begun)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _path(name: str) -> str:
    if "\0" in name or not name:
        raise ValueError("no path")
    os.fsencode(name)
    return name


def identity(folder: Path) -> str:
    """What tells this folder from a copy of it. The number of its device may change with a restart."""
    return str(folder.stat().st_ino)


def write(folder: Path, marker: Marker) -> None:
    """Put the marker into the folder, which may be absent, in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "about": "The kit may overwrite and remove what is listed here and holds what the kit wrote (its SHA-256), "
        "and nothing else in this folder",
        "schema": SCHEMA,
        "folder": identity(folder),
        "written": {
            command: {name: sorted(prints) for name, prints in sorted(found.items())}
            for command, found in sorted(marker.written.items())
        },
        "begun": {command: sorted(names) for command, names in sorted(marker.begun.items())},
    }
    put(folder, MARKER, (json.dumps(content, indent=1) + "\n").encode(), 0o600)  # closed to others, as a rehearsal is


def put(folder: Path, name: str, content: bytes, mode: int = 0) -> None:
    """Write a file in one step: it never holds a part of its content, and nothing is written through a link.

    mode: of the file; 0 for what the umask leaves
    """
    descriptor, made = tempfile.mkstemp(prefix=f"{MARKER}.", dir=folder)
    new = Path(made)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode or 0o666 & ~_umask())
            file.write(content)
        new.replace(folder / name)
    except BaseException as error:
        new.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(folder / name)  # a descriptor has no name that a message could say
        raise


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def with_written(marker: Marker, command: str, prints: Prints) -> Marker:
    return Marker({**marker.written, command: prints}, {k: v for k, v in marker.begun.items() if k != command})


def with_begun(marker: Marker, command: str, names: Iterable[str]) -> Marker:
    return Marker(
        {k: v for k, v in marker.written.items() if k != command}, {**marker.begun, command: frozenset(names)}
    )
