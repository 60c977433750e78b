"""The further Regions of endpoints, and the bucket of a Region's models."""

from __future__ import annotations

from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage


def further(settings: Settings, *stages: Stage) -> tuple[str, ...]:
    """The Regions of the stages (or of these) besides the data science account's own."""
    named = dict.fromkeys(region for stage in stages or settings.stages for region in settings.regions.of(stage))
    return tuple(region for region in named if region != settings.region)
