"""What authorization asks of Lambda: the function that a request acts on, its policy and its tags."""

from __future__ import annotations

import json
from collections.abc import Callable

from awslang.policy.document import Policy, parse
from localaws.calls import Call
from localaws.cloud import Cloud
from localaws.service import Access
from localaws.services.awslambda.service import aws_lambda
from localaws.services.awslambda.state import Functions, asked, policy_of

QUALIFIED = {"Invoke", "GetFunction", "GetFunctionConfiguration", "AddPermission", "RemovePermission", "GetPolicy"}


def resources(call: Call, types: list[str]) -> list[str]:
    """A qualifier is part of the ARN (Lambda Developer Guide, "Identity-based IAM policies for Lambda")."""
    if not call.params.get("FunctionName") or "function" not in types:
        return []
    name = asked(call)
    return [f"{name.arn}:{name.qualifier}" if name.qualifier and call.operation in QUALIFIED else name.arn]


def policy(cloud: Cloud, function: str) -> Policy | None:
    document = policy_of(cloud, function)
    if not document:
        return None
    return parse(document, f"function {function.split(':', 6)[6]}", function.split(":")[4], "resource")


def rewrite(cloud: Cloud, change: Callable[[str], str]) -> None:
    for functions in cloud.states(Functions).values():
        for function in list(functions.by_name.values()):
            for qualifier, statements in list(function.policies.items()):
                text = json.dumps({"Statement": statements})
                function.policies[qualifier] = json.loads(change(text))["Statement"]


aws_lambda.access = Access(resources=resources, policy=policy, rewrite=rewrite)
