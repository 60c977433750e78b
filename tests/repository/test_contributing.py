"""CONTRIBUTING.md's first change, performed on a copy of the tree: its own edits, files and commands, in its order."""

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

import pytest

from tests.support import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXERCISE = PAGE.split("## A first change")[1].split("\n## ")[0]
STEPS = re.split(r"^\*\*\d+\. ", EXERCISE, flags=re.MULTILINE)[1:]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`((?:templates|tests)/[\w./-]+|CHANGELOG\.md)`")


@dataclass(frozen=True)
class Block:
    """A block of a step: kind is the language of its fence, file the last file that the text before it names."""

    kind: str
    text: str
    file: str


def blocks(step: str) -> Iterator[Block]:
    file = ""
    for found in BLOCK.finditer(step):
        named = NAMED.findall(BLOCK.sub("", step[: found.start()]))
        file = named[-1] if named else file
        yield Block(found[1], found[2], file)


def edited(text: str, diff: str) -> str:
    """The text with the added lines of a diff, at the one place where its other lines stand."""
    lines = diff.splitlines()
    assert {line[:1] for line in lines} == {" ", "+"}, diff
    before = "\n".join(line[1:] for line in lines if line[0] == " ")
    after = "\n".join(line[1:] for line in lines)
    assert text.count(before) == 1, f"not at one place:\n{before}"
    return text.replace(before, after)


@dataclass(frozen=True)
class Copy:
    """A copy of the tree, on which a reader follows the page."""

    folder: Path

    def edit(self, block: Block) -> None:
        path = self.folder / block.file
        path.write_text(edited(path.read_text(encoding="utf-8"), block.text), encoding="utf-8")

    def follow(self, step: str) -> list[subprocess.CompletedProcess[str]]:
        """Do what a step says; what each of its commands printed."""
        ran = []
        for block in blocks(step):
            if block.kind == "diff":
                self.edit(block)
            elif block.kind == "python":
                (self.folder / block.file).write_text(block.text, encoding="utf-8")
            elif block.kind == "console":
                ran += [self.run(line.removeprefix("$ ")) for line in block.text.splitlines()]
        return ran

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        python, *arguments = shlex.split(line)
        assert python == ".venv/bin/python"
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, capture_output=True, text=True, env=variables
        )
        print(f"$ {line}\n{done.stdout}{done.stderr}")
        return done


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The files that git knows or would know, as they are now."""
    folder = tmp_path_factory.mktemp("contributing")
    line = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return Copy(folder)


def test_the_steps_are_numbered_in_order() -> None:
    numbers = re.findall(r"^\*\*(\d+)\. ", EXERCISE, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(STEPS) + 1)]
    assert len(STEPS) == 6


def test_the_steps_add_a_setting_that_is_seen_in_the_endpoints_configuration(copy: Copy) -> None:
    """The commands of each step end as the page says: the new test fails first and passes at the end."""
    looked_up, failing, endpoint_only, after_stage, rehearsed, said = STEPS
    (schema,) = copy.follow(looked_up)
    assert schema.returncode == 0
    assert all(name in schema.stdout for name in ("LEAST_OUTSTANDING_REQUESTS", "PREFIX_AWARE", "RANDOM"))
    (first,) = copy.follow(failing)
    assert first.returncode == 1
    assert "Parameters.RoutingStrategy is no setting of 40-stage.yaml" in first.stdout
    (promises,) = copy.follow(endpoint_only)
    assert promises.returncode == 1
    assert promises.stdout.count("FAILED") == 1
    assert "test_the_stage_passes_every_endpoint_setting_on_unchanged" in promises.stdout
    assert copy.follow(after_stage) == []
    (both,) = copy.follow(rehearsed)
    assert both.returncode == 0, both.stdout
    assert "passed" in both.stdout
    assert copy.follow(said) == []


def test_the_kit_itself_has_no_such_setting() -> None:
    assert "RoutingStrategy" not in (ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8")


def test_an_edit_that_fits_nowhere_or_at_two_places_is_refused() -> None:
    assert edited("a\nb\nc\n", " a\n+new\n b\n") == "a\nnew\nb\nc\n"
    with pytest.raises(AssertionError, match="not at one place"):
        edited("a\nb\na\nb\n", " a\n+new\n b\n")
    with pytest.raises(AssertionError, match="not at one place"):
        edited("a\n", " x\n+new\n")
