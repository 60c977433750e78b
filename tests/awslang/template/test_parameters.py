"""Parameters: types, constraints and messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from awslang.errors import NotSupported
from awslang.template.parameters import Parameters, resolve
from awslang.template.template import TemplateError, parse

SSM = {"/image": "ami-1", "/zones": "a, b"}


def resolved(
    declared: Mapping[str, Mapping[str, Any]], previous: Mapping[str, str] | None = None, **given: str
) -> Parameters:
    body = json.dumps({"Parameters": declared, "Resources": {"T": {"Type": "AWS::SNS::Topic"}}}, indent=1)
    return resolve(parse(body), given, previous, SSM.__getitem__, lambda kind, value: value.startswith("vpc-"))


def refused(declared: Mapping[str, Mapping[str, Any]], **given: str) -> str:
    with pytest.raises(TemplateError) as caught:
        resolved(declared, None, **given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("String", " a ", " a "),
        ("Number", "5", "5"),
        ("Number", "-1.5", "-1.5"),
        ("CommaDelimitedList", "a, b ,c", ["a", "b", "c"]),
        ("CommaDelimitedList", "", [""]),
        ("List<Number>", "1, 2", ["1", "2"]),
        ("AWS::EC2::VPC::Id", "vpc-1", "vpc-1"),
        ("List<AWS::EC2::VPC::Id>", "vpc-1,vpc-2", ["vpc-1", "vpc-2"]),
        ("AWS::SSM::Parameter::Name", "/image", "/image"),
        ("AWS::SSM::Parameter::Value<String>", "/image", "ami-1"),
        ("AWS::SSM::Parameter::Value<List<String>>", "/zones", ["a", "b"]),
        ("AWS::SSM::Parameter::Value<CommaDelimitedList>", "/zones", ["a", "b"]),
    ],
)
def test_each_type_gives_its_kind_of_value(kind: str, text: str, value: object) -> None:
    found = resolved({"P": {"Type": kind}}, P=text)
    assert found.values == {"P": value}
    assert found.given == {"P": text}


def test_looked_up_values_differ_from_names() -> None:
    found = resolved({"P": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/image"}})
    assert found.shown == {"P": "/image"}
    assert found.resolved == {"P": "ami-1"}


def test_defaults_are_text() -> None:
    declared = {"N": {"Type": "Number", "Default": 5}, "B": {"Type": "String", "Default": True}}
    assert resolved(declared).values == {"N": "5", "B": "true"}


def test_a_value_that_is_not_echoed_is_never_shown() -> None:
    found = resolved(
        {"P": {"Type": "String", "NoEcho": "true"}, "Q": {"Type": "String", "NoEcho": False}}, P="s", Q="t"
    )
    assert found.shown == {"P": "****", "Q": "t"}
    assert found.values == {"P": "s", "Q": "t"}


def test_previous_values_are_used_only_where_they_are_handed_over() -> None:
    declared = {"P": {"Type": "String", "Default": "new"}, "Q": {"Type": "String", "Default": "new"}}
    assert resolved(declared, previous={"P": "old"}).values == {"P": "old", "Q": "new"}


def test_missing_and_unknown_names_are_all_named() -> None:
    declared = {"A": {"Type": "String"}, "B": {"Type": "String"}}
    assert refused(declared) == "Parameters: [A, B] must have values"
    assert refused(declared, A="", B="", C="", D="") == "Parameters: [C, D] do not exist in the template"


@pytest.mark.parametrize(
    ("declaration", "text", "message"),
    [
        ({"AllowedValues": ["a", "b"]}, "c", "Parameter 'P' must be one of AllowedValues"),
        ({"AllowedPattern": "[a-z]+"}, "ab1", "Parameter 'P' must match pattern [a-z]+"),
        ({"AllowedPattern": "[\\p{Alpha}]+"}, "1", "Parameter 'P' must match pattern [\\p{Alpha}]+"),
        (
            {"AllowedPattern": "[a-z]+", "ConstraintDescription": "lower case only."},
            "A",
            "Parameter P failed to satisfy constraint: lower case only.",
        ),
        ({"MinLength": 3}, "ab", "Parameter 'P' must contain at least 3 characters"),
        ({"MaxLength": "3"}, "abcd", "Parameter 'P' must contain at most 3 characters"),
        ({"Type": "Number"}, "x", "Parameter 'P' must be a number"),
        ({"Type": "Number", "MinValue": 2}, "1", "Parameter 'P' must be a number not less than 2"),
        ({"Type": "Number", "MaxValue": 2}, "2.5", "Parameter 'P' must be a number not greater than 2"),
        ({"Type": "List<Number>"}, "1,x", "Parameter 'P' must be a list of numbers"),
        (
            {"Type": "CommaDelimitedList", "AllowedPattern": "\\d{12}"},
            "111111111111, 22",
            "Parameter 'P' must match pattern \\d{12}",
        ),
        ({"Type": "CommaDelimitedList", "AllowedPattern": "\\d{12}"}, "", "Parameter 'P' must match pattern \\d{12}"),
        (
            {"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]},
            "a,c",
            "Parameter 'P' must be one of AllowedValues",
        ),
        ({}, "x" * 4097, "Parameter 'P' must not be longer than 4096 bytes"),
        (
            {"Type": "AWS::EC2::VPC::Id"},
            "subnet-1",
            "Parameter validation failed: parameter value subnet-1 for parameter name P does not exist",
        ),
        (
            {"Type": "AWS::SSM::Parameter::Value<String>"},
            "/none",
            "Unable to fetch parameters [/none] from parameter store for this account.",
        ),
    ],
)
def test_a_violated_constraint_is_reported_as_aws_words_it(
    declaration: dict[str, Any], text: str, message: str
) -> None:
    assert refused({"P": {"Type": "String", **declaration}}, P=text) == message


def test_patterns_match_the_whole_value() -> None:
    assert resolved({"P": {"Type": "String", "AllowedPattern": "a|b"}}, P="a").values == {"P": "a"}
    assert refused({"P": {"Type": "String", "AllowedPattern": "a|b"}}, P="ac")


def test_defaults_are_checked_too() -> None:
    assert refused({"P": {"Type": "String", "Default": "x", "MinLength": 2}}).startswith("Parameter 'P' must contain")


def test_the_error_says_where_the_parameter_stands() -> None:
    with pytest.raises(TemplateError) as caught:
        resolved({"P": {"Type": "String", "MinLength": 2}}, P="x")
    assert (caught.value.logical_id, caught.value.line) == ("P", 3)


def test_aws_specific_types_are_not_accepted_blindly() -> None:
    template = parse("Parameters: {P: {Type: 'AWS::EC2::VPC::Id'}}\nResources: {T: {Type: 'AWS::SNS::Topic'}}")
    with pytest.raises(NotSupported, match="whether the AWS::EC2::VPC::Id 'vpc-1' exists"):
        resolve(template, {"P": "vpc-1"}, None, SSM.__getitem__)
