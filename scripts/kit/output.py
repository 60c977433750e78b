"""Writes into folders and files that a person may own: never over what the kit did not make.

A folder is written to where it is absent, empty, or carries the kit's marker: a file that lists what each command wrote
there, with the SHA-256 of its content. Only what the marker lists for a command, and still holds that content, is
removed or overwritten by it; all else in the folder stays.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from awslang.bounded import read_start
from scripts.kit import marker
from scripts.kit.console import UsageError, near, say
from scripts.kit.marker import FOLDER, MARKER, Marker, Prints, beneath, print_of

ASIDE = "put-aside"
UNKNOWN: frozenset[str] = frozenset()  # the prints of what an older version left: it is put aside and never removed
LEFT_BY_A_VIEWER = {".DS_Store"}  # macOS puts it into every folder that is looked at
ANY = re.compile(r".+", re.DOTALL)


def nothing(_: Path) -> Prints:
    """What an older version, which wrote no marker, left in the folder: nothing."""
    return {}


@dataclass(frozen=True)
class Output:
    """A folder that a command writes into.

    option: as the user typed it, for messages; command: whose files these are, in the marker
    beside: names that other commands of the kit put here, which alone do not make the folder a stranger's
    older: the paths that a version without this marker left in the folder, {} where it is not recognized
    kinds: the names that this command can have written, whatever a marker says
    """

    folder: Path
    command: str
    option: str = "--output"
    beside: Collection[str] = ()
    older: Callable[[Path], Prints] = nothing
    kinds: re.Pattern[str] = ANY

    # -- files that are written at once ------------------------------------------------------------

    def check(self, names: Iterable[str]) -> Prints:
        """The files that this command wrote before. UsageError where the names cannot be written; writes nothing."""
        own = self._own(self.open())
        for name in own:
            if not self.kinds.fullmatch(name):
                raise self._listed(name, "which this command does not write")
        for name in {*names, *own}:
            self._check_name(name, own)
        return own

    def replace(self, files: Mapping[str, bytes]) -> None:
        """Write the files (path to content, in this order) in the place of those that this command wrote before.

        Interrupted anywhere, it can be run again: each file is put in its place in one step, and the marker lists what
        it will hold before it is there.
        """
        own = self.check(files)
        new = {name: frozenset({hashlib.sha256(content).hexdigest()}) for name, content in files.items()}
        self._put_aside([name for name, prints in own.items() if prints == UNKNOWN])
        known = {name: prints for name, prints in own.items() if prints != UNKNOWN}
        both = {name: known.get(name, frozenset()) | new.get(name, frozenset()) for name in {*known, *new}}
        self._mark(lambda there: marker.with_written(there, self.command, both))
        for name in known:
            self._remove(name)
        for name, content in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            marker.put(self.folder, name, content)
        self._mark(lambda there: marker.with_written(there, self.command, new))

    # -- names that a command writes below for a while ---------------------------------------------

    def open(self) -> Marker:
        """What the folder's marker says. UsageError for a folder that is a stranger's; writes nothing."""
        found = marker.read(self.folder)
        if found is not None:
            return found
        if not self._is_foreign():
            return Marker()
        adopted = self.older(self.folder)
        if not adopted:
            raise UsageError(
                f"{self._place}: the folder is not empty and was not made by the kit. Name a folder that is empty "
                "or does not exist, or move what is in it to another place first"
            )
        return Marker({self.command: adopted})

    def enter(self) -> None:
        """Make the folder, and mark it as the kit's; what is in it stays."""
        there = self.open()
        if marker.read(self.folder) is None:
            marker.write(self.folder, there)

    def begin(self, names: Collection[str]) -> None:
        """Remove what this command wrote before, and have these names (in the folder itself) from now on.

        UsageError, with nothing touched, where anything else is below one of them. What a command that was killed left
        there is put aside: a person's files may be among it.
        """
        known, begun = self.require(names)
        self._put_aside([name for name in begun if os.path.lexists(self.folder / name.rstrip("/"))])
        for path in sorted(known, reverse=True):  # what a folder holds before the folder
            remove = os.rmdir if path.endswith("/") else os.unlink
            remove(self.folder / path)
        self._mark(lambda at: marker.with_begun(at, self.command, names))

    def require(self, names: Collection[str]) -> tuple[list[str], set[str]]:
        """What begin() removes, and what it puts aside. UsageError where anything else is below the names."""
        there = self.open()
        own = self._own(there)
        begun = {name for name in there.begun.get(self.command, ()) if self.kinds.fullmatch(name)}
        begun |= {name for name, prints in own.items() if prints == UNKNOWN and self.kinds.fullmatch(name)}
        known: list[str] = []
        for name in sorted({*names, *begun} - begun):
            for path in beneath(self.folder, name):
                viewed = PurePosixPath(path).name in LEFT_BY_A_VIEWER
                if not viewed and print_of(self.folder / path) not in own.get(path, ()):
                    raise self._in_the_way(path)
                known.append(path)
        return known, begun

    def prints(self, names: Iterable[str]) -> dict[str, frozenset[str]]:
        """What is below the names now."""
        every = (path for name in names for path in beneath(self.folder, name))
        return {path: frozenset({print_of(self.folder / path)}) for path in every}

    def finish(self, names: Iterable[str], noted: Prints | None = None) -> None:
        """Mark what is below the names as written by this command. noted: the files that were finished before"""
        found = {**self.prints(names), **(noted or {})}
        self._mark(lambda there: marker.with_written(there, self.command, found))

    # -- the marker ----------------------------------------------------------------------------

    def _own(self, there: Marker) -> dict[str, frozenset[str]]:
        own = dict(there.written.get(self.command, {}))
        for name in own:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise self._listed(name, "outside of the folder")
        return own

    def _listed(self, name: str, where: str) -> UsageError:
        return UsageError(f"{self._place}: its {MARKER} lists {name!r}, {where}. Name another folder")

    def _mark(self, change: Callable[[Marker], Marker]) -> None:
        marker.write(self.folder, change(marker.read(self.folder) or Marker()))

    # -- what is there -------------------------------------------------------------------------

    @property
    def _place(self) -> str:
        return f"{self.option} {self.folder}"

    def _is_foreign(self) -> bool:
        """Whether the folder holds anything that the kit did not put there."""
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self._place}: this is a file. Name a folder that is empty or does not exist")
        there = {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()
        return bool({name for name in there if not name.startswith(f"{MARKER}.")} - set(self.beside))

    def _check_name(self, name: str, own: Prints) -> None:
        """UsageError where a name leads through a link or a file, or holds what this command did not write."""
        for parent in PurePosixPath(name).parents[:-1]:
            there = self.folder / parent
            if there.is_symlink() or (there.exists() and not there.is_dir()):
                raise self._in_the_way(str(parent))
        there = self.folder / name
        if not os.path.lexists(there):
            return
        written = own.get(name)
        found = print_of(there)
        if written is None or found == FOLDER or (written != UNKNOWN and found not in written):
            raise self._in_the_way(name)

    def _in_the_way(self, name: str) -> UsageError:
        return UsageError(
            f"{self._place}: {name} is there, and it is not what the kit wrote. Move it to another place, or name "
            "another folder"
        )

    def _put_aside(self, names: Collection[str]) -> None:
        """Move names of the folder into a new folder beside them."""
        there = [name.rstrip("/") for name in sorted(names) if os.path.lexists(self.folder / name.rstrip("/"))]
        if not there:
            return
        number = 1
        while os.path.lexists(aside := self.folder / f"{ASIDE}-{number}"):
            number += 1
        aside.mkdir(mode=0o700)
        for name in there:
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).rename(aside / name)
            self._remove_empty(name)
        say(f"{near(aside)} holds what a run that was cut short, or an older version, left. The kit deletes none of it")

    def _remove(self, name: str) -> None:
        """Remove a file that this command wrote, and the folders that are empty without it."""
        (self.folder / name).unlink(missing_ok=True)
        self._remove_empty(name)

    def _remove_empty(self, name: str) -> None:
        for parent in PurePosixPath(name).parents[:-1]:
            try:
                (self.folder / parent).rmdir()
            except OSError:
                return


def replace_file(path: Path, content: str, option: str) -> None:
    """Write a generated page: a new file, or over one that begins with the same line. UsageError over any other."""
    if os.path.lexists(path) and not begins(path, content.splitlines()[0]):
        raise UsageError(
            f"{option} {path}: the file is there, and the kit did not write it. Name another, or move it first"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    marker.put(path.parent, path.name, content.encode())


def begins(path: Path, first: str) -> bool:
    """Whether there is a regular file, no link, whose first line is this one."""
    wanted = f"{first}\n".encode()
    if path.is_symlink() or not path.is_file():
        return False
    return read_start(path, len(wanted)) == wanted
