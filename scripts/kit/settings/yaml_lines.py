"""YAML 1.2 as plain data in which every mapping and list knows the lines of what it holds.

PyYAML resolves plain scalars as YAML 1.1 has it, in which `no` is false and 0123 is octal; this loader has the core
schema of YAML 1.2 (YAML 1.2.2, "10.3.2. Tag Resolution"). An underscore among digits is taken as 1.1 does, as a number,
because other readers of the same file do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML was built with it
TAG = "tag:yaml.org,2002:"
FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
SCHEMA = (  # in this order: what the first pattern matches, with the characters that it may begin with
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", FLOAT, list("-+.0123456789")),
)


class Loader(FAST):  # type: ignore[misc]  # which of the two classes it is, is known at run time
    """The core schema's scalars."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's name for its own registry


for _kind, _pattern, _first in SCHEMA:
    Loader.add_implicit_resolver(TAG + _kind, re.compile(f"(?:{_pattern})$"), _first)


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


def load(text: str) -> Any:
    """The document in a text; None for an empty one. yaml.YAMLError for what is not YAML 1.2."""
    root = yaml.compose(text, Loader=Loader)
    return build(root, {}) if root is not None else None


def build(node: yaml.Node, made: dict[int, Any]) -> Any:
    """What a node stands for. made: what was built already, by its node, for aliases."""
    if id(node) not in made:
        made[id(node)] = None  # while it is built, so that an alias to itself is found
        made[id(node)] = construct(node, made)
    elif made[id(node)] is None and isinstance(node, yaml.CollectionNode):
        raise refused("an alias stands inside what it stands for", node)
    return made[id(node)]


def construct(node: yaml.Node, made: dict[int, Any]) -> Any:
    if isinstance(node, yaml.MappingNode) and node.tag == f"{TAG}map":
        mapping = LinesOfMapping()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise refused("a key is not text", key)
            if key.value in mapping:
                raise refused(f"the key {key.value} is given twice", key)
            mapping[key.value] = build(value, made)
            mapping.lines[key.value] = key.start_mark.line + 1
        return mapping
    if isinstance(node, yaml.SequenceNode) and node.tag == f"{TAG}seq":
        lines = [item.start_mark.line + 1 for item in node.value]
        return LinesOfList((build(item, made) for item in node.value), lines)
    if isinstance(node, yaml.ScalarNode):
        return scalar(node)
    raise refused(f"the tag {node.tag} is not supported", node)


def scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    text = str(node.value)
    match node.tag.removeprefix(TAG):
        case "str":
            return text
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
        case "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    raise refused(f"the tag {node.tag} is not supported", node)


def refused(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
