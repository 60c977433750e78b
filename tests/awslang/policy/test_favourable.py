"""What a caller could do at best, where not every condition key of its requests is known."""

from __future__ import annotations

from typing import Any

import pytest

from awslang.policy.document import parse
from awslang.policy.evaluator import AuthorizationRequest, Policies, decide
from awslang.policy.favourable import favourable
from awslang.principals import Principal

ACCOUNT = "111111111111"
BUILD = f"arn:aws:codebuild:us-east-1:{ACCOUNT}:project/sagemaker-iris-build"
KNOWN = {"aws:principalarn", "aws:username", "aws:requestedregion"}
ALLOW = {"Effect": "Allow", "Action": "codebuild:*", "Resource": "*"}


def could(*statements: dict[str, Any]) -> bool:
    """Whether a role with these statements could start the build, at best."""
    policy = parse({"Version": "2012-10-17", "Statement": list(statements)}, "p", ACCOUNT)
    who = Principal("role", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/Dev/x", role_arn="arn:aws:iam::1:role/Dev")
    context = {"aws:requestedregion": ("us-east-1",), "aws:principalarn": ("arn:aws:iam::1:role/Dev",)}
    request = AuthorizationRequest(who, "codebuild:StartBuild", BUILD, ACCOUNT, context)
    return decide(request, Policies(identity=(favourable(policy, KNOWN.__contains__),))).allowed


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"Null": {"aws:SourceVpce": "false"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, False),
        ({"StringEquals": {"aws:username": "anna"}}, False),  # known to be absent: a role has none
        ({"StringEquals": {"aws:RequestedRegion": "${aws:PrincipalTag/region}"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1", "aws:SourceVpc": "vpc-1"}}, False),
    ],
)
def test_a_condition_on_a_key_that_is_not_known_holds_where_it_allows(
    condition: dict[str, Any], expected: bool
) -> None:
    assert could({**ALLOW, "Condition": condition}) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, True),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}, False),
        ({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
        ({}, False),
    ],
)
def test_a_condition_on_a_key_that_is_not_known_fails_where_it_denies(
    condition: dict[str, Any], expected: bool
) -> None:
    assert could(ALLOW, {**ALLOW, "Effect": "Deny", "Condition": condition}) is expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Resource": "arn:aws:codebuild:*:*:project/${aws:PrincipalTag/team}-build"}, True),
        ({"Resource": "arn:aws:codebuild:*:*:project/${aws:PrincipalTag/team}-test"}, False),
        ({"Resource": "arn:aws:codebuild:*:*:project/${aws:username}-build"}, False),
        ({"NotResource": "arn:aws:codebuild:*:*:project/${aws:PrincipalTag/team}*"}, True),
        ({"NotResource": "arn:aws:codebuild:*:*:project/sagemaker-*"}, False),
    ],
)
def test_a_variable_without_a_known_value_stands_for_any_text(statement: dict[str, Any], expected: bool) -> None:
    assert could({"Effect": "Allow", "Action": "codebuild:*", **statement}) is expected


@pytest.mark.parametrize("kind", ["Resource", "NotResource"])
def test_a_statement_denies_only_what_it_denies_whatever_a_variable_is(kind: str) -> None:
    deny = {"Effect": "Deny", "Action": "*", kind: "arn:aws:codebuild:*:*:project/${aws:PrincipalTag/team}*"}
    assert could(ALLOW, deny)
