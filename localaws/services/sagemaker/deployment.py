"""How an endpoint gets its servers: created, updated blue/green or rolling, rolled back.

Developer Guide, "Blue/Green Deployments" (all at once, canary, linear), "Use rolling deployments",
"Auto-Rollback Configuration and Monitoring" (the model's execution role describes the alarms). A
failed update leaves the endpoint InService on its former configuration, with a FailureReason.

A variant is one process, however many instances it has. So a rolling update starts the new one with
the first batch, and the number of instances that is shown changes when the last batch is there.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import NotSupported
from localaws.cloud import Cloud
from localaws.services.sagemaker import base, instances, lineage_records
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.models import Models
from localaws.services.sagemaker.servers import Fleet, start_fleet
from localaws.services.sagemaker.shared import StartFailed
from localaws.variants import is_unguarded

LONGEST = 28_800  # seconds of a deployment (API Reference, BlueGreenUpdatePolicy)
EVENT_STATUS = {"InService": "IN_SERVICE", "RollingBack": "ROLLING_BACK", "OutOfService": "OUT_OF_SERVICE"}


@dataclass
class Endpoint:
    """An endpoint: as DescribeEndpoint shows it, the fleet that serves, the new one with its share of traffic.

    coming: the instances that an update has besides those of the fleet that serves, by type
    """

    shown: dict[str, Any]
    fleet: Fleet
    new: Fleet | None = None
    share: float = 0.0
    coming: Counter[str] = field(default_factory=Counter)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def name(self) -> str:
        return str(self.shown["EndpointName"])


class RolledBack(Exception):  # what happened to it
    """Why an update was rolled back: the endpoint's FailureReason."""


def check_deployment(config: dict[str, Any], fleet: Fleet) -> None:
    """ValidationException for a DeploymentConfig that AWS refuses."""
    base.only(config, "DeploymentConfig", "BlueGreenUpdatePolicy", "RollingUpdatePolicy", "AutoRollbackConfiguration")
    serverless = any("ServerlessConfig" in v for v in fleet.config["ProductionVariants"])
    if serverless and config:
        raise NotSupported("DeploymentConfig for a serverless endpoint")
    if config and len(fleet.config["ProductionVariants"]) > 1:
        raise invalid("DeploymentConfig is supported for endpoints with one production variant only.")
    if "AutoRollbackConfiguration" in config and not config["AutoRollbackConfiguration"].get("Alarms"):
        raise invalid("AutoRollbackConfiguration needs at least one alarm.")
    if "BlueGreenUpdatePolicy" in config and "RollingUpdatePolicy" in config:
        raise invalid("Only one update policy should be used in the deployment configuration.")
    if "RollingUpdatePolicy" in config:
        check_rolling(config["RollingUpdatePolicy"], fleet.capacity)
    if "TrafficRoutingConfiguration" in (policy := config.get("BlueGreenUpdatePolicy", {})):
        check_routing(policy, fleet)


def check_rolling(policy: dict[str, Any], total: int) -> None:
    """API Reference, RollingUpdatePolicy. total: instances of the new fleet

    No page says what AWS answers where the waits are longer than the time-out: only that a deployment times out.
    """
    base.only(
        policy, "RollingUpdatePolicy", "MaximumBatchSize", "WaitIntervalInSeconds", "MaximumExecutionTimeoutInSeconds"
    )
    part = share_of(policy["MaximumBatchSize"], total)
    if not 0.05 <= part <= 0.5:
        raise invalid(f"MaximumBatchSize must be between 5% to 50% of the variant's {total} instances.")
    if sum(seconds for _, seconds in batches(policy, total)) >= policy.get("MaximumExecutionTimeoutInSeconds", LONGEST):
        raise NotSupported("a RollingUpdatePolicy whose waits are longer than MaximumExecutionTimeoutInSeconds")


def check_routing(policy: dict[str, Any], fleet: Fleet) -> None:
    routing = policy["TrafficRoutingConfiguration"]
    sizes = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
    for kind, member in sizes.items():
        if (routing["Type"] == kind) != (member in routing):
            raise invalid(f"{member} must be given for traffic routing of type {kind}, and only then.")
    if routing["Type"] in sizes:
        total = fleet.capacity
        part = share_of(routing[sizes[routing["Type"]]], total)
        if routing["Type"] == "CANARY" and part > 0.5:
            raise invalid(f"CanarySize must not be more than 50% of the new fleet's {total} instances.")
        if routing["Type"] == "LINEAR" and not 0.1 <= part <= 0.5:
            raise invalid(f"LinearStepSize must be 10% to 50% of the new fleet's {total} instances.")
    check_waits(policy, routing)


def check_waits(policy: dict[str, Any], routing: dict[str, Any]) -> None:
    """API Reference, BlueGreenUpdatePolicy: the time-out "should be larger than the total waiting time". No page says
    whether steps count by the asked percentage or by whole instances: by the percentage, which is more."""
    steps = {"ALL_AT_ONCE": 0, "CANARY": 1}.get(routing["Type"], 1)
    if routing["Type"] == "LINEAR" and routing["LinearStepSize"]["Type"] == "CAPACITY_PERCENT":
        steps = -(-100 // int(routing["LinearStepSize"]["Value"])) - 1
    waits = steps * routing.get("WaitIntervalInSeconds", 0) + policy.get("TerminationWaitInSeconds", 0)
    limit = policy.get("MaximumExecutionTimeoutInSeconds", LONGEST)
    if waits >= limit:
        raise invalid(
            f"MaximumExecutionTimeoutInSeconds ({limit}) must be larger than the total waiting time ({waits})."
        )


def share_of(size: dict[str, Any], total: int) -> float:
    """A CapacitySize as a share of the fleet: whole instances, at least one."""
    percent = size["Type"] == "CAPACITY_PERCENT"
    instances = max(1, int(total * size["Value"] / 100)) if percent else int(size["Value"])
    return float(instances / total) if total else 1.0


def create(cloud: Cloud, account: str, region: str, endpoint: Endpoint) -> None:
    """Creating until every variant answers its ping."""
    announce(cloud, account, region, endpoint)
    try:
        start_fleet(cloud, account, region, endpoint.name, endpoint.fleet)
    except StartFailed as failure:
        settle(cloud, account, region, endpoint, "Failed", str(failure))
        return
    record(cloud, account, region, endpoint)
    settle(cloud, account, region, endpoint, "InService", "")


def record(cloud: Cloud, account: str, region: str, endpoint: Endpoint) -> None:
    """The lineage of what the endpoint serves now."""
    models = cloud.state(Models, account, region).by_name
    names = [variant["ModelName"] for variant in endpoint.fleet.config["ProductionVariants"]]
    sources = [models[name].sources() for name in names if name in models]
    lineage_records.deployed(cloud, endpoint.shown["EndpointArn"], endpoint.name, sources)


def settle(cloud: Cloud, account: str, region: str, endpoint: Endpoint, status: str, reason: str) -> None:
    """A new status, with its reason and its event."""
    endpoint.shown.pop("FailureReason", None)
    if reason:
        endpoint.shown["FailureReason"] = reason
    endpoint.shown |= {"EndpointStatus": status, "LastModifiedTime": base.now()}
    cloud.changed(endpoint.shown["EndpointArn"])
    announce(cloud, account, region, endpoint)


def update(cloud: Cloud, account: str, region: str, endpoint: Endpoint, new: Fleet, config: dict[str, Any]) -> None:
    """The new fleet beside the old one, traffic shifted step by step, the old one stopped; or all as before."""
    announce(cloud, account, region, endpoint)
    config = carried_out(endpoint.fleet, new, config)
    try:
        start_fleet(cloud, account, region, endpoint.name, new)
        endpoint.new = new
        check_alarms(new, config)
        for share, seconds in steps_of(config, new.capacity):
            endpoint.share = share
            bake(cloud, new, config, seconds)
    except (StartFailed, RolledBack) as failure:
        endpoint.share, endpoint.new, endpoint.coming = 0.0, None, Counter()
        settle(cloud, account, region, endpoint, "RollingBack", str(failure))
        new.stop()
        settle(cloud, account, region, endpoint, "InService", str(failure))
        return
    with endpoint.lock:
        old, endpoint.fleet, endpoint.new, endpoint.share = endpoint.fleet, new, None, 0.0
        endpoint.coming = Counter()
        endpoint.shown["EndpointConfigName"] = new.config["EndpointConfigName"]
        if config:
            endpoint.shown["LastDeploymentConfig"] = config
    old.stop()
    record(cloud, account, region, endpoint)
    settle(cloud, account, region, endpoint, "InService", "")


def carried_out(old: Fleet, new: Fleet, config: dict[str, Any]) -> dict[str, Any]:
    """What is left of a DeploymentConfig.

    Developer Guide, "Exclusions" of the deployment guardrails: of a rolling update that has several variants, and of
    any on Inf1, an update at once without alarms is left. That a shadow variant counts among them is our reading.
    """
    fleets = (old, new)
    rolling = "RollingUpdatePolicy" in config and any(fleet.shadows for fleet in fleets)
    return {} if rolling or any(is_unguarded(fleet.config) for fleet in fleets) else config


def besides(old: Fleet, new: Fleet, config: dict[str, Any]) -> Counter[str]:
    """The instances that an update needs besides those that serve, by type: all of the new fleet, or one batch."""
    if "RollingUpdatePolicy" in carried_out(old, new, config):
        part = share_of(config["RollingUpdatePolicy"]["MaximumBatchSize"], new.capacity)
        return instances.types_of(new, {name: round(count * part) for name, count in new.counts.items()})
    return instances.types_of(new)


def steps_of(config: dict[str, Any], total: int) -> list[tuple[float, int]]:
    """The shares of traffic that the new fleet gets in turn, each with the seconds that it bakes for."""
    if "RollingUpdatePolicy" in config:
        return batches(config["RollingUpdatePolicy"], total)
    return shifts(config.get("BlueGreenUpdatePolicy", {}), total)


def batches(policy: dict[str, Any], total: int) -> list[tuple[float, int]]:
    """The same of a rolling update: as much traffic as instances are there, and after each batch a baking period."""
    size = round(share_of(policy["MaximumBatchSize"], total) * total)
    return [(min(done, total) / total, policy["WaitIntervalInSeconds"]) for done in range(size, total + size, size)]


def shifts(policy: dict[str, Any], total: int) -> list[tuple[float, int]]:
    """The same of a blue/green update."""
    last = policy.get("TerminationWaitInSeconds", 0)
    routing = policy.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE"})
    wait = routing.get("WaitIntervalInSeconds", 0)
    if routing["Type"] == "CANARY":
        return [(share_of(routing["CanarySize"], total), wait), (1.0, last)]
    if routing["Type"] == "LINEAR":
        part = share_of(routing["LinearStepSize"], total)
        steps = [(part * number, wait) for number in range(1, int(1 / part) + 1) if part * number < 0.999]
        return [*steps, (1.0, last)]
    return [(1.0, last)]


def bake(cloud: Cloud, new: Fleet, config: dict[str, Any], seconds: int) -> None:
    """Wait, and look at the alarms meanwhile; RolledBack when an alarm is raised."""
    end = time.monotonic() + seconds * cloud.waits
    while not cloud.stopping.is_set():
        check_alarms(new, config)
        left = end - time.monotonic()
        if left <= 0:
            return
        cloud.stopping.wait(min(left, 0.05))


def check_alarms(new: Fleet, config: dict[str, Any]) -> None:
    names = [alarm["AlarmName"] for alarm in config.get("AutoRollbackConfiguration", {}).get("Alarms", [])]
    if not names:
        return
    session = next(iter(new.servers.values())).session
    try:
        answer = session.client("cloudwatch").describe_alarms(
            AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
    except ClientError as error:
        raise RolledBack(
            f"The execution role may not describe the auto-rollback alarms: {error.response['Error']['Message']}"
        ) from error
    found = {alarm["AlarmName"]: alarm["StateValue"] for alarm in answer["MetricAlarms"] + answer["CompositeAlarms"]}
    if absent := sorted(set(names) - set(found)):
        raise RolledBack(f"Auto-rollback alarms that do not exist: {', '.join(absent)}")
    if raised := sorted(name for name, state in found.items() if state == "ALARM"):
        raise RolledBack(f"Deployment was rolled back because of alarms in the ALARM state: {', '.join(raised)}")


def announce(cloud: Cloud, account: str, region: str, endpoint: Endpoint) -> None:
    shown = endpoint.shown
    status = shown["EndpointStatus"]
    detail = {
        "EndpointName": endpoint.name,
        "EndpointArn": shown["EndpointArn"],
        "EndpointConfigName": shown["EndpointConfigName"],
        "ProductionVariants": endpoint.fleet.shown(),
        "EndpointStatus": EVENT_STATUS.get(status, status.upper()),
        "CreationTime": base.milliseconds(shown["CreationTime"]),
        "LastModifiedTime": base.milliseconds(shown["LastModifiedTime"]),
        "Tags": base.tags_of(cloud, shown["EndpointArn"]),
    }
    if "FailureReason" in shown:
        detail["FailureReason"] = shown["FailureReason"]
    base.announce(cloud, account, region, "SageMaker Endpoint State Change", [shown["EndpointArn"]], detail)
