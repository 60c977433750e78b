"""Each parameter of 50-endpoint.yaml as a row: a value of it, and where AWS shows that it took effect.

tests/rehearsal/test_every_setting.py pushes each row onto a running endpoint and back (docs/developing/judges.md,
"Settings").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.endpoint_stack import DATA
from tests.support.sagemaker_world import BUCKET

STARTUP = "ContainerStartupHealthCheckTimeoutInSeconds"
TWO, SCALED = {"InitialInstanceCount": "2"}, {"MaximumInstanceCount": "3"}
CANARY = {"TrafficRoutingType": "CANARY", **TWO}
CAPTURED = f"s3://{DATA}/capture"
CAPTURE = {"DataCaptureS3Uri": "account"}
VPC = {"VpcSubnetIds": "account", "VpcSecurityGroupIds": "account"}
ANSWERS = "s3://other/asynchronous/iris-p-2-prod/answers"
RIGHTS = {
    "DataCaptureBucketName": "account",
    "DataKeyAlias": "alias/data",
    "AllowVpc": "true",
    "AllowBatch": "true",
}  # of the environment file: endpoints
MORNING, EVENING = "cron(0 7 ? * MON-FRI *)", "cron(0 19 ? * MON-FRI *)"
CONCURRENCY = "SageMakerVariantConcurrentRequestsPerModelHighResolution"
GPU, GPU_AMI = "ml.p3.2xlarge", "al2-ami-sagemaker-inference-gpu-2"  # a type without a disk of its own
COPIED = {"CopyRegions": "us-east-1,none,none"}
CRON, CLUSTER = "cron(0 0/12 ? * * *)", ("MonitoringResources", "ClusterConfig", "InstanceType")
CONSTRAINTS = ("ModelQualityBaselineConfig", "ConstraintsResource", "S3Uri")
PROBLEM, ASKED = ("ModelQualityAppSpecification", "ProblemType"), ("ModelQualityJobInput", "EndpointInput")
STATISTICS = ("BaselineConfig", "StatisticsResource", "S3Uri")
VERSION = "@version2"  # stands for the ARN of the second version
ABSENT = "arn:aws:sagemaker:us-east-1:111111111111:model-package/absent/1"
COPIES = f"{VERSION},none,none"
SHADOW = {**CAPTURE, **COPIED, "CopyModelPackageNames": COPIES, "ShadowModelPackageName": ABSENT}  # ABSENT: elsewhere
Seen = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """What is pushed, and what AWS shows of it then, and shows no more when it is pushed back.

    look: reads the value from what AWS shows; kind: the project with the kind of endpoint onto which it is pushed
    batch: rows of one batch are pushed together; more: what else is pushed with them
    """

    name: str
    value: str
    look: Callable[[Seen], Any]
    shown: Any
    kind: str = "p-1"
    batch: int = 1
    more: Mapping[str, str] = field(default_factory=dict)


def variant(member: str) -> Callable[[Seen], Any]:
    return lambda seen: seen["variant"].get(member)


def threshold(alarm: str) -> Callable[[Seen], Any]:
    return lambda seen: seen["alarms"][alarm]["Threshold"]


def routing(*path: str, policy: str = "BlueGreen") -> Callable[[Seen], Any]:
    def look(seen: Seen) -> Any:
        found = seen["deployment"][f"{policy}UpdatePolicy"]
        for part in path:
            found = found.get(part, {})
        return found

    return look


def instances(seen: Seen) -> Any:
    return seen["endpoint"]["ProductionVariants"][0]["CurrentInstanceCount"]


def target_value(policy: str) -> Callable[[Seen], Any]:
    return lambda seen: tracking(seen, policy).get("TargetValue")


def cooldown(way: str) -> Callable[[Seen], Any]:
    return lambda seen: tracking(seen, "invocations-per-instance").get(f"Scale{way}Cooldown")


def tracking(seen: Seen, policy: str) -> Any:
    return seen["policies"].get(policy, {}).get("TargetTrackingScalingPolicyConfiguration", {})


def metric(policy: str) -> Callable[[Seen], Any]:
    return lambda seen: tracking(seen, policy).get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")


def office_hours(which: str, member: str) -> Callable[[Seen], Any]:
    def look(seen: Seen) -> Any:
        action = seen["scheduled"].get(f"office-hours-{which}", {})
        return {**action, **action.get("ScalableTargetAction", {})}.get(member)

    return look


def package(seen: Seen) -> Any:
    return seen["model"]["PrimaryContainer"]["ModelPackageName"]


def shadow(seen: Seen) -> Any:
    return next((model["PrimaryContainer"]["ModelPackageName"] for model in seen["shadows"]), None)


def workers(seen: Seen) -> Any:
    return seen["model"]["PrimaryContainer"]["Environment"]["SAGEMAKER_MODEL_SERVER_WORKERS"]


def model_role(seen: Seen) -> Any:
    return seen["model"]["ExecutionRoleArn"].split(":role/")[1]


def last_alarm(seen: Seen) -> Any:
    return seen["deployment"]["AutoRollbackConfiguration"]["Alarms"][-1]["AlarmName"]


def capture(member: str) -> Callable[[Seen], Any]:
    return lambda seen: seen["endpoint"].get("DataCaptureConfig", {}).get(member)


def vpc(member: str) -> Callable[[Seen], Any]:
    """How many of them the model has; which ones differs from account to account."""
    return lambda seen: len(seen["model"].get("VpcConfig", {}).get(member, ()))


def answers(seen: Seen) -> Any:
    return seen["config"]["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"]


def serverless(member: str) -> Callable[[Seen], Any]:
    return lambda seen: seen["variant"]["ServerlessConfig"][member]


def job(*path: str) -> Callable[[Seen], Any]:
    def look(seen: Seen) -> Any:
        found = seen["job"]
        for part in path:
            found = found.get(part, {})
        return found

    return look


def scheduled_instances(seen: Seen) -> Any:
    """The number in the expression that chooses between a schedule's objects and one that arrives."""
    return re.split(r" \? | : ", seen["job"]["TransformResources"]["InstanceCount"])[1]


def arrival_bucket(seen: Seen) -> Any:
    return seen["patterns"][0]["detail"]["bucket"]["name"]


def monitor(*path: str) -> Callable[[Seen], Any]:
    def look(seen: Seen) -> Any:
        found = seen["monitor"]["MonitoringScheduleConfig"]
        for part in path:
            found = found[part]
        return found

    return look


def monitor_job(*path: str) -> Callable[[Seen], Any]:
    return monitor("MonitoringJobDefinition", *path)


def quality(*path: str) -> Callable[[Seen], Any]:
    """Of the definition of the monitor of model quality."""

    def look(seen: Seen) -> Any:
        found = seen["quality"]
        for part in path:
            found = found[part]
        return found

    return look


def quality_schedule(seen: Seen) -> Any:
    return seen["quality_schedule"]["MonitoringScheduleConfig"]["ScheduleConfig"]["ScheduleExpression"]


def drifting(seen: Seen) -> Any:
    return seen["alarms"]["drift"]["Metrics"][1]["MetricStat"]["Metric"]["MetricName"]


ASYNC, SERVERLESS, BATCH = "p-2", "p-3", "p-8"
KINDS = {
    "p-1": {},
    ASYNC: {"EndpointKind": "asynchronous", "AsyncOutputS3Uri": "account"},
    SERVERLESS: {"EndpointKind": "serverless"},
    BATCH: {"EndpointKind": "batch", "BatchBucket": "account"},
}
ROWS = [
    Row("ModelPackageName", VERSION, package, VERSION),
    Row("SageMakerExecutionRoleName", "sagemaker-role-other", model_role, "sagemaker-role-other"),
    Row("Release", "2", variant("InitialVariantWeight"), 2.0),
    Row("BundleVersion", "0.9.0-aaaa", lambda seen: seen["outputs"]["BundleVersion"], "0.9.0-aaaa"),
    Row("InstanceType", GPU, variant("InstanceType"), GPU),
    Row("InitialInstanceCount", "2", instances, 2),
    Row(STARTUP, "900", variant(STARTUP), 900),
    Row("ModelDataDownloadTimeoutInSeconds", "1800", variant("ModelDataDownloadTimeoutInSeconds"), 1800),
    Row("VolumeSizeInGB", "64", variant("VolumeSizeInGB"), 64),
    Row("ModelServerWorkers", "2", workers, "2"),
    Row("InferenceAmiVersion", GPU_AMI, variant("InferenceAmiVersion"), GPU_AMI),
    Row("TrafficRoutingType", "CANARY", routing("TrafficRoutingConfiguration", "Type"), "CANARY"),
    Row("TrafficStepPercentage", "10", routing("TrafficRoutingConfiguration", "CanarySize", "Value"), 10),
    Row("BakeSeconds", "600", routing("TerminationWaitInSeconds"), 600),
    Row("TrafficRoutingType", "ROLLING", routing("WaitIntervalInSeconds", policy="Rolling"), 300, batch=3, more=TWO),
    Row("TrafficStepPercentage", "20", routing("MaximumBatchSize", "Value", policy="Rolling"), 20, batch=3),
    Row("MaximumServerErrorsPerMinute", "7", threshold("server-errors"), 7.0),
    Row("MaximumClientErrorsPerMinute", "9", threshold("client-errors"), 9.0),
    Row("MaximumModelLatencyMicroseconds", "900000", threshold("latency"), 900000.0),
    Row("AdditionalAlarmName", "mine", last_alarm, "mine"),
    Row("DataCaptureS3Uri", "account", capture("DestinationS3Uri"), CAPTURED),
    Row("DataCapturePercentage", "20", capture("CurrentSamplingPercentage"), 20),
    Row("DataKmsKeyId", "alias/data", capture("KmsKeyId"), "alias/data"),
    Row("VpcSubnetIds", "account", vpc("Subnets"), 2),
    Row("VpcSecurityGroupIds", "account", vpc("SecurityGroupIds"), 1),
    Row("VolumeKmsKeyId", "alias/volumes", lambda seen: seen["config"].get("KmsKeyId"), "alias/volumes"),
    Row("EnableNetworkIsolation", "true", lambda seen: seen["model"]["EnableNetworkIsolation"], True),
    Row("CopyModelPackageNames", COPIES, package, VERSION, batch=2, more=COPIED),
    Row("ShadowModelPackageName", VERSION, shadow, VERSION, batch=4, more=CAPTURE),
    Row("ShadowCopyModelPackageNames", COPIES, shadow, VERSION, batch=6, more=SHADOW),
    Row("MaximumInstanceCount", "3", lambda seen: seen["target"].get("MaxCapacity"), 3, batch=2),
    Row("TargetInvocationsPerInstance", "50", target_value("invocations-per-instance"), 50.0, batch=2),
    Row("ScaleOutCooldownSeconds", "60", cooldown("Out"), 60, batch=2),
    Row("ScaleInCooldownSeconds", "600", cooldown("In"), 600, batch=2),
    Row("ScalingMetric", "concurrency", metric("concurrent-requests"), CONCURRENCY, batch=4, more=SCALED),
    Row("TargetConcurrentRequests", "7", target_value("concurrent-requests"), 7.0, batch=4),
    Row("OfficeHoursStart", MORNING, office_hours("start", "Schedule"), MORNING, batch=4),
    Row("OfficeHoursEnd", EVENING, office_hours("end", "Schedule"), EVENING, batch=4),
    Row("OfficeHoursTimezone", "Europe/Zurich", office_hours("start", "Timezone"), "Europe/Zurich", batch=4),
    Row("OfficeHoursInstanceCount", "2", office_hours("start", "MinCapacity"), 2, batch=4),
    Row("MonitorHours", "12", monitor("ScheduleConfig", "ScheduleExpression"), CRON, batch=5, more=CAPTURE),
    Row("MonitorInstanceType", "ml.m5.large", monitor_job(*CLUSTER), "ml.m5.large", batch=5),
    Row("MonitorBaseline", "b", monitor_job(*STATISTICS), f"s3://{BUCKET}/b/statistics.json", batch=5),
    Row("MonitorColumns", ",".join(["answer"] * 10), drifting, "feature_baseline_drift_answer", batch=5),
    Row("MaximumDrift", "0.3", threshold("drift"), 0.3, batch=5),
    Row("MonitorQualityHours", "6", quality_schedule, "cron(0 0/6 ? * * *)", batch=6, more=CAPTURE),
    Row(
        "MonitorQualityBaseline",
        "b/quality",
        quality(*CONSTRAINTS),
        f"s3://{BUCKET}/b/quality/constraints.json",
        batch=6,
    ),
    Row("MonitorQualityAnswers", "BinaryClassification,none,0", quality(*PROBLEM), "BinaryClassification", batch=6),
    Row("MonitorQualityWindowHours", "72,48", quality(*ASKED, "StartTimeOffset"), "-PT72H", batch=6),
    Row("MonitorQualityMetric", "rmse", lambda seen: seen["alarms"]["quality"]["MetricName"], "rmse", batch=6),
    Row("MonitorQualityBound", "0.75", threshold("quality"), 0.75, batch=6),
    Row("Dashboard", "true", lambda seen: seen["dashboards"], ["iris-p-1-prod-us-east-1"], batch=5),
    Row("AsyncOutputS3Uri", "s3://other/asynchronous", answers, ANSWERS, kind=ASYNC),
    Row("TargetBacklogPerInstance", "2", target_value("backlog-per-instance"), 2.0, kind=ASYNC, more=SCALED),
    Row("ServerlessMemorySizeInMB", "4096", serverless("MemorySizeInMB"), 4096, kind=SERVERLESS),
    Row("ServerlessMaxConcurrency", "9", serverless("MaxConcurrency"), 9, kind=SERVERLESS),
    Row("ServerlessProvisionedConcurrency", "3", serverless("ProvisionedConcurrency"), 3, kind=SERVERLESS, batch=2),
    Row("BatchBucket", "batches", arrival_bucket, ["batches"], kind=BATCH),
    Row("BatchSchedule", "rate(1 day)", lambda seen: seen["schedules"][0], "rate(1 day)", kind=BATCH),
    Row("BatchContentType", "application/json", job("TransformInput", "ContentType"), "application/json", kind=BATCH),
    Row("BatchAccept", "text/csv", job("TransformOutput", "Accept"), "text/csv", kind=BATCH),
    Row("BatchSplitType", "Line", job("TransformOutput", "AssembleWith"), "Line", kind=BATCH),
    Row("InstanceType", "ml.m4.xlarge", job("TransformResources", "InstanceType"), "ml.m4.xlarge", kind=BATCH),
    Row("InitialInstanceCount", "2", scheduled_instances, "2", kind=BATCH),  # beside BatchSchedule, of the same batch
    Row("DataKmsKeyId", "alias/data", job("TransformOutput", "KmsKeyId"), "alias/data", kind=BATCH),
    Row("Release", "2", lambda seen: json.loads(seen["machine"]["definition"])["Comment"], "release 2", kind=BATCH),
]
# Part of the endpoint's name, which the pipeline never changes: another value is another endpoint.
NAMES = {"SageMakerProjectName", "SageMakerProjectId", "StageName"}
# With a test of its own below, or pushed with a row above.
BESIDE = {"EndpointKind", "KeepInstanceCount", "CopyRegions", "MoveAtOnce"}
