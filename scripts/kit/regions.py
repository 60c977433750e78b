"""AWS's Regions and partitions, as botocore lists them."""

from __future__ import annotations

import os
from functools import cache

import botocore.session

from scripts.kit.console import closest

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
    return botocore.session.Session(session_vars=OF_NO_PROFILE)


@cache
def partition(region: str) -> str:
    """The partition of a Region: aws, aws-cn, aws-us-gov, …"""
    return str(botocore_session().get_partition_for_region(region))


@cache
def url_suffix(region: str) -> str:
    """What hosts' names end with in a Region's partition: amazonaws.com, amazonaws.com.cn, …"""
    listed = botocore_session().get_data("endpoints")["partitions"]
    return next(str(one["dnsSuffix"]) for one in listed if one["partition"] == partition(region))


@cache
def known_regions() -> tuple[str, ...]:
    """Every Region in which SageMaker runs."""
    session = botocore_session()
    return tuple(r for p in session.get_available_partitions() for r in session.get_available_regions("sagemaker", p))


def check_region(region: str) -> str:
    """What is wrong with a Region's name; empty when nothing is."""
    if region in known_regions():
        return ""
    return f"{region!r} is not a Region with SageMaker{closest(region, known_regions())}"
