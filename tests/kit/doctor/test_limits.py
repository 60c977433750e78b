"""Doctor on the quotas of instances: how many an endpoint has, and how many while it is updated."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from localaws.services.servicequotas.service import known
from scripts.kit.doctor.checks import limits
from scripts.kit.doctor.facts.stage_config import ENDPOINT, PROCESSING, SERVERLESS, TRANSFORM, needs
from scripts.kit.stages import Stage

CODE, REGION = "L-1", "us-east-1"


def found(check: Any, stage: Stage, value: float, minutes: int = 0) -> list[tuple[str, str]]:
    account = SimpleNamespace(id="222222222222")
    target = SimpleNamespace(stage=stage, account=account, where="a", quotas={(REGION, CODE): value})
    settings = SimpleNamespace(endpoints=SimpleNamespace(shadow=SimpleNamespace(minutes=minutes)))
    facts: Any = SimpleNamespace(
        targets=[target], settings=settings, needs={stage: {CODE: ("ml.m5.large for endpoint usage", 2)}}
    )
    return [(place.what.rpartition(" may run ")[2], place.fix.split()[-3]) for place in check(facts)]


@pytest.mark.parametrize(
    ("stage", "minutes", "needed"), [(Stage.PROD, 0, 4), (Stage.STAGING, 60, 4), (Stage.PROD, 60, 6)]
)
def test_an_update_needs_both_fleets_and_a_shadow_as_many_instances_again(
    stage: Stage, minutes: int, needed: int
) -> None:
    assert found(limits.quota_blue_green, stage, needed, minutes) == []
    for value in (2, needed - 1):
        assert found(limits.quota_blue_green, stage, value, minutes) == [
            (f"{value}, and {needed} are needed", str(needed))
        ]
        assert found(limits.quota_instances, stage, value, minutes) == []
    assert found(limits.quota_blue_green, stage, 1, minutes) == [], "the other check names it"
    assert found(limits.quota_instances, stage, 1, minutes) == [("1, and 2 are needed", str(needed))]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"EndpointKind": "serverless", "ServerlessMaxConcurrency": "20"}, {SERVERLESS[0]: 20, SERVERLESS[1]: 1}),
        (
            {"EndpointKind": "batch", "InstanceType": "ml.m5.large", "InitialInstanceCount": "2"},
            {"ml.m5.large for transform job usage": 2, TRANSFORM[1]: 2},
        ),
        (
            {"InstanceType": "ml.m5.large", "MaximumInstanceCount": "3", "MonitorHours": "24",
             "MonitorInstanceType": "ml.m5.xlarge", "MonitorQualityHours": "24"},
            {"ml.m5.large for endpoint usage": 3, ENDPOINT[1]: 3, "ml.m5.xlarge for processing job usage": 2,
             PROCESSING[1]: 2},
        ),
    ],
)  # fmt: skip
def test_each_kind_counts_against_quotas_that_service_quotas_has(
    settings: dict[str, str], expected: dict[str, int]
) -> None:
    assert dict(needs(settings)) == expected
    assert set(expected) <= {name for name, _ in known("sagemaker").values()}
