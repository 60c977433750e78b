"""A Region that an account has not enabled takes none of its credentials."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from scripts.kit import regions

ACCOUNT, REGION, HONG_KONG = "111111111111", "us-east-1", "ap-east-1"


def test_a_region_is_opted_in_to_before_it_knows_an_account(cloud: Cloud) -> None:
    root = cloud.root(ACCOUNT, REGION)
    account = root.client("account")
    assert account.get_region_opt_status(RegionName=REGION)["RegionOptStatus"] == "ENABLED_BY_DEFAULT"
    assert account.get_region_opt_status(RegionName=HONG_KONG)["RegionOptStatus"] == "DISABLED"
    for service, ask, code in (
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("kms", "list_keys", "UnrecognizedClientException"),
    ):
        with pytest.raises(ClientError, match=code):
            getattr(root.client(service, HONG_KONG), ask)()
    account.enable_region(RegionName=HONG_KONG)
    assert root.client("kms", HONG_KONG).list_keys()["Keys"] == []
    enabled = account.list_regions(RegionOptStatusContains=["ENABLED"])["Regions"]
    assert enabled == [{"RegionName": HONG_KONG, "RegionOptStatus": "ENABLED"}]
    assert (
        cloud.root("222222222222", REGION)
        .client("account")
        .list_regions(RegionOptStatusContains=["ENABLED"])["Regions"]
        == []
    )
    account.disable_region(RegionName=HONG_KONG)
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        root.client("kms", HONG_KONG).list_keys()
    with pytest.raises(ClientError, match="enabled by default"):
        account.enable_region(RegionName=REGION)


def test_the_kit_and_the_embedded_aws_have_the_same_regions_by_default(cloud: Cloud) -> None:
    listed = cloud.root(ACCOUNT, REGION).client("account").list_regions(RegionOptStatusContains=["ENABLED_BY_DEFAULT"])
    assert {one["RegionName"] for one in listed["Regions"]} == regions.BY_DEFAULT
    assert regions.image_regions() >= regions.BY_DEFAULT
