"""The imports of a tree of Python modules, and what is wrong with them (docs/decisions/0014-*.md)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOPS = ("awslang", "localaws", "scripts", "pipeline", "seed-code", "benchmarks", "tests")
# The commands that play or read a rehearsal; every other one is the product's.
REHEARSAL_COMMANDS = (
    "scripts.acceptance",
    "scripts.notebooks",
    "scripts.permissions",
    "scripts.rehearse",
    "scripts.supported",
)
EVERYTHING = ("awslang", "localaws", "scripts", "pipeline", "benchmarks")
# Modules by the beginning of their name, the longest one counts: what of ours they may import.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "awslang": ("awslang",),
    "localaws": ("awslang", "localaws"),
    "scripts": ("awslang", "scripts.kit"),
    "scripts.kit": ("awslang", "scripts.kit"),
    "scripts.rehearsal": ("awslang", "localaws", "scripts.kit", "scripts.rehearsal"),
    "scripts.rehearsal.teams": ("awslang", "localaws", "pipeline", "scripts.kit", "scripts.rehearsal"),
    **dict.fromkeys(REHEARSAL_COMMANDS, ("awslang", "localaws", "scripts")),
    "pipeline": ("pipeline",),
    "seed-code": (),
    "benchmarks": ("awslang", "localaws", "scripts", "benchmarks"),
    "tests": (*EVERYTHING, "tests"),
}
# Libraries: what the product and the pure language may depend on; moto is the embedded AWS's alone.
NO_MOTO = ("awslang", "scripts", "pipeline", "seed-code")


@dataclass(frozen=True)
class Import:
    """One imported module, where it stands, and how.

    hidden: within a function; typing: for annotations alone; reason: the comment on its line
    """

    module: str
    line: int
    hidden: bool
    typing: bool
    reason: str


def modules(root: Path) -> dict[str, Path]:
    """Every module of the tree, by its dotted name."""
    found = {}
    for top in TOPS:
        for path in sorted((root / top).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def statements(text: str) -> tuple[tuple[tuple[str, ...], Import], ...]:
    """Every import of a module's text: the names that it may be of, the longest first, and the import itself."""
    lines = text.splitlines()

    def within(node: ast.AST, hidden: bool, typing: bool) -> Iterator[tuple[tuple[str, ...], Import]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                _, _, reason = lines[child.lineno - 1].partition("#")
                for alias in child.names:
                    name = alias.name if isinstance(child, ast.Import) else f"{child.module}.{alias.name}"
                    one = Import(name, child.lineno, hidden, typing, reason.strip())
                    yield (name, *([str(child.module)] if isinstance(child, ast.ImportFrom) else [])), one
            elif not isinstance(child, ast.expr):
                in_function = hidden or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
                annotations = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
                yield from within(child, in_function, typing or annotations)

    return tuple(within(ast.parse(text), False, False))


def imports(path: Path, known: Mapping[str, Path]) -> list[Import]:
    """The imports of one module; of a name that is a module itself, that module, else the one that holds the name."""
    return [
        replace(one, module=next((name for name in names if name in known), names[-1]))
        for names, one in statements(path.read_text(encoding="utf-8"))
    ]


def below(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def problems(root: Path = ROOT) -> list[str]:
    """Everything that breaks a rule, as PATH:LINE: why; [] for a tree that keeps them all."""
    known = modules(root)
    found, edges = [], {}
    for module, path in known.items():
        all_of_it = imports(path, known)
        edges[module] = {one.module for one in all_of_it if one.module in known and not one.typing} - {module}
        for one in all_of_it:
            found += [f"{path.relative_to(root)}:{one.line}: {why}" for why in wrong(module, one)]
    found_cycles = [*cycles(edges), *cycles(between_packages(edges))]
    return [*dict.fromkeys(found), *(f"import cycle: {' → '.join([*cycle, cycle[0]])}" for cycle in found_cycles)]


def between_packages(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same imports between the packages of the embedded AWS, each service one of them."""

    def package(module: str) -> str:
        parts = module.split(".")
        depth = 3 if parts[:2] == ["localaws", "services"] else 2
        return ".".join(parts[:depth]) if parts[0] == "localaws" and len(parts) > depth else ""

    found: dict[str, set[str]] = {package(module): set() for module in edges}
    for module, others in edges.items():
        found[package(module)] |= {package(other) for other in others} - {"", package(module)}
    return {name: others for name, others in found.items() if name}


def is_command(module: str) -> bool:
    """Whether it is run by name: it reads its arguments before it imports what is slow to load."""
    return module.split(".")[0] in {"scripts", "benchmarks"} and module.count(".") == 1


def wrong(module: str, one: Import) -> Iterator[str]:
    top = one.module.split(".")[0]
    if top in TOPS:
        layer = max((name for name in MAY_IMPORT if below(module, name)), key=len)
        allowed = any(below(one.module, package) for package in MAY_IMPORT[layer])
        if not allowed and not below(module, one.module):  # a package that holds the module is imported with it
            yield f"{layer} does not import {one.module}"
        if one.module.rsplit(".", 1)[-1].startswith("test_"):
            yield f"{one.module} is a test file: what others need of it belongs in tests/support"
    if top in ("moto", "werkzeug") and module.split(".")[0] in NO_MOTO:
        yield f"{one.module} belongs to the embedded AWS"
    if one.hidden and module.split(".")[0] != "tests":
        ours = (top in TOPS and not is_command(module)) or top in sys.stdlib_module_names
        if ours or not one.reason:
            yield f"{one.module} is imported in a function: only a heavy library is, with its reason in a comment"


def cycles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """One cycle of each knot of modules that import each other."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            found.append(path[path.index(module) :])
        elif module not in done:
            for other in sorted(edges[module]):
                visit(other, [*path, module])
            done.add(module)

    for module in sorted(edges):
        visit(module, [])
    return found
