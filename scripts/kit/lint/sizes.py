"""How long a file may be, so that it can be read in one go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.kit.lint.files import files

# Lines; the end of a name or its beginning. A role or a project's resource that has a name cannot move to another stack
# without being deleted, so the templates of those two grow; 30 writes each stage of the pipeline out. A stack set
# deploys one template, which has no parts: 50 is whole, with monitors, an alarm of ten metrics and a dashboard, the
# model in an endpoint's shadow, and what a batch stage has instead of an endpoint, with alarms; 40 declares each of its
# settings once more; 20 has the roles of all. A state machine is one definition: 11 has the starter's.
LIMITS = {
    ".py": 400,
    "templates/11-": 550, "templates/12-": 825, "templates/13-": 600, "templates/15-": 520,
    "templates/20-": 945, "templates/30-": 1260, "templates/40-": 680, "templates/50-": 1600, "templates/": 500,
}  # fmt: skip


def limit_of(name: str) -> int:
    """The most lines of a file, 0 for no limit. name: its path from the root."""
    return next((lines for part, lines in LIMITS.items() if name.endswith(part) or name.startswith(part)), 0)


def too_long(texts: Mapping[str, str]) -> list[str]:
    """A line for each file that is longer than it may be, the longest first. texts: content by path from the root."""
    lengths = {name: len(text.splitlines()) for name, text in texts.items()}
    wrong = sorted((-lines, name) for name, lines in lengths.items() if 0 < limit_of(name) < lines)
    return [f"{name}: {-lines} lines, at most {limit_of(name)}: split it by subject" for lines, name in wrong]


def check(root: Path) -> list[str]:
    """What is too long among the files of the kit."""
    limited = (name for name in files(root) if limit_of(name))
    return too_long({name: (root / name).read_text(encoding="utf-8") for name in limited})
