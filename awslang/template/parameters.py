"""Parameters: what was given becomes typed values, or is refused as AWS refuses it.

AWS pages: "CloudFormation template Parameters syntax", "Specify existing resources at runtime with
CloudFormation-supplied parameter types" (AWS-specific and SSM types), "Understand CloudFormation quotas".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from awslang.errors import NotSupported
from awslang.template.patterns import fits
from awslang.template.shape import AWS_TYPES, SSM_VALUE
from awslang.template.template import Template, TemplateError
from awslang.template.values import text

LONGEST_VALUE = 4096  # bytes
MASK = "****"
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


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
        Region; without it such parameters are refused as not supported

    TemplateError in AWS's wording: unknown or missing parameters, violated constraints.
    """
    declared = template.parameters
    wanted = {**(previous or {}), **given}
    refuse_names([name for name in wanted if name not in declared], "do not exist in the template")
    strings = {name: wanted[name] if name in wanted else default(item) for name, item in declared.items()}
    refuse_names([name for name, value in strings.items() if value is None], "must have values")
    kept = {name: value for name, value in strings.items() if value is not None}
    values: dict[str, str | list[str]] = {}
    resolved: dict[str, str] = {}
    for name, value in kept.items():
        declaration, line = declared[name], template.line("Parameters", name)
        check_constraints(name, value, declaration, line)
        kind = str(declaration["Type"])
        if kind.startswith("AWS::SSM::Parameter"):
            looked_up = look_up(name, value, ssm, line)
            if kind.startswith(SSM_VALUE):
                resolved[name] = looked_up
                kind = kind.removeprefix(SSM_VALUE).removesuffix(">")
                value = looked_up
        if kind in AWS_TYPES:
            check_exists(name, kind, value, exists, line)
        values[name] = split(value) if is_list(kind) else value
    return Parameters(
        values=values,
        given=kept,
        shown={name: MASK if no_echo(declared[name]) else value for name, value in kept.items()},
        resolved=resolved,
        types={name: str(item["Type"]) for name, item in declared.items()},
    )


def no_echo(declaration: Mapping[str, Any]) -> bool:
    """Whether a parameter's value is never shown."""
    return text(declaration.get("NoEcho", "false")).lower() == "true"


def refuse_names(names: list[str], why: str) -> None:
    if names:
        raise TemplateError(f"Parameters: [{', '.join(names)}] {why}", names[0])


def default(declaration: Mapping[str, Any]) -> str | None:
    return text(declaration["Default"]) if "Default" in declaration else None


def is_list(kind: str) -> bool:
    return kind == "CommaDelimitedList" or kind.startswith("List<")


def split(value: str) -> list[str]:
    """The items of a list, without the spaces around them. An empty string is a list of one empty string on AWS too."""
    return [item.strip() for item in value.split(",")]


def check_constraints(name: str, value: str, declaration: Mapping[str, Any], line: int) -> None:
    broken = broken_constraint(value, declaration)
    if not broken:
        return
    reason = declaration.get("ConstraintDescription")
    if reason is not None:
        raise TemplateError(f"Parameter {name} failed to satisfy constraint: {reason}", name, line)
    raise TemplateError(f"Parameter '{name}' {broken}", name, line)


def broken_constraint(value: str, declaration: Mapping[str, Any]) -> str:
    """What a value violates, as AWS goes on after "Parameter 'X'"; "" when nothing."""
    kind = str(declaration["Type"])
    if len(value.encode()) > LONGEST_VALUE:
        return f"must not be longer than {LONGEST_VALUE} bytes"
    items = split(value) if is_list(kind) else [value]  # of a list, every item is checked
    if kind in ("Number", "List<Number>") and not all(map(NUMBER.fullmatch, items)):
        return "must be a number" if kind == "Number" else "must be a list of numbers"
    return broken_choice(items, declaration) or broken_length(value, declaration) or broken_range(items, declaration)


def broken_choice(items: list[str], declaration: Mapping[str, Any]) -> str:
    allowed = declaration.get("AllowedValues")
    if allowed is not None and not set(items) <= {text(item) for item in allowed}:
        return "must be one of AllowedValues"
    pattern = declaration.get("AllowedPattern")
    if pattern is not None and not all(fits(str(pattern), item) for item in items):
        return f"must match pattern {pattern}"
    return ""


def broken_length(value: str, declaration: Mapping[str, Any]) -> str:
    if "MinLength" in declaration and len(value) < float(declaration["MinLength"]):
        return f"must contain at least {declaration['MinLength']} characters"
    if "MaxLength" in declaration and len(value) > float(declaration["MaxLength"]):
        return f"must contain at most {declaration['MaxLength']} characters"
    return ""


def broken_range(items: list[str], declaration: Mapping[str, Any]) -> str:
    if "MinValue" in declaration and any(float(item) < float(declaration["MinValue"]) for item in items):
        return f"must be a number not less than {text(declaration['MinValue'])}"
    if "MaxValue" in declaration and any(float(item) > float(declaration["MaxValue"]) for item in items):
        return f"must be a number not greater than {text(declaration['MaxValue'])}"
    return ""


def look_up(name: str, value: str, ssm: Callable[[str], str], line: int) -> str:
    try:
        return ssm(value)
    except KeyError as error:
        message = f"Unable to fetch parameters [{value}] from parameter store for this account."
        raise TemplateError(message, name, line) from error
    except NotSupported as error:
        raise NotSupported(f"parameter {name} (line {line}): {error.what}") from error


def check_exists(name: str, kind: str, value: str, exists: Callable[[str, str], bool] | None, line: int) -> None:
    one = kind.removeprefix("List<").removesuffix(">")
    for item in split(value) if is_list(kind) else [value]:
        if exists is None:
            raise NotSupported(f"parameter {name} (line {line}): whether the {one} '{item}' exists")
        if not exists(one, item):
            message = f"Parameter validation failed: parameter value {item} for parameter name {name} does not exist"
            raise TemplateError(message, name, line)
