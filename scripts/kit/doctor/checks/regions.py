"""Regions that the installation uses and an account has not enabled."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.doctor.findings import Place, check
from scripts.kit.doctor.snapshot import Snapshot


@check(
    "region-disabled",
    "error",
    "An account has not enabled a Region of the installation",
    "AWS refuses every request there. `make accounts` deploys nothing in the Region, and no endpoint can run in it.",
)
def region_disabled(facts: Snapshot) -> Iterator[Place]:
    places = [(facts.account, facts.account, facts.data_science.disabled)]
    places += [(target.account.id, target.where, target.disabled) for target in facts.targets]
    for account, where, regions in places:
        for region in regions:
            fix = f"aws account enable-region --region-name {region}"  # it takes minutes to hours (EnableRegion)
            yield Place(account, f"Region {region}", f"account {where} has not enabled it", fix, region)
