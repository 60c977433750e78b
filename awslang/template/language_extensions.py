"""The AWS::LanguageExtensions transform: loops are written out, computed names are computed; Evaluator does the rest.

AWS pages: "AWS::LanguageExtensions transform", "Fn::ForEach" (collections, nesting, &{Identifier} for
alphanumeric values), "Examples of Fn::ForEach in the Resources section" (a condition from a mapping, Ref and
Fn::GetAtt of a computed logical id), "Examples of Fn::ForEach in the Conditions section".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from awslang.errors import NotSupported
from awslang.template import functions, nodes
from awslang.template.parameters import Parameters
from awslang.template.reader import Path
from awslang.template.shape import FOR_EACH, LANGUAGE_EXTENSIONS, SERVERLESS, problems
from awslang.template.template import Template, TemplateError
from awslang.template.values import NO_VALUE, text

NAME = LANGUAGE_EXTENSIONS
SECTIONS = ("Conditions", "Resources", "Outputs")
DEEPEST = 5  # loops within loops
BEFOREHAND = "a collection of Fn::ForEach, a condition or a name"  # all of them known before any resource is made


def refuse_macros(template: Template) -> None:
    """NotSupported for every transform but this one and SAM's (serverless.py)."""
    for name in template.transforms:
        if name not in (NAME, SERVERLESS):
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
    document = loops.with_names(document)
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
        placeholders = (f"${{{identifier}}}", f"&{{{identifier}}}")
        for key in fragment:  # "must be included within the OutputKey"; a loop within has an output key of its own
            if not key.startswith(FOR_EACH) and not any(one in key for one in placeholders):
                raise self.error(f"{name}: the output key {key} must include {' or '.join(placeholders)}", here)
        found: dict[str, Any] = {}
        for value in self.collection(collection, here, loop):
            self.refuse_condition_first(fragment, here)
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
        function, given = nodes.call(node) or (", ".join(node), None)
        if function == "Ref":
            return self.known(self.static(given, path, loop), path, loop)
        if function == "Fn::FindInMap":
            return self.mapped(given, path, loop)
        if function == "Fn::Split":
            delimiter, source = self.arguments(given, 2, path, loop)
            if not isinstance(delimiter, str) or not delimiter or not isinstance(source, str):
                raise self.error(f"{BEFOREHAND}: Fn::Split requires a delimiter and a string", path)
            return source.split(delimiter)
        if function == "Fn::Sub":
            template, own = nodes.substitution(replaced(given, loop))
            names = functions.variables(template)
            values = {n: self.static(own[n], path, loop) if n in own else self.known(n, path, loop) for n in names}
            return functions.substitute(template, values)
        if function in {"Fn::Join", "Fn::Select"}:
            compute = functions.join if function == "Fn::Join" else functions.select
            return compute(*self.arguments(given, 2, path, loop))
        raise self.error(f"{BEFOREHAND} cannot be made by {function}", path)

    def known(self, name: Any, path: Path, loop: Mapping[str, str]) -> Any:
        """The value of a parameter, pseudo parameter or identifier."""
        values = {"AWS::NoValue": NO_VALUE, **self.pseudo, **self.parameters.values, **loop}
        if not isinstance(name, str) or name not in values:
            raise self.error(f"{BEFOREHAND} cannot depend on {name}", path)
        return values[name]

    def mapped(self, given: Any, path: Path, loop: Mapping[str, str]) -> Any:
        """What a mapping holds, or the default of "Fn::FindInMap enhancements"."""
        name, top, second = self.arguments(given, 3, path, loop)
        try:
            return self.template.mappings[name][top][second]
        except (KeyError, TypeError) as error:
            default = given[3] if len(given) == 4 and isinstance(given[3], dict) else {}
            if "DefaultValue" in default:
                return self.static(default["DefaultValue"], path, loop)
            raise self.error(f"Unable to get mapping for {name}::{top}::{second}", path) from error

    def arguments(self, given: Any, count: int, path: Path, loop: Mapping[str, str]) -> list[Any]:
        """So many arguments of a function; what is left over is its default."""
        if not isinstance(given, list) or len(given) < count:
            raise self.error(f"{BEFOREHAND} holds a function that requires {count} arguments", path)
        return [self.static(part, path, loop) for part in given[:count]]

    def with_names(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document with the conditions of its resources, and the logical ids of Ref and Fn::GetAtt, as names."""
        named: dict[str, Any] = {n: self.named(p, (n,)) if n in SECTIONS else p for n, p in document.items()}
        for section in ("Resources", "Outputs"):
            declarations = named.get(section)
            for name, declared in declarations.items() if isinstance(declarations, dict) else ():
                if isinstance(declared, dict) and nodes.call(declared.get("Condition")):
                    path: Path = (section, name, "Condition")
                    condition = self.static(declared.pop("Condition"), path, {})
                    if condition is not NO_VALUE:
                        declared["Condition"] = condition
        return named

    def named(self, node: Any, path: Path) -> Any:
        if isinstance(node, list):
            return [self.named(part, (*path, index)) for index, part in enumerate(node)]
        if not isinstance(node, dict):
            return node
        found = nodes.call(node)
        if found and found[0] == "Ref" and isinstance(found[1], dict):
            return {"Ref": self.name(found[1], path)}
        if found and found[0] == "Fn::GetAtt" and isinstance(found[1], list):
            return {"Fn::GetAtt": [self.name(part, path) for part in found[1]]}
        return {key: self.named(part, (*path, key)) for key, part in node.items()}

    def name(self, node: Any, path: Path) -> Any:
        """A logical id or attribute that a function gives; NotSupported where it is not known beforehand."""
        if not isinstance(node, dict):
            return node
        try:
            return text(self.static(node, path, {}))
        except TemplateError as error:
            where = f"{'/'.join(map(str, path[:2]))}, line {self.template.line(*path) or error.line}"
            raise NotSupported(f"a Ref or Fn::GetAtt whose name is given by {', '.join(node)} ({where})") from error

    def refuse_condition_first(self, fragment: dict[str, Any], path: Path) -> None:
        """ "Stack creation will fail if Conditions is the first property listed" ("… in the Conditions section")."""
        for key, part in fragment.items() if path[0] == "Resources" else ():
            if isinstance(part, dict) and next(iter(part), "") == "Condition":
                raise self.error(f"{path[-1]}: Condition must not be the first property of {key}", path)

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
