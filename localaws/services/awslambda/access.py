"""What authorization asks of Lambda: the function that a request acts on, its policy and its tags."""

from __future__ import annotations

from awslang.policy.document import Policy, parse
from localaws.calls import Call
from localaws.cloud import Cloud
from localaws.service import Access
from localaws.services.awslambda.service import aws_lambda
from localaws.services.awslambda.state import asked, function_named, policy_of

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


def tags(cloud: Cloud, function: str, region: str) -> dict[str, str]:
    found = function_named(cloud, function)
    return dict(found.tags) if found is not None else {}


aws_lambda.access = Access(resources=resources, policy=policy, tags=tags)
