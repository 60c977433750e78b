"""The files that the linters read: a checkout's own, in a clone and in a downloaded copy without .git alike."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path


def files(root: Path, chosen: Iterable[str] = ()) -> list[str]:
    """The paths from root, sorted. chosen: files and folders that limit them, e.g. docs/guides; none for all."""
    limits = [os.path.normpath(name) for name in chosen]
    found = known_to_git(root) if (root / ".git").exists() else walked(root)
    return sorted(
        name
        for name in found
        if (root / name).is_file() and (not limits or any(f"{name}/".startswith(f"{limit}/") for limit in limits))
    )


def known_to_git(root: Path) -> Iterable[str]:
    """What git tracks, or would track; what walked() finds where git is missing or refuses to read the clone."""
    line = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z"]
    here = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(line, cwd=root, env=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return walked(root)
    return filter(None, done.stdout.split("\0"))


def walked(root: Path) -> Iterator[str]:
    """Every file that .gitignore does not leave out."""
    ignore = root / ".gitignore"
    patterns = [".git", *(ignore.read_text(encoding="utf-8").split() if ignore.exists() else ())]
    for folder, folders, names in os.walk(root):
        place = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if not is_ignored((place / name).as_posix() + "/", patterns)]
        yield from (path for name in names if not is_ignored(path := (place / name).as_posix(), patterns))


def is_ignored(path: str, patterns: Iterable[str]) -> bool:
    """Whether .gitignore leaves the path out: /a is below the root alone, a/ a folder (gitignore's manual page).

    path: from the root, with a slash at the end for a folder
    """
    name, end = path.rstrip("/").rsplit("/", 1)[-1], path[len(path.rstrip("/")) :]
    for pattern in patterns:
        compared = f"/{path}" if pattern.startswith("/") else f"{name}{end}"
        if fnmatchcase(compared, pattern) or fnmatchcase(compared, f"{pattern}/"):
            return True
    return False
