"""The folder of a rehearsal: one at a time writes into it, and it holds what the last one left."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UsageError, UserError, near, say
from scripts.kit.output import Output, nothing

DEFAULT = ROOT / "build" / "rehearsal"
LOCK = ".rehearsal.lock"
POLICIES, SUMMARY, REPORT = "policies.json", "summary.json", "report.html"
WRITTEN = (  # all that a rehearsal writes
    LOCK, POLICIES, SUMMARY, REPORT, "requests.jsonl", "environment.yaml", "aws-config", "builds/", "bundle/",
    "checkouts/", "endpoints/", "git/", "lambda/", "repositories/", "template/", "training/",
)  # fmt: skip
AT_ONCE = 20  # rehearsals in one checkout
_held: dict[Path, IO[str]] = {}  # until this process ends, by folder: the operating system then takes the locks back


def former(folder: Path) -> Iterable[str]:
    """What a version without markers wrote, where it alone wrote into the folder."""
    there = {f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir()}
    ours = {name for name in there if name in WRITTEN or name.endswith("-modelbuild/")}
    return ours if there == ours and {"requests.jsonl", "builds/", "template/"} & ours else ()


def marked(folder: Path) -> Output:
    """Its output. A folder without a marker is a former version's only in its default place."""
    return Output(folder, "rehearse", "--folder", older=former if folder == DEFAULT else nothing)


def enter(folder: Path) -> None:
    """Make the folder of a rehearsal, or go into one; UsageError where the kit did not make what is there."""
    if os.pathsep in str(folder):
        raise UsageError(
            f"--folder {folder}: a build's PATH cannot hold a folder with {os.pathsep!r} in its name. Name another"
        )
    marked(folder).enter(WRITTEN)


def claim(wanted: Path, default: Path = DEFAULT) -> Path:
    """The folder to write into, which is this process's from now on.

    wanted: the one that was asked for. Where that is the default and in use, another beside it is taken; where a
    different one is in use, that is a UserError.
    """
    enter(wanted)
    if not (user := lock(wanted)):
        return wanted
    if wanted != default:
        raise UserError(
            f"--folder {wanted}: the rehearsal of {user} is using it. Name another folder, or end that one (Ctrl-C in "
            "its terminal)"
        )
    for folder in beside(wanted):
        enter(folder)
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
    (folder / LOCK).touch(mode=0o600)
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
    return ""


def clear(folder: Path, keep: frozenset[str] = frozenset()) -> None:
    """Delete what an earlier rehearsal left in a folder that this process has claimed, but these names."""
    for name in sorted(marked(folder).check(())):
        known = name in WRITTEN or name.endswith("-modelbuild/")  # a marker may have been forged, or copied with a tree
        if known and name.rstrip("/") not in keep | {LOCK}:
            delete(folder / name)


def empty(folder: Path, keep: frozenset[str]) -> None:
    """Delete everything in a folder that is a rehearsal's own, but these names."""
    for path in list(folder.iterdir()):
        if path.name not in keep:
            delete(path)


def delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
