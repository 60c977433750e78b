"""What has to exist before what.

AWS pages: "DependsOn attribute", "Ref", "Fn::GetAtt", "Fn::Sub" (each makes a dependency).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from awslang.template import nodes
from awslang.template.intrinsics import Evaluator
from awslang.template.template import Template, TemplateError

REFERRING = ("Properties", "Metadata", "UpdatePolicy", "CreationPolicy")


def dependencies(template: Template, evaluator: Evaluator) -> dict[str, set[str]]:
    """For every active resource, the active resources that it needs (Ref, GetAtt, Sub, DependsOn); TemplateError where
    one, or an output, refers to a resource that is not active.

    They depend on the template's conditions alone, and a stack set takes the same template to every account.
    CloudFormation User Guide, "CloudFormation template Conditions syntax": all of them are evaluated before any
    resource is made.
    """
    held = tuple(evaluator.condition(name) for name in template.conditions)
    if evaluator.extended or held not in template.depends:
        check_references(template, evaluator)
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


def check_references(template: Template, evaluator: Evaluator) -> None:
    """TemplateError where a resource or an output of this stack refers to a resource that a condition leaves out.

    CloudFormation Template Reference, "Condition functions": "associate a condition with any resource that you want to
    conditionally create"; a reference to what is not created is refused before anything is.
    """
    active = set(evaluator.active())
    blocks: dict[str, dict[str, list[Any]]] = {
        "Resources": {name: [template.resources[name].get(member) for member in REFERRING] for name in active},
        "Outputs": {
            name: [declared]
            for name, declared in template.outputs.items()
            if "Condition" not in declared or evaluator.condition(declared["Condition"])
        },
    }
    for block, parts in blocks.items():
        calls = [(name, call) for name, nodes_of in parts.items() for call in evaluator.calls(nodes_of)]
        targets = [(name, target) for name, call in calls for target, _ in nodes.references(*call)]
        if wrong := [(name, target) for name, target in targets if target in template.resources.keys() - active]:
            names = ", ".join(sorted({target for _, target in wrong}))
            message = f"Unresolved resource dependencies [{names}] in the {block} block of the template"
            raise template.error(f"Template format error: {message}", block, wrong[0][0])


def order(needs: Mapping[str, set[str]]) -> list[set[str]]:
    """Waves of creation: every resource stands after all that it needs. Reversed, the order of deletion.

    TemplateError "Circular dependency between resources: [A, B]" when there is none.
    """
    waves: list[set[str]] = []
    left = {name: set(wanted) for name, wanted in needs.items()}
    while left:
        wave = {name for name, wanted in left.items() if not wanted & left.keys()}
        if not wave:
            found = circle(left)
            raise TemplateError(f"Circular dependency between resources: [{', '.join(found)}]", found[0])
        waves.append(wave)
        left = {name: wanted for name, wanted in left.items() if name not in wave}
    return waves


def circle(left: Mapping[str, set[str]]) -> list[str]:
    """The resources that are part of circles, without those that only wait for them.

    Kosaraju's way, whose time grows with the number of references: begun with what was finished last, going backwards
    from a resource reaches exactly those that are in a circle with it.
    """
    needs = {name: wanted & left.keys() for name, wanted in left.items()}
    users: dict[str, set[str]] = {name: set() for name in left}
    for name, wanted in needs.items():
        for needed in wanted:
            users[needed].add(name)
    seen: set[str] = set()
    finished = [found for name in needs for found in reached(name, needs, seen)]
    seen, circled = set(), set()
    for name in reversed(finished):
        if len(together := reached(name, users, seen)) > 1 or name in needs[name]:
            circled.update(together)
    return [name for name in left if name in circled]


def reached(start: str, ways: Mapping[str, set[str]], seen: set[str]) -> list[str]:
    """What can be reached and was not seen before, each after all that is reached from it. seen: grows by these"""
    if start in seen:
        return []
    seen.add(start)
    finished, path = [], [(start, iter(ways[start]))]
    while path:
        name, rest = path[-1]
        further = next((one for one in rest if one not in seen), None)
        if further is None:
            path.pop()
            finished.append(name)
        else:
            seen.add(further)
            path.append((further, iter(ways[further])))
    return finished
