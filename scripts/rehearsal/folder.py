"""The folder of a rehearsal: one at a time writes into it, and it holds what the last one left."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from scripts.kit.console import UserError, near, say

LOCK = ".rehearsal.lock"
LEFT = {
    "aws-config", "builds", "bundle", "endpoints", "environment.yaml", "git", "lambda", "policies.json", "report.html",
    "repositories", "requests.jsonl", "summary.json", "template", "training",
}  # fmt: skip
CLONE = re.compile(r".+-p-[a-z0-9]+-modelbuild")  # of the training repository, whose name is another each time
AT_ONCE = 20  # rehearsals in one checkout
_held: dict[Path, IO[str]] = {}  # until this process ends, by folder: the operating system then takes the locks back
_ours: set[Path] = set()  # of these the folders in which there was nothing that a rehearsal does not write


def claim(wanted: Path, default: Path) -> Path:
    """The folder to write into, which is this process's from now on.

    wanted: the one that was asked for. Where that is the default and in use, another beside it is taken; where a
    different one is in use, that is a UserError.
    """
    wanted.mkdir(parents=True, exist_ok=True)
    if not (user := lock(wanted)):
        return wanted
    if wanted != default:
        raise UserError(
            f"--folder {wanted}: the rehearsal of {user} is using it. Name another folder, or end that one (Ctrl-C in "
            "its terminal)"
        )
    for folder in beside(wanted):
        folder.mkdir(exist_ok=True)
        if not lock(folder):
            say(f"{near(wanted)} is in use by the rehearsal of {user}; this one writes into {near(folder)}")
            return folder
    raise UserError(f"{AT_ONCE} rehearsals use {near(wanted)} and the folders beside it. Name another with --folder")


def beside(folder: Path) -> Iterator[Path]:
    """The folders that further rehearsals take: rehearsal-2, rehearsal-3, …"""
    yield from (folder.with_name(f"{folder.name}-{number}") for number in range(2, AT_ONCE + 1))


def lock(folder: Path) -> str:
    """Who else writes into the folder (process 4711); "" where it was free, and is this process's from now on."""
    if folder in _held:
        return ""
    made = made_by_rehearsals(folder)
    file = (folder / LOCK).open("a+", encoding="utf-8")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        return file.read().strip() or "another process"
    file.truncate(0)
    file.write(f"process {os.getpid()}\n")
    file.flush()
    _held[folder] = file
    if made:
        _ours.add(folder)
    return ""


def made_by_rehearsals(folder: Path) -> bool:
    """Whether rehearsals alone have written into the folder, which may be empty. Names with a dot do not count."""
    names = {path.name for path in folder.iterdir()}
    shown = {name for name in names if not name.startswith(".")}
    others = {name for name in shown - LEFT if not CLONE.fullmatch(name)}
    return not others and (not shown or LOCK in names or "requests.jsonl" in names)


def clear(folder: Path, keep: frozenset[str] = frozenset()) -> None:
    """Delete what an earlier rehearsal left in a folder that this process has claimed, or below it, but these names."""
    if _ours.isdisjoint({folder, folder.parent}):
        return
    for path in list(folder.iterdir()):
        if (path.name in LEFT or CLONE.fullmatch(path.name)) and path.name not in keep:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
