"""Exercises on pages: a page's numbered steps, performed on a copy of the tree from the page's own text.

A step begins with **N. Title.** Its blocks say what to do: `diff` edits the file that the text before it names,
`python` creates that file, and the lines of `console` are run, each with `.venv/bin/python`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.kit.lint.files import files
from tests.support import ROOT

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`((?:awslang|localaws|scripts|pipeline|templates|tests)/[\w./-]+|CHANGELOG\.md)`")
Ran = list[subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Block:
    """A block of a step: kind is the language of its fence, file the last file that the text before it names."""

    kind: str
    text: str
    file: str


def steps_of(section: str) -> list[str]:
    """The numbered steps of a section; AssertionError where the numbers are not 1, 2, 3, …"""
    numbers = re.findall(r"^\*\*(\d+)\. ", section, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)], numbers
    return re.split(r"^\*\*\d+\. ", section, flags=re.MULTILINE)[1:]


def blocks_of(step: str) -> Iterator[Block]:
    file = ""
    for found in BLOCK.finditer(step):
        named = NAMED.findall(BLOCK.sub("", step[: found.start()]))
        file = named[-1] if named else file
        yield Block(found[1], found[2], file)


def edited(text: str, diff: str) -> str:
    """The text with the added lines of a diff, at the one place where its other lines are."""
    lines = diff.splitlines()
    assert {line[:1] for line in lines} <= {" ", "+", ""}, diff
    before = "\n".join(line[1:] for line in lines if line[:1] != "+")
    after = "\n".join(line[1:] for line in lines)
    assert text.count(before) == 1, f"not at one place:\n{before}"
    return text.replace(before, after)


@dataclass(frozen=True)
class Copy:
    """A copy of the tree, on which a reader follows a page."""

    folder: Path

    @classmethod
    def of_the_tree(cls, folder: Path) -> Copy:
        """The files of the kit, as they are now."""
        for name in files(ROOT):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        return cls(folder)

    def follow(self, step: str) -> Ran:
        """Do what a step says; what each of its commands printed."""
        ran = []
        for block in blocks_of(step):
            path = self.folder / block.file
            if block.kind == "diff":
                path.write_text(edited(path.read_text(encoding="utf-8"), block.text), encoding="utf-8")
            elif block.kind == "python":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            elif block.kind == "console":
                ran += [self.run(line.removeprefix("$ ")) for line in block.text.splitlines()]
        return ran

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """A line that calls Python, with this process's Python in the place of .venv/bin/python."""
        python, *arguments = shlex.split(line)
        assert python == ".venv/bin/python", line
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, capture_output=True, text=True, env=variables
        )
        print(f"$ {line}\n{done.stdout}{done.stderr}")
        return done
