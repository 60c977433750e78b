"""YAML 1.2 as plain data in which every mapping and list knows the lines of what it holds.

PyYAML resolves plain scalars as YAML 1.1 has it, in which `no` is false and 0123 is octal; this loader has the core
schema of YAML 1.2 (YAML 1.2.2, "10.3.2. Tag Resolution"). An underscore among digits is taken as 1.1 does, as a number,
because other readers of the same file do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import yaml

from awslang.bounded import LONGEST_NUMBER, MOST_NODES, BoundedYaml

FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML was built with it
TAG = "tag:yaml.org,2002:"
FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
SCHEMA = (  # in this order: what the first pattern matches, with the characters that it may begin with
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", FLOAT, list("-+.0123456789")),
)
FORMS = {TAG + kind: re.compile(pattern) for kind, pattern, _ in SCHEMA}
SHOWN = 80  # characters of a value in a message
Report = Callable[[str, int, str], None]


class Loader(BoundedYaml, FAST):  # type: ignore[misc]  # which of the two classes it is, is known at run time
    """The core schema's scalars."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's name for its own registry


for _kind, _pattern, _first in SCHEMA:
    Loader.add_implicit_resolver(TAG + _kind, re.compile(f"(?:{_pattern})$"), _first)


class Refused:
    """Stands for a value that is refused, so that nothing else is said of it."""


REFUSED = Refused()


class LinesOfMapping(dict[str, Any]):
    """A mapping; lines: of each key, from 1."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


class LinesOfList(list[Any]):
    """A list; lines: of each item, from 1."""

    def __init__(self, items: Iterable[Any] = (), lines: Iterable[int] = ()) -> None:
        super().__init__(items)
        self.lines = list(lines)


def load(text: str, report: Report) -> Any:
    """The document in a text; None for an empty one. yaml.YAMLError for what is not YAML.

    report: gets what is refused in it: the path, the line, the problem. REFUSED takes its place.
    """
    root = yaml.compose(text, Loader=Loader)
    return Builder(report).build(root, "") if root is not None else None


class Builder:
    """What nodes stand for. An alias shares what it stands for, but counts as if it were written out."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.made: dict[int, tuple[Any, int]] = {}  # by node: what was built, and how many keys and values it has
        self.inside: set[int] = set()  # the nodes that are being built
        self.count = 0

    def build(self, node: yaml.Node, path: str) -> Any:
        if id(node) in self.inside:
            return self.refuse("an alias stands inside what it stands for", node, path)
        if id(node) not in self.made:
            before = self.count
            self.count += 1
            self.inside.add(id(node))
            value = self.construct(node, path)
            self.inside.remove(id(node))
            self.made[id(node)] = value, self.count - before
        else:
            self.count += self.made[id(node)][1]
        if self.count > MOST_NODES:
            problem = f"more than {MOST_NODES:,} keys and values, with what the aliases stand for"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return self.made[id(node)][0]

    def construct(self, node: yaml.Node, path: str) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == f"{TAG}map":
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{TAG}seq":
            lines = [item.start_mark.line + 1 for item in node.value]
            return LinesOfList((self.build(item, f"{path}[{n}]") for n, item in enumerate(node.value)), lines)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        return self.refuse(f"the tag {node.tag} is not supported", node, path)

    def mapping(self, node: yaml.MappingNode, path: str) -> LinesOfMapping:
        mapping = LinesOfMapping()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in {f"{TAG}str", *FORMS}:
                self.refuse("a key is not text", key, path)
                continue
            beneath = f"{path}.{key.value}" if path else str(key.value)
            if key.value in mapping:
                self.refuse(f"is given twice, first in line {mapping.lines[key.value]}", key, beneath)
                continue
            mapping.lines[key.value] = key.start_mark.line + 1
            mapping[key.value] = self.build(value, beneath)
        return mapping

    def scalar(self, node: yaml.ScalarNode, path: str) -> str | int | float | bool | Refused | None:
        text, kind = str(node.value), node.tag.removeprefix(TAG)
        if kind == "str":
            return text
        if node.tag not in FORMS:
            return self.refuse(f"the tag {node.tag} is not supported", node, path)
        if not FORMS[node.tag].fullmatch(text):
            return self.refuse(f"the tag !!{kind} does not fit {text[:SHOWN]!r}", node, path)
        if len(text) > LONGEST_NUMBER:
            return self.refuse(f"a number of {len(text)} characters. Write text in quotes", node, path)
        return number(kind, text)

    def refuse(self, problem: str, node: yaml.Node, path: str) -> Refused:
        self.report(path or "the file", node.start_mark.line + 1, problem)
        return REFUSED


def number(kind: str, text: str) -> int | float | bool | None:
    """A scalar of the core schema, which is of this kind."""
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 0) if text.startswith(("0o", "0x")) else int(text.replace("_", ""))
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
