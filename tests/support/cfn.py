"""Evaluators of small templates, for the tests of the template language; and what a stack is given in tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from awslang.template import parameters
from awslang.template import template as templates
from awslang.template.intrinsics import Evaluator


def pseudo_parameters(account: str, region: str) -> dict[str, Any]:
    """Those of a stack in the account and Region."""
    return {
        "AWS::AccountId": account,
        "AWS::Region": region,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": "stack",
        "AWS::StackId": f"arn:aws:cloudformation:{region}:{account}:stack/stack/1",
        "AWS::NotificationARNs": [],
    }


PSEUDO = pseudo_parameters("111111111111", "us-east-1") | {
    "AWS::NotificationARNs": ["arn:aws:sns:us-east-1:111111111111:n"]
}
EXPORTS = {"network-Vpc": "vpc-1"}
RESOLVED = {("ssm", "name:2"): "two", ("ssm-secure", "p"): "hidden", ("secretsmanager", "s:SecretString:k"): "secret"}

TAKEN_APART = "AWS::SageMaker::ModelQualityJobDefinition"  # its Ref is an ARN, and a template takes the name out of it


def stand_in(template: templates.Template, name: str, attribute: str) -> str:
    """An attribute of a resource that nothing has made."""
    apart = attribute == "Ref" and template.resources.get(name, {}).get("Type") == TAKEN_APART
    return f"arn/{name}.{attribute}" if apart else f"{name}.{attribute}"


parse = cache(templates.parse)  # a file of the kit is asked about many times


def evaluator(
    body: str,
    given: Mapping[str, str] | None = None,
    attributes: Callable[[str, str], Any] | None = None,
) -> Evaluator:
    template = parse(body)
    return Evaluator(
        template,
        parameters.resolve(template, given or {}, None, EXPORTS.__getitem__),
        PSEUDO,
        EXPORTS.__getitem__,
        attributes or partial(stand_in, template),
        lambda service, reference: RESOLVED[service, reference],
    )
