"""The embedded AWS's price list."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.pricing.service import products

ACCOUNT = "111111111111"


def wanted(**attributes: str) -> list[dict[str, str]]:
    return [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in attributes.items()]


def test_a_product_matches_every_filter_and_has_one_price_for_an_hour(cloud: Cloud) -> None:
    pricing = cloud.root(ACCOUNT, "eu-central-1").client("pricing")
    asked = wanted(regionCode="us-east-1", instanceName="ml.m5.large", component="Hosting")
    (text,) = pricing.get_products(ServiceCode="AmazonSageMaker", Filters=asked)["PriceList"]
    ((term,),) = [list(json.loads(text)["terms"]["OnDemand"].values())]
    ((dimension,),) = [list(term["priceDimensions"].values())]
    assert (dimension["unit"], float(dimension["pricePerUnit"]["USD"])) == ("Hrs", 0.115)
    nothing = wanted(regionCode="us-east-1", instanceName="ml.x9.huge")
    assert pricing.get_products(ServiceCode="AmazonSageMaker", Filters=nothing)["PriceList"] == []


def test_the_list_comes_in_pages(cloud: Cloud) -> None:
    pricing = cloud.root(ACCOUNT, "us-east-1").client("pricing")
    pages = pricing.get_paginator("get_products").paginate(ServiceCode="AmazonSageMaker", MaxResults=3)
    texts = [[json.loads(text) for text in page["PriceList"]] for page in pages]
    assert [product for page in texts for product in page] == products(cloud.published.prices)
    assert {len(page) for page in texts[:-1]} == {3}
    with pytest.raises(ClientError, match="InvalidNextTokenException"):
        pricing.get_products(ServiceCode="AmazonSageMaker", NextToken="x")


def test_what_is_not_known_of_the_list_is_refused_by_name(cloud: Cloud) -> None:
    pricing = cloud.root(ACCOUNT, "us-east-1").client("pricing")
    with pytest.raises(ClientError, match="the prices of AmazonEC2"):
        pricing.get_products(ServiceCode="AmazonEC2")
    with pytest.raises(ClientError, match="the attribute colour"):
        pricing.get_products(ServiceCode="AmazonSageMaker", Filters=wanted(colour="red"))
    odd = [{"Type": "CONTAINS", "Field": "instanceName", "Value": "m5"}]
    with pytest.raises(ClientError, match="a filter of type CONTAINS"):
        pricing.get_products(ServiceCode="AmazonSageMaker", Filters=odd)
