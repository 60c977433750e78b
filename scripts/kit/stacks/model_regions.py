"""The further Regions of endpoints, and the bucket of a Region's models."""

from __future__ import annotations

from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage


def further(settings: Settings, stage: str = "") -> tuple[str, ...]:
    """The Regions of both stages (or of the one with this key) besides the data science account's own."""
    stages = [settings.regions.of(one) for one in Stage if stage in {"", one.key}]
    named = dict.fromkeys(region for regions in stages for region in regions)
    return tuple(region for region in named if region != settings.region)
