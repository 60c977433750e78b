"""What a deployment does to each resource of 50-endpoint.yaml in an account. Pure.

The build image has no reader of YAML, so the table says once more what the template's conditions and references say. A
test compares it with the template, resolved for each kind of endpoint and each setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.combinations import UNGUARDED
from pipeline.monitors import MORE_IS_WORSE

Values = Mapping[str, str]  # of the parameters of a stage's stack, defaults included


def always(values: Values) -> bool:
    return True


def by_batch(values: Values) -> bool:
    return values["EndpointKind"] == "batch"


def by_endpoint(values: Values) -> bool:
    return not by_batch(values)


def by_schedule(values: Values) -> bool:
    return by_batch(values) and bool(values["BatchSchedule"])


def scaled(values: Values) -> bool:
    return values["MaximumInstanceCount"] != "0"


def by_backlog(values: Values) -> bool:
    return scaled(values) and bool(values["AsyncOutputS3Uri"])


def by_metric(name: str) -> Callable[[Values], bool]:
    return lambda values: scaled(values) and not values["AsyncOutputS3Uri"] and values["ScalingMetric"] == name


def monitored(values: Values) -> bool:
    return values["MonitorHours"] != "0"


def elsewhere(values: Values) -> bool:
    """In the data science account's own Region a rule of the account does it."""
    home = values["ModelPackageName"].split(":")[3]
    return values.get("StageName") == "prod" and bool({*values.get("Regions", "").split(",")} - {home, ""})


def shadowed(values: Values) -> bool:
    return bool(values["ShadowModelPackageName"])


def measured(values: Values) -> bool:
    return values["MonitorQualityHours"] != "0"


def quality_bound(values: Values) -> str:
    worse = "more" if values["MonitorQualityMetric"] in MORE_IS_WORSE else "less"
    return f"{values['MonitorQualityMetric']} {worse} than {values['MonitorQualityBound']}"


def shown(values: Values) -> bool:
    return values["Dashboard"] == "true" and values["EndpointKind"] != "batch"


def limit(name: str) -> Callable[[Values], str]:
    return lambda values: f"more than {int(values[name]):,}"


def instances(values: Values) -> str:
    least = "0" if values["AsyncOutputS3Uri"] else values["InitialInstanceCount"]
    found = f"{least} to {values['MaximumInstanceCount']}"
    if values["OfficeHoursStart"]:
        hours = f"{values['OfficeHoursStart']} to {values['OfficeHoursEnd']} {values['OfficeHoursTimezone'] or 'UTC'}"
        found += f", at least {values['OfficeHoursInstanceCount']} from {hours}"
    return found


@dataclass(frozen=True)
class Resource:
    """words: for a person; exists: whether a stage with these values has it; reached: by these parameters

    follows: the resource that it refers to: replaced or updated where that one is replaced
    replaced: a change makes another one, instead of updating it; says: what it is set to, where that tells something
    """

    words: str
    reached: tuple[str, ...] = ()
    exists: Callable[[Values], bool] = always
    follows: str = ""
    replaced: bool = False
    says: Callable[[Values], str] | None = None


COOLDOWNS = ("ScaleOutCooldownSeconds", "ScaleInCooldownSeconds")
# Not of a serverless endpoint, nor of Inf1 instances, whose updates have no guardrails.
GUARDED = ("BakeSeconds", "TrafficRoutingType", "AdditionalAlarmName", "MoveAtOnce")
OF_MODEL = (
    "SageMakerExecutionRoleName", "VpcSubnetIds", "VpcSecurityGroupIds", "ModelServerWorkers",
)  # fmt: skip
OF_BATCH = ("BatchBucket", "BatchContentType", "BatchAccept", "BatchSplitType", "DataKmsKeyId")
# The copies of the version in further Regions are left out: they change with ModelPackageName alone.
RESOURCES = {
    "Model": Resource(
        "model",
        ("ModelPackageName", "EnableNetworkIsolation", *OF_MODEL),
        replaced=True,
    ),
    "ShadowModel": Resource("model of the shadow", ("ShadowModelPackageName", *OF_MODEL), shadowed, replaced=True),
    # Release is another number whenever anything of the configuration changes (release.py).
    "EndpointConfig": Resource("endpoint configuration", ("Release",), by_endpoint, follows="Model", replaced=True),
    "Endpoint": Resource("endpoint", ("KeepInstanceCount", *GUARDED), by_endpoint, follows="EndpointConfig"),
    "ServerErrors": Resource(
        "alarm server-errors", ("MaximumServerErrorsPerMinute",), by_endpoint, follows="EndpointConfig",
        says=limit("MaximumServerErrorsPerMinute"),
    ),
    "ClientErrors": Resource(
        "alarm client-errors", ("MaximumClientErrorsPerMinute",), by_endpoint, follows="EndpointConfig",
        says=limit("MaximumClientErrorsPerMinute"),
    ),
    "Latency": Resource(
        "alarm latency, microseconds", ("MaximumModelLatencyMicroseconds",), by_endpoint, follows="EndpointConfig",
        says=limit("MaximumModelLatencyMicroseconds"),
    ),
    "InstanceScaling": Resource("instances of autoscaling", exists=scaled, says=instances),
    "InvocationsScaling": Resource(
        "scaling policy by invocations", ("TargetInvocationsPerInstance", *COOLDOWNS), by_metric("invocations"),
        says=lambda values: f"{values['TargetInvocationsPerInstance']} a minute",
    ),
    "ConcurrencyScaling": Resource(
        "scaling policy by concurrency", ("TargetConcurrentRequests", *COOLDOWNS), by_metric("concurrency"),
        says=lambda values: f"{values['TargetConcurrentRequests']} at the same time",
    ),
    "BacklogScaling": Resource(
        "scaling policy by backlog", ("TargetBacklogPerInstance", *COOLDOWNS), by_backlog,
        says=lambda values: f"{values['TargetBacklogPerInstance']} waiting",
    ),
    "FirstInstance": Resource("step to the first instance", exists=by_backlog),
    "BacklogWithoutInstance": Resource("alarm backlog", exists=by_backlog),
    "Batch": Resource(
        "state machine of transform jobs",
        ("Release", "InstanceType", "InitialInstanceCount", "SageMakerExecutionRoleName", *OF_BATCH),
        by_batch, follows="Model",
    ),
    "Arrival": Resource("rule for arriving objects", ("SageMakerExecutionRoleName", "BatchBucket"), by_batch),
    "Schedule": Resource(
        "rule of the schedule", ("SageMakerExecutionRoleName",), by_schedule,
        says=lambda values: values["BatchSchedule"],
    ),
    "BatchFailures": Resource("alarm batch-failures", exists=by_batch),
    "LostArrivals": Resource("alarm batch-lost-arrivals", exists=by_batch),
    "LostTimes": Resource("alarm batch-lost-times", exists=by_schedule),
    "AlarmsElsewhere": Resource("rule of alarms in further Regions", exists=elsewhere),
    "Monitor": Resource(
        "monitor of data quality",
        ("MonitorBaseline", "MonitorInstanceType", "SageMakerExecutionRoleName", "DataCaptureS3Uri", "DataKmsKeyId",
         "VpcSubnetIds", "VpcSecurityGroupIds"),
        monitored, says=lambda values: f"every {int(values['MonitorHours'])} h",
    ),
    "Drift": Resource(
        "alarm drift", ("MaximumDrift", "MonitorColumns", "DataCaptureS3Uri"), monitored,
        says=lambda values: f"more than {values['MaximumDrift']}",
    ),
    "QualityJob": Resource(
        "definition of the monitor of model quality",
        ("MonitorQualityBaseline", "MonitorQualityAnswers", "MonitorQualityWindowHours", "MonitorInstanceType",
         "DataKmsKeyId", "SageMakerExecutionRoleName", "DataCaptureS3Uri", "VpcSubnetIds", "VpcSecurityGroupIds"),
        measured, replaced=True,
    ),
    "QualityMonitor": Resource(
        "monitor of model quality", (), measured, follows="QualityJob",
        says=lambda values: f"every {int(values['MonitorQualityHours'])} h",
    ),
    "Quality": Resource("alarm quality", ("MonitorQualityMetric", "DataCaptureS3Uri"), measured, says=quality_bound),
    "DashboardOfEndpoint": Resource("dashboard", exists=shown),
}  # fmt: skip

NEEDED = {"EndpointKind", "MaximumInstanceCount", "AsyncOutputS3Uri", "InitialInstanceCount", "TrafficStepPercentage"}
NEEDED |= {"ScalingMetric", "OfficeHoursStart", "OfficeHoursEnd", "OfficeHoursTimezone", "OfficeHoursInstanceCount"}
NEEDED |= {"BatchSchedule", "Dashboard", "MonitorQualityBound"}
NEEDED |= {name for resource in RESOURCES.values() for name in resource.reached}


def changes(before: Values, after: Values) -> list[dict[str, str]]:
    """What happens to each resource of a stage that changes, in words, and what it was and will be set to.

    before: {} for a stage that is not there; both with every parameter otherwise. Nothing where the template that was
    published has other parameters than the kit's own
    """
    if not after.keys() >= NEEDED:
        return []
    done: dict[str, str] = {}
    for name, resource in RESOURCES.items():
        was, will = bool(before) and resource.exists(before), resource.exists(after)
        if was and will:
            if changed(name, resource, before, after, done):
                done[name] = "replaced" if resource.replaced else "updated"
        elif was or will:
            done[name] = "created" if will else "deleted"
    return [
        {"name": RESOURCES[name].words, "done": what, **said(RESOURCES[name], before, after, what)}
        for name, what in done.items()
    ]


def changed(name: str, resource: Resource, before: Values, after: Values, done: Mapping[str, str]) -> bool:
    if resource.says and resource.says(before) != resource.says(after):
        return True
    if done.get(resource.follows) == "replaced":
        return True
    return any(before.get(one) != after.get(one) for one in reaching(name, resource, after))


def reaching(name: str, resource: Resource, after: Values) -> Iterator[str]:
    """The parameters that reach a resource with these values."""
    unguarded = after["EndpointKind"] == "serverless" or after["InstanceType"].startswith(UNGUARDED)
    yield from (one for one in resource.reached if not (unguarded and one in GUARDED))
    if name == "Endpoint" and not unguarded and after["TrafficRoutingType"] != "ALL_AT_ONCE":
        yield "TrafficStepPercentage"


def said(resource: Resource, before: Values, after: Values, what: str) -> dict[str, Any]:
    if resource.says is None:
        return {"live": "", "new": ""}
    live = resource.says(before) if what != "created" else ""
    new = resource.says(after) if what != "deleted" else ""
    return {"live": live, "new": new}
