"""What the judges read of a template: its values with a plausible installation's parameters, and their places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from typing import Any

from awslang.template import parameters
from awslang.template.intrinsics import UNKNOWN, Evaluator
from awslang.template.template import Template, TemplateError
from tests.support.cfn import pseudo_parameters, stand_in
from tests.support.who_may.policies import DATA_SCIENCE, REGION

Path = tuple[str | int, ...]
NO_EXPORTS: dict[str, str] = {}


def walk(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every node beneath a node, with its path."""
    yield path, node
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        yield from walk(value, (*path, key))


class Case(Evaluator):
    """holds: conditions that hold or not, whatever the parameters say."""

    holds: Mapping[str, bool] = {}

    def condition(self, name: str) -> bool:
        return self.holds[name] if name in self.holds else self._truth(self.template.conditions[name])


def evaluator(template: Template) -> Case:
    """The template with an example for each parameter; a resource's own attributes have its logical id for a value."""
    given = {name: example(name, declared) for name, declared in template.parameters.items()}
    pseudo = pseudo_parameters(DATA_SCIENCE, REGION)
    values = parameters.resolve(template, given, None, lambda name: name)
    return Case(
        template,
        values,
        pseudo,
        NO_EXPORTS.__getitem__,
        lambda name, attribute: f"<{stand_in(template, name, attribute)}>",
        lambda s, r: r,
    )


def cases(template: Template, logical_id: str, member: str) -> Iterator[tuple[dict[str, Any], Case]]:
    """A resource's properties in each case of the conditions on which something with this member is there or not.

    With each the template in that case. The other conditions are as the parameters' examples say, or else as is
    possible; a case that never is, is left out.
    """
    resource = template.resources[logical_id]
    branches = [node for _, node in walk(resource) if isinstance(node, dict) and "Fn::If" in node]
    every = {node["Fn::If"][0] for node in branches}
    asked = {node["Fn::If"][0] for node in branches if any(path[-1:] == (member,) for path, _ in walk(node))}
    present = {resource["Condition"]: True} if "Condition" in resource else {}
    made = evaluator(template)
    for case in _combined(asked):
        if not _is_possible(template, case):
            continue
        for others in ({}, *_combined(every - asked)):
            with suppress(TemplateError):
                made.holds = {**others, **case, **present}
                yield made.resource(logical_id), made
                break


def _is_possible(template: Template, holds: Mapping[str, bool]) -> bool:
    """False where a condition holds that rests on another one which does not."""
    for name in (name for name, value in holds.items() if value):
        parts = template.conditions[name].get("Fn::And", [])
        if not all(holds.get(part.get("Condition", ""), True) for part in parts):
            return False
    return True


def there(template: Template, logical_id: str) -> Any:
    """A resource's properties where its condition holds, whatever the parameters' examples say."""
    made = evaluator(template)
    condition = template.resources[logical_id].get("Condition")
    made.holds = {condition: True} if condition else {}
    return made.resource(logical_id)


def _combined(names: Iterable[str]) -> list[dict[str, bool]]:
    """Each way in which conditions hold or not."""
    found = sorted(names)
    return [dict(zip(found, case, strict=True)) for case in product([True, False], repeat=len(found))]


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


__all__ = ["UNKNOWN", "Path", "cases", "evaluator", "example", "of_type", "properties", "walk"]
