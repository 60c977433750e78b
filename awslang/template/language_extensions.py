"""The AWS::LanguageExtensions transform: Fn::ForEach is written out; checks and Evaluator do the rest.

AWS pages: "AWS::LanguageExtensions transform", "Fn::ForEach" (collections, nesting, &{Identifier} for
alphanumeric values).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from awslang.errors import NotSupported
from awslang.template.parameters import Parameters
from awslang.template.reader import Path
from awslang.template.shape import FOR_EACH, LANGUAGE_EXTENSIONS, problems
from awslang.template.template import Template, TemplateError

NAME = LANGUAGE_EXTENSIONS
SECTIONS = ("Conditions", "Resources", "Outputs")
DEEPEST = 5  # loops within loops


def refuse_macros(template: Template) -> None:
    """NotSupported for every transform but this one."""
    for name in template.transforms:
        if name != NAME:
            raise NotSupported(f"the transform {name} (line {template.line('Transform')})")


def expand(template: Template, parameters: Parameters, pseudo: Mapping[str, Any]) -> Template:
    """The template with every Fn::ForEach written out; the same template when it does not use the transform.

    NotSupported for every other transform.
    """
    refuse_macros(template)
    if NAME not in template.transforms:
        return template
    loops = Loops(template, parameters, pseudo)
    document = {
        name: loops.written_out(part, (name,), {}) if name in SECTIONS else part
        for name, part in template.document.items()
    }
    expanded = replace(template, document=document, lines={**template.lines, **loops.lines})
    for message, path in problems(document):
        raise expanded.error(message, *path)
    return replace(expanded, document={name: part for name, part in document.items() if name != "Transform"})


class Loops:
    """Writes out the loops of one template; lines gives what came out of a loop the line of its fragment."""

    def __init__(self, template: Template, parameters: Parameters, pseudo: Mapping[str, Any]) -> None:
        self.template = template
        self.parameters = parameters
        self.pseudo = pseudo
        self.lines: dict[Path, int] = {}

    def written_out(self, node: Any, path: Path, loop: Mapping[str, str], depth: int = 0) -> Any:
        """node with its loops written out; loop: the value of each identifier around it."""
        if isinstance(node, list):
            return [self.written_out(part, (*path, index), loop, depth) for index, part in enumerate(node)]
        if not isinstance(node, dict):
            return replaced(node, loop)
        if len(node) == 1 and isinstance(node.get("Ref"), str) and node["Ref"] in loop:
            return loop[node["Ref"]]
        found: dict[str, Any] = {}
        for name, part in node.items():
            if not name.startswith(FOR_EACH):
                found[replaced(name, loop)] = self.written_out(part, (*path, name), loop, depth)
                continue
            for key, value in self.turns(name, part, path, loop, depth).items():
                if key in found:
                    raise self.error(f"{key} is defined twice", (*path, name))
                found[key] = value
                self.lines.setdefault((*path[:1], key), self.template.line(*path, name))
        return found

    def turns(self, name: str, part: Any, path: Path, loop: Mapping[str, str], depth: int) -> dict[str, Any]:
        """Every turn of one loop together."""
        here = (*path, name)
        well_formed = (
            isinstance(part, list) and len(part) == 3 and isinstance(part[0], str) and isinstance(part[2], dict)
        )
        if not well_formed:
            message = f"{name} requires an identifier, a collection and a fragment with output keys and values"
            raise self.error(message, here)
        if depth >= DEEPEST:
            raise self.error(f"{name} is nested deeper than {DEEPEST} loops", here)
        identifier, collection, fragment = part
        if identifier in self.template.parameters or identifier in self.template.resources or identifier in loop:
            raise self.error(f"{name}: the identifier {identifier} is in use already", here)
        found: dict[str, Any] = {}
        for value in self.collection(collection, here, loop):
            turn = self.written_out(fragment, (*here, 2), {**loop, identifier: value}, depth + 1)
            for key, item in turn.items():
                if key in found:
                    raise self.error(f"{name} makes {key} twice: its key must name the identifier", here)
                found[key] = item
        return found

    def collection(self, node: Any, path: Path, loop: Mapping[str, str]) -> list[str]:
        values = self.static(node, path, loop)
        if not isinstance(values, list) or not all(isinstance(item, str | int) for item in values):
            raise self.error("the collection of a Fn::ForEach must be a list of strings known beforehand", path)
        return list(dict.fromkeys(map(str, values)))

    def static(self, node: Any, path: Path, loop: Mapping[str, str]) -> Any:
        """Values that are known before the stack: literals, Ref of parameters, FindInMap of such."""
        if isinstance(node, list):
            found: list[Any] = []
            for item in node:
                value = self.static(item, path, loop)
                found += value if isinstance(value, list) and isinstance(item, dict) else [value]
            return found
        if not isinstance(node, dict):
            return replaced(node, loop)
        if "Ref" in node:
            known = {**self.pseudo, **self.parameters.values, **loop}
            if not isinstance(node["Ref"], str) or node["Ref"] not in known:
                raise self.error(f"the collection of a Fn::ForEach cannot depend on {node['Ref']}", path)
            return known[node["Ref"]]
        if "Fn::FindInMap" in node:
            name, top, second = self.arguments(node["Fn::FindInMap"], 3, path, loop)
            try:
                return self.template.mappings[name][top][second]
            except (KeyError, TypeError) as error:
                raise self.error(f"Unable to get mapping for {name}::{top}::{second}", path) from error
        if "Fn::Split" in node:
            delimiter, source = self.arguments(node["Fn::Split"], 2, path, loop)
            if not isinstance(delimiter, str) or not delimiter or not isinstance(source, str):
                raise self.error("the collection of a Fn::ForEach: Fn::Split requires a delimiter and a string", path)
            return source.split(delimiter)
        raise self.error(f"the collection of a Fn::ForEach cannot be made by {', '.join(node)}", path)

    def arguments(self, given: Any, count: int, path: Path, loop: Mapping[str, str]) -> list[Any]:
        """So many arguments of a function in a collection; what is left over is its default."""
        if not isinstance(given, list) or len(given) < count:
            raise self.error(f"the collection of a Fn::ForEach holds a function that requires {count} arguments", path)
        return [self.static(part, path, loop) for part in given[:count]]

    def error(self, message: str, path: Path) -> TemplateError:
        return self.template.error(f"Template error: {message}", *path)


def replaced(node: Any, loop: Mapping[str, str]) -> Any:
    """A string with ${Identifier} replaced, and &{Identifier} by the value without non-alphanumeric characters."""
    if not isinstance(node, str) or not loop:
        return node
    for identifier, value in loop.items():
        node = node.replace(f"${{{identifier}}}", value)
        node = node.replace(f"&{{{identifier}}}", re.sub(r"[^a-zA-Z0-9]", "", value))
    return node
