"""aws:ResourceTag: the tags of a resource, as its own service lists them.

Service Authorization Reference: the key holds for every resource type that can have tags. Each service has an operation
that shows them; authorization asks for it unseen: undecided and unrecorded, as AWS reads its own state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from localaws import registry
from localaws.authorization.needs import request_tags
from localaws.calls import unseen
from localaws.cloud import Cloud

ARN = re.compile(r"arn:(?P<partition>[^:]+):(?P<service>[^:]+):(?P<region>[^:]*):(?P<account>[0-9]{12}):(?P<name>.+)")


@dataclass(frozen=True)
class Listing:
    """How a service shows the tags of its resources.

    name: of the resources that it is for, with a group "id"; operation: as a method of the client
    given: its parameters, with {arn} for the ARN, {id} for the group, {start} for the ARN without its last part
    at: where the tags are in the answer
    """

    name: str
    operation: str
    given: Mapping[str, Any]
    at: tuple[str | int, ...]


def by_arn(parameter: str, at: str, operation: str = "list_tags_for_resource") -> tuple[Listing, ...]:
    return (Listing(".+", operation, {parameter: "{arn}"}, (at,)),)


PARAMETER = {"ResourceType": "Parameter", "ResourceId": "{id}"}
LISTINGS: dict[str, tuple[Listing, ...]] = {
    "cloudformation": (
        Listing(r"stack/(?P<id>[^/]+)/\*", "describe_stacks", {"StackName": "{id}"}, ("Stacks", 0, "Tags")),  # by name
        Listing("stack/.+", "describe_stacks", {"StackName": "{arn}"}, ("Stacks", 0, "Tags")),
        Listing("stackset/(?P<id>[^:]+).*", "describe_stack_set", {"StackSetName": "{id}"}, ("StackSet", "Tags")),
    ),
    "cloudwatch": by_arn("ResourceARN", "Tags"),
    "codebuild": (
        Listing("project/(?P<id>.+)", "batch_get_projects", {"names": ["{id}"]}, ("projects", 0, "tags")),
        Listing(
            "report-group/.+", "batch_get_report_groups", {"reportGroupArns": ["{arn}"]}, ("reportGroups", 0, "tags")
        ),
    ),
    "codecommit": by_arn("resourceArn", "tags"),
    "codeconnections": by_arn("ResourceArn", "Tags"),
    "codepipeline": (  # of an action or a stage: the pipeline's
        Listing("(?P<id>[^/]+).*", "list_tags_for_resource", {"resourceArn": "{start}{id}"}, ("tags",)),
    ),
    "codestar-connections": by_arn("ResourceArn", "Tags"),
    "dynamodb": by_arn("ResourceArn", "Tags", "list_tags_of_resource"),
    "ec2": (
        Listing(
            "[a-z-]+/(?P<id>.+)", "describe_tags", {"Filters": [{"Name": "resource-id", "Values": ["{id}"]}]}, ("Tags",)
        ),
    ),
    "ecr": by_arn("resourceArn", "tags"),
    "events": by_arn("ResourceARN", "Tags"),
    "iam": (
        Listing("role/(?:.+/)?(?P<id>.+)", "list_role_tags", {"RoleName": "{id}"}, ("Tags",)),
        Listing("user/(?:.+/)?(?P<id>.+)", "list_user_tags", {"UserName": "{id}"}, ("Tags",)),
        Listing("policy/.+", "list_policy_tags", {"PolicyArn": "{arn}"}, ("Tags",)),
    ),
    "kms": by_arn("KeyId", "Tags", "list_resource_tags"),
    "lambda": (  # a version's or an alias's: the function's
        Listing("function:(?P<id>[^:]+).*", "list_tags", {"Resource": "{start}function:{id}"}, ("Tags",)),
    ),
    "logs": (
        Listing(
            "log-group:(?P<id>[^:]+).*", "list_tags_for_resource", {"resourceArn": "{start}log-group:{id}"}, ("tags",)
        ),
    ),
    "organizations": (Listing("(?:.+/)?(?P<id>.+)", "list_tags_for_resource", {"ResourceId": "{id}"}, ("Tags",)),),
    "sagemaker": (  # a version "uses the tags associated with the model group" (API Reference, CreateModelPackage)
        Listing(
            "model-package/(?P<id>[^/]+)/[0-9]+",
            "list_tags",
            {"ResourceArn": "{start}model-package-group/{id}"},
            ("Tags",),
        ),
        *by_arn("ResourceArn", "Tags", "list_tags"),
    ),
    "secretsmanager": (Listing(".+", "describe_secret", {"SecretId": "{arn}"}, ("Tags",)),),
    "servicecatalog": (
        Listing("product/(?P<id>.+)", "describe_product_as_admin", {"Id": "{id}"}, ("Tags",)),
        Listing("portfolio/(?P<id>.+)", "describe_portfolio", {"Id": "{id}"}, ("Tags",)),
    ),
    "sns": by_arn("ResourceArn", "Tags"),
    "sqs": (Listing("(?P<id>.+)", "list_queue_tags", {"QueueUrl": "{queue}"}, ("Tags",)),),
    "ssm": (
        Listing("parameter/(?P<id>.+)", "list_tags_for_resource", PARAMETER, ("TagList",)),
        Listing("parameter(?P<id>/.+)", "list_tags_for_resource", PARAMETER, ("TagList",)),
    ),
    "stepfunctions": by_arn("resourceArn", "tags"),
}


def tags_of(cloud: Cloud, arn: str, region: str) -> dict[str, str]:
    """The tags of a resource; {} for one without, or that does not exist."""
    found = ARN.fullmatch(arn)
    if found is None:  # of S3, without an account
        own = registry.access(arn.split(":")[2]).tags if arn.count(":") >= 5 else None
        return own(arn) if own else {}
    service = registry.named(found["service"])
    for listing in LISTINGS.get(service, ()):
        name = re.fullmatch(listing.name, found["name"])
        if name and (tags := _listed(cloud, service, listing, found, name.groupdict().get("id", ""), region)):
            return tags
    return {}


def _listed(cloud: Cloud, service: str, listing: Listing, arn: re.Match[str], id: str, region: str) -> dict[str, str]:
    known = {"arn": arn[0], "id": id, "start": arn[0].removesuffix(arn["name"])}
    if service == "sqs":
        known["queue"] = f"{cloud.endpoint}/{arn['account']}/{id}"
    client = cloud.root(arn["account"], arn["region"] or region or "us-east-1").client(service)
    try:
        with unseen():
            answer = getattr(client, listing.operation)(**_filled(listing.given, known))
    except (ClientError, ParamValidationError):  # there is no such resource
        return {}
    return request_tags({"Tags": _at(answer, listing.at)})


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(one, known) for name, one in value.items()}
    return [_filled(one, known) for one in value] if isinstance(value, list) else value.format(**known)


def _at(value: Any, path: Iterable[str | int]) -> Any:
    for part in path:
        if isinstance(part, int) and not value:
            return {}
        value = value[part] if isinstance(part, int) else value.get(part, {})
    return value
