"""What the judges read of a template: its values with a plausible installation's parameters, and their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from awslang.template import parameters
from awslang.template.intrinsics import UNKNOWN, Evaluator
from awslang.template.template import Template
from tests.support.cfn import pseudo_parameters
from tests.support.who_may.policies import DATA_SCIENCE, REGION

Path = tuple[str | int, ...]
NO_EXPORTS: dict[str, str] = {}


def walk(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every node beneath a node, with its path."""
    yield path, node
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        yield from walk(value, (*path, key))


def evaluator(template: Template) -> Evaluator:
    """The template with an example for each parameter; a resource's own attributes have its logical id for a value."""
    given = {name: example(name, declared) for name, declared in template.parameters.items()}
    pseudo = pseudo_parameters(DATA_SCIENCE, REGION)
    values = parameters.resolve(template, given, None, lambda name: name)
    return Evaluator(
        template,
        values,
        pseudo,
        NO_EXPORTS.__getitem__,
        lambda name, attribute: f"<{name}.{attribute}>",
        lambda s, r: r,
    )


def example(name: str, declared: dict[str, Any]) -> str:
    """The example of a parameter's description, its default, or its name: the first that its own constraints take."""
    described = re.search(r"e\.g\.\s+'?(\S+?)'?[.,;)]?(\s|$)", str(declared.get("Description", "")))
    allowed = declared.get("AllowedValues", [""])
    for value in (described[1] if described else "", str(declared.get("Default", "")), name.lower(), str(allowed[0])):
        if not parameters.broken_constraint(value, declared):
            return value
    return str(declared.get("Default", name))


def properties(template: Template, name: str) -> dict[str, Any]:
    """The resolved properties of a resource."""
    return evaluator(template).resource(name)


def of_type(template: Template, kind: str) -> list[str]:
    return [name for name, resource in template.resources.items() if resource["Type"] == kind]


__all__ = ["UNKNOWN", "Path", "evaluator", "example", "of_type", "properties", "walk"]
