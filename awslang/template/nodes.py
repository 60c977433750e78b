"""The parts of a template that are function calls: which calls there are, and what they refer to.

AWS page: "Intrinsic function reference".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from awslang.template.functions import variables

PSEUDO = {
    "AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackId",
    "AWS::StackName", "AWS::URLSuffix",
}  # fmt: skip


def call(node: Any) -> tuple[str, Any] | None:
    """The function and its argument when a node is a function call ({"Ref": …}, {"Fn::Sub": …}); None otherwise."""
    if isinstance(node, dict) and len(node) == 1:
        name, argument = next(iter(node.items()))
        if name == "Ref" or name.startswith("Fn::"):
            return name, argument
    return None


def attribute(argument: Any) -> tuple[Any, Any]:
    """Logical id and attribute of a Fn::GetAtt, which may be a list or "Name.Attribute"; "" of one that is neither."""
    if isinstance(argument, str):
        name, _, rest = argument.partition(".")
        return name, rest
    return (argument[0], argument[1]) if isinstance(argument, list) and len(argument) == 2 else ("", "")


def substitution(argument: Any) -> tuple[str, dict[str, Any]]:
    """The string and the own variables of a Fn::Sub; "" of one that is malformed, which checks.py refuses."""
    match argument:
        case str(text):
            return text, {}
        case [str(text), dict(own)]:
            return text, own
    return "", {}


def references(name: str, argument: Any) -> Iterator[tuple[str, str]]:
    """What one call refers to by name: (name, attribute), the attribute "" for a Ref.

    A computed logical id or attribute (language extensions) is left out: see the nodes within it.
    """
    if name == "Ref" and isinstance(argument, str):
        yield argument, ""
    elif name == "Fn::GetAtt":
        target, asked = attribute(argument)
        if isinstance(target, str):
            yield target, asked if isinstance(asked, str) else "*"
    elif name == "Fn::Sub":
        template, own = substitution(argument)
        for variable in variables(template):
            if variable not in own:
                target, _, asked = variable.partition(".")
                yield target, asked


def calls(node: Any) -> Iterator[tuple[str, Any]]:
    """Every function call in a node, outer ones first."""
    found = call(node)
    if found:
        yield found
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for part in parts:
        yield from calls(part)
