"""The folder of a rehearsal: one at a time writes into it, and it holds what the last one left."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from localaws import private
from scripts.kit.console import UsageError, UserError, near, say
from scripts.kit.marker import MARKER, Prints
from scripts.kit.output import UNKNOWN, Output, nothing
from scripts.rehearsal.names import (
    CHANGES,
    DEFAULT,
    ENVIRONMENT,
    LOCK,
    POLICIES,
    PROFILES,
    REPORT,
    SUMMARY,
    VARIABLES,
)

FINISHED = (
    POLICIES,
    SUMMARY,
    REPORT,
    ENVIRONMENT,
    PROFILES,
    VARIABLES,
    CHANGES,
)  # no more is written to them while a rehearsal is kept
STORY = (  # all that a story writes
    *FINISHED, "requests.jsonl", "mail.jsonl", "builds/", "bundle/", "checkouts/", "endpoints/", "git/", "images/",
    "lambda/", "processing/", "repositories/", "training/",
)  # fmt: skip
ACCEPTANCE = (SUMMARY, REPORT, "checkouts/")  # what an acceptance writes
TEMPLATE = ("template/",)  # what a rehearsal of another team's template writes
KINDS = re.compile("|".join([*map(re.escape, (*STORY, *TEMPLATE)), r"[^/]+-modelbuild/"]))
OURS = re.compile(r"(process [0-9]+\n)?")  # what the lock holds
AT_ONCE = 20  # rehearsals in one checkout
_held: dict[Path, IO[str]] = {}  # until this process ends, by folder: the operating system then takes the locks back


def former(folder: Path) -> Prints:
    """What a version without this marker wrote, where it alone wrote into the folder; it is put aside."""
    there = {f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir()} - {MARKER, LOCK}
    ours = {name for name in there if KINDS.fullmatch(name)}
    known = {"requests.jsonl", "builds/", "template/"} & ours
    return dict.fromkeys(ours, UNKNOWN) if there == ours and known else {}


def marked(folder: Path, names: tuple[str, ...] = STORY) -> Output:
    """Its output. A folder without a marker is a former version's only in its default place."""
    command = {STORY: "rehearse", ACCEPTANCE: "acceptance"}.get(names, "rehearse --template")
    older = former if folder == DEFAULT and names == STORY else nothing
    return Output(folder, command, "--folder", older=older, kinds=KINDS)


def enter(folder: Path, names: tuple[str, ...] = STORY) -> None:
    """Make the folder of a rehearsal, or go into one; UsageError where the kit did not make what is there."""
    if os.pathsep in str(folder):
        raise UsageError(
            f"--folder {folder}: a build's PATH cannot hold a folder with {os.pathsep!r} in its name. Name another"
        )
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"--folder {folder}: its name is no text in UTF-8, as the logs of builds are. Name another"
        ) from None
    output, unused = marked(folder, names), not os.path.lexists(folder / LOCK)
    output.open()
    if unused:
        output.require(names)  # before anything is made in it
    try:
        private.make_folder(folder)
    except private.NotPrivate as error:
        raise UsageError(f"--folder {folder}: {error}. Name a folder that does not exist") from error
    if not unused and not is_ours(folder / LOCK):
        raise UsageError(f"--folder {folder}: {LOCK} is there, and the kit did not write it. Name another folder")
    output.enter()


def is_ours(path: Path) -> bool:
    """Whether this is a lock of the kit."""
    status = path.lstat()
    small = stat.S_ISREG(status.st_mode) and status.st_size < 100
    return small and OURS.fullmatch(path.read_text("utf-8", "replace")) is not None


def claim(wanted: Path, default: Path = DEFAULT, names: tuple[str, ...] = STORY) -> Path:
    """The folder to write into, which is this process's from now on, without what the last rehearsal left in it.

    wanted: the one that was asked for. Where that is the default and in use, another beside it is taken; where a
    different one is in use, that is a UserError. names: what will be written; UsageError where anything else is there
    """
    folder = _free(wanted, default, names)
    marked(folder, names).begin(names)
    return folder


def _free(wanted: Path, default: Path, names: tuple[str, ...]) -> Path:
    enter(wanted, names)
    if not (user := lock(wanted)):
        return wanted
    if wanted != default:
        raise UserError(
            f"--folder {wanted}: the rehearsal of {user} is using it. Name another folder, or end that one (Ctrl-C in "
            "its terminal)"
        )
    for folder in beside(wanted):
        enter(folder, names)
        if not lock(folder):
            say(f"{near(wanted)} is in use by the rehearsal of {user}; this one writes into {near(folder)}")
            return folder
    raise UserError(f"{AT_ONCE} rehearsals use {near(wanted)} and the folders beside it. Name another with --folder")


class Claimed:
    """A folder that was claimed, while it is written to: at the end, what is there is marked as a rehearsal's."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        self.output, self.names, self.noted = marked(folder, names), names, dict[str, frozenset[str]]()

    def keep(self) -> None:
        """What is finished now is marked as it is now: whatever a person makes of it while it is kept stays theirs."""
        self.noted = self.output.prints(FINISHED)


@contextmanager
def claimed(folder: Path, names: tuple[str, ...] = STORY) -> Iterator[Claimed]:
    """To write into a folder that was claimed. Killed meanwhile, the next rehearsal puts aside what is there."""
    found = Claimed(folder, names)
    try:
        yield found
    finally:
        found.output.finish(names, found.noted)


def beside(folder: Path) -> Iterator[Path]:
    """The folders that further rehearsals take: rehearsal-2, rehearsal-3, …"""
    yield from (folder.with_name(f"{folder.name}-{number}") for number in range(2, AT_ONCE + 1))


def lock(folder: Path) -> str:
    """Who else writes into the folder (process 4711); "" where it was free, and is this process's from now on."""
    if folder in _held:
        return ""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    file = os.fdopen(descriptor, "a+", encoding="utf-8")
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
