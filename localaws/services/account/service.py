"""The operations of Account Management, and whether a Region takes an account's credentials at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import botocore.session

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call
from localaws.cloud import Cloud
from localaws.service import Access, Service

account = Service("account", invalid="ValidationException")

# "Regions introduced before March 20, 2019 are enabled by default" (Reference Guide, the page above).
BY_DEFAULT = frozenset({
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
    "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1",
    "us-east-2", "us-west-1", "us-west-2",
})  # fmt: skip
PAGE = 50


@dataclass
class EnabledRegions:
    """The Regions that an account has opted in to."""

    names: set[str] = field(default_factory=set)


@cache
def opt_in_regions() -> frozenset[str]:
    return frozenset(botocore.session.Session().get_available_regions("ec2")) - BY_DEFAULT


def of_account(cloud: Cloud, id: str) -> set[str]:
    return cloud.state(EnabledRegions, id, "").names


def takes(cloud: Cloud, id: str, region: str) -> bool:
    """Whether a Region takes an account's credentials: one that was never enabled does not know them."""
    return region not in opt_in_regions() or region in of_account(cloud, id)


def status(call: Call, region: str) -> str:
    if region in BY_DEFAULT:
        return "ENABLED_BY_DEFAULT"
    if region not in opt_in_regions():
        raise AwsError("ValidationException", f"{region} is not a Region of this partition")
    return "ENABLED" if region in of_account(call.cloud, call.account) else "DISABLED"


def refuse_another(call: Call) -> None:
    if call.params.get("AccountId"):
        raise NotSupported(f"account:{call.operation} with AccountId")


@account.operation("GetRegionOptStatus")
def get_region_opt_status(call: Call) -> dict[str, Any]:
    refuse_another(call)
    name = str(call.params["RegionName"])
    return {"RegionName": name, "RegionOptStatus": status(call, name)}


@account.operation("ListRegions")
def list_regions(call: Call) -> dict[str, Any]:
    refuse_another(call)
    wanted = set(call.params.get("RegionOptStatusContains", ()))
    shown = [
        {"RegionName": name, "RegionOptStatus": status(call, name)} for name in sorted(BY_DEFAULT | opt_in_regions())
    ]
    found = [one for one in shown if not wanted or one["RegionOptStatus"] in wanted]
    token, most = str(call.params.get("NextToken") or ""), int(call.params.get("MaxResults", PAGE))
    left = [one for one in found if one["RegionName"] > token]
    answer: dict[str, Any] = {"Regions": left[:most]}
    return answer | ({"NextToken": left[most - 1]["RegionName"]} if len(left) > most else {})


@account.operation("EnableRegion")
def enable_region(call: Call) -> None:
    """At once: AWS takes minutes to hours, and shows ENABLING meanwhile."""
    refuse_another(call)
    name = str(call.params["RegionName"])
    if status(call, name) == "ENABLED_BY_DEFAULT":
        raise AwsError("ValidationException", f"{name} is enabled by default")
    of_account(call.cloud, call.account).add(name)


@account.operation("DisableRegion")
def disable_region(call: Call) -> None:
    refuse_another(call)
    name = str(call.params["RegionName"])
    if status(call, name) == "ENABLED_BY_DEFAULT":
        raise AwsError("ValidationException", f"{name} cannot be disabled")
    of_account(call.cloud, call.account).discard(name)


account.access = Access(resources=lambda call, types: [f"arn:aws:account::{call.account}:account"])
