"""Variants of SageMaker endpoints as scalable targets: which may become one, and what is refused while they are.

SageMaker Developer Guide, "Update endpoints that use auto scaling", "Delete endpoints configured for auto scaling",
"Auto scaling prerequisites"; that burstable instances cannot be scaled: aws/aws-cdk#22886. moto holds the targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.variants import variants_of

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
BURSTABLE = "ml.t2."


def every(account: str, region: str) -> dict[str, dict[str, Any]]:
    """An account's scalable targets by dimension and resource; as long as there are none, moto's code is not loaded."""
    if not moto_bridge.begun("application-autoscaling"):
        return {}
    found: dict[str, dict[str, Any]] = moto_bridge.backend("application-autoscaling", account, region).targets
    return found


def held(account: str, region: str) -> dict[str, Any]:
    """The scalable targets of an account's variants, by endpoint/NAME/variant/NAME."""
    return every(account, region).get(DIMENSION, {})


def check_update(call: Call, endpoint: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """ValidationException where an update takes a scaled variant away, or changes the type of its instances."""
    types = {v["VariantName"]: v.get("InstanceType") for v in variants_of(new)}
    targets = held(call.account, call.region)
    kept = [
        variant["VariantName"]
        for variant in variants_of(old)
        if f"endpoint/{endpoint}/variant/{variant['VariantName']}" in targets
        and types.get(variant["VariantName"]) != variant.get("InstanceType")
    ]
    if kept:
        raise AwsError(
            "ValidationException",
            f'The variant "[{", ".join(kept)}]" must be deregistered as scalable targets with AWS Auto Scaling before '
            "they can be removed or have their instance type updated.",
        )
