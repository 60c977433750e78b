"""Roles for tests: who may assume them, and what they may do."""

from __future__ import annotations

import json
from typing import Any

from localaws.cloud import Cloud

Statement = dict[str, Any]
EVERYTHING: Statement = {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}
WRITE_LOGS: Statement = {
    "Effect": "Allow",
    "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": "*",
}


def policy_document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust_policy(principal: dict[str, str]) -> str:
    """The trust policy of a role that the principal may assume, e.g. {"Service": "lambda.amazonaws.com"}."""
    return policy_document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def make_role(
    cloud: Cloud,
    name: str,
    service: str,
    *statements: Statement,
    account: str = "111111111111",
    region: str = "us-east-1",
) -> str:
    """The ARN of a new role that a service may assume and that may do what the statements allow.

    Args:
        service: e.g. lambda; its principal is lambda.amazonaws.com.
        statements: of the role's inline policy; without any the role may do nothing.
    """
    iam = cloud.root(account, region).client("iam")
    trust = trust_policy({"Service": f"{service}.amazonaws.com"})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy_document(*statements))
    return str(role)


def allow_everything(iam: Any, role: str) -> None:
    iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=policy_document(EVERYTHING))
