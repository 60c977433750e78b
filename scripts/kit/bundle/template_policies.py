"""The IAM policies that a template holds, as plain documents that a linter or the evaluator can read.

Nothing is deployed for it, so names that only a deployment knows are made up: their form is AWS's, their
account is 111111111111.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ACCOUNT, REGION = "111111111111", "us-east-1"
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/stack/0",
}
ARNS = {  # the form of a resource's ARN (Service Authorization Reference)
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{{name}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{name}}",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{name}}",
    "AWS::StepFunctions::StateMachine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{{name}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{name}}",
}
REF_IS_ARN = {"AWS::SNS::Topic", "AWS::StepFunctions::StateMachine", "AWS::IAM::ManagedPolicy"}


@dataclass(frozen=True)
class Policy:
    """One policy document; resource: its logical id, path: where in the resource it stands."""

    resource: str
    path: tuple[str | int, ...]
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        """ModelRole.Policies.0.PolicyDocument"""
        return ".".join([self.resource, *map(str, self.path)])


def policies(template: Mapping[str, Any]) -> Iterator[Policy]:
    """Every policy in a template whose short forms are written out ({"Fn::Sub": …})."""
    for name, resource in template["Resources"].items():
        for path, node in walk(resource.get("Properties", {})):
            if isinstance(node, Mapping) and "Statement" in node:
                if "StatementId" in node:  # a statement of an event bus's policy, whose Sid it is
                    path, node = ("Statement",), of_bus(node)
                yield Policy(name, path, plain(node, template))


def of_bus(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The policy that one AWS::Events::EventBusPolicy adds to its bus."""
    statement = {"Sid": properties["StatementId"], **properties["Statement"]}
    return {"Version": "2012-10-17", "Statement": [statement]}


def walk(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every mapping and list beneath a node, with its path."""
    yield path, node
    entries = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        yield from walk(value, (*path, key))


def plain(node: Any, template: Mapping[str, Any]) -> Any:
    """A node without functions: each has a value such as a deployment could give it."""
    if isinstance(node, list):
        return [plain(item, template) for item in node if item != {"Ref": "AWS::NoValue"}]
    if not isinstance(node, Mapping):
        return node
    if len(node) == 1:
        function, argument = next(iter(node.items()))
        if function in {"Ref", "Fn::GetAtt", "Fn::Sub", "Fn::If", "Fn::Join", "Fn::Select", "Fn::Split"}:
            return value(str(function), argument, template)
    return {key: plain(item, template) for key, item in node.items()}


def value(function: str, argument: Any, template: Mapping[str, Any]) -> Any:
    if function == "Ref":
        return reference(argument, "", template)
    if function == "Fn::GetAtt":
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        return reference(name, attribute, template)
    if function == "Fn::If":
        return plain(argument[1], template)
    if function == "Fn::Join":
        return str(argument[0]).join(plain(argument[1], template))
    if function == "Fn::Select":
        return plain(argument[1], template)[int(argument[0])]
    if function == "Fn::Split":
        return str(plain(argument[1], template)).split(argument[0])
    text, own = (argument, {}) if isinstance(argument, str) else argument
    filled = re.sub(r"\$\{([^!}][^}]*)\}", lambda found: part(found[1].strip(), own, template), text)
    return filled.replace("${!", "${")  # a literal: the variable of a policy


def part(name: str, own: Mapping[str, Any], template: Mapping[str, Any]) -> str:
    """What stands for ${name} in an Fn::Sub."""
    if name in own:
        return str(plain(own[name], template))
    resource, _, attribute = name.partition(".")
    found = reference(resource, attribute, template)
    return found if isinstance(found, str) else ",".join(found)


def reference(name: str, attribute: str, template: Mapping[str, Any]) -> Any:
    if name in PSEUDO:
        return PSEUDO[name]
    if name in template.get("Parameters", {}):
        return parameter(name, template["Parameters"][name])
    resource = template["Resources"].get(name, {})
    kind = resource.get("Type", "")
    if kind == "AWS::SSM::Parameter" and not attribute:
        return plain(resource["Properties"]["Name"], template)
    if kind in ARNS and (attribute.endswith("Arn") or (not attribute and kind in REF_IS_ARN)):
        return ARNS[kind].format(name=name)
    return name


def parameter(name: str, declared: Mapping[str, Any]) -> Any:
    """A parameter's value: the one that its description gives after "e.g.", its default, or its name."""
    example = re.search(r"e\.g\. (\S+?)[.,]?(\s|$)", str(declared.get("Description", "")))
    found = example[1] if example else str(declared.get("Default", "") or name)
    return found.split(",") if declared.get("Type") == "CommaDelimitedList" else found
