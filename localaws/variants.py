"""The variants of an endpoint, which SageMaker deploys and Application Auto Scaling scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VARIANTS = ("ProductionVariants", "ShadowProductionVariants")  # members of DescribeEndpoint and DescribeEndpointConfig


def variants_of(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every variant of an endpoint or its configuration, those that answer first."""
    return [variant for member in VARIANTS for variant in shown.get(member, [])]
