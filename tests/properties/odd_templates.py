"""Templates that ask for much more than they are: each grows, circles or backtracks in one way.

CloudFormation User Guide, "CloudFormation quotas": a template has at most 1,000,000 bytes in S3 and 500 resources.
"""

from __future__ import annotations

import json
from typing import Any

TOPIC = {"Type": "AWS::SNS::Topic"}


def template(**sections: Any) -> str:
    return json.dumps({"Resources": {"Topic": TOPIC}, **sections})


def itself() -> str:
    """A list that holds itself, by an alias."""
    return "Resources:\n  Topic: {Type: 'AWS::SNS::Topic', Metadata: &a [*a]}\n"


def laughs() -> str:
    """Aliases of aliases: ten to the power of twenty values."""
    lines = ["Metadata:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    return "\n".join([*lines, "Resources:", "  Topic: {Type: 'AWS::SNS::Topic'}", ""])


def deep() -> str:
    """Lists in lists, as deep as the size of a template allows."""
    return '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Metadata": ' + "[" * 400_000 + "]" * 400_000 + "}"


def loops() -> str:
    """Loops in loops: ten to the power of twelve resources."""
    inner: dict[str, Any] = {"T" + "".join(f"${{N{n}}}" for n in range(12)): TOPIC}
    for number in reversed(range(12)):
        inner = {f"Fn::ForEach::L{number}": [f"N{number}", [str(item) for item in range(10)], inner]}
    return json.dumps({"Transform": "AWS::LanguageExtensions", "Resources": inner})


def conditions() -> str:
    """Conditions of which each asks for the one before twice: two to the power of sixty answers."""
    made: dict[str, Any] = {"C0": {"Fn::Equals": ["a", "a"]}}
    made |= {f"C{n}": {"Fn::And": [{"Condition": f"C{n - 1}"}, {"Condition": f"C{n - 1}"}]} for n in range(1, 60)}
    return template(Conditions=made, Resources={"Topic": TOPIC | {"Condition": "C59"}})


def pattern() -> str:
    """A pattern that tries two to the power of forty ways to fit its default."""
    name = {"Type": "String", "AllowedPattern": "(a|a)*(a|a)*b", "Default": "a" * 40}
    return template(Parameters={"Name": name})


def circle() -> str:
    """Resources that need each other in a circle of five hundred."""
    return template(
        Resources={f"T{n}": TOPIC | {"Properties": {"TopicName": {"Ref": f"T{(n + 1) % 500}"}}} for n in range(500)}
    )


ODD = {one.__name__: one for one in (itself, laughs, deep, loops, conditions, pattern, circle)}
