"""The table of pipeline/resources.py says of each resource what 50-endpoint.yaml says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from awslang.template import parameters
from awslang.template.intrinsics import Evaluator
from awslang.template.template import parse
from pipeline import combinations
from pipeline.parameters import declared_parameters
from pipeline.release import shape
from pipeline.resources import RESOURCES, changes
from tests.support import ROOT
from tests.support.cfn import PSEUDO

TEXT = (ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8")
TEMPLATE, DECLARED = parse(TEXT), declared_parameters(TEXT)
ARN = "arn:aws:sagemaker:us-east-1:111111111111:model-package/iris/1"
GIVEN = {
    "SageMakerProjectName": "iris", "SageMakerProjectId": "p-1", "StageName": "prod", "ModelPackageName": ARN,
    "SageMakerExecutionRoleName": "role",
}  # fmt: skip
TEN = ",".join("abcdefghij")
KINDS = {
    "real-time": {"InitialInstanceCount": "2"},
    "scaled": {"MaximumInstanceCount": "4"},
    "by concurrency": {"MaximumInstanceCount": "4", "ScalingMetric": "concurrency"},
    "in office hours": {
        "MaximumInstanceCount": "4",
        "OfficeHoursStart": "cron(0 7 ? * * *)",
        "OfficeHoursEnd": "cron(0 9 ? * * *)",
        "OfficeHoursInstanceCount": "2",
    },
    "canary": {"TrafficRoutingType": "CANARY", "InitialInstanceCount": "2"},
    "rolling": {"TrafficRoutingType": "ROLLING", "InitialInstanceCount": "2"},
    "serverless": {"EndpointKind": "serverless"},
    "asynchronous": {"EndpointKind": "asynchronous", "AsyncOutputS3Uri": "account", "MaximumInstanceCount": "4"},
    "batch": {"EndpointKind": "batch", "BatchBucket": "account"},
    "scheduled": {"EndpointKind": "batch", "BatchBucket": "account", "BatchSchedule": "rate(1 hour)"},
    "captured": {"DataCaptureS3Uri": "account"},
    "monitored": {"DataCaptureS3Uri": "account", "MonitorHours": "24", "MonitorBaseline": "b", "MonitorColumns": TEN},
    "measured": {
        "DataCaptureS3Uri": "account",
        "MonitorQualityHours": "24",
        "MonitorQualityBaseline": "b",
        "MonitorQualityMetric": "r2",
        "MonitorQualityBound": "0.8",
    },
    "accelerated": {"InstanceType": "ml.g5.xlarge"},
    "shadowed": {"DataCaptureS3Uri": "account", "ShadowModelPackageName": ARN.replace("/1", "/3")},
    "on Inf1": {"InstanceType": "ml.inf1.xlarge"},
    "in a VPC": {"VpcSubnetIds": "subnet-2b,subnet-3c", "VpcSecurityGroupIds": "sg-2b"},
}
# Another value of each parameter that has no number and no list of allowed ones.
OTHERS = {
    "ModelPackageName": ARN.replace("/1", "/2"), "ShadowModelPackageName": ARN.replace("/1", "/4"),
    "SageMakerExecutionRoleName": "other", "InstanceType": "ml.c6i.large",
    "ContainerStartupHealthCheckTimeoutInSeconds": "900", "ModelDataDownloadTimeoutInSeconds": "900",
    "VolumeSizeInGB": "64", "AsyncOutputS3Uri": "s3://answers/asynchronous", "AdditionalAlarmName": "drift",
    "DataCaptureS3Uri": "s3://captured/capture", "VpcSubnetIds": "subnet-1a,subnet-2b", "VpcSecurityGroupIds": "sg-1a",
    "VolumeKmsKeyId": "alias/models", "DataKmsKeyId": "alias/data", "ModelServerWorkers": "2",
    "OfficeHoursStart": "cron(1 7 ? * * *)",
    "ServerlessProvisionedConcurrency": "3",
    "OfficeHoursEnd": "cron(2 9 ? * * *)", "OfficeHoursTimezone": "Europe/Zurich",
    "InferenceAmiVersion": "al2-ami-sagemaker-inference-gpu-2", "BatchBucket": "batches",
    "BatchSchedule": "rate(1 day)", "BatchContentType": "application/jsonlines", "BatchAccept": "application/json",
    "MonitorInstanceType": "ml.m5.large",
    "MonitorBaseline": "iris/c", "MonitorColumns": TEN.replace("a", "z"), "MaximumDrift": "0.3",
    "MonitorQualityBaseline": "iris/c", "MonitorQualityAnswers": "Regression,1,none",
    "MonitorQualityWindowHours": "48,24", "MonitorQualityMetric": "rmse", "MonitorQualityBound": "0.9",
}  # fmt: skip
NAMES = {"SageMakerProjectName", "SageMakerProjectId", "StageName"}  # never change
# An output alone shows the first; Release stands for what it counts; copies change with the version.
WITHOUT_EFFECT = {"BundleVersion", "Release", "CopyRegions", "CopyModelPackageNames", "ShadowCopyModelPackageNames"}


def values(given: Mapping[str, str]) -> dict[str, str]:
    defaults = {name: one.members.get("Default", "") for name, one in DECLARED.items()}
    return {**defaults, **GIVEN, **given}


def resolved(given: Mapping[str, str]) -> dict[str, Any]:
    """The properties of every resource that a stack with these values has; what is replaced gets another name."""

    def attribute(name: str, attribute: str) -> str:
        content = json.dumps(found.resource(name), sort_keys=True) if RESOURCES[name].replaced else attribute
        return f"arn/{name}.{content.replace('/', '|')}" if name == "QualityJob" else f"{name}.{content}"

    known = {name: given[name] for name in DECLARED}
    chosen = parameters.resolve(TEMPLATE, known, None, str)
    found = Evaluator(TEMPLATE, chosen, PSEUDO, str, attribute, lambda service, reference: reference)
    return {name: found.resource(name) for name in found.active()}


def differing(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    found = {}
    for name in TEMPLATE.resources:
        if (name in before) is not (name in after):
            found[name] = "created" if name in after else "deleted"
        elif name in before and before[name] != after[name]:
            found[name] = "replaced" if RESOURCES[name].replaced else "updated"
    return found


def other_value(name: str, value: str) -> str:
    declared = DECLARED[name]
    if name in OTHERS:
        return OTHERS[name] if value != OTHERS[name] else declared.members.get("Default", "")
    if declared.allowed:
        return next(one for one in declared.allowed if one != value)
    most = int(declared.members.get("MaxValue", 10**6))
    return str(int(value) + 1 if int(value) < most else int(value) - 1)


def released(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """The number that the Build step gives the configuration: another one where anything that shapes it changes."""
    return {**after, "Release": "1" if shape(before, DECLARED) == shape(after, DECLARED) else "2"}


WORDS = {resource.words: name for name, resource in RESOURCES.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_changes_the_resources_that_the_template_says(kind: str) -> None:
    before = values(KINDS[kind])
    there, compared = resolved(before), 0
    for name in sorted(DECLARED.keys() - NAMES - WITHOUT_EFFECT - {"EndpointKind"}):
        after = released(before, {**before, name: other_value(name, before[name])})
        if combinations.problems("", after, DECLARED):
            continue  # Build refuses it
        compared += 1
        said = {WORDS[one["name"]]: one["done"] for one in changes(before, after)}
        assert said == differing(there, resolved(after)), name
    assert compared >= 5


@pytest.mark.parametrize(("before", "after"), [
    ("serverless", "real-time"), ("serverless", "scaled"), ("scaled", "scheduled"), ("batch", "serverless"),
    ("batch", "scheduled"),
])  # fmt: skip
def test_another_kind_of_endpoint_changes_what_the_template_says(before: str, after: str) -> None:
    was = values(KINDS[before])
    will = released(was, values(KINDS[after]))
    said = {WORDS[one["name"]]: one["done"] for one in changes(was, will)}
    assert said == differing(resolved(was), resolved(will))


def test_every_resource_of_the_template_is_in_the_table() -> None:
    assert list(RESOURCES) == list(TEMPLATE.resources)


def test_a_first_deployment_creates_what_there_is_and_nothing_else() -> None:
    will = values(KINDS["asynchronous"])
    said = {WORDS[one["name"]]: one["done"] for one in changes({}, will)}
    assert said == dict.fromkeys(resolved(will), "created")


def test_limits_and_ranges_are_said_as_they_were_and_will_be() -> None:
    before = values(KINDS["scaled"])
    after = {**before, "MaximumServerErrorsPerMinute": "5", "MaximumInstanceCount": "9"}
    assert changes(before, after) == [
        {"name": "alarm server-errors", "done": "updated", "live": "more than 1", "new": "more than 5"},
        {"name": "instances of autoscaling", "done": "updated", "live": "1 to 4", "new": "1 to 9"},
    ]


def test_of_a_template_with_other_parameters_nothing_is_said() -> None:
    assert changes({}, {"InstanceType": "x"}) == []
