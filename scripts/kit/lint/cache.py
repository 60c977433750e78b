"""Remembers which checks found nothing, so that `make lint` repeats a slow one only where something has changed.

A check is remembered by one hash over all that decides its answer: every file that it reads, with its path; the code of
the checks; the lock files, and the versions that are really installed; and this Python. Findings are never
remembered: a check that found something is carried out every time.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# What decides the answer of each check: the checks' own code, what it reads templates with, and the tools' versions.
CODE = ("scripts/lint.py", "scripts/kit/lint/*", "awslang/*", "requirements/*.txt")
# Folders in which no check looks: environments (.venv, .venv-lint, …), caches, and what is built.
LEFT_OUT = (".git", ".venv*", "__pycache__", ".hypothesis", ".*_cache", "build")


@dataclass(frozen=True)
class Memory:
    """What was clean in a tree.

    root: the tree; folder: where it is written; environments: where the tools are installed
    home: of the user, in which a tool may find a configuration too
    """

    root: Path
    folder: Path
    environments: Sequence[Path]
    home: Path

    def key(self, reads: Sequence[str]) -> str:
        """The hash of everything that decides a check's answer. reads: patterns of paths (* crosses folders)"""
        digest = hashlib.sha256(sys.version.encode())
        for environment in self.environments:
            digest.update("\n".join(installed(environment)).encode())
        wanted = [*CODE, *reads]
        named = [(name, self.root / name) for name in files(self.root) if matches(name, wanted)]
        at_home = [(f"~/{path.name}", path) for path in entries(self.home) if matches(path.name, reads)]
        for name, path in [*named, *at_home]:
            digest.update(f"\0{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
        return digest.hexdigest()

    def knows(self, name: str, key: str) -> bool:
        """Whether the check found nothing when everything was as it is now."""
        try:
            return (self.folder / name).read_text(encoding="utf-8") == key
        except OSError:
            return False

    def learn(self, name: str, key: str) -> None:
        """Remember that the check found nothing; a folder that cannot be written to remembers nothing."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(key, encoding="utf-8")
        except OSError:
            return


def files(root: Path) -> Iterator[str]:
    """The paths of a tree's files from its root, sorted by folder, without environments, caches and what is built."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not matches(name, LEFT_OUT))
        yield from (Path(folder, name).relative_to(root).as_posix() for name in sorted(names))


def entries(folder: Path) -> list[Path]:
    """The files in a folder; [] where it cannot be listed."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return []


def matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def installed(environment: Path) -> list[str]:
    """The packages of an environment with their versions, as their folders say."""
    return sorted(path.name for path in environment.glob("lib/python*/site-packages/*-info"))
