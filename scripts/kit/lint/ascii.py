"""Digits and letters are those of ASCII: what Python takes for one besides is found wherever code looks for them.

In Python, and not in AWS's own patterns, `\\d` and `\\w` match the digits and letters of every script, and
str.isdigit takes "²", of which int() makes an exception.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDERS = ("awslang", "benchmarks", "localaws", "pipeline", "scripts", "seed-code")
MEANT = "ascii: meant"  # in the line, with the reason
PROSE = {"scripts/kit/lint/ascii.py", "scripts/kit/lint/english.py"}  # look for words in English, and for this
CLASSES = re.compile(r"(?<!\\)(?:\\\\)*\\([dDwW])")
INSTEAD = {"d": "[0-9]", "D": "[^0-9]", "w": "[a-zA-Z0-9_]", "W": "[^a-zA-Z0-9_]"}
SIGNS = re.compile(r"\\[dDwW]|\.is[a-z]+")  # a module without any of them need not be parsed
METHODS = {"isalnum", "isalpha", "isdecimal", "isdigit", "isidentifier", "isnumeric", "isprintable", "isspace"}


def found(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line of each finding in a module, and what to write instead."""
    documented = {id(node.body[0].value) for node in ast.walk(tree) if has_docstring(node)}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in METHODS:
            yield node.lineno, f"str.{node.attr} takes more than ASCII: use a pattern, or awslang.bounded.is_number"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            for match in CLASSES.finditer(node.value):
                yield node.lineno, f"\\{match[1]} matches more than ASCII: write {INSTEAD[match[1]]}"


def has_docstring(node: ast.AST) -> bool:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, kinds) and bool(node.body) and isinstance(node.body[0], ast.Expr)


def not_ascii(texts: Mapping[str, str]) -> list[str]:
    """A line for each finding. texts: modules by their path from the root."""
    return [
        f"{name}:{line}: {problem}"
        for name, text in texts.items()
        if name not in PROSE and SIGNS.search(text)
        for line, problem in found(ast.parse(text))
        if MEANT not in text.splitlines()[line - 1]
    ]


def check(root: Path) -> list[str]:
    """The findings in every folder with code that reads input."""
    paths = (path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py")))
    return not_ascii({path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths})
