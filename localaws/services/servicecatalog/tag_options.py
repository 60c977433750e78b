"""TagOptions: what the administrator has provisioned products tagged with.

Service Catalog API Reference: CreateTagOption, ListTagOptions, AssociateTagOptionWithResource and their counterparts.
Administrator Guide, "Launching a Product with TagOptions": those of the product and of the portfolio become tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.services.servicecatalog.service import operation
from localaws.services.servicecatalog.state import (
    Catalog,
    Portfolio,
    Product,
    TagOption,
    catalog_of,
    found,
    invalid,
    make_id,
    page,
)

PER_RESOURCE = 25  # Administrator Guide, "AWS Service Catalog default service quotas"


def detail(option: TagOption, call: Call) -> dict[str, Any]:
    return {
        "Key": option.key,
        "Value": option.value,
        "Active": option.active,
        "Id": option.id,
        "Owner": call.account,
    }


def attached(call: Call, resource: str) -> list[dict[str, Any]]:
    """The TagOptions of a portfolio or product, as the Describe operations show them."""
    return [detail(one, call) for one in catalog_of(call).tag_options.values() if resource in one.resources]


def option_of(catalog: Catalog, id: str) -> TagOption:
    return found(catalog.tag_options.get(id), f"TagOption {id} not found.")


@operation("CreateTagOption")
def create_tag_option(call: Call) -> dict[str, Any]:
    catalog, key, value = catalog_of(call), call.params["Key"], call.params["Value"]
    if any((one.key, one.value) == (key, value) for one in catalog.tag_options.values()):
        raise AwsError("DuplicateResourceException", f"The TagOption {key}={value} exists already.")
    option = TagOption(make_id("tag"), key, value)
    catalog.tag_options[option.id] = option
    return {"TagOptionDetail": detail(option, call)}


@operation("ListTagOptions")
def list_tag_options(call: Call) -> dict[str, Any]:
    filters = call.params.get("Filters") or {}
    listed = [detail(option, call) for option in catalog_of(call).tag_options.values()]
    kept = [one for one in listed if all(one[name] == value for name, value in filters.items())]
    answer = page(call, "TagOptionDetails", kept)
    if "NextPageToken" in answer:  # this operation's answer names it otherwise than the others
        answer["PageToken"] = answer.pop("NextPageToken")
    return answer


@operation("DeleteTagOption")
def delete_tag_option(call: Call) -> None:
    catalog = catalog_of(call)
    option = option_of(catalog, call.params["Id"])
    if option.resources:
        raise AwsError("ResourceInUseException", f"TagOption {option.id} is associated with a product or portfolio.")
    del catalog.tag_options[option.id]


@operation("AssociateTagOptionWithResource")
def associate_tag_option_with_resource(call: Call) -> None:
    catalog, resource = catalog_of(call), call.params["ResourceId"]
    option = option_of(catalog, call.params["TagOptionId"])
    found({**catalog.portfolios, **catalog.products}.get(resource), f"Resource {resource} not found.")
    if resource in option.resources:
        raise AwsError("DuplicateResourceException", f"TagOption {option.id} is associated with {resource} already.")
    if len(attached(call, resource)) >= PER_RESOURCE:
        raise AwsError("LimitExceededException", f"{resource} has {PER_RESOURCE} TagOptions, the most that AWS allows.")
    option.resources.add(resource)


@operation("DisassociateTagOptionFromResource")
def disassociate_tag_option_from_resource(call: Call) -> None:
    option, resource = option_of(catalog_of(call), call.params["TagOptionId"]), call.params["ResourceId"]
    if resource not in option.resources:
        raise AwsError("ResourceNotFoundException", f"TagOption {option.id} is not associated with {resource}.")
    option.resources.remove(resource)


# -- at a launch -------------------------------------------------------------------------------


def choices(catalog: Catalog, portfolio: Portfolio, product: Product) -> dict[str, list[str]]:
    """The values that a launch may have for each key; none where those of portfolio and product exclude each other."""

    def of(resource: str) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for option in catalog.tag_options.values():
            if option.active and resource in option.resources:
                values.setdefault(option.key, []).append(option.value)
        return values

    ours, theirs = of(product.id), of(portfolio.id)
    both = {key: [value for value in ours[key] if value in theirs[key]] for key in ours if key in theirs}
    return {**theirs, **ours, **both}


def summaries(catalog: Catalog, portfolio: Portfolio, product: Product) -> list[dict[str, Any]]:
    return [{"Key": key, "Values": values} for key, values in choices(catalog, portfolio, product).items()]


def launch_tags(catalog: Catalog, portfolio: Portfolio, product: Product, given: Mapping[str, str]) -> dict[str, str]:
    """The tags that a launch gets from TagOptions. given: the request's own, which choose among several values"""
    tags = {}
    for key, values in choices(catalog, portfolio, product).items():
        if key in given and given[key] not in values:
            raise invalid(f"The tag {key}={given[key]} conflicts with a TagOption.")
        if len(values) > 1 and key not in given:
            raise invalid(f"Specify a tag with the key {key}: its TagOptions have the values {', '.join(values)}.")
        conflict = f"sc-tagconflict-{portfolio.arn}-{product.arn}"
        tags[key] = given.get(key) or (values[0] if values else conflict)
    return tags
