"""The operations of the Resource Groups Tagging API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.service import Service
from localaws.services.resourcegroupstaggingapi.changes import change
from localaws.services.resourcegroupstaggingapi.listed import SERVICES, resources

resourcegroupstaggingapi = Service("resourcegroupstaggingapi", invalid="InvalidParameterException")

ARN = re.compile(r"arn:[^:]+:(?P<service>[^:]+):(?P<region>[^:]*):(?P<account>[^:]*):(?P<kind>[^:/]+).*")
PAGE, LARGEST = 50, 100
RESERVED = "aws:"


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


@resourcegroupstaggingapi.operation("GetResources")
def get_resources(call: Call) -> dict[str, Any]:
    params = call.params
    check_selection(params)
    check_filters(params.get("TagFilters", []))
    wanted = [part.split(":", 1) for part in params.get("ResourceTypeFilters", [])]
    listed = params.get("ResourceARNList", [])
    services = {part[0] for part in wanted} or {parsed(arn)["service"] for arn in listed} or SERVICES
    if lacking := sorted(services - SERVICES):
        raise NotSupported(f"tag:GetResources of {', '.join(lacking)}")
    found = [
        {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        for arn, tags in resources(call, services)
        if (not listed or arn in listed) and of_type(arn, wanted) and fits(tags, params.get("TagFilters", []))
    ]
    return page(found, params, "ResourceTagMappingList", sizes(found, params))


def check_selection(params: dict[str, Any]) -> None:
    """What cannot be asked for together (API Reference, GetResources)."""
    others = ("ResourceTypeFilters", "TagFilters", "ResourcesPerPage", "TagsPerPage", "PaginationToken")
    if params.get("ResourceARNList") and (both := [name for name in others if params.get(name)]):
        raise invalid(f"ResourceARNList cannot be specified together with {', '.join(both)}.")
    if params.get("ExcludeCompliantResources") and not params.get("IncludeComplianceDetails"):
        raise invalid("ExcludeCompliantResources can be true only if IncludeComplianceDetails is true.")
    if params.get("IncludeComplianceDetails"):
        raise NotSupported("tag:GetResources with IncludeComplianceDetails")
    if not 1 <= params.get("ResourcesPerPage", PAGE) <= LARGEST:
        raise invalid(f"ResourcesPerPage must be between 1 and {LARGEST}.")
    tags = params.get("TagsPerPage", 100)
    if not 100 <= tags <= 500 or tags % 100:
        raise invalid("TagsPerPage must be a multiple of 100 between 100 and 500.")


def check_filters(filters: Iterable[dict[str, Any]]) -> None:
    """A filter has a key; values are its own choice (API Reference, GetResources: TagFilters)."""
    if any(not one.get("Key") for one in filters):
        raise invalid("A tag filter needs a key.")


def parsed(arn: str) -> dict[str, str]:
    found = ARN.fullmatch(arn)
    if found is None:
        raise invalid(f"{arn} is not a valid ARN.")
    return found.groupdict()


def of_type(arn: str, wanted: Iterable[Sequence[str]]) -> bool:
    """service, or service:resourceType, "the same as that embedded in a resource's ARN"."""
    parts = parsed(arn)
    kinds = list(wanted)
    return not kinds or any([parts["service"], parts["kind"]][: len(kind)] == list(kind) for kind in kinds)


def fits(tags: dict[str, str], filters: Iterable[dict[str, Any]]) -> bool:
    """Every key, with one of its values where it names some."""
    return all(one["Key"] in tags and (not one.get("Values") or tags[one["Key"]] in one["Values"]) for one in filters)


def sizes(found: Sequence[dict[str, Any]], params: dict[str, Any]) -> int:
    """How many resources the page has, from where it begins."""
    if "TagsPerPage" not in params:
        return int(params.get("ResourcesPerPage", PAGE))
    begin = int(params.get("PaginationToken") or 0)
    sums = accumulate(len(item["Tags"]) for item in found[begin:])
    return sum(so_far <= params["TagsPerPage"] for so_far in sums) or 1


def page(items: Sequence[Any], params: dict[str, Any], member: str, size: int = LARGEST) -> dict[str, Any]:
    """PaginationToken is empty on the last page."""
    begin = int(params.get("PaginationToken") or 0)
    end = begin + size
    return {member: list(items[begin:end]), "PaginationToken": str(end) if end < len(items) else ""}


@resourcegroupstaggingapi.operation("GetTagKeys")
def get_tag_keys(call: Call) -> dict[str, Any]:
    return page(sorted({key for _, tags in resources(call, SERVICES) for key in tags}), call.params, "TagKeys")


@resourcegroupstaggingapi.operation("GetTagValues")
def get_tag_values(call: Call) -> dict[str, Any]:
    key = call.params["Key"]
    values = {tags[key] for _, tags in resources(call, SERVICES) if key in tags}
    return page(sorted(values), call.params, "TagValues")


@resourcegroupstaggingapi.operation("TagResources")
def tag_resources(call: Call) -> dict[str, Any]:
    tags: dict[str, str] = call.params["Tags"]
    if any(key.lower().startswith(RESERVED) for key in tags):
        raise invalid("Tag keys cannot start with aws:, which is reserved for AWS use.")
    return changed(call, tags, [])


@resourcegroupstaggingapi.operation("UntagResources")
def untag_resources(call: Call) -> dict[str, Any]:
    return changed(call, {}, call.params["TagKeys"])


def changed(call: Call, tags: dict[str, str], keys: list[str]) -> dict[str, Any]:
    """Each resource by its own service, with the caller's own permissions (API Reference, TagResources)."""
    failed = {}
    for arn in dict.fromkeys(call.params["ResourceARNList"]):
        parts = parsed(arn)
        if parts["service"] not in SERVICES - {"cloudformation"}:
            raise NotSupported(f"tag:{call.operation} of {arn}")
        elsewhere = {parts["region"], parts["account"]} - {"", call.region, call.account}
        if error := "it belongs to another account or Region" if elsewhere else None:
            failed[arn] = {"StatusCode": 400, "ErrorCode": "InvalidParameterException", "ErrorMessage": error}
        elif refused := change(call, parts["service"], arn, tags, keys):
            failed[arn] = refused
    return {"FailedResourcesMap": failed}
