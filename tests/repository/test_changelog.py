"""The changelog has the form of Keep a Changelog, and its newest version is the one of pyproject.toml."""

from __future__ import annotations

import datetime
import itertools
import re
import tomllib
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.support import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@dataclass(frozen=True)
class Section:
    version: tuple[int, ...]
    date: datetime.date
    body: str


def sections(text: str) -> list[Section]:
    """The released sections in their order, without a section Unreleased at the top. ValueError for another form."""
    headings = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    pairs = list(zip(headings[1::2], headings[2::2], strict=True))
    if pairs and pairs[0][0] == "[Unreleased]":
        check_entries(*pairs.pop(0))
    made = []
    for heading, body in pairs:
        found = re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading)
        if not found:
            raise ValueError(f"{heading}: write [1.2.3] - 2026-01-31")
        check_entries(heading, body)
        version = tuple(int(part) for part in found.group(1).split("."))
        made.append(Section(version, datetime.date.fromisoformat(found.group(2)), body))
    return made


def check_entries(heading: str, body: str) -> None:
    """ValueError unless the body is lists of entries beneath the kinds of change."""
    parts = re.split(r"^### (.+)\n", body, flags=re.MULTILINE)
    kinds, entries = parts[1::2], parts[2::2]
    if parts[0].strip() or not kinds or set(kinds) - KINDS or len(set(kinds)) != len(kinds):
        raise ValueError(f"{heading}: each kind of change ({', '.join(sorted(KINDS))}) once, and entries beneath it")
    for kind, text in zip(kinds, entries, strict=True):
        lines = text.strip().splitlines()
        if not lines or not all(line.startswith(("- ", "  ")) for line in lines):
            raise ValueError(f"{heading}, {kind}: a list of entries")


def problems(text: str, version: str, today: datetime.date) -> list[str]:
    """What is wrong with the order of a changelog, its dates, and its newest version."""
    released = sections(text)
    found = []
    if not released or ".".join(map(str, released[0].version)) != version:
        found.append(f"the newest section is not that of {version}")
    for newer, older in itertools.pairwise(released):
        if newer.version <= older.version or newer.date < older.date:
            found.append(f"{newer.version} of {newer.date} is above {older.version} of {older.date}")
    found += [f"{one.version} is of {one.date}, which is to come" for one in released if one.date > today]
    return found


def test_the_changelog_is_in_order_and_its_newest_version_is_the_one_of_pyproject() -> None:
    tomorrow = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)
    assert CHANGELOG.startswith("# Changelog\n")
    assert problems(CHANGELOG, VERSION, tomorrow) == []


def mixed_up(text: str) -> list[str]:
    """What a merge left twice, or without its end: sentences that begin alike, entries without a full stop."""
    entries = [" ".join(one.split())[2:] for one in re.split(r"^(?=- |#)", text, flags=re.MULTILINE) if one[:2] == "- "]
    begin = Counter(part[:50] for one in entries for part in re.split(r"(?<=[.:;]) ", one) if part[40:])
    return [*(one for one, times in begin.items() if times > 1), *(one for one in entries if not one.endswith("."))]


def test_no_entry_is_there_twice_or_in_part() -> None:
    assert mixed_up(CHANGELOG) == []


ENTRY = """- Stages between staging and production: as many as the environment file names,
  each with an approval where it asks for one. An installation without them stays as it is until then.
"""


@pytest.mark.parametrize(
    "more",
    [
        ENTRY,
        "- A new entry.\n  An installation without them stays as it is until then, and more.\n",
        "- An entry that goes on\n",
    ],
)
def test_an_entry_that_a_merge_left_twice_or_in_part_is_found(more: str) -> None:
    assert mixed_up(ENTRY) == []
    assert len(mixed_up(ENTRY + more)) >= 1


GOOD = """# Changelog

## [0.2.0] - 2026-02-01

### Added

- b

## [0.1.0] - 2026-01-01

### Added

- a
  more
"""
TODAY = datetime.date(2026, 2, 1)


def test_a_section_of_what_is_not_released_may_stand_on_top() -> None:
    assert problems(GOOD, "0.2.0", TODAY) == []
    unreleased = GOOD.replace("## [0.2.0]", "## [Unreleased]\n\n### Fixed\n\n- c\n\n## [0.2.0]")
    assert problems(unreleased, "0.2.0", TODAY) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("0.2.0", "0.3.0", "the newest section is not that of 0.2.0"),
        ("0.1.0", "0.2.1", "is above"),
        ("0.1.0", "0.2.0", "is above"),
        ("2026-01-01", "2026-02-02", "is above"),
        ("2026-02-01", "2026-02-02", "which is to come"),
        ("[0.2.0] - 2026-02-01", "[Unreleased]", "the newest section is not that of 0.2.0"),
    ],
)
def test_a_changelog_out_of_order_is_found(old: str, new: str, problem: str) -> None:
    assert any(problem in found for found in problems(GOOD.replace(old, new), "0.2.0", TODAY))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[0.1.0] - 2026-01-01", "[0.1.0]"),
        ("[0.1.0]", "0.1.0"),
        ("2026-01-01", "2026-13-01"),
        ("### Added\n\n- b", "### Improved\n\n- b"),
        ("- b\n", ""),
        ("- b\n", "b\n"),
        ("### Added\n\n- b\n", ""),
        ("- b\n", "- b\n\n### Added\n\n- c\n"),
    ],
)
def test_a_changelog_of_another_form_is_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=r"write|entries|month"):
        sections(GOOD.replace(old, new))
