"""What a request needs: IAM actions, the resources they act on, and their condition keys.

Service Authorization Reference, "Actions, resources, and condition keys for AWS services". A
request whose action or resource is not known is refused, never allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from moto.core.utils import get_service_model

from awslang.errors import AwsError, NotSupported
from awslang.policy.action_table import Table, table
from localaws import pages, registry
from localaws.authorization.keys import service_keys
from localaws.authorization.needs import need_of, tag_keys
from localaws.authorization.resources import resources
from localaws.calls import Call
from localaws.service import Need

PREFIX = {
    "stepfunctions": "states", "sagemaker-runtime": "sagemaker", "service-quotas": "servicequotas",
    "resourcegroupstaggingapi": "tag",
}  # fmt: skip
# Operations whose action has another name.
ACTIONS: dict[tuple[str, str], str] = {
    ("sns", "PublishBatch"): "Publish",
    ("sqs", "SendMessageBatch"): "SendMessage",
    ("sqs", "DeleteMessageBatch"): "DeleteMessage",
    ("sqs", "ChangeMessageVisibilityBatch"): "ChangeMessageVisibility",
    ("kms", "ReEncrypt"): "ReEncryptFrom",
    ("lambda", "Invoke"): "InvokeFunction",
    ("dynamodb", "TransactGetItems"): "GetItem",
    ("dynamodb", "TransactWriteItems"): "PutItem",
    ("states", "StartSyncExecution"): "StartSyncExecution",
}
# Operations that anybody with valid credentials may call (STS API Reference, GetCallerIdentity).
FREE = {("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")}
# Setting tags while creating needs the service's tagging action too.
TAG_ON_CREATE = {
    "application-autoscaling": "TagResource", "cloudwatch": "TagResource", "codecommit": "TagResource",
    "codepipeline": "TagResource", "dynamodb": "TagResource", "ecr": "TagResource", "events": "TagResource",
    "kms": "TagResource", "lambda": "TagResource", "logs": "TagResource", "organizations": "TagResource",
    "sagemaker": "AddTags", "secretsmanager": "TagResource", "sns": "TagResource", "sqs": "TagQueue",
    "ssm": "AddTagsToResource", "states": "TagResource",
}  # fmt: skip
IAM_TAG_ON_CREATE = {
    "CreateRole": "TagRole", "CreateUser": "TagUser", "CreatePolicy": "TagPolicy",
    "CreateInstanceProfile": "TagInstanceProfile",
}  # fmt: skip
# How a service refuses a request that names nothing to act on (API References, Common Errors).
NAMELESS = {
    "cloudformation": "ValidationError", "codebuild": "InvalidInputException", "logs": "InvalidParameterException",
    "codecommit": "RepositoryNameRequiredException", "servicecatalog": "InvalidParametersException",
}  # fmt: skip
CREATES = re.compile(r"(Create|Register|Put(Rule|Parameter|MetricAlarm)$|EnableSageMaker)")
# The service that takes over a role passed to it, where it is not SERVICE.amazonaws.com.
PASSED_TO = {"stepfunctions": "states.amazonaws.com", "sagemaker-runtime": "sagemaker.amazonaws.com"}
ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")
PASSES_LATER = {("sagemaker", "CreateProject"), ("sagemaker", "UpdateProject")}  # when it asks CloudFormation
PASSES_NO_ROLE = {"sts", "iam", "organizations", "kms", "s3", "sns", "sqs", "secretsmanager", "ecr", "cloudwatch"}


def derive(call: Call) -> list[Need]:
    """Everything that the caller needs for this call; NotSupported where that is not known."""
    prefix = PREFIX.get(call.service, call.service)
    if (prefix, call.operation) in FREE:
        return []
    known = table(prefix)
    needs = registry.access(call.service).needs
    found = list((needs(call, known) if needs else _by_operation(call, prefix, known)) if known else ())
    if not found and call.params.get("ResourceArn") == "":
        raise AwsError("ValidationException", "1 validation error detected: Value '' at 'resourceArn' is no ARN")
    action = ACTIONS.get((prefix, call.operation), call.operation)
    if not found and known and action in known.actions and names_nothing(call):
        raise AwsError(NAMELESS.get(call.service, "ValidationException"), f"{call.operation} needs what it acts on")
    if not found:
        raise NotSupported(f"authorization of {call.service}:{call.operation}: its action or resource is not known")
    return [*found, *_passed_roles(call)]


def names_nothing(call: Call) -> bool:
    """Whether no member could be the name of what the request acts on: tokens, numbers and choices are none."""
    shape = get_service_model(call.service).operation_model(call.operation).input_shape
    named = call.params.keys() - {*pages.TOKENS, "idempotencyToken"}
    members = [shape.members[name] for name in named if shape is not None and name in shape.members]
    return all(one.type_name in ("integer", "boolean") or one.metadata.get("enum") for one in members)


def _by_operation(call: Call, prefix: str, known: Table) -> Iterator[Need]:
    """The action that is named as the operation, on the resources that the parameters name."""
    action = ACTIONS.get((prefix, call.operation), call.operation)
    if action not in known.actions:
        return
    types = known.actions[action]
    arns = resources(call, types, known) if any(types) else ["*"]
    if not arns and "" in types and prefix not in NAMED:
        arns = ["*"]
    keys = {**tag_keys(call.params), **service_keys(call, prefix)}
    for resource in arns:
        yield need_of(call, prefix, action, resource, keys)
    yield from _more(call, prefix, arns, keys)


# Services whose creations without a resource in the parameters are not "*" but a mistake of ours.
NAMED = {"events", "logs", "sns", "sqs", "secretsmanager"}


def _more(call: Call, prefix: str, arns: list[str], keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """Further actions of the same call: tagging while creating, and what its service declares."""
    tags = any(name.startswith("aws:requesttag/") for name in keys)
    if tags and prefix == "iam" and call.operation in IAM_TAG_ON_CREATE:
        yield from (need_of(call, prefix, IAM_TAG_ON_CREATE[call.operation], resource, keys) for resource in arns)
    elif tags and prefix in TAG_ON_CREATE and CREATES.match(call.operation):
        tagged = arns[:1] if prefix == "sagemaker" else arns
        yield from (need_of(call, prefix, TAG_ON_CREATE[prefix], _taggable(prefix, one), keys) for one in tagged)
    if further := registry.access(call.service).further:
        yield from further(call, arns, keys)


def _taggable(prefix: str, resource: str) -> str:
    return resource.removesuffix(":log-stream:") if prefix == "logs" else resource


# -- roles in the parameters ----------------------------------------------------------------------------


def passed_roles(call: Call) -> dict[str, str]:
    """The roles that the call passes: ARN and the service that will act as it."""
    if call.service in PASSES_NO_ROLE or (call.service, call.operation) in PASSES_LATER:
        return {}
    service = PASSED_TO.get(call.service, f"{call.service}.amazonaws.com")
    if call.service == "codepipeline":  # an action's own role is assumed by the pipeline's, not passed
        roles: Iterator[str] = iter([call.params.get("pipeline", {}).get("roleArn", "")])
    else:
        roles = (role for path in _role_members(call.service, call.operation) for role in _at(call.params, path))
    return {role: service for role in roles if ROLE.fullmatch(role)}


@cache
def _role_members(service: str, operation: str) -> tuple[tuple[str, ...], ...]:
    """The members of the operation's input that name a role, as paths; * stands for whatever key a map has."""

    def within(shape: Any, path: tuple[str, ...], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if shape.name in above:
            return  # a shape that holds itself
        above = (*above, shape.name)
        if shape.type_name == "list":
            yield from within(shape.member, path, above)
        elif shape.type_name == "map":
            yield from within(shape.value, (*path, "*"), above)
        elif shape.type_name == "structure":
            for name, member in shape.members.items():
                yield from within(member, (*path, name), above)
        elif path and "role" in path[-1].lower():
            yield path

    shape = get_service_model(service).operation_model(operation).input_shape
    return tuple(within(shape, (), ())) if shape is not None else ()


def _at(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif not path:
        yield str(value)
    elif path[0] == "*":
        for item in value.values():
            yield from _at(item, path[1:])
    elif path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _passed_roles(call: Call) -> Iterator[Need]:
    for role, service in passed_roles(call).items():
        keys = {"iam:passedtoservice": (service,)}
        yield Need("iam:PassRole", role, role.split(":")[4], keys)
