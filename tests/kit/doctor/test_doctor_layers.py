"""The modules of the doctor import one way, and `make doctor` needs neither the embedded AWS nor a terminal library."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

DOCTOR = ROOT / "scripts/kit/doctor"
NAME = "scripts.kit.doctor"
# Each imports those before it; modules of one folder may import each other, without a cycle.
LAYERS = ("merge", "reader", "facts", "snapshot", "findings", "checks", "following", "report", "command")


def imports(source: str) -> Iterator[tuple[ast.stmt, str]]:
    """Every import statement in a module, with the dotted name that it imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def layer(name: str) -> int:
    """The layer of a dotted name within the doctor."""
    return LAYERS.index(name.removeprefix(f"{NAME}.").split(".")[0])


def problems(name: str, source: str) -> list[str]:
    """What a module imports against the rule; name: its dotted name."""
    top = ast.parse(source).body
    lines = {node.lineno for node in top}
    hidden = [f"{name} imports {of} inside a block" for node, of in imports(source) if node.lineno not in lines]
    ours = [of for _, of in imports(source) if of.startswith(f"{NAME}.")]
    return hidden + [f"{name} imports {of}" for of in ours if layer(of) > layer(name)]


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def modules() -> dict[str, str]:
    files = [file for file in sorted(DOCTOR.rglob("*.py")) if file.name != "__init__.py"]
    return {module_name(file): file.read_text(encoding="utf-8") for file in files}


def cycles(modules: dict[str, str]) -> list[str]:
    """The modules that lie on a cycle of imports or above one: what is left once every free module is taken away."""
    needs = {
        name: {of if of in modules else of.rpartition(".")[0] for _, of in imports(source)} & modules.keys()
        for name, source in modules.items()
    }
    while free := [name for name, needed in needs.items() if not needed & needs.keys()]:
        for name in free:
            del needs[name]
    return sorted(needs)


def test_every_module_imports_only_what_comes_before_it() -> None:
    found = modules()
    assert len(found) > len(LAYERS)
    assert [problem for name, source in found.items() for problem in problems(name, source)] == []


def test_there_is_no_cycle() -> None:
    assert cycles(modules()) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (f"{NAME}.facts.studio", f"from {NAME}.checks import studio"),
        (f"{NAME}.snapshot", f"from {NAME}.findings import Place"),
        (f"{NAME}.checks.studio", f"def look() -> None:\n    from {NAME}.reader import known"),
        (f"{NAME}.checks.studio", f"if TYPE_CHECKING:\n    from {NAME}.snapshot import Snapshot"),
    ],
)
def test_an_import_the_wrong_way_is_found(name: str, source: str) -> None:
    assert len(problems(name, source)) == 1


def test_a_cycle_is_found() -> None:
    studio, hosted = f"{NAME}.checks.studio", f"{NAME}.checks.hosted"
    assert cycles({studio: f"from {hosted} import a", hosted: f"import {studio}", "free": ""}) == [hosted, studio]


def test_the_command_needs_neither_the_embedded_aws_nor_a_terminal_library() -> None:
    code = "import sys, scripts.kit.doctor.command; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    line = [sys.executable, "-c", code]
    loaded = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {"scripts", "botocore"} <= {*loaded}
    assert {"moto", "localaws", "rich", "flask"} & {*loaded} == set()
