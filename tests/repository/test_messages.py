"""docs/reference/messages.md has every error message of the kit, and no other: they are collected from the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT

PAGE = ROOT / "docs/reference/messages.md"
OTHER_PAGES = ["scripts/kit/doctor"]  # docs/generated/checks.md
FOLDERS = ["scripts", "seed-code/model-build", "pipeline"]
ERRORS = {"UserError", "StoryFailed", "NotebookFailed", "Refused", "ArgumentTypeError"}  # and what is made of them
LISTS = {"problems", "wrong"}  # where the checks of a whole file gather what they find
GATHER = {"complain", "complain_item"}  # the same, of the environment file
TELLING = {
    "check_region",
    "read_config",
    "text_problem",
    "region_problem",
    "problem",
    "value_problem",
    "image_problem",
    "unknown",
    "missing",
}  # functions that answer with what is wrong
ELLIPSIS = "…"


def sources() -> list[Path]:
    found = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    found.append(ROOT / "localaws/server.py")  # all else of the embedded AWS speaks with AWS's words
    return [path for path in found if not any(path.is_relative_to(ROOT / part) for part in OTHER_PAGES)]


def written(node: ast.expr) -> str:
    """A message as the code has it, with an ellipsis for what is only known when it is printed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(written(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return written(node.left) + written(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "join":
        parts = node.args[0]
        return " ".join(map(written, parts.elts)) if isinstance(parts, ast.List) else ELLIPSIS
    return ELLIPSIS


def tidy(message: str) -> str:
    """On one line; an ellipsis for several that stand together."""
    return re.sub(rf"{ELLIPSIS}(?: ?{ELLIPSIS})+", ELLIPSIS, " ".join(message.split()))


def texts(node: ast.expr | None) -> Iterator[ast.expr]:
    """The messages in a value: it, or what is listed in it."""
    if isinstance(node, (ast.List, ast.Tuple)):
        for item in node.elts:
            yield from texts(item)
    elif isinstance(node, ast.ListComp):
        yield from texts(node.elt)
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif node is not None:
        yield node


def name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def messages_of(tree: ast.Module, errors: set[str]) -> Iterator[ast.expr]:
    """Every expression of a module that is a message."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            function = name_of(node.func)
            listed = isinstance(node.func, ast.Attribute) and name_of(node.func.value) in LISTS
            if function in errors or (function == "refuse" and len(node.args) == 3):  # of the environment file's YAML
                yield node.args[0]
            elif function in GATHER or (function == "append" and listed):
                yield node.args[-1]
        elif isinstance(node, (ast.Assign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(name_of(target) in LISTS for target in targets):
                yield from texts(node.value)
        elif isinstance(node, ast.FunctionDef) and node.name in TELLING:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return):
                    yield from texts(inner.value)
        elif isinstance(node, ast.FunctionDef) and node.returns is not None and name_of(node.returns) == "Broken":
            rules = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Yield)]
            yield from (rule.elts[1] for rule in rules if isinstance(rule, ast.Tuple))


def with_heirs(trees: list[ast.Module]) -> set[str]:
    """The classes of errors, and those that are made from them."""
    errors, size = set(ERRORS), 0
    while len(errors) > size:
        size = len(errors)
        for tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and any(name_of(base) in errors for base in node.bases):
                    errors.add(node.name)
    return errors


@cache
def collected() -> dict[str, str]:
    """Each message, and the files that have it. One that only hands on what others say has no words of its own."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sources()}
    errors = with_heirs(list(trees.values()))
    found: dict[str, str] = {}
    for path, tree in trees.items():
        for node in messages_of(tree, errors):
            message = tidy(written(node))
            if re.search(r"[a-z]{2}", message):
                found[message] = f"{found.get(message, '')} {path.relative_to(ROOT)}".strip()
    return found


@cache
def explained() -> list[tuple[str, str]]:
    """The page's messages, each with what is said of it. What AWS says, at the end, is not the kit's."""
    text = PAGE.read_text(encoding="utf-8").split("\n## What AWS says")[0]
    return [
        (" ".join(message.split()), " ".join(said.split()))
        for _, message, said in re.findall(r"^- (`+) ?(.+?) ?\1\\\n((?:  .+\n)*)", text, re.MULTILINE)
    ]


def test_every_message_of_the_code_stands_on_the_page() -> None:
    known = collected()
    missing = {message: files for message, files in known.items() if message not in dict(explained())}
    assert missing == {}


def test_the_page_has_no_message_that_the_code_does_not_have() -> None:
    listed = [message for message, _ in explained()]
    assert [message for message in listed if message not in collected()] == []
    assert sorted(listed) == sorted(set(listed)), "a message is listed twice"
    items = re.findall(r"^- ", PAGE.read_text(encoding="utf-8").split("\n## What AWS says")[0], re.MULTILINE)
    assert len(items) == len(listed), "an item that is not of the form"


def test_every_message_is_followed_by_what_to_do() -> None:
    assert [message for message, said in explained() if len(said) < 20] == []


@pytest.mark.parametrize(
    ("code", "messages"),
    [
        ('raise UserError(f"{x} is gone: look in {y}")', ["… is gone: look in …"]),
        ('class Wrong(UserError): ...\nraise Wrong("no " + more)', ["no …"]),
        ('raise UserError("\\n".join([f"{x} failed:", *lines]))', ["… failed: …"]),
        ('problems += [f"no {x}" for x in y]\nproblems.append("two\\n  lines")', ["no …", "two lines"]),
        ('s.complain("key", f"is {x!r}")', ["is …"]),
        ("raise UserError(str(error))\nraise ValueError('ours')", []),
    ],
)
def test_messages_are_found_in_every_form(code: str, messages: list[str]) -> None:
    tree = ast.parse(code)
    found = [tidy(written(node)) for node in messages_of(tree, with_heirs([tree]))]
    assert [message for message in found if re.search(r"[a-z]{2}", message)] == messages
