"""How many instances an update needs beside those that answer, and the quota that they count against."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from awslang.errors import AwsError
from localaws.cloud import Cloud
from localaws.services.sagemaker import instances
from localaws.services.sagemaker.deployment import Endpoint, besides
from localaws.services.sagemaker.servers import Fleet, new_fleet
from localaws.services.servicequotas.service import Quotas, code_of

ACCOUNT, REGION, TYPE = "222222222222", "us-east-1", "ml.m5.large"
ROLLING = {"RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 25}}}
BLUE_GREEN: dict[str, Any] = {"BlueGreenUpdatePolicy": {}}


def fleet(count: int, shadow: int = 0) -> Fleet:
    def variant(name: str, number: int) -> dict[str, Any]:
        return {"VariantName": name, "InstanceType": TYPE, "InitialInstanceCount": number, "InitialVariantWeight": 1.0}

    shadows = {"ShadowProductionVariants": [variant("Shadow", shadow)]} if shadow else {}
    return new_fleet({"ProductionVariants": [variant("AllTraffic", count)], **shadows})


@pytest.mark.parametrize(
    ("new", "config", "needed"),
    [
        (fleet(4), BLUE_GREEN, 4), (fleet(4), {}, 4), (fleet(4), ROLLING, 1), (fleet(4, shadow=6), BLUE_GREEN, 10),
        (fleet(4, shadow=6), ROLLING, 10),
    ],
)  # fmt: skip
def test_an_update_needs_a_new_fleet_or_a_batch(new: Fleet, config: dict[str, Any], needed: int) -> None:
    assert besides(fleet(4), new, config) == {TYPE: needed}


def test_more_than_the_quota_is_refused_and_a_failed_endpoint_has_none(cloud: Cloud) -> None:
    cloud.state(Quotas, ACCOUNT, REGION).values[code_of(f"{TYPE} for endpoint usage")] = 5.0
    call: Any = SimpleNamespace(cloud=cloud, account=ACCOUNT, region=REGION)
    there = [Endpoint({"EndpointStatus": "Updating"}, fleet(2)), Endpoint({"EndpointStatus": "Failed"}, fleet(9))]
    there[0].coming = instances.types_of(fleet(1))
    instances.check(call, there, instances.types_of(fleet(2)))
    with pytest.raises(AwsError, match=r"is 5 Instances, .* of 3 Instances and a request delta of 3 "):
        instances.check(call, there, instances.types_of(fleet(1, shadow=2)))
    instances.check(call, there, instances.types_of(fleet(9), {"AllTraffic": -1}))
