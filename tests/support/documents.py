"""The code that documents show: its lines, the targets and options of make in them, and what commands offer."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT


def relative_path(path: Path) -> str:
    return str(path.relative_to(ROOT))


def lines_of_code(text: str) -> Iterator[str]:
    """Every line of code in a document: of fenced blocks, and between backticks (which may go on on the next line)."""
    blocks = re.findall(r"^ *```[a-z]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    for block in blocks:
        yield from (line.strip() for line in re.sub(r"\\\n *", "", block).splitlines())
    rest = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", rest, re.DOTALL)  # `` holds code that has a `
    yield from (" ".join(span.split()) for _, span in spans)


def make_targets(line: str) -> tuple[list[str], list[str]]:
    """The targets and the options of a `make …` line."""
    found = re.search(r"(?:^|[$;&] *)make((?: +[\w=\-\"'., /]+)+)", line)
    words = shlex.split(found.group(1)) if found else []
    targets = [word for word in words if re.fullmatch("[a-z][a-z-]*", word)]
    options = [option for word in words if word.startswith("ARGS=") for option in re.findall(r"--[a-z-]+", word)]
    return targets, options


@cache
def help_of(module: str) -> str:
    """What `python -m MODULE --help` prints, for example of scripts.publish."""
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("argparse.ArgumentParser._print_message", lambda parser, text, file=None: printed.append(text))
        with pytest.raises(SystemExit) as left:
            importlib.import_module(module).main(["--help"])
    assert left.value.code == 0
    return "".join(printed)


def options_of(module: str) -> frozenset[str]:
    return frozenset(re.findall(r"(?<![\w-])--[a-z-]+", help_of(module)))
