"""Setting the defaults of a template's parameters in its text, so that everything else stays as it was written.

The text is edited where PyYAML's nodes say that a default stands, or a parameter's Type, which a new default follows.
Loading it and writing it again with ruamel.yaml took 35 times as long, and a publish packs the product several times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import yaml

from awslang.template.reader import LOADER
from scripts.kit.console import UserError

BLOCKS = ("|", ">")  # the styles of a scalar that is written below its key


def with_defaults(template: bytes, defaults: Mapping[str, str], name: str) -> bytes:
    """The template with these parameters' Defaults set. name: of its file, for the messages."""
    text = template.decode()
    lines = text.splitlines(keepends=True)
    try:
        parameters = members(members(composed(text)).get("Parameters"))
    except yaml.YAMLError as error:
        raise UserError(f"{name}: not valid YAML: {error}") from error
    places = []
    for parameter, value in defaults.items():
        if parameter not in parameters:
            raise UserError(f"{name} has no parameter {parameter}, which packing sets")
        declared = members(parameters[parameter])
        pattern = declared.get("AllowedPattern")
        if pattern is not None and not re.fullmatch(pattern.value, value):
            raise UserError(
                f"{name}: the parameter {parameter} does not allow {value} (AllowedPattern {pattern.value})"
            )
        places.append((parameters[parameter], declared, value))
    for node, declared, value in sorted(places, key=lambda place: -place[0].start_mark.index):  # from the end
        set_default(lines, node, declared, quoted(value))
    return "".join(lines).encode()


@lru_cache(maxsize=2)
def composed(text: str) -> Any:
    """The nodes of a template, which are read and never changed; a publish packs the same one twice."""
    return yaml.compose(text, Loader=LOADER)


def members(node: Any) -> dict[str, Any]:
    """The values of a mapping, by key."""
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def set_default(lines: list[str], node: yaml.MappingNode, declared: Mapping[str, Any], value: str) -> None:
    """Put the value in place of the parameter's default, or behind its Type where it has none."""
    if (default := declared.get("Default")) is not None:
        first, last = default.start_mark, default.end_mark
        before, after = lines[first.line][: first.column], lines[last.line][last.column :]
        if isinstance(default, yaml.ScalarNode) and default.style in BLOCKS:  # ends where the next line begins
            after = f"{ending(lines[first.line])}{after}"
        gap = "" if before.endswith(" ") else " "
        lines[first.line : last.line + 1] = [f"{before}{gap}{value}{after}"]
        return
    end = declared["Type"].end_mark
    line, indent = lines[end.line], " " * node.start_mark.column
    if node.flow_style:
        lines[end.line] = f"{line[: end.column]}, Default: {value}{line[end.column :]}"
    else:
        lines[end.line] = f"{line.removesuffix(ending(line))}{ending(line)}{indent}Default: {value}{ending(line)}"


def ending(line: str) -> str:
    """How a line ends; a last one without a line break as if it had one."""
    return "\r\n" if line.endswith("\r\n") else "\n"
