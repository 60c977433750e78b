"""TagOptions: what an administrator has every launch tagged with."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.service_catalog import CatalogAccount
from tests.support.waiting import until

TEAM = {"Key": "cost-center", "Value": "1234"}


@pytest.fixture
def office(cloud: Cloud) -> CatalogAccount:
    return CatalogAccount(cloud)


def option(office: CatalogAccount, *resources: str, **tag: str) -> str:
    id = str(office.admin.create_tag_option(**(tag or TEAM))["TagOptionDetail"]["Id"])
    for resource in resources:
        office.admin.associate_tag_option_with_resource(ResourceId=resource, TagOptionId=id)
    return id


def launched(office: CatalogAccount, product: str, version: str, name: str = "mine", **tags: str) -> dict[str, str]:
    """The tags of the stack that a launch makes."""
    made = (
        office.scientist()
        .client("servicecatalog")
        .provision_product(
            ProductId=product,
            ProvisioningArtifactId=version,
            ProvisionedProductName=name,
            ProvisioningParameters=[{"Key": "Name", "Value": name}],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )["RecordDetail"]
    )

    def stack() -> dict[str, Any] | None:
        record = office.admin.describe_record(Id=made["RecordId"])["RecordDetail"]
        assert record["Status"] != "FAILED", record
        found = office.admin.describe_provisioned_product(Id=made["ProvisionedProductId"])
        arn = found["ProvisionedProductDetail"].get("Id") if record["Status"] == "SUCCEEDED" else None
        stacks = office.root.client("cloudformation").describe_stacks()["Stacks"] if arn else []
        return next((one for one in stacks if one["StackName"].endswith(str(arn))), None)

    return {tag["Key"]: tag["Value"] for tag in until(stack)["Tags"]}


def test_the_options_of_product_and_portfolio_become_tags_of_the_stack(office: CatalogAccount) -> None:
    portfolio, product, version = office.published()
    option(office, product)
    option(office, portfolio, Key="env", Value="lab")
    tags = launched(office, product, version, project="p")
    assert (tags["cost-center"], tags["env"], tags["project"]) == ("1234", "lab", "p")


def test_where_there_is_a_choice_the_request_makes_it(office: CatalogAccount) -> None:
    _, product, version = office.published()
    for value in ("lab", "live"):
        option(office, product, Key="env", Value=value)
    with pytest.raises(ClientError, match="Specify a tag with the key env"):
        launched(office, product, version)
    with pytest.raises(ClientError, match="conflicts with a TagOption"):
        launched(office, product, version, env="other")
    assert launched(office, product, version, env="live")["env"] == "live"


def test_portfolio_and_product_that_exclude_each_other_give_a_value_that_says_so(office: CatalogAccount) -> None:
    portfolio, product, version = office.published()
    option(office, product, Key="env", Value="lab")
    option(office, portfolio, Key="env", Value="live")
    assert launched(office, product, version)["env"].startswith("sc-tagconflict-")


def test_an_option_is_there_once_and_not_deleted_while_it_is_used(office: CatalogAccount) -> None:
    _, product, _ = office.published()
    id = option(office, product)
    for refused, act in (
        ("DuplicateResourceException", lambda: office.admin.create_tag_option(**TEAM)),
        ("DuplicateResourceException", lambda: associate(office, product, id)),
        ("ResourceNotFoundException", lambda: associate(office, "prod-none", id)),
        ("ResourceInUseException", lambda: office.admin.delete_tag_option(Id=id)),
    ):
        with pytest.raises(ClientError, match=refused):
            act()
    assert office.admin.describe_product_as_admin(Id=product)["TagOptions"][0]["Id"] == id
    office.admin.disassociate_tag_option_from_resource(ResourceId=product, TagOptionId=id)
    assert office.admin.describe_product_as_admin(Id=product)["TagOptions"] == []
    office.admin.delete_tag_option(Id=id)
    assert office.admin.list_tag_options(Filters={"Key": "cost-center"})["TagOptionDetails"] == []


def test_a_product_and_a_portfolio_stay_while_they_have_options(office: CatalogAccount) -> None:
    portfolio = office.portfolio("Other")
    product, _ = office.product(name="Other")
    ids = [option(office, portfolio, product)]
    with pytest.raises(ClientError, match="ResourceInUseException"):
        office.admin.delete_product(Id=product)
    with pytest.raises(ClientError, match="ResourceInUseException"):
        office.admin.delete_portfolio(Id=portfolio)
    for resource in (portfolio, product):
        office.admin.disassociate_tag_option_from_resource(ResourceId=resource, TagOptionId=ids[0])
    office.admin.delete_product(Id=product)
    office.admin.delete_portfolio(Id=portfolio)


def associate(office: CatalogAccount, resource: str, id: str) -> None:
    office.admin.associate_tag_option_with_resource(ResourceId=resource, TagOptionId=id)
