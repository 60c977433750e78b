"""What SageMaker refuses of settings that are each right: in combination, and on an endpoint that runs. Pure.

And what would be without effect beside the others. Build names all of it before anything is deployed, with the way
around it. The template's own Rules say a part of it where 50-endpoint.yaml is deployed by hand.

SageMaker Developer Guide, "Deploy models with Amazon SageMaker Serverless Inference" (Feature exclusions, conversion),
"Update endpoints that use auto scaling", "Blue/Green Deployments", "Use rolling deployments", "Exclusions" (of the
deployment guardrails), "Asynchronous inference", "Supported features"; API Reference, BlueGreenUpdatePolicy,
RollingUpdatePolicy, CreateTransformJob; that burstable instances cannot be scaled: aws/aws-cdk#22886; that an endpoint
stays asynchronous: aws/sagemaker-python-sdk#3124.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session

from pipeline import schedules
from pipeline.documents import Broken, nearest, shown
from pipeline.monitors import combined
from pipeline.parameters import Declared

LONGEST_DEPLOYMENT = 28_800  # seconds: MaximumExecutionTimeoutInSeconds, which must be longer than all waits together
BURSTABLE = "ml.t2."
UNGUARDED = "ml.inf1."  # its updates move at once, and no alarm takes one back ("Exclusions")
UNGUARDED_HAVE = {"TrafficRoutingType": "ALL_AT_ONCE", "BakeSeconds": "300", "AdditionalAlarmName": ""}
# Families with a disk of their own, which a key does not encrypt (API Reference, CreateEndpointConfig, KmsKeyId) and
# which take no size (aws/sagemaker-python-sdk#4828 and its function volume_size_supported).
OWN_DISK = re.compile(r"ml\.([a-z0-9]*d[a-z0-9]*|(g5|g6|p5|trn1)[a-z]*)\.")
# By a word of a machine image's name, the instances that have its accelerator (API Reference, ProductionVariant).
OF_IMAGE = {
    "gpu": (re.compile(r"ml\.[gp][0-9]"), "ml.g5.xlarge"),
    "neuron": (re.compile(r"ml\.(inf2|trn)"), "ml.inf2.xlarge"),
}
# What a serverless endpoint lacks, each with the only value that it may have.
NOT_SERVERLESS = {
    "DataCaptureS3Uri": ("", "cannot capture data"),
    "DataKmsKeyId": ("", "keeps no data"),
    "VpcSubnetIds": ("", "cannot run in a VPC"),
    "VpcSecurityGroupIds": ("", "cannot run in a VPC"),
    "EnableNetworkIsolation": ("false", "cannot isolate its container"),
    "MaximumInstanceCount": ("0", "has no instances to scale"),
    "TrafficRoutingType": ("ALL_AT_ONCE", "moves its traffic at once"),
    "VolumeSizeInGB": ("", "has no volume"),
    "ContainerStartupHealthCheckTimeoutInSeconds": ("", "has no instances that start"),
    "ModelDataDownloadTimeoutInSeconds": ("", "has no instances that start"),
    "InferenceAmiVersion": ("", "has no instances of a machine image"),
    "MonitorHours": ("0", "has no captured data that a monitor could look at"),
    "MonitorQualityHours": ("0", "has no captured data that a monitor could look at"),
}
# What a batch stage lacks, the same way: its Model is asked by transform jobs.
NOT_BATCH = {
    "DataCaptureS3Uri": ("", "capture no data here"),
    "MaximumInstanceCount": ("0", "keep their instances"),
    "TrafficRoutingType": ("ALL_AT_ONCE", "have no traffic that moves"),
    "VolumeSizeInGB": ("", "choose no size of a volume"),
    "VolumeKmsKeyId": ("", "run with SageMaker's own key here"),
    "ContainerStartupHealthCheckTimeoutInSeconds": ("", "set no time limit for the start"),
    "ModelDataDownloadTimeoutInSeconds": ("", "set no time limit for the start"),
    "InferenceAmiVersion": ("", "choose no machine image"),
    "AdditionalAlarmName": ("", "have no update that an alarm ends"),
    "MonitorHours": ("0", "have no captured data that a monitor could look at"),
    "MonitorQualityHours": ("0", "have no captured data that a monitor could look at"),
}
OF_BATCH = ("BatchSchedule", "BatchContentType", "BatchAccept", "BatchSplitType")
OF_ALARMS = (
    "BakeSeconds", "MaximumServerErrorsPerMinute", "MaximumClientErrorsPerMinute", "MaximumModelLatencyMicroseconds",
)  # fmt: skip
ENDPOINTS = ("real-time", "serverless", "asynchronous")
OF_INSTANCES = ("InstanceType", "InitialInstanceCount", "BakeSeconds", "AdditionalAlarmName")
OF_SERVERLESS = ("ServerlessMemorySizeInMB", "ServerlessMaxConcurrency", "ServerlessProvisionedConcurrency")
OF_REAL_TIME = ("ScalingMetric", "TargetInvocationsPerInstance", "TargetConcurrentRequests")
OF_QUALITY = ("MonitorQualityWindowHours", "MonitorQualityMetric", "MonitorQualityBound")
OF_SCALING = (
    "ScaleOutCooldownSeconds", "ScaleInCooldownSeconds", "OfficeHoursStart", "OfficeHoursEnd", "OfficeHoursTimezone",
    "OfficeHoursInstanceCount",
)  # fmt: skip
# Settings that 50-endpoint.yaml does not use where another one has one of these values; what would give them effect.
WITHOUT_EFFECT: tuple[tuple[tuple[str, ...], str, tuple[str, ...], str], ...] = (
    (OF_SERVERLESS, "EndpointKind", ("real-time", "asynchronous", "batch"), "serverless"),
    (OF_BATCH, "EndpointKind", ENDPOINTS, "batch"),
    ((*OF_ALARMS, "Dashboard"), "EndpointKind", ("batch",), "real-time"),
    (OF_INSTANCES, "EndpointKind", ("serverless",), "real-time"),
    (OF_REAL_TIME, "EndpointKind", ("serverless", "asynchronous", "batch"), "real-time"),
    (("TargetBacklogPerInstance",), "EndpointKind", ("serverless", "real-time", "batch"), "asynchronous"),
    (OF_SCALING, "EndpointKind", ("serverless", "batch"), "real-time"),
    ((*OF_REAL_TIME, "TargetBacklogPerInstance", *OF_SCALING), "MaximumInstanceCount", ("0",), "4"),
    (("TargetInvocationsPerInstance",), "ScalingMetric", ("concurrency",), "invocations"),
    (("TargetConcurrentRequests",), "ScalingMetric", ("invocations",), "concurrency"),
    (("OfficeHoursTimezone", "OfficeHoursInstanceCount"), "OfficeHoursStart", ("",), "cron(0 7 ? * MON-FRI *)"),
    (("TrafficStepPercentage",), "TrafficRoutingType", ("ALL_AT_ONCE",), "CANARY"),
    (("DataCapturePercentage",), "DataCaptureS3Uri", ("",), "account"),
    (("MonitorInstanceType", "MonitorColumns", "MaximumDrift"), "MonitorHours", ("0",), "24"),
    (OF_QUALITY, "MonitorQualityHours", ("0",), "24"),
)
SHARED = {"MonitorInstanceType": "MonitorQualityHours"}  # it has an effect where this one is no "0" too
COUNTED = ("EndpointKind", "InitialInstanceCount", "DataCaptureS3Uri", "DataCapturePercentage")  # see keeps_count


@cache
def instance_types(shape: str = "ProductionVariantInstanceType") -> frozenset[str]:
    """The instance types of hosting, or of the named shape, that the build's boto3 knows."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    found: Any = model.shape_for(shape)
    return frozenset(found.enum)


def effective(given: Mapping[str, str], declared: Mapping[str, Declared]) -> dict[str, str]:
    """Every setting of a stage with the value that it will have; one that is no value for it counts as not given."""
    found = {}
    for name, setting in declared.items():
        value = given.get(name)
        right = isinstance(value, str) and not setting.rule(value)
        found[name] = value if right and value is not None else setting.members.get("Default", "")
    return found


def problems(file: str, given: Mapping[str, str], declared: Mapping[str, Declared]) -> list[str]:
    """What SageMaker would refuse of a file's settings together; what one value alone breaks is not repeated."""
    values = effective(given, declared)
    if not complete(declared):
        return []
    alone = {name for name in given if given[name] != values.get(name)}  # wrong by itself, and named so already
    rules = (
        *serverless(values), *batch(values), *instances(values), *office_hours(values), *machines(values),
        *asynchronous(values), *traffic(values), *network(values), *combined(values),
        *without_effect(values, effective({}, declared), alone),
    )  # fmt: skip
    return [f"{file}: Parameters.{name} is {shown(values[name])}: {rule}" for name, rule in rules if name not in alone]


def complete(declared: Mapping[str, Declared]) -> bool:
    """Whether the template has the settings that the rules are about."""
    unused = {name for names, *_ in WITHOUT_EFFECT for name in names}
    return declared.keys() >= {*NOT_SERVERLESS, *NOT_BATCH, *COUNTED, *unused, "AsyncOutputS3Uri", "BatchBucket"}


def serverless(values: Mapping[str, str]) -> Broken:
    if values["EndpointKind"] != "serverless":
        return
    for name, (only, why) in NOT_SERVERLESS.items():
        if values[name] != only:
            yield name, f'a serverless endpoint {why}. Write "{only}", or "real-time" as EndpointKind'
    most, ready = int(values["ServerlessMaxConcurrency"]), values["ServerlessProvisionedConcurrency"]
    if ready and int(ready) > most:
        yield (
            "ServerlessProvisionedConcurrency",
            f"the endpoint answers at most {most} requests at the same time. Write no more than "
            f'ServerlessMaxConcurrency, such as "{most}"',
        )


def batch(values: Mapping[str, str]) -> Broken:
    given = values["BatchBucket"]
    if values["EndpointKind"] != "batch":
        if given:
            yield "BatchBucket", 'only transform jobs take requests from there. Write "", or "batch" as EndpointKind'
        return
    if not given:
        yield "BatchBucket", 'transform jobs need a bucket for requests and answers. Write one, such as "account"'
    for name, (only, why) in NOT_BATCH.items():
        if values[name] != only:
            yield name, f'transform jobs {why}. Write "{only}", or "real-time" as EndpointKind'
    if wrong := schedules.problem(values["BatchSchedule"]):
        yield "BatchSchedule", wrong
    if not values["BatchSchedule"] and values["InitialInstanceCount"] != "1":
        yield (
            "InitialInstanceCount",
            'one instance answers an object that arrives. Write "1", or a time as BatchSchedule, such as "rate(1 day)"',
        )


def instances(values: Mapping[str, str]) -> Broken:
    if values["EndpointKind"] == "serverless":
        return
    kind, least, most = values["InstanceType"], int(values["InitialInstanceCount"]), int(values["MaximumInstanceCount"])
    jobs = values["EndpointKind"] == "batch"
    types = instance_types("TransformInstanceType" if jobs else "ProductionVariantInstanceType")
    if kind not in types:
        family, what = kind.rpartition(".")[0], "a transform job" if jobs else "SageMaker hosting"
        sizes = sorted(known for known in types if known.rpartition(".")[0] == family)
        such = ", ".join(f'"{size}"' for size in sizes or ("ml.m5.large",))
        yield "InstanceType", f"{what} has no such instance type. Write one that it has, such as {such}"
    if most and kind.startswith(BURSTABLE):
        yield (
            "InstanceType",
            f"SageMaker does not scale burstable instances, and MaximumInstanceCount is {most}. Write another type, "
            'such as "ml.m5.large", or "0" as MaximumInstanceCount',
        )
    if most and least > most:
        yield (
            "InitialInstanceCount",
            f'more instances at the start than autoscaling may have. Write at most MaximumInstanceCount, "{most}"',
        )


def office_hours(values: Mapping[str, str]) -> Broken:
    """What the two scheduled actions exclude, where there is autoscaling at all (else: see without_effect)."""
    start, end = values["OfficeHoursStart"], values["OfficeHoursEnd"]
    if values["EndpointKind"] in ("serverless", "batch") or values["MaximumInstanceCount"] == "0" or not (start or end):
        return
    if (zone := values["OfficeHoursTimezone"]) and zone not in zones():
        alike = nearest(zone, ("Europe/Zurich", *zones()))
        yield "OfficeHoursTimezone", f"no time zone of IANA has this name. Write one, such as {alike}"
    if not start or not end:
        missing, example = ("OfficeHoursEnd", "19") if start else ("OfficeHoursStart", "7")
        yield missing, f'office hours have a start and an end. Write both, such as "cron(0 {example} ? * MON-FRI *)"'
        return
    if start == end:
        another = "cron(0 19 ? * MON-FRI *)"
        yield "OfficeHoursEnd", f'office hours end when they start. Write another time, such as "{another}"'
    least = 0 if values["EndpointKind"] == "asynchronous" else int(values["InitialInstanceCount"])
    most, count = int(values["MaximumInstanceCount"]), int(values["OfficeHoursInstanceCount"])
    if not least < count <= most:
        yield (
            "OfficeHoursInstanceCount",
            f"autoscaling has at least {least} at other hours, and at most {most}. Write more than the one and no more "
            f'than the other, such as "{least + 1}"'
            + (", and at least as much as MaximumInstanceCount" if least >= most else ""),
        )


@cache
def zones() -> tuple[str, ...]:
    """The names of IANA's time zones, of tzdata 2025b (Application Auto Scaling API Reference, PutScheduledAction)."""
    return tuple(json.loads(Path(__file__).with_name("timezones.json").read_text(encoding="utf-8")))


def machines(values: Mapping[str, str]) -> Broken:
    """What the disk and the accelerator of an instance type exclude."""
    if values["EndpointKind"] in ("serverless", "batch"):
        return
    kind = values["InstanceType"]
    if OWN_DISK.match(kind) and values["VolumeSizeInGB"]:
        yield "VolumeSizeInGB", f'{kind} has a disk of its own, and SageMaker adds no volume. Write ""'
    if OWN_DISK.match(kind) and values["VolumeKmsKeyId"]:
        yield "VolumeKmsKeyId", f'{kind} has a disk that it encrypts itself, without a key. Write ""'
    image = values["InferenceAmiVersion"]
    for word, (fits, example) in OF_IMAGE.items():
        if word in image and not fits.match(kind):
            yield (
                "InferenceAmiVersion",
                f'{kind} has no accelerator of this machine image. Write "", or another type, such as "{example}"',
            )


def asynchronous(values: Mapping[str, str]) -> Broken:
    given = values["AsyncOutputS3Uri"]
    if values["EndpointKind"] == "asynchronous" and not given:
        yield (
            "AsyncOutputS3Uri",
            'an asynchronous endpoint needs a place for its answers. Write one, such as "account"',
        )
    if values["EndpointKind"] == "asynchronous":
        if values["DataCaptureS3Uri"]:
            yield (
                "DataCaptureS3Uri",
                'an asynchronous endpoint captures no data. Write "", or "real-time" as EndpointKind',
            )
        if (kind := values["InstanceType"]).startswith(UNGUARDED):
            yield "InstanceType", f'{kind} has no asynchronous endpoints. Write another type, such as "ml.inf2.xlarge"'
    elif given:
        yield "AsyncOutputS3Uri", 'only an asynchronous endpoint puts answers there. Write ""'
    if values["EndpointKind"] == "real-time" and values["DataKmsKeyId"] and not values["DataCaptureS3Uri"]:
        yield "DataKmsKeyId", 'no data are kept that it could encrypt. Write "", or "account" as DataCaptureS3Uri'


def traffic(values: Mapping[str, str]) -> Broken:
    if values["EndpointKind"] in ("serverless", "batch"):
        return
    if values["InstanceType"].startswith(UNGUARDED):
        yield from unguarded(values)
        return
    kind = values["TrafficRoutingType"]
    if kind == "ALL_AT_ONCE":
        return
    if values["InitialInstanceCount"] == "1":
        yield (
            "InitialInstanceCount",
            f'{kind} moves the traffic of at most half the instances first. Write "2" or more, or "ALL_AT_ONCE" as '
            "TrafficRoutingType",
        )
    part, bake = int(values["TrafficStepPercentage"]), int(values["BakeSeconds"])
    waits = 2 if kind == "CANARY" else -(-100 // part)
    if waits * bake >= LONGEST_DEPLOYMENT:
        most = (LONGEST_DEPLOYMENT - 1) // waits
        yield (
            "BakeSeconds",
            f"{waits} waits of it are {waits * bake:,} seconds, and an update ends within {LONGEST_DEPLOYMENT:,}. "
            f'Write at most "{most}", or larger steps as TrafficStepPercentage',
        )


def unguarded(values: Mapping[str, str]) -> Broken:
    """Of instances whose updates have no guardrails: what would change none of them."""
    for name, only in UNGUARDED_HAVE.items():
        if values[name] != only:
            yield (
                name,
                f"updates on {values['InstanceType']} move at once, and no alarm takes one back. Write "
                f'"{only}", or another InstanceType, such as "ml.m5.large"',
            )


def network(values: Mapping[str, str]) -> Broken:
    if bool(values["VpcSubnetIds"]) != bool(values["VpcSecurityGroupIds"]):
        missing = "VpcSecurityGroupIds" if values["VpcSubnetIds"] else "VpcSubnetIds"
        yield missing, 'a VPC needs subnets and security groups. Write both, such as "account", or neither'


def without_effect(values: Mapping[str, str], defaults: Mapping[str, str], wrong: Set[str]) -> Broken:
    """Settings that are not left at their default, and that the endpoint does not have beside the others.

    wrong: the settings whose value is none: beside another value, the others may well have an effect
    """
    named = set()
    for names, other, where, instead in WITHOUT_EFFECT:
        for name in names if values[other] in where and other not in wrong else ():
            used = name in SHARED and values[SHARED[name]] != "0"
            if values[name] != defaults[name] and name not in named and not used:
                named.add(name)
                yield (
                    name,
                    f"it has no effect where {other} is {shown(values[other])}. Take it out, or write another {other}, "
                    f'such as "{instead}"',
                )


# -- on an endpoint that runs --------------------------------------------------------------------


def in_place(
    file: str, stack: str, live: Mapping[str, str], wanted: Mapping[str, str], declared: Mapping[str, Declared]
) -> list[str]:
    """What SageMaker would refuse of a change of a stage that has endpoints.

    live: the parameters of the stage's stack, {} where there is none; wanted: those that it is to have
    """
    if not live or not complete(declared):
        return []
    before, after = effective(live, declared), effective(wanted, declared)
    was, will, problems = before["EndpointKind"], after["EndpointKind"], []
    # Between an endpoint and batch, CloudFormation makes the one and deletes the other: the card says so.
    if was != will and "batch" not in (was, will) and (was, will) != ("serverless", "real-time"):
        problems.append(
            f"{file}: Parameters.EndpointKind is {shown(will)}, and the endpoints are {was}: SageMaker turns only "
            f'serverless endpoints into real-time ones. Write "{was}", or create them again, without answers meanwhile:'
            f" aws cloudformation delete-stack --stack-name {stack}, then release the change again"
        )
    counted = will not in ("serverless", "batch")
    if scaled(live, declared) and counted and before["InstanceType"] != after["InstanceType"]:
        problems.append(
            f"{file}: Parameters.InstanceType is {shown(after['InstanceType'])}, and the endpoints are "
            f"{before['InstanceType']} with autoscaling: SageMaker changes no instance type that is scaled. First "
            f'deploy "{before["InstanceType"]}" with "0" as MaximumInstanceCount, then the new type with autoscaling'
        )
    return problems


def scaled(live: Mapping[str, str], declared: Mapping[str, Declared]) -> bool:
    """Whether a stage's endpoints are scaled by the number of their instances."""
    if not live or "MaximumInstanceCount" not in declared:
        return False
    values = effective(live, declared)
    return values["EndpointKind"] != "serverless" and values["MaximumInstanceCount"] != "0"


def keeps_count(
    live: Mapping[str, str], wanted: Mapping[str, str], declared: Mapping[str, Declared], same: bool
) -> bool:
    """Whether an update keeps the number of instances that autoscaling has come to (RetainAllVariantProperties).

    It would keep everything else of the variant too: a number that is pushed at the same time, and the former capture
    of data (API Reference, VariantProperty: "Not currently supported"). So the update that changes one of these does
    not keep, and begins with InitialInstanceCount (docs/decisions/0038-*.md). A first deployment has nothing to keep;
    but where the next one fails, CloudFormation goes back by an update that has the first one's properties.

    same: what was asked of SageMaker stays, so that no endpoint must be updated for this alone
    """
    if same and "KeepInstanceCount" in live:
        return live["KeepInstanceCount"] == "true"
    before, after = effective(live, declared), effective(wanted, declared)
    if not live:
        return scaled(wanted, declared) and after["EndpointKind"] != "asynchronous"
    if not scaled(live, declared) or not scaled(wanted, declared) or after["EndpointKind"] == "asynchronous":
        return False  # an asynchronous endpoint may be without an instance, of which no part can be a canary
    return same or all(before[name] == after[name] for name in COUNTED)
