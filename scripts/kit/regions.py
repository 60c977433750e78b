"""AWS's Regions and partitions, as botocore lists them."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.kit.console import closest

if TYPE_CHECKING:
    import botocore.session

REGISTRIES = Path(__file__).resolve().parents[2] / "pipeline" / "registries.json"
SAGEMAKER = "api.sagemaker"  # the prefix of its endpoints: the first part of their names
OF_NO_PROFILE = {  # what a session reads of a user's settings: name in the file, variable, default, conversion
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


@cache
def botocore_session() -> botocore.session.Session:
    """botocore's own lists (no request is made with it); reading them once takes a third of a second.

    They are the same whatever profile is chosen, and whether it exists.
    """
    import botocore.session  # a fifth of a second, which no --help needs

    return botocore.session.Session(session_vars=OF_NO_PROFILE)


@cache
def partition(region: str) -> str:
    """The partition of a Region: aws, aws-cn, aws-us-gov, …"""
    return str(botocore_session().get_partition_for_region(region))


@cache
def url_suffix(region: str) -> str:
    """What hosts' names end with in a Region's partition: amazonaws.com, amazonaws.com.cn, …"""
    return next(str(one["dnsSuffix"]) for one in partitions() if one["partition"] == partition(region))


def partitions() -> list[dict[str, Any]]:
    """The partitions with their Regions and their services' endpoints."""
    listed: list[dict[str, Any]] = botocore_session().get_data("endpoints")["partitions"]
    return listed


@cache
def known_regions() -> tuple[str, ...]:
    """Every Region in which SageMaker runs.

    Read from the endpoints themselves: get_available_regions reads SageMaker's whole model for their name.
    """
    found = ((one["regions"], one["services"].get(SAGEMAKER, {"endpoints": ()})["endpoints"]) for one in partitions())
    return tuple(name for regions, endpoints in found for name in endpoints if name in regions)


# "Regions introduced before March 20, 2019 are enabled by default" (AWS Account Management Reference Guide, "Enable or
# disable AWS Regions in your account"); an account opts in to every other one.
BY_DEFAULT = frozenset({
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
    "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1",
    "us-east-2", "us-west-1", "us-west-2",
})  # fmt: skip


def opt_in_regions() -> frozenset[str]:
    """The supported Regions that an account has to enable."""
    return image_regions() - BY_DEFAULT


@cache
def image_regions() -> frozenset[str]:
    """The Regions whose registry of SageMaker's own images is known: the example model needs one."""
    return frozenset(json.loads(REGISTRIES.read_text(encoding="utf-8")))


def check_region(region: str) -> str:
    """What is wrong with a Region's name, or why the kit does not support it; empty when nothing is."""
    if region in image_regions():
        return ""
    if region not in known_regions():
        return f"{region!r} is not a Region with SageMaker{closest(region, known_regions())}"
    if partition(region) != "aws":
        return f"{region} is in the partition {partition(region)}, and the kit supports the partition aws alone"
    return (
        f"{region} is not supported: no registry of SageMaker's XGBoost image is known there (pipeline/registries.json)"
    )
