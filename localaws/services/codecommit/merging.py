"""Merges of two commits, as CodeCommit makes them: by fast-forward, squash or three ways.

CodeCommit User Guide, "Resolve conflicts in a pull request"; API Reference, MergePullRequestByThreeWay
(conflictDetailLevel, conflictResolutionStrategy): FILE_LEVEL, the default, merges no file that differs on both sides.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from localaws.services.codecommit.git import File, Repository

ACCEPTED = {"ACCEPT_SOURCE": 1, "ACCEPT_DESTINATION": 0}  # which of (destination, source) is taken


@dataclass(frozen=True)
class Merged:
    """The files of a merge, and the paths that could not be merged."""

    files: dict[str, File]
    conflicts: list[str]


def ancestors(git: Repository, commit_id: str) -> Iterator[str]:
    """A commit and all before it, the nearest first."""
    seen, waiting = {commit_id}, [commit_id]
    while waiting:
        found = waiting.pop(0)
        yield found
        for parent in git.commit(found).parents:
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)


def merge_base(git: Repository, destination: str, source: str) -> str:
    """The nearest commit that both have; "" for two histories without one."""
    known = set(ancestors(git, destination))
    return next((one for one in ancestors(git, source) if one in known), "")


def merged(git: Repository, destination: str, source: str, level: str, strategy: str) -> Merged:
    """level: FILE_LEVEL or LINE_LEVEL; strategy: NONE or one of ACCEPTED."""
    base_id = merge_base(git, destination, source)
    base: Mapping[str, File] = git.files(git.commit(base_id).tree) if base_id else {}
    ours, theirs = (git.files(git.commit(one).tree) for one in (destination, source))
    files, conflicts = {}, []
    for path in sorted({*base, *ours, *theirs}):
        was, mine, other = base.get(path), ours.get(path), theirs.get(path)
        if mine == other or other == was:
            found = mine
        elif mine == was:
            found = other
        elif strategy in ACCEPTED:
            found = (mine, other)[ACCEPTED[strategy]]
        else:
            found = by_line(git, was, mine, other) if level == "LINE_LEVEL" and was and mine and other else None
            if found is None:
                conflicts.append(path)
        if found is not None:
            files[path] = found
    return Merged(files, conflicts)


def by_line(git: Repository, was: File, mine: File, other: File) -> File | None:
    """The file with the lines of both sides, by git's own program; None where the same lines differ."""
    if mine.mode != other.mode:
        return None
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, name) for name in ("destination", "base", "source")]
        for place, file in zip(places, (mine, was, other), strict=True):
            place.write_bytes(git.read("blob", file.blob))
        done = subprocess.run(["git", "merge-file", "-p", *map(str, places)], capture_output=True)
    return File(mine.mode, git.write("blob", done.stdout)) if done.returncode == 0 else None
