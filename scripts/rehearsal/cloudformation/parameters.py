"""Parameters: what was given becomes typed values, or is refused as AWS refuses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.rehearsal.cloudformation.template import Template


@dataclass(frozen=True)
class Parameters:
    """The parameters of one stack.

    values: for Ref, by name: str, or list[str] for the list types (SSM types: the looked-up value)
    given: the strings as given or defaulted (SSM types: the SSM parameter's name), unmasked:
        keep them with the stack, they are `previous` in its next update
    shown: `given` as DescribeStacks shows it, NoEcho parameters as "****"
    resolved: for the SSM types the looked-up string (ResolvedValue of DescribeStacks)
    types: the declared type of every parameter
    """

    values: Mapping[str, str | list[str]]
    given: Mapping[str, str]
    shown: Mapping[str, str]
    resolved: Mapping[str, str]
    types: Mapping[str, str]


def resolve(
    template: Template,
    given: Mapping[str, str],
    previous: Mapping[str, str] | None,
    ssm: Callable[[str], str],
    exists: Callable[[str, str], bool] | None = None,
) -> Parameters:
    """The values of the template's parameters.

    given: ParameterValue by ParameterKey
    previous: the kept value of every parameter marked UsePreviousValue, and of no other
    ssm: the value of an SSM parameter by name (name:version too); raises KeyError when there is none
    exists: whether a value of an AWS-specific type (AWS::EC2::VPC::Id) exists in this account and
        region; without it such parameters are refused as not played

    TemplateError in AWS's wording: unknown or missing parameters, violated constraints.
    """
    raise NotImplementedError


def no_echo(declaration: Mapping[str, Any]) -> bool:
    """Whether a parameter's value is never shown."""
    return str(declaration.get("NoEcho", "false")).lower() == "true"
