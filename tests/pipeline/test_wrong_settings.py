"""Wrong settings of a stage, one a row: Build refuses each with path, value, rule and example before it does anything.

Other tests hold single rules; this table holds the form of every message. The example of a row is written into the file
in place of the wrong value where that alone cures it, and Build takes the file then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.combinations import in_place
from pipeline.console import UserError
from pipeline.parameters import declared_parameters
from pipeline.settings import WRITTEN_HERE, read_settings
from tests.support import ROOT
from tests.support.deploy_repository import ENVIRONMENT

DECLARED = declared_parameters((ROOT / "templates/40-stage.yaml").read_text(encoding="utf-8"))
BATCH = {"EndpointKind": "batch", "BatchBucket": "account"}
SERVERLESS = {"EndpointKind": "serverless"}
BOUND = {"DataCaptureS3Uri": "account", "MonitorQualityMetric": "r2", "MonitorQualityBound": "0.8"}
QUALITY = {**BOUND, "MonitorQualityHours": "24"}
MONITOR = {"DataCaptureS3Uri": "account", "MonitorHours": "24"}
TWO = {"InitialInstanceCount": "2"}
ASYNCHRONOUS = {"EndpointKind": "asynchronous", "AsyncOutputS3Uri": "account", "MaximumInstanceCount": "4"}
SCALED = {"InstanceType": "ml.m5.large", "MaximumInstanceCount": "4"}
EXAMPLE_FILE = '"./settings.schema.json"'
MORNING = {"OfficeHoursStart": "cron(0 7 ? * MON-FRI *)", "OfficeHoursInstanceCount": "2"}
HOURS = {"OfficeHoursEnd": "cron(0 19 ? * MON-FRI *)", "OfficeHoursInstanceCount": "2"}
METRIC = {"goal": "minimize"}
GPU_IMAGE = "al2-ami-sagemaker-inference-gpu-3-1"


@dataclass(frozen=True)
class Wrong:
    """config: of the file; value: as the message shows it; cured: whether the example in place of the value cures it"""

    path: str
    config: Any
    value: str
    rule: str
    example: str
    file: str = "prod-config.json"
    cured: bool = False


def setting(name: str, value: Any, rule: str, example: str, **beside: str) -> Wrong:
    """A setting that the example in place of its value cures. beside: others that are right"""
    given = {"Parameters": {**beside, name: value}}
    return Wrong(f"Parameters.{name}", given, json.dumps(value), rule, f'"{example}"', cured=True)


def together(name: str, value: Any, rule: str, example: str, **beside: str) -> Wrong:
    """A setting that more than its own example cures, or another one in its place."""
    return replace(setting(name, value, rule, example, **beside), cured=False)


def gate(path: str, gates: Any, value: str, rule: str, example: str) -> Wrong:
    return Wrong(f"gates{path}", {"gates": gates}, value, rule, example)


ROWS = (
    # the files
    Wrong(
        "Parameters", {"Parameters": None}, "null", "an object of names and texts",
        '{"InstanceType": "ml.m5.large"}',
    ),
    Wrong("Region", {"Region": ["us-east-1"]}, "a list", "no such key is known", '"Regions"'),
    Wrong("Regions", {"Regions": "us-east-1"}, '"us-east-1"', "a list of Regions", '["us-east-1"]', cured=True),
    Wrong("Regions", {"Regions": []}, "an empty list", "a list of Regions", '["us-east-1"]', cured=True),
    Wrong("Regions", {"Regions": ["us-east-1", "Ohio"]}, '"Ohio"', "a list of Regions", '["us-east-1"]', cured=True),
    Wrong(
        "Regions",
        {"Regions": ["eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1"]},
        "eu-west-1, eu-west-2, eu-west-3, eu-north-1",
        "at most 3 Regions besides us-east-1",
        '["eu-west-1", "eu-west-2", "eu-west-3"]',
        cured=True,
    ),
    Wrong("$schema", {"$schema": 7}, "7", "the name of a file", EXAMPLE_FILE, cured=True),
    # values that are no text, and names that are no settings
    together("InstanceTyp", "ml.m5.large", "40-stage.yaml has no such setting", "InstanceType"),
    together("StageName", "prod", "the pipeline writes it itself", "InstanceType"),
    setting("InitialInstanceCount", 2, "write text", "2"),
    setting("EnableNetworkIsolation", True, "write text", "true"),
    setting("EndpointKind", None, "write text", "real-time"),
    Wrong(
        "Parameters.BakeSeconds", {"Parameters": {"BakeSeconds": [300]}}, "a list", "write text", '"300"',
        cured=True,
    ),
    # values
    setting("MaxConcurrentPercentage", "0", "a whole number from 1 to 100", "25"),
    setting("FailureTolerancePercentage", "101", "a whole number from 0 to 100", "0"),
    setting("ConcurrencyMode", "SOFT", "one of SOFT_FAILURE_TOLERANCE", "SOFT_FAILURE_TOLERANCE"),
    setting("RegionConcurrencyType", "parallel", "one of PARALLEL, SEQUENTIAL", "PARALLEL"),
    setting("EndpointKind", "realtime", "one of real-time, serverless, asynchronous", "real-time"),
    setting("InstanceType", "m5.large", "an instance type of SageMaker hosting", "ml.m5.large"),
    together("InstanceType", "ml.t2.huge", "SageMaker hosting has no such instance type", "ml.t2.2xlarge"),
    setting("InitialInstanceCount", "0", "a whole number from 1", "2"),
    setting("InitialInstanceCount", "1.5", "a whole number from 1", "2"),
    setting("MaximumInstanceCount", "-4", "a whole number from 0", "4"),
    setting("TargetInvocationsPerInstance", "0", "a whole number from 1", "600", **SCALED),
    setting("ScalingMetric", "cpu", "one of invocations, concurrency", "invocations", **SCALED),
    setting("TargetConcurrentRequests", "0", "a whole number from 1", "5", ScalingMetric="concurrency", **SCALED),
    setting("ScaleOutCooldownSeconds", "1m", "a whole number from 0 to 86400", "60", **SCALED),
    setting("ScaleInCooldownSeconds", "100000", "a whole number from 0 to 86400", "600", **SCALED),
    setting(
        "OfficeHoursStart", "0 7 ? * MON-FRI *", "empty, or cron(MINUTE HOUR ? * DAYS *)", "cron(0 7 ? * MON-FRI *)",
        **HOURS, **SCALED,
    ),
    setting(
        "OfficeHoursEnd", "cron(0 24 ? * MON-FRI *)", "empty, or cron(MINUTE HOUR ? * DAYS *)",
        "cron(0 19 ? * MON-FRI *)", **MORNING, **SCALED,
    ),
    setting(
        "OfficeHoursTimezone", "CET", "empty, or the IANA name of a time zone", "Europe/Zurich",
        **{**HOURS, **MORNING, **SCALED},
    ),
    setting(
        "OfficeHoursTimezone", "Europe/Zuerich", "no time zone of IANA has this name", "Europe/Zurich",
        **{**HOURS, **MORNING, **SCALED},
    ),
    together("OfficeHoursInstanceCount", "0", "a whole number from 1", "2"),
    together("TargetBacklogPerInstance", "many", "a whole number from 1", "5"),
    setting("ContainerStartupHealthCheckTimeoutInSeconds", "59", "empty, or seconds from 60 to 3600", "900"),
    setting("ModelDataDownloadTimeoutInSeconds", "1 h", "empty, or seconds from 60 to 3600", "1800"),
    setting("VolumeSizeInGB", "513", "empty, or GB from 1 to 512", "64"),
    setting(
        "InferenceAmiVersion", "gpu", "one of al2-ami-sagemaker-inference-gpu-2", GPU_IMAGE,
        InstanceType="ml.g5.xlarge",
    ),
    setting("ModelServerWorkers", "0", "empty, or a whole number from 1 to 999", "4"),
    setting("ServerlessMemorySizeInMB", "1000", "one of 1024, 2048", "2048", **SERVERLESS),
    setting("ServerlessMaxConcurrency", "201", "a whole number from 1 to 200", "5", **SERVERLESS),
    setting("ServerlessProvisionedConcurrency", "0", "empty, or a whole number from 1 to 200", "2", **SERVERLESS),
    together("AsyncOutputS3Uri", "bucket/answers", "empty, account, or s3:// followed by a bucket", "account"),
    setting("BatchBucket", "Bucket", "empty, account, or the name of a bucket", "account", EndpointKind="batch"),
    setting("BatchSchedule", "daily", "empty, cron(...) or rate(...)", "cron(0 3 * * ? *)", **BATCH),
    setting("BatchContentType", "text csv", "a content type, such as text/csv", "text/csv", **BATCH),
    setting("BatchAccept", "some csv", "empty, or a content type", "application/json", **BATCH),
    setting("BatchSplitType", "Lines", "one of None, Line", "None", **BATCH),
    setting("TrafficRoutingType", "canary", "one of ALL_AT_ONCE, CANARY, LINEAR, ROLLING", "ALL_AT_ONCE"),
    setting("TrafficStepPercentage", "51", "a whole number from 10 to 50", "20", TrafficRoutingType="CANARY", **TWO),
    setting("BakeSeconds", "60", "a whole number from 120 to 3600", "300"),
    setting("MaximumServerErrorsPerMinute", "-1", "a whole number from 0", "1"),
    setting("MaximumClientErrorsPerMinute", "1e3", "a whole number from 0", "100"),
    setting("MaximumModelLatencyMicroseconds", "0.5", "a whole number from 1", "500000"),
    setting("AdditionalAlarmName", "arn:aws:cloudwatch:x", "empty, or the name of a CloudWatch alarm", ""),
    setting("DataCaptureS3Uri", "s3://Bucket", "empty, account, or s3:// followed by a bucket", "account"),
    setting("DataCapturePercentage", "200", "a whole number from 0 to 100", "20", DataCaptureS3Uri="account"),
    setting(
        "VpcSubnetIds", "10.0.0.0/24", "empty, account, or 2 to 16 ids", "subnet-1a2b3c4d,subnet-5e6f7a8b",
        VpcSecurityGroupIds="account",
    ),
    setting(
        "VpcSubnetIds", "subnet-1a2b3c4d", "2 to 16 ids of subnets in different zones",
        "subnet-1a2b3c4d,subnet-5e6f7a8b", VpcSecurityGroupIds="account",
    ),
    setting("VpcSecurityGroupIds", "default", "empty, account, or at most 5", "sg-1a2b3c4d", VpcSubnetIds="account"),
    setting("VolumeKmsKeyId", "my key", "empty, or the alias of a KMS key of each account", "alias/models"),
    setting("DataKmsKeyId", "alias/my key", "empty, or the alias of a KMS key of each account", "alias/endpoint-data",
        DataCaptureS3Uri="account"),
    together("DataKmsKeyId", "alias/data", "no data are kept that it could encrypt", ""),
    setting("EnableNetworkIsolation", "yes", "one of true, false", "true"),
    setting("InstanceType", "ml.m5.large\n", "text without control characters", "ml.m5.large"),
    setting("MonitorHours", "25", "a whole number from 0 to 24", "24", DataCaptureS3Uri="account"),
    setting("MonitorInstanceType", "m5.large", "an instance type of SageMaker processing", "ml.m5.xlarge", **MONITOR),
    setting("MonitorColumns", "age, income", "at most ten names of columns", "a,b,c,d,e,f,g,h,i,j", **MONITOR),
    setting("MaximumDrift", "10%", "a number from 0.001 to 1", "0.2", **MONITOR),
    setting("MonitorQualityHours", "25", "a whole number from 0 to 24", "24", **BOUND),
    setting("MonitorQualityWindowHours", "a day", "two numbers of hours", "72,48", **QUALITY),
    setting("MonitorQualityMetric", "F1 score", "the name of a metric such as accuracy", "accuracy", **QUALITY),
    setting("MonitorQualityBound", "90%", "empty, or a number", "0.9", **QUALITY),
    setting("Dashboard", "yes", "one of true, false", "true"),
    # values that exclude each other
    together("MonitorHours", "24", "a serverless endpoint has no captured data", "0", **SERVERLESS),
    together(
        "MonitorHours", "24", "only a real-time endpoint has a monitor", "0", EndpointKind="asynchronous",
        AsyncOutputS3Uri="account",
    ),
    Wrong(
        "Parameters.DataCaptureS3Uri", {"Parameters": {"MonitorHours": "24"}}, '""',
        "a monitor looks at captured data", '"account"',
    ),
    together("MaximumDrift", "0.3", "no effect where MonitorHours is", "24"),
    together("MonitorQualityMetric", "none", "a monitor of model quality needs a metric", "accuracy", **QUALITY),
    setting("MonitorQualityMetric", "accurracy", "no monitor measures it", "accuracy", **QUALITY),
    together("MonitorQualityBound", "", "the alarm needs a bound", "0.9", **QUALITY),
    together("MonitorQualityWindowHours", "24,48", "Write the larger number first", "72,48", **QUALITY),
    together("MonitorQualityWindowHours", "72,48", "no effect where MonitorQualityHours is", "24"),
    together("DataCaptureS3Uri", "account", "a serverless endpoint cannot capture data", "", **SERVERLESS),
    together("EnableNetworkIsolation", "true", "a serverless endpoint cannot isolate", "false", **SERVERLESS),
    together("MaximumInstanceCount", "4", "a serverless endpoint has no instances to scale", "0", **SERVERLESS),
    together(
        "TrafficRoutingType", "LINEAR", "a serverless endpoint moves its traffic at once", "ALL_AT_ONCE",
        **SERVERLESS,
    ),
    together("InstanceType", "ml.m5.xlarge", "no effect where EndpointKind is", "real-time", **SERVERLESS),
    together("BakeSeconds", "600", "no effect where EndpointKind is", "real-time", **SERVERLESS),
    together(
        "ServerlessProvisionedConcurrency", "6", "the endpoint answers at most 5 requests at the same time", "5",
        **SERVERLESS,
    ),
    together("ServerlessMaxConcurrency", "7", "no effect where EndpointKind is", "serverless"),
    together("TargetInvocationsPerInstance", "7", "no effect where MaximumInstanceCount is", "4"),
    together("TrafficStepPercentage", "20", "no effect where TrafficRoutingType is", "CANARY"),
    together("DataCapturePercentage", "20", "no effect where DataCaptureS3Uri is", "account"),
    together(
        "InstanceType", "ml.t2.medium", "does not scale burstable instances", "ml.m5.large",
        MaximumInstanceCount="2",
    ),
    together("InitialInstanceCount", "9", "more instances at the start than autoscaling may have", "4", **SCALED),
    together("OfficeHoursStart", MORNING["OfficeHoursStart"], "no effect where MaximumInstanceCount is", "4"),
    together(
        "OfficeHoursEnd", MORNING["OfficeHoursStart"], "end when they start", "cron(0 19 ? * MON-FRI *)",
        **MORNING, **SCALED,
    ),
    together(
        "OfficeHoursInstanceCount", "9", "autoscaling has at least 1 at other hours, and at most 4", "2",
        **{**SCALED, "OfficeHoursStart": MORNING["OfficeHoursStart"], "OfficeHoursEnd": HOURS["OfficeHoursEnd"]},
    ),
    together("ScalingMetric", "concurrency", "no effect where EndpointKind is", "real-time", **ASYNCHRONOUS),
    together("VolumeSizeInGB", "64", "has a disk of its own", "", InstanceType="ml.g5.xlarge"),
    together("InferenceAmiVersion", GPU_IMAGE, "no accelerator of this machine image", "ml.g5.xlarge"),
    together(
        "InitialInstanceCount", "1", "moves the traffic of at most half the instances", "2",
        TrafficRoutingType="CANARY",
    ),
    together(
        "BakeSeconds", "3600", "an update ends within 28,800", "2879",
        TrafficRoutingType="LINEAR", TrafficStepPercentage="10", **TWO,
    ),
    Wrong(
        "Parameters.AsyncOutputS3Uri", {"Parameters": {"EndpointKind": "asynchronous"}}, '""',
        "an asynchronous endpoint needs a place for its answers", '"account"',
    ),
    setting("DataCaptureS3Uri", "account", "an asynchronous endpoint captures no data", "", **ASYNCHRONOUS),
    setting("InstanceType", "ml.inf1.xlarge", "has no asynchronous endpoints", "ml.inf2.xlarge", **ASYNCHRONOUS),
    setting(
        "TrafficRoutingType", "LINEAR", "updates on ml.inf1.xlarge move at once", "ALL_AT_ONCE",
        InstanceType="ml.inf1.xlarge", **TWO,
    ),
    setting(
        "AdditionalAlarmName", "mine", "no alarm takes one back", "", InstanceType="ml.inf1.xlarge",
    ),
    together("AsyncOutputS3Uri", "account", "only an asynchronous endpoint puts answers there", ""),
    Wrong(
        "Parameters.VpcSecurityGroupIds", {"Parameters": {"VpcSubnetIds": "account"}}, '""',
        "a VPC needs subnets and security groups", '"account"',
    ),
    together("BatchBucket", "account", "only transform jobs take requests from there", ""),
    Wrong(
        "Parameters.BatchBucket", {"Parameters": {"EndpointKind": "batch"}}, '""', "transform jobs need a bucket",
        '"account"',
    ),
    setting("InitialInstanceCount", "2", "one instance answers an object that arrives", "1", **BATCH),
    together("MaximumInstanceCount", "4", "transform jobs keep their instances", "0", **BATCH),
    together("BatchSchedule", "rate(1 days)", "the unit is day for 1", "rate(1 day)", **BATCH),
    together("BakeSeconds", "600", "no effect where EndpointKind is", "real-time", **BATCH),
    together("BatchSplitType", "Line", "no effect where EndpointKind is", "batch"),
    # gates
    gate("", [], "a list", "an object", '{"metrics": {}}'),
    gate(".metric", {"metric": {}}, "an object", "no such key is known", '"metrics"'),
    gate(".metrics", {"metrics": []}, "a list", "an object with the names of metrics", '{"validation:merror": {"goal"'),
    gate(".metrics.auc", {"metrics": {"auc": 0.9}}, "0.9", "an object with goal", '{"goal": "minimize"}'),
    gate(".metrics.auc.goal", {"metrics": {"auc": {}}}, "missing", "minimize or maximize", '"minimize"'),
    gate(".metrics.auc.goal", {"metrics": {"auc": {"goal": "up"}}}, '"up"', "minimize or maximize", '"minimize"'),
    gate(".metrics.auc.bound", {"metrics": {"auc": {**METRIC, "bound": "0.9"}}}, '"0.9"', "a number", "0.1"),
    gate(".metrics.auc.worse_by", {"metrics": {"auc": {**METRIC, "worse_by": -1}}}, "-1", "a number from 0", "0.02"),
    gate(".metrics.auc.limit", {"metrics": {"auc": {**METRIC, "limit": 1}}}, "1", "no such key is known", '"goal"'),
    gate(
        '.metrics.""', {"metrics": {"": METRIC}}, "an object", "the name of a metric",
        '{"validation:merror": {"goal"',
    ),
    gate(".agreement", {"agreement": 95}, "95", "a share from 0 to 1", "0.95"),
    gate(".override", {"override": 7}, "7", "an object with version, reason", '{"version": 3, "reason": "Agreed'),
    gate(".override.reason", {"override": {"version": 7}}, "missing", "text of 1 to 300", '"Agreed in review"'),
    gate(
        ".override.version", {"override": {"version": "7", "reason": "x"}}, '"7"', "the number of a version", "3",
    ),
    Wrong("gates", {"gates": {}}, "an object", "a version passes its gates before staging", '{"metrics": {}}',
          "staging-config.json"),
)  # fmt: skip


def refused(folder: Path, file: str, config: Any) -> list[str]:
    """What Build says of a repository with this file; [] where it takes it."""
    for name in ("staging-config.json", "prod-config.json"):
        (folder / name).write_text(json.dumps(config if name == file else {}), encoding="utf-8")
    try:
        read_settings(ENVIRONMENT, ROOT / "templates", folder)
    except UserError as error:
        return str(error).split("; ")
    return []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.path}-{row.value[:20]}")
def test_a_wrong_setting_is_refused_with_file_path_value_rule_and_example(tmp_path: Path, row: Wrong) -> None:
    (said,) = refused(tmp_path, row.file, row.config)
    place, _, rest = said.partition(f" is {row.value}: ")
    assert (place, bool(rest)) == (f"{row.file}: {row.path}", True), said
    assert row.rule in rest, said
    assert row.example in rest.replace(row.rule, ""), said
    if row.cured:
        keys = row.path.split(".")
        fixed = json.loads(json.dumps(row.config))
        holder = fixed if len(keys) == 1 else fixed[keys[0]]
        holder[keys[-1]] = json.loads(row.example)
        assert refused(tmp_path, row.file, fixed) == []


def test_every_setting_is_wrong_in_a_row_and_the_rows_are_counted() -> None:
    assert {row.path.removeprefix("Parameters.") for row in ROWS} >= DECLARED.keys() - set(WRITTEN_HERE)
    assert len(ROWS) == 133


@pytest.mark.parametrize(
    ("was", "will", "name", "example"),
    [
        ({}, SERVERLESS, "EndpointKind", '"real-time"'),
        ({**SCALED, **TWO}, {**SCALED, **TWO, "InstanceType": "ml.m5.xlarge"}, "InstanceType", '"0"'),
    ],
)
def test_a_setting_that_is_wrong_on_an_endpoint_that_runs_is_refused_alike(
    was: dict[str, str], will: dict[str, str], name: str, example: str
) -> None:
    (said,) = in_place("prod-config.json", "a-stack", {**was, "Release": "7"}, will, DECLARED)
    place, _, rest = said.partition(f" is {json.dumps(will[name])}, ")
    assert place == f"prod-config.json: Parameters.{name}"
    assert ": SageMaker " in rest
    assert example in rest
