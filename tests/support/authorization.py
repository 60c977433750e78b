"""Roles and policies for the tests of authorization."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud, Session

A, B, REGION = "111111111111", "222222222222", "us-east-1"
Statement = dict[str, Any]


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Any, resources: Any = "*", **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def trust(**principal: Any) -> str:
    condition = principal.pop("Condition", None)
    statement = {"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    return document(statement | ({"Condition": condition} if condition else {}))


def session(cloud: Cloud, name: str, *statements: Statement, account: str = A, path: str = "/", **more: Any) -> Session:
    """A session of a new role with these statements as its inline policy."""
    iam = cloud.root(account, REGION).client("iam")
    role = iam.create_role(
        RoleName=name, Path=path, AssumeRolePolicyDocument=trust(Service="codebuild.amazonaws.com"), **more
    )
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=document(*statements))
    return cloud.service_role(role["Role"]["Arn"], "work", "codebuild.amazonaws.com", REGION)


def check_refused(work: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        work()
    assert caught.value.response["Error"]["Code"] in (
        "AccessDenied", "AccessDeniedException", "AuthorizationError", "403",
    )  # fmt: skip
    return caught.value
