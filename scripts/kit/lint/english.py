"""Phrases that read as if translated, and what to write instead: the list that `make lint` looks for.

    python -m scripts.kit.lint.english [FOLDER_OR_FILE …]

Looked at: prose in Markdown, templates and pages as a whole; in Python the comments, the strings and the names. A line
that quotes AWS's own words carries the mark `english: quoted`.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

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

PHRASES: dict[str, str] = {
    r"\bas they were\b": "unchanged",
    r"\w\(s\)": "the plural helper: 1 account, 2 accounts",
    r"\b[Ww]hoever\b": "the role, the caller, any principal",
    r"\b[Ss]omebody\b": "the role, the caller, another team, a person who …",
    r"\b[Nn]obody\b": "no principal, no one",
    r"(\b|_)told(\b|_)": "reported, said, listed",
    r"(\b|_)mend(s|ed|ing)?(\b|_)": "fix, fixed",
    r"(\b|_)spoil(s|t)?(\b|_)": "break, broken",
    r"(\b|_)examin(e|es|ed|ing|ation)(\b|_)": "check, checked",
    r"\bhow it comes that\b": "why …",
    r"\bwhere one is\b": "the working directory",
    r"\bin whole\b": "in full",
    r"\bhas not got\b": "lacks",
    r"\b(it|them|which|that|has|have|is|are) no more\b|\bno more\.": "no longer …",
    r"\blets? \w+ in\b|\blets? in\b|\blets? \w+ through\b": "allows; approves",
    r"\bdo(es)? not play\b|\bnobody plays\b|\bNotPlayed\b": "not supported by the embedded AWS",
    r"\b(is|are) (not )?played\b": "is (not) supported; runs",
    r"\bcredentials are of\b": "credentials belong to",
    r"\bof one's own\b|\bone's own\b": "your own",
    r"\binstead of \$": "$A → $B",
    r"\bmade anew\b|\banew\b": "again",
    r"\bat hand\b": "available",
    r"\b(is|are) by hand\b": "manual",
    r"\b[Ss]tands? (at|as|beneath|there|above|beside)\b|\b[Ss]tands? in (?!for\b|the way\b)": "is in, is written in",
    r"\b[Ll]ies? (in|beneath|beside)\b": "is in, is below, is next to",
    r"\bput(s|ting)? right\b": "fix, fixed",
    r"\bgoes on from (here|there)\b": "continues from here",
    r"\bthe one who asks\b": "the caller",
}
ANY = re.compile("|".join(PHRASES))


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
    if not ANY.search(text):  # true of nearly every file, which then need not be taken apart
        return []
    lines = text.splitlines()
    return [
        Finding(name, number, found.group(), instead)
        for number, passage in passages(name, text)
        if QUOTED not in lines[number - 1]
        for pattern, instead in PHRASES.items()
        for found in re.finditer(pattern, passage)
    ]


def files(root: Path, chosen: Iterable[str] = ()) -> list[str]:
    """The files to read: those that git knows or would know, or the chosen ones among them."""
    line = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *chosen]
    listed = subprocess.run(line, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listed if Path(name).suffix in KINDS and not name.startswith(LEFT_OUT)]


def check(root: Path, chosen: Iterable[str] = ()) -> list[Finding]:
    found = (findings(name, (root / name).read_text(encoding="utf-8")) for name in files(root, chosen))
    return [one for each in found for one in each]


if __name__ == "__main__":
    listed = check(Path.cwd(), sys.argv[1:])
    print(*listed, sep="\n")
    sys.exit(1 if listed else 0)
