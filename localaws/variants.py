"""The variants of an endpoint, which SageMaker deploys and Application Auto Scaling scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Instances whose endpoints have no deployment guardrails, no asynchronous inference and no shadow (SageMaker Developer
# Guide, "Exclusions" of the deployment guardrails, "Asynchronous inference", "Shadow tests").
UNGUARDED = "ml.inf1."
VARIANTS = ("ProductionVariants", "ShadowProductionVariants")  # members of DescribeEndpoint and DescribeEndpointConfig


def variants_of(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every variant of an endpoint or its configuration, those that answer first."""
    return [variant for member in VARIANTS for variant in shown.get(member, [])]


def is_unguarded(shown: Mapping[str, Any]) -> bool:
    """Whether an endpoint or its configuration is excluded from the deployment guardrails."""
    return any(variant.get("InstanceType", "").startswith(UNGUARDED) for variant in variants_of(shown))
