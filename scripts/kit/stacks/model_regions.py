"""The further Regions of endpoints, and the bucket of a Region's models."""

from __future__ import annotations

from scripts.kit.settings.model import Settings


def further(settings: Settings, stage: str = "") -> tuple[str, ...]:
    """The Regions of both stages (or of this one) besides the data science account's own."""
    stages = [getattr(settings.regions, name) for name in ([stage] if stage else ["staging", "production"])]
    named = dict.fromkeys(region for regions in stages for region in regions)
    return tuple(region for region in named if region != settings.region)


def bucket(account: str, region: str) -> str:
    """The bucket of a Region's models, as template 10 names it. account: the data science account."""
    return f"sagemaker-multi-account-models-{account}-{region}"
