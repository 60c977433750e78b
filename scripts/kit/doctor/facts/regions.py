"""The Regions that an account has to enable, and has not."""

from __future__ import annotations

from collections.abc import Iterable

from scripts.kit.doctor.reader import Reader
from scripts.kit.regions import opt_in_regions

ENABLED = {"ENABLED", "ENABLED_BY_DEFAULT"}
# It answers for all Regions (AWS General Reference, "AWS Account Management endpoints and quotas").
HOME = "us-east-1"


def disabled(reader: Reader, account: str, regions: Iterable[str]) -> tuple[str, ...]:
    """Those of the Regions that are not enabled in an account; most are in every account, and are not asked for."""
    asked = sorted({*regions} & opt_in_regions())
    found = {region: reader.ask(account, "account", "GetRegionOptStatus", HOME, RegionName=region) for region in asked}
    return tuple(region for region, answer in found.items() if answer and answer["RegionOptStatus"] not in ENABLED)
