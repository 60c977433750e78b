"""How traffic moves to a new fleet: the shares and the waits of each kind of deployment."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from awslang.errors import AwsError, NotSupported
from localaws.services.sagemaker import deployment
from localaws.services.sagemaker.deployment import (
    Endpoint,
    batches,
    check_deployment,
    share_of,
    shifts,
    steps_of,
    update,
)
from localaws.services.sagemaker.servers import new_fleet


def policy(kind: str, **size: Any) -> dict[str, Any]:
    return {
        "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 60, **size},
        "TerminationWaitInSeconds": 300,
    }


def configuration(count: int, **more: Any) -> dict[str, Any]:
    variant = {"VariantName": "AllTraffic", "InitialVariantWeight": 1.0, "InitialInstanceCount": count, **more}
    return {"EndpointConfigName": "new", "ProductionVariants": [variant]}


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def test_all_at_once_bakes_before_the_old_fleet_ends() -> None:
    assert shifts(policy("ALL_AT_ONCE"), 2) == [(1.0, 300)]
    assert shifts({}, 2) == [(1.0, 0)]


def test_a_canary_takes_a_part_then_everything() -> None:
    assert shifts(policy("CANARY", CanarySize=percent(25)), 4) == [(0.25, 60), (1.0, 300)]


def test_linear_shifting_goes_in_equal_steps() -> None:
    steps = shifts(policy("LINEAR", LinearStepSize={"Type": "INSTANCE_COUNT", "Value": 1}), 4)
    assert steps == [(0.25, 60), (0.5, 60), (0.75, 60), (1.0, 300)]


@pytest.mark.parametrize(("value", "total", "share"), [(10, 4, 0.25), (50, 3, 1 / 3), (50, 1, 1.0), (20, 10, 0.2)])
def test_a_share_is_whole_instances_and_at_least_one(value: int, total: int, share: float) -> None:
    assert share_of(percent(value), total) == pytest.approx(share)


@pytest.mark.parametrize("kinds", [("ml.inf1.xlarge", "ml.m5.large"), ("ml.m5.large", "ml.inf1.xlarge")])
def test_an_update_on_inf1_waits_for_nothing_and_no_alarm_takes_it_back(
    kinds: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SageMaker Developer Guide, "Exclusions": all at once, with no final baking period, whatever is asked for."""
    asked: list[dict[str, Any]] = []
    for name in ("announce", "start_fleet", "record", "settle"):
        monkeypatch.setattr(deployment, name, lambda *_: None)
    monkeypatch.setattr(deployment, "check_alarms", lambda _, config: asked.append(config))
    old, new = (new_fleet(configuration(2, InstanceType=kind)) for kind in kinds)
    endpoint = Endpoint({"EndpointName": "iris"}, old)
    cloud: Any = SimpleNamespace(stopping=Event(), waits=1.0)  # what a wait needs of it
    update(cloud, "1", "us-east-1", endpoint, new, rolling(50))
    assert (endpoint.fleet, asked) == (new, [{}, {}])


def rolling(value: int, **more: Any) -> dict[str, Any]:
    return {"RollingUpdatePolicy": {"MaximumBatchSize": percent(value), "WaitIntervalInSeconds": 60, **more}}


def test_a_rolling_update_goes_in_batches_of_whole_instances_and_bakes_after_each() -> None:
    """SageMaker Developer Guide, "Use rolling deployments"."""
    assert steps_of(rolling(50), 4) == [(0.5, 60), (1.0, 60)]
    assert steps_of(rolling(50), 3) == [(1 / 3, 60), (2 / 3, 60), (1.0, 60)]
    assert steps_of(rolling(10), 2) == [(0.5, 60), (1.0, 60)]
    size = {"Type": "INSTANCE_COUNT", "Value": 2}
    assert batches({"MaximumBatchSize": size, "WaitIntervalInSeconds": 0}, 5) == [(0.4, 0), (0.8, 0), (1.0, 0)]


@pytest.mark.parametrize(
    ("config", "count", "error", "words"),
    [
        (rolling(50), 1, AwsError, "between 5% to 50% of the variant's 1 instances"),
        (rolling(60), 10, AwsError, "between 5% to 50%"),
        (rolling(1), 100, AwsError, "between 5% to 50%"),
        ({**rolling(50), "BlueGreenUpdatePolicy": policy("ALL_AT_ONCE")}, 2, AwsError, "Only one update policy"),
        (rolling(50, RollbackMaximumBatchSize=percent(50)), 2, NotSupported, "RollbackMaximumBatchSize"),
        (rolling(50, MaximumExecutionTimeoutInSeconds=120), 2, NotSupported, "longer than MaximumExecutionTimeout"),
        (rolling(50, MaximumExecutionTimeoutInSeconds=121), 2, None, ""),
    ],
)
def test_a_rolling_update_that_aws_refuses_is_refused(
    config: dict[str, Any], count: int, error: type[Exception] | None, words: str
) -> None:
    """API Reference, RollingUpdatePolicy and DeploymentConfig."""
    fleet = new_fleet(configuration(count))
    if error is None:
        check_deployment(config, fleet)
        return
    with pytest.raises(error, match=words):
        check_deployment(config, fleet)
