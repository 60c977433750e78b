"""Writes into folders and files that a person may own: never over what the kit did not make.

A folder is written to where it is absent, empty, or carries the kit's marker: a file that lists what each command wrote
there. Only what the marker lists for a command is removed or overwritten by it; all else in the folder stays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scripts.kit.console import UsageError

MARKER = ".multi-account-deployment.json"
SCHEMA = 1  # of the marker


def nothing(_: Path) -> Iterable[str]:
    """What an older version, which wrote no marker, left in the folder: nothing."""
    return ()


@dataclass(frozen=True)
class Output:
    """A folder that a command writes into.

    option: as the user typed it, for messages; command: whose files these are, in the marker
    beside: names that other commands of the kit put here, which alone do not make the folder a stranger's
    older: the paths that a version without markers left in the folder, () where it is not recognized
    """

    folder: Path
    command: str
    option: str = "--output"
    beside: Collection[str] = ()
    older: Callable[[Path], Iterable[str]] = nothing

    def check(self, names: Iterable[str]) -> frozenset[str]:
        """The paths that this command wrote before. UsageError where the names cannot be written; writes nothing.

        A name that ends with a slash is a folder with everything in it.
        """
        listed = self._read()
        if listed is None and self._is_foreign():
            adopted = frozenset(self.older(self.folder))
            if not adopted:
                raise UsageError(
                    f"{self._place}: the folder is not empty and was not made by the kit. Name a folder that is empty "
                    "or does not exist, or move what is in it to another place first"
                )
            listed = {self.command: adopted}
        own = (listed or {}).get(self.command, frozenset())
        for name in {*names, *own}:
            self._check_name(name, own)
        return own

    def enter(self, names: Iterable[str]) -> None:
        """Make the folder, and mark these names in it as this command's."""
        kept = list(names)
        own = self.check(kept)
        for name in kept:
            if (self.folder / name).is_symlink():  # what it leads to would be written over
                raise self._in_the_way(name)
        self._mark({*own, *kept})

    def replace(self, files: Mapping[str, bytes]) -> None:
        """Write the files (path to content, in this order) in the place of those that this command wrote before.

        Interrupted anywhere, it can be run again: the marker lists a file before it is there.
        """
        own = self.check(files)
        self._mark({*own, *files})
        for name in own:
            self._remove(name)
        for name, content in files.items():
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        self._mark(files)

    # -- the marker ----------------------------------------------------------------------------

    def _read(self) -> dict[str, frozenset[str]] | None:
        """What each command wrote, or None without a marker that can be read."""
        try:
            written = json.loads((self.folder / MARKER).read_text(encoding="utf-8"))["written"]
            for names in written.values():
                for name in names:
                    if "\0" in name:
                        return None
                    os.fsencode(name)
            return {str(command): frozenset(map(str, names)) for command, names in written.items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def _mark(self, names: Iterable[str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        written = {command: sorted(found) for command, found in (self._read() or {}).items()}
        content = {
            "about": "The kit may overwrite and remove what is listed here, and nothing else in this folder",
            "schema": SCHEMA,
            "written": {**written, self.command: sorted(names)},
        }
        new = self.folder / f"{MARKER}.new"
        new.unlink(missing_ok=True)  # what an interrupted run left, or a link
        new.touch(mode=0o600)  # closed to others whatever the umask is, as a rehearsal is
        new.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        new.replace(self.folder / MARKER)

    # -- what is there -------------------------------------------------------------------------

    @property
    def _place(self) -> str:
        return f"{self.option} {self.folder}"

    def _is_foreign(self) -> bool:
        """Whether the folder holds anything that the kit did not put there."""
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self._place}: this is a file. Name a folder that is empty or does not exist")
        there = {path.name for path in self.folder.iterdir()} if self.folder.exists() else set()
        return bool(there - {f"{MARKER}.new"} - set(self.beside))

    def _check_name(self, name: str, own: Collection[str]) -> None:
        """UsageError where a name leaves the folder, or is something that this command did not write."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise UsageError(f"{self._place}: its {MARKER} lists {name!r}, outside of the folder. Name another folder")
        for parent in path.parents[:-1]:
            there = self.folder / parent
            if there.is_symlink() or (there.exists() and not there.is_dir()):
                raise self._in_the_way(str(parent))
        there = self.folder / name
        if name.endswith("/"):
            if there.is_symlink() or (there.exists() and (name not in own or not there.is_dir())):
                raise self._in_the_way(name)
        elif os.path.lexists(there) and (name not in own or (there.is_dir() and not there.is_symlink())):
            raise self._in_the_way(name)

    def _in_the_way(self, name: str) -> UsageError:
        return UsageError(
            f"{self._place}: {name} is there, and the kit did not write it. Move it to another place, or name another "
            "folder"
        )

    def _remove(self, name: str) -> None:
        """Remove a file that this command wrote, and the folders that are empty without it."""
        (self.folder / name).unlink(missing_ok=True)
        for parent in PurePosixPath(name).parents[:-1]:
            try:
                (self.folder / parent).rmdir()
            except OSError:
                return


def replace_file(path: Path, content: str, option: str) -> None:
    """Write a generated page: a new file, or over one that begins with the same line. UsageError over any other."""
    first = content.splitlines()[0]
    if os.path.lexists(path):
        begins = path.read_bytes()[: len(first.encode())] if path.is_file() and not path.is_symlink() else b""
        if begins != first.encode():
            raise UsageError(
                f"{option} {path}: the file is there, and the kit did not write it. Name another, or move it first"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
