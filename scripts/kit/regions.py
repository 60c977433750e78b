"""AWS's regions and partitions, as botocore lists them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from scripts.kit.console import closest

if TYPE_CHECKING:
    import botocore.session


@cache
def botocore_session() -> botocore.session.Session:
    """botocore's own lists (no request is made with it); reading them once takes a third of a second."""
    import botocore.session  # a fifth of a second, which no --help needs

    return botocore.session.Session()


@cache
def partition(region: str) -> str:
    """The partition of a region: aws, aws-cn, aws-us-gov, …"""
    return str(botocore_session().get_partition_for_region(region))


@cache
def url_suffix(region: str) -> str:
    """What hosts' names end with in a region's partition: amazonaws.com, amazonaws.com.cn, …"""
    listed = botocore_session().get_data("endpoints")["partitions"]
    return next(str(one["dnsSuffix"]) for one in listed if one["partition"] == partition(region))


@cache
def known_regions() -> tuple[str, ...]:
    """Every region in which SageMaker runs."""
    session = botocore_session()
    return tuple(r for p in session.get_available_partitions() for r in session.get_available_regions("sagemaker", p))


def check_region(region: str) -> str:
    """What is wrong with a region's name; empty when nothing is."""
    if region in known_regions():
        return ""
    return f"{region!r} is not a region with SageMaker{closest(region, known_regions())}"
