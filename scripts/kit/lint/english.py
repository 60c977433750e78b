"""Phrases that read as if translated, and what to write instead: the list that `make lint` looks for.

    python -m scripts.kit.lint.english [FOLDER_OR_FILE …]

Looked at: prose in Markdown, templates and pages as a whole; in Python the comments, the strings and the names. A line
that quotes AWS's own words carries the mark `english: quoted`.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.kit.lint.files import files

KINDS = {".py", ".md", ".yaml", ".yml", ".jinja", ".json"}
LEFT_OUT = (
    "CHANGELOG.md",
    "docs/generated/",
    "scripts/kit/lint/english.py",
    "awslang/policy/actions.json",
    "notebooks/",
)
QUOTED = "english: quoted"
WORDS = {tokenize.STRING, tokenize.COMMENT, tokenize.NAME}
WORDS |= {getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}  # Python 3.12 and newer


@dataclass(frozen=True)
class Phrase:
    """A phrase of the list: its pattern, what to write instead, and words of which every line with it holds one."""

    pattern: str
    instead: str
    words: tuple[str, ...]


PHRASES = (
    Phrase(r"\bas they were\b", "unchanged", ("as they were",)),
    Phrase(r"\w\(s\)", "the plural helper: 1 account, 2 accounts", ("(s)",)),
    Phrase(r"\b[Ww]hoever\b", "the role, the caller, any principal", ("hoever",)),
    Phrase(r"\b[Ss]omebody\b", "the role, the caller, another team, a person who …", ("omebody",)),
    Phrase(r"\b[Nn]obody\b", "no principal, no one", ("obody",)),
    Phrase(r"(\b|_)told(\b|_)", "reported, said, listed", ("told",)),
    Phrase(r"(\b|_)mend(s|ed|ing)?(\b|_)", "fix, fixed", ("mend",)),
    Phrase(r"(\b|_)spoil(s|t)?(\b|_)", "break, broken", ("spoil",)),
    Phrase(r"(\b|_)examin(e|es|ed|ing|ation)(\b|_)", "check, checked", ("examin",)),
    Phrase(r"\bhow it comes that\b", "why …", ("how it comes",)),
    Phrase(r"\bwhere one is\b", "the working directory", ("where one is",)),
    Phrase(r"\bin whole\b", "in full", ("in whole",)),
    Phrase(r"\bhas not got\b", "lacks", ("has not got",)),
    Phrase(r"\b(it|them|which|that|has|have|is|are) no more\b|\bno more\.", "no longer …", ("no more",)),
    Phrase(r"\blets? \w+ in\b|\blets? in\b|\blets? \w+ through\b", "allows; approves", ("let ", "lets ")),
    Phrase(
        r"\bdo(es)? not play\b|\bnobody plays\b|\bNotPlayed\b",  # english: quoted
        "not supported by the embedded AWS",
        ("not play", "nobody plays", "NotPlayed"),  # english: quoted
    ),
    Phrase(r"\b(is|are) (not )?played\b", "is (not) supported; runs", ("played",)),
    Phrase(r"\bcredentials are of\b", "credentials belong to", ("credentials are of",)),
    Phrase(r"\bof one's own\b|\bone's own\b", "your own", ("one's own",)),
    Phrase(r"\binstead of \$", "$A → $B", ("instead of $",)),
    Phrase(r"\bmade anew\b|\banew\b", "again", ("anew",)),
    Phrase(r"\bat hand\b", "available", ("at hand",)),
    Phrase(r"\b(is|are) by hand\b", "manual", ("by hand",)),
    Phrase(
        r"\b[Ss]tands? (at|as|beneath|there|above|beside)\b|\b[Ss]tands? in (?!for\b|the way\b)",
        "is in, is written in",
        ("tand ", "tands "),
    ),
    Phrase(r"\b[Ll]ies? (in|beneath|beside)\b", "is in, is below, is next to", ("lie ", "lies ", "Lie ", "Lies ")),
    Phrase(r"\bput(s|ting)? right\b", "fix, fixed", ("put right", "puts right", "putting right")),
    Phrase(r"\bgoes on from (here|there)\b", "continues from here", ("goes on from",)),
    Phrase(r"\bthe one who asks\b", "the caller", ("one who asks",)),
)


@dataclass(frozen=True)
class Finding:
    """A phrase of the list, where it stands."""

    file: str
    line: int
    phrase: str
    instead: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.phrase!r}: write {self.instead}"


def passages(name: str, text: str) -> Iterator[tuple[int, str]]:
    """What is read of a file: line number and text."""
    if not name.endswith(".py"):
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in WORDS:
            yield from enumerate(token.string.splitlines(), token.start[0])


def findings(name: str, text: str) -> list[Finding]:
    """Every phrase of the list in one file."""
    possible = [phrase for phrase in PHRASES if any(word in text for word in phrase.words)]
    if not any(re.search(phrase.pattern, text) for phrase in possible):
        return []  # true of nearly every file, which then need not be taken apart
    lines = text.splitlines()
    return [
        Finding(name, number, found.group(), phrase.instead)
        for number, passage in passages(name, text)
        if QUOTED not in lines[number - 1]
        for phrase in possible
        for found in re.finditer(phrase.pattern, passage)
    ]


def check(root: Path, chosen: Iterable[str] = ()) -> list[Finding]:
    """Every phrase in the files of the kit, or in the chosen ones among them."""
    read = [name for name in files(root, chosen) if Path(name).suffix in KINDS and not name.startswith(LEFT_OUT)]
    found = (findings(name, (root / name).read_text(encoding="utf-8")) for name in read)
    return [one for each in found for one in each]


if __name__ == "__main__":
    listed = check(Path.cwd(), sys.argv[1:])
    print(*listed, sep="\n")
    sys.exit(1 if listed else 0)
