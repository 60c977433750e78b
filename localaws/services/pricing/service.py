"""GetProducts: the price list of SageMaker hosting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from awslang.errors import NotSupported
from localaws.calls import Call
from localaws.service import Service

pricing = Service("pricing", invalid="ValidationException")

REGIONS = ("us-east-1", "eu-central-1", "ap-south-1")
PAGE = 100


def products(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The table's prices as products of the list."""
    return [
        product(region, instance, price, table["as_of"])
        for region, prices in table["regions"].items()
        for instance, price in prices.items()
    ]


def product(region: str, instance: str, price: float, day: str) -> dict[str, Any]:
    sku = f"{region}-{instance}-hosting".upper()
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": f"{price:.10f}"}, "beginRange": "0", "endRange": "Inf"}
    return {
        "product": {
            "productFamily": "ML Instance",
            "sku": sku,
            "attributes": {
                "servicecode": "AmazonSageMaker",
                "regionCode": region,
                "instanceName": instance,
                "component": "Hosting",
            },
        },
        "serviceCode": "AmazonSageMaker",
        "terms": {"OnDemand": {f"{sku}.ON": {"sku": sku, "priceDimensions": {f"{sku}.ON.HRS": dimension}}}},
        "publicationDate": f"{day}T00:00:00Z",
    }


@pricing.operation("GetProducts")
def get_products(call: Call) -> dict[str, Any]:
    if call.region not in REGIONS:
        raise NotSupported(f"the price list in {call.region}: AWS has it in {', '.join(REGIONS)}")
    if call.params["ServiceCode"] != "AmazonSageMaker":
        raise NotSupported(f"the prices of {call.params['ServiceCode']}")
    known = found = products(call.cloud.published.prices)
    for one in call.params.get("Filters", []):
        if one["Type"] != "TERM_MATCH":
            raise NotSupported(f"a filter of type {one['Type']} on the price list")
        if not any(one["Field"] in each["product"]["attributes"] for each in known):
            raise NotSupported(f"the attribute {one['Field']} of the price list")
        found = [each for each in found if each["product"]["attributes"][one["Field"]] == one["Value"]]
    token = str(call.params.get("NextToken", "0"))
    end = int(token) + call.params.get("MaxResults", PAGE)
    answer: dict[str, Any] = {
        "FormatVersion": "aws_v1",
        "PriceList": [json.dumps(each) for each in found[int(token) : end]],
    }
    return answer | ({"NextToken": str(end)} if end < len(found) else {})
