"""What has to exist before what.

AWS pages: "DependsOn attribute", "Ref", "Fn::GetAtt", "Fn::Sub" (each makes a dependency).
"""

from __future__ import annotations

from collections.abc import Mapping

from awslang.template import nodes
from awslang.template.intrinsics import Evaluator
from awslang.template.template import Template, TemplateError

REFERRING = ("Properties", "Metadata", "UpdatePolicy", "CreationPolicy")


def dependencies(template: Template, evaluator: Evaluator) -> dict[str, set[str]]:
    """For every active resource, the active resources that it needs (Ref, GetAtt, Sub, DependsOn).

    They depend on the template's conditions alone, and a stack set takes the same template to every account.
    CloudFormation User Guide, "CloudFormation template Conditions syntax": all of them are evaluated before any
    resource is made.
    """
    held = tuple(evaluator.condition(name) for name in template.conditions)
    if evaluator.extended or held not in template.depends:
        template.depends[held] = needed(template, evaluator)
    return {name: set(others) for name, others in template.depends[held].items()}


def needed(template: Template, evaluator: Evaluator) -> dict[str, set[str]]:
    active = evaluator.active()
    needs: dict[str, set[str]] = {}
    for name in active:
        declared = template.resources[name]
        stated = declared.get("DependsOn", [])
        found = set(stated if isinstance(stated, list) else [stated])
        for member in REFERRING:
            for function, argument in evaluator.calls(declared.get(member)):
                found |= {target for target, _ in nodes.references(function, argument)}
        needs[name] = found & set(active)
    return needs


def order(needs: Mapping[str, set[str]]) -> list[set[str]]:
    """Waves of creation: every resource stands after all that it needs. Reversed, the order of deletion.

    TemplateError "Circular dependency between resources: [A, B]" when there is none.
    """
    waves: list[set[str]] = []
    left = {name: set(wanted) for name, wanted in needs.items()}
    while left:
        wave = {name for name, wanted in left.items() if not wanted & left.keys()}
        if not wave:
            names = ", ".join(circle(left))
            raise TemplateError(f"Circular dependency between resources: [{names}]", next(iter(circle(left))))
        waves.append(wave)
        left = {name: wanted for name, wanted in left.items() if name not in wave}
    return waves


def circle(left: Mapping[str, set[str]]) -> list[str]:
    """The resources that are part of circles, without those that only wait for them."""
    reached: dict[str, set[str]] = {}
    for name in left:
        found: set[str] = set()
        todo = [name]
        while todo:
            for needed in left[todo.pop()] & left.keys() - found:
                found.add(needed)
                todo.append(needed)
        reached[name] = found
    return [name for name in left if name in reached[name]]
