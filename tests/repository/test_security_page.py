"""docs/security.md: every attack in it is a test, every test is in it, and what is said to refuse exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
FILES = sorted((ROOT / "tests/security").glob("test_*.py"))
FEWEST = 30  # attacks in the tables
ATTACK = re.compile(
    r"refused|gets no|gets nothing|waits for the approver|get nowhere|does not approve|no target account"
)
FOUND = "who_could"  # what the doctor finds, which the page describes apart


def played() -> Iterator[str]:
    """Every test of the attacks, as the page names it: file and function, without test_."""
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path.stem.removeprefix('test_')}: {node.name.removeprefix('test_').replace('_', ' ')}"


def rows() -> list[list[str]]:
    """The rows of the attackers' tables: what is tried, what refuses it, and the tests, in as many cells."""
    section = PAGE.split("\n## Attackers\n", 1)[1].split("\n## ", 1)[0]
    found = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in cells] for cells in found if cells[0].strip() != "tries"]


def named(cell: str) -> list[str]:
    return [re.sub(r"\s+", " ", name) for name in re.findall(r"`([^`]+)`", cell)]


def defined() -> set[str]:
    """The statements of the templates, and the functions of the pipeline's code."""
    templates = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "templates").glob("*.yaml"))
    code = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "pipeline").glob("*.py")}
    functions = {
        f"{name}: {node.name}"
        for name, tree in code.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    parameters = set(re.findall(r"^  ([A-Za-z0-9]+):$", templates, re.MULTILINE))
    return set(re.findall(r"Sid: ([A-Za-z0-9]+)", templates)) | functions | parameters


def test_every_attack_on_the_page_is_a_test() -> None:
    shown = [name for row in rows() for name in named(row[2])]
    assert sorted(shown) == sorted(set(shown))
    assert set(shown) <= set(played())
    assert all(named(row[2]) for row in rows())


def test_every_test_that_is_refused_is_on_the_page() -> None:
    missing = {name for name in played() if ATTACK.search(name) and not name.startswith(FOUND)} - {
        name for row in rows() for name in named(row[2])
    }
    assert not missing


def test_the_page_holds_as_many_attacks_as_were_asked_for() -> None:
    assert len(rows()) >= FEWEST


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row[0])[:60])
def test_what_refuses_an_attack_exists(row: list[str]) -> None:
    assert len(row) == 3
    assert named(row[1]), f"{row[0]}: no statement or check is named"
    assert set(named(row[1])) <= defined()
