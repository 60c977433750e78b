"""Setting the values of a template's parameters in its text, so that everything else stays as it was written.

The text is edited where PyYAML's nodes say that an entry stands, or a parameter's Type, which new entries follow.
Loading it and writing it again with ruamel.yaml took 35 times as long, and a publish packs the product several times.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

import yaml

from awslang.template.reader import LOADER
from scripts.kit.console import UserError

BLOCKS = ("|", ">")  # the styles of a scalar that is written below its key
LIST = "CommaDelimitedList"


def with_defaults(template: bytes, defaults: Mapping[str, str], name: str, open: Collection[str] = ()) -> bytes:
    """The template with these parameters' Defaults set, each the only value that CloudFormation allows.

    Args:
        name: of its file, for the messages.
        open: parameters whose default is only a default.
    """
    text = template.decode()
    try:
        parameters = members(members(composed(text)).get("Parameters"))
    except yaml.YAMLError as error:
        raise UserError(f"{name}: not valid YAML: {error}") from error
    edits: list[tuple[int, int, str]] = []
    for parameter, value in defaults.items():
        if parameter not in parameters:
            raise UserError(f"{name} has no parameter {parameter}, which packing sets")
        node = parameters[parameter]
        declared = members(node)
        pattern = declared.get("AllowedPattern")
        if pattern is not None and not re.fullmatch(pattern.value, value):
            raise UserError(
                f"{name}: the parameter {parameter} does not allow {value} (AllowedPattern {pattern.value})"
            )
        entries = {"Default": quoted(value)}
        if parameter not in open:
            entries["AllowedValues"] = "[" + ", ".join(map(quoted, choices(value, declared["Type"].value))) + "]"
            entries["ConstraintDescription"] = quoted(f"{value or 'left empty'}, as published.")
        edits += changes(text, node, entries)
    for start, end, new in sorted(edits, reverse=True):  # from the end, so that the positions before it stay
        text = text[:start] + new + text[end:]
    return text.encode()


def choices(value: str, type: str) -> list[str]:
    """The AllowedValues that let a parameter have this value alone; of a list, each member must be one of them."""
    return list(dict.fromkeys(value.split(","))) if type == LIST else [value]


@lru_cache(maxsize=2)
def composed(text: str) -> Any:
    """The nodes of a template, which are read and never changed; a publish packs the same one twice."""
    return yaml.compose(text, Loader=LOADER)


def members(node: Any) -> dict[str, Any]:
    """The values of a mapping, by key."""
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def changes(text: str, node: yaml.MappingNode, entries: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    """What to put where (start, end, text), so that a parameter has these entries.

    An entry that is there gets the new value; the others follow the parameter's Type.
    """
    new = dict(entries)
    for key, value in node.value:
        if key.value in new:
            start = text.index(":", key.end_mark.index) + 1
            yield start, end_of(text, value), " " + new.pop(key.value)
    end = members(node)["Type"].end_mark.index
    if not new:
        return
    if node.flow_style:
        yield end, end, "".join(f", {key}: {value}" for key, value in new.items())
        return
    line_break, indent = "\r\n" if "\r\n" in text else "\n", " " * node.start_mark.column
    end = found if (found := text.find(line_break, end)) >= 0 else len(text)
    yield end, end, "".join(f"{line_break}{indent}{key}: {value}" for key, value in new.items())


def end_of(text: str, node: yaml.Node) -> int:
    """Where a value ends; of a block, before its last line break."""
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return end_of(text, node.value[-1])
    end = int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode) and node.style in BLOCKS:
        return len(text[:end].rstrip())
    return end
