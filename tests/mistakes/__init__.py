"""The table of mistakes: small edits to the real bundle, each with the check that must catch it.

tests/mistakes/*.yaml hold them, one file for each part of the bundle. A mistake is
    id: a name
    mistake: what went wrong, in a few words
    file: the file of the bundle (once at the head of each table)
    find, replace: the edit; what is found must be there exactly once
    by: the least check that catches it (checks.py)
    tests: of the unit tests, the files of tests/pipeline that find it; all of them run where it is left out
    says: what the check must say, each in one line. " … " stands for anything between
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from scripts.kit.bundle import pack

ROOT = Path(__file__).resolve().parents[2]
TABLES = Path(__file__).parent
SET_UP = pack.TEMPLATES[:7]  # what is deployed once; a mistake in it is made in test_mistakes.py
KEYS = {"id", "mistake", "find", "replace", "by", "says"}


class Outdated(Exception):
    """A mistake that cannot be made any more: what it looks for is not there exactly once."""


@dataclass(frozen=True)
class Mistake:
    id: str
    mistake: str
    file: str
    find: str
    replace: str
    by: str
    says: tuple[str, ...]
    tests: str = ""

    def place(self, text: str) -> re.Match[str]:
        """Where the file's text has what the mistake replaces."""
        places = list(self.pattern.finditer(text))
        if len(places) != 1:
            raise Outdated(f"{self.id}: {self.file} holds {self.find!r} {len(places)} times instead of once")
        return places[0]

    def edit(self, text: str) -> str:
        """The file's text with the mistake in it."""
        return edited([self], text)

    @property
    def pattern(self) -> re.Pattern[str]:
        """A piece of a line, or (where it ends with a line break) whole lines with whatever indentation."""
        if not self.find.endswith("\n"):
            return re.compile(re.escape(self.find))
        first, *rest = self.find.splitlines()
        lines = [f"^(?P<indent> *){re.escape(first)}\n"]
        lines += [f"(?P=indent){re.escape(line)}\n" if line else "\n" for line in rest]
        return re.compile("".join(lines), re.MULTILINE)

    @property
    def original(self) -> str:
        """The bundle's own file."""
        return (ROOT / self.file).read_text(encoding="utf-8")

    def text(self) -> str:
        """The bundle's own file with the mistake in it."""
        return self.edit(self.original)

    def unsaid(self, message: str) -> list[str]:
        """What a message should say and does not."""
        lines = message.splitlines()
        return [text for text in self.says if not any(re.search(wildcard(text), line) for line in lines)]


def edited(mistakes: Iterable[Mistake], text: str) -> str:
    """A file's text with mistakes at places that do not touch."""
    places = [(mistake.place(text), mistake.replace) for mistake in mistakes]
    for place, replace in sorted(places, key=lambda one: one[0].start(), reverse=True):
        replace = textwrap.indent(replace, place.groupdict().get("indent", ""))
        text = text[: place.start()] + replace + text[place.end() :]
    return text


def wildcard(text: str) -> str:
    return ".*".join(re.escape(part) for part in text.split(" … "))


def read(table: Mapping[str, Any]) -> Iterator[Mistake]:
    """The mistakes of one table."""
    for entry in table["mistakes"]:
        if set(entry) - {"file", "tests"} != KEYS:
            raise ValueError(f"{entry.get('id')}: {sorted(set(entry) ^ KEYS)}")
        yield Mistake(**{"file": table["file"], **entry, "says": tuple(entry["says"])})


@cache
def load() -> tuple[Mistake, ...]:
    """Every mistake, in the order of the bundle's files."""
    tables = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(TABLES.glob("*.yaml"))]
    return tuple(mistake for table in tables for mistake in read(table))
