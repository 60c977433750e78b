"""AWS's Regions and partitions, as botocore lists them."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from scripts.kit.console import closest

if TYPE_CHECKING:
    import botocore.session

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


def check_region(region: str) -> str:
    """What is wrong with a Region's name; empty when nothing is."""
    if region in known_regions():
        return ""
    return f"{region!r} is not a Region with SageMaker{closest(region, known_regions())}"
