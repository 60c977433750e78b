"""The TagOptions by which Service Catalog tags every project's stack, and so what is in it.

Service Catalog Administrator Guide, "Launching a Product with TagOptions": a TagOption of the product whose key is
unique becomes a tag of the provisioned product at every launch. A key with several values would ask for a choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts.kit.plan import PlanStep

if TYPE_CHECKING:
    from mypy_boto3_servicecatalog import ServiceCatalogClient
    from mypy_boto3_servicecatalog.type_defs import ListTagOptionsInputTypeDef, TagOptionDetailTypeDef

KIND = "tag option"


@dataclass(frozen=True)
class FoundOptions:
    """The ids of TagOptions, by key and value: those in the account's library, and those of the product."""

    library: Mapping[tuple[str, str], str] = field(default_factory=dict)
    product: Mapping[tuple[str, str], str] = field(default_factory=dict)


def look(
    catalog: ServiceCatalogClient, of_product: list[TagOptionDetailTypeDef], keys: Mapping[str, str]
) -> FoundOptions:
    """of_product: as DescribeProductAsAdmin shows them; keys: of the wanted tags, the only ones that matter"""
    found = [option for key in keys for option in listed(catalog, key)]
    return FoundOptions(by_tag(found), by_tag(of_product))


def listed(catalog: ServiceCatalogClient, key: str) -> Iterator[TagOptionDetailTypeDef]:
    """ListTagOptions, which botocore has no paginator for, and whose answer calls the next page's token PageToken."""
    request: ListTagOptionsInputTypeDef = {"Filters": {"Key": key}}
    while True:
        page = catalog.list_tag_options(**request)
        yield from page.get("TagOptionDetails", [])
        if not page.get("PageToken"):
            return
        request["PageToken"] = page["PageToken"]


def by_tag(options: list[TagOptionDetailTypeDef]) -> dict[tuple[str, str], str]:
    return {(option["Key"], option["Value"]): option["Id"] for option in options}


def plan(wanted: Mapping[str, str], found: FoundOptions) -> list[PlanStep]:
    """A step for each tag. What the product has of the same key with another value leaves it."""
    steps = []
    for tag in wanted.items():
        others = {value: id for (key, value), id in found.product.items() if key == tag[0] and value != tag[1]}
        there, name = tag in found.product, "=".join(tag)
        request = {"tag": tag, "id": found.library.get(tag, ""), "attach": not there, "detach": list(others.values())}
        detail = f"in place of {', '.join(others)}" if others else ""
        action = "change" if others else "keep" if there else "create"
        steps.append(PlanStep(action, KIND, name, detail, request))  # type: ignore[arg-type]
    return steps


def apply(catalog: ServiceCatalogClient, product: str, step: PlanStep) -> None:
    request = step.request
    for id in request["detach"]:
        catalog.disassociate_tag_option_from_resource(ResourceId=product, TagOptionId=id)
    if not request["attach"]:
        return
    key, value = request["tag"]
    id = request["id"] or catalog.create_tag_option(Key=key, Value=value)["TagOptionDetail"]["Id"]
    catalog.associate_tag_option_with_resource(ResourceId=product, TagOptionId=id)
