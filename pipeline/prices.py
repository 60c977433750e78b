"""What an instance costs in an hour: AWS's price list, and where that cannot be read, the table prices.json.

AWS Billing User Guide, "Calling AWS services and prices using the AWS Price List": three Regions have it, each with the
prices of all; the prices inform, the service's own page counts. "Finding services and products using AWS Price List
Query API": all filters must match. No page names the attributes of SageMaker's products; regionCode, instanceName
and component are what public tools ask for. An answer that is not one price counts as none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.clients import Clients
from pipeline.console import say, shorten

if TYPE_CHECKING:
    from mypy_boto3_pricing.type_defs import FilterTypeDef

TABLE = Path(__file__).with_name("prices.json")
REGIONS = ("us-east-1", "eu-central-1", "ap-south-1")
HOURS = 730  # of a month


class Prices:
    """Asks for each Region and instance type once, and remembers what it used."""

    def __init__(self, clients: Clients, region: str) -> None:
        self.clients = clients
        self.region = region if region in REGIONS else REGIONS[0]
        self.table = json.loads(TABLE.read_text(encoding="utf-8"))
        self.known: dict[tuple[str, str], float | None] = {}
        self.days: set[str] = set()  # of the price list, as far as it was used
        self.problem = ""  # why it could not be read
        self.used_table = False

    def hourly(self, region: str, instance: str) -> float | None:
        """In US dollars; None where neither the list nor the table has it."""
        key = (region, instance)
        if key not in self.known:
            price = self.listed(region, instance)
            if price is None:
                price = self.table["regions"].get(region, {}).get(instance)
                self.used_table = self.used_table or price is not None
            self.known[key] = price
        return self.known[key]

    def listed(self, region: str, instance: str) -> float | None:
        """As AWS's price list has it; the list is not asked again once it could not be read."""
        if self.problem:
            return None
        wanted = {"regionCode": region, "instanceName": instance, "component": "Hosting"}
        filters: list[FilterTypeDef] = [
            {"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()
        ]
        try:
            pages = self.clients("pricing", self.region).get_paginator("get_products")
            asked = pages.paginate(ServiceCode="AmazonSageMaker", Filters=filters)
            products = [json.loads(text) for page in asked for text in page["PriceList"]]
        except (ClientError, BotoCoreError) as error:
            self.problem = shorten(str(error), 160)
            say(f"AWS's price list cannot be read, the table is used: {error}")
            return None
        found = {price for product in products for price in hourly_prices(product)}
        if len(found) != 1:
            return None
        self.days |= {str(product.get("publicationDate", ""))[:10] for product in products}
        return found.pop()

    def sources(self) -> str:
        """Where the prices come from, and what they leave out."""
        named = [f"AWS's price list of {max(self.days)}"] if self.days else []
        if self.used_table or not named:
            why = f" (AWS's price list could not be read: {self.problem})" if self.problem else ""
            named.append(f"the kit's table of {self.table['as_of']}{why}")
        return (
            f"US dollars for {HOURS} hours a month on demand, by {' and '.join(named)}. "
            "Savings plans, instances that a load adds or takes away, storage, transfer and alarms are not in it."
        )


def hourly_prices(product: dict[str, Any]) -> set[float]:
    """The prices in a product's terms on demand that are for an hour; a price of nothing is none."""
    return {
        float(dimension["pricePerUnit"]["USD"])
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for dimension in term.get("priceDimensions", {}).values()
        if dimension.get("unit") in {"Hrs", "Hours"} and float(dimension.get("pricePerUnit", {}).get("USD", 0)) > 0
    }
