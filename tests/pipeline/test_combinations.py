"""Settings that SageMaker refuses together, or on an endpoint that runs: Build names each, with the way around it."""

from __future__ import annotations

import json

import pytest

from awslang.template.template import TemplateError
from pipeline.combinations import effective, in_place, keeps_count
from pipeline.parameters import declared_parameters
from pipeline.settings import WRITTEN_HERE, problems_of
from tests.support import ROOT
from tests.support.cfn import evaluator

STAGE = (ROOT / "templates/40-stage.yaml").read_text(encoding="utf-8")
ENDPOINT = (ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8")
DECLARED = declared_parameters(STAGE)
WRITTEN = {
    "SageMakerProjectName": "iris", "SageMakerProjectId": "p-1", "StageName": "prod",
    "SageMakerExecutionRoleName": "role",
    "ModelPackageName": "arn:aws:sagemaker:us-east-1:111111111111:model-package/iris/1",
}  # fmt: skip
STACK = "sagemaker-iris-p-1-deploy-prod"
SCALED = {"InstanceType": "ml.m5.large", "InitialInstanceCount": "1", "MaximumInstanceCount": "3"}
CAPTURE = {"DataCaptureS3Uri": "account"}
QUALITY = {"MonitorQualityHours": "24", "MonitorQualityMetric": "r2", "MonitorQualityBound": "0.8"}
MORNING, EVENING = "cron(0 7 ? * MON-FRI *)", "cron(0 19 ? * MON-FRI *)"
OFFICE_HOURS = {"OfficeHoursStart": MORNING, "OfficeHoursEnd": EVENING, "OfficeHoursInstanceCount": "2"}


def build(**given: str) -> list[str]:
    """What Build says of a prod-config.json with these settings."""
    return problems_of("prod-config.json", given, DECLARED)


def push(onto: dict[str, str], **given: str) -> list[str]:
    """The same, onto a stage that is deployed with other ones."""
    return [*build(**given), *in_place("prod-config.json", STACK, {**onto, "Release": "7"}, given, DECLARED)]


def only(problems: list[str]) -> str:
    (found,) = problems
    return found


def test_every_mistake_of_a_file_is_named_with_path_value_rule_and_example() -> None:
    found = build(
        InstanceType="banana", InitialInstanceCount="99999", TrafficRoutingType="CANARYY", MaximumInstanceCount="-4",
        TrafficStepPercentage="90", DataCaptureS3Uri="bucket",
    )  # fmt: skip
    named = ("InstanceType", "TrafficRoutingType", "MaximumInstanceCount", "TrafficStepPercentage", "DataCaptureS3Uri")
    assert [line.split(" is ")[0] for line in found] == [f"prod-config.json: Parameters.{name}" for name in named]
    assert all("write " in line and "such as " in line for line in found)
    assert '"-4": write a whole number from 0, such as "4"' in found[2]


def test_a_stage_takes_at_most_as_many_instances_at_the_start_as_autoscaling_may_have() -> None:
    found = only(build(**{**SCALED, "InitialInstanceCount": "4"}))
    assert 'InitialInstanceCount is "4": more instances' in found
    assert 'at most MaximumInstanceCount, "3"' in found


def test_autoscaling_and_a_canary_that_are_pushed_with_another_number_of_instances_begin_with_that_number() -> None:
    example = {
        "InstanceType": "ml.m5.large", "InitialInstanceCount": "2", "MaximumInstanceCount": "4",
        "TrafficRoutingType": "CANARY", "TrafficStepPercentage": "10",
    }  # fmt: skip
    one = {"InstanceType": "ml.m5.large", "InitialInstanceCount": "1"}
    assert push(one, **example) == []
    assert not keeps_count(one, example, DECLARED, same=False)
    assert not keeps_count({**example, "InitialInstanceCount": "3"}, example, DECLARED, same=False)
    assert keeps_count(example, {**example, "VolumeSizeInGB": "64"}, DECLARED, same=False)


def test_a_canary_linear_or_rolling_update_needs_two_instances() -> None:
    for kind in ("CANARY", "LINEAR", "ROLLING"):
        found = only(build(TrafficRoutingType=kind, InitialInstanceCount="1"))
        assert 'Write "2" or more, or "ALL_AT_ONCE" as TrafficRoutingType' in found


@pytest.mark.parametrize("most", ["3", "0"])
def test_another_instance_type_under_autoscaling_is_refused_with_the_steps(most: str) -> None:
    given = {"InstanceType": "ml.m5.xlarge", "InitialInstanceCount": "1", "MaximumInstanceCount": most}
    found = only(push(SCALED, **given))
    assert 'InstanceType is "ml.m5.xlarge", and the endpoints are ml.m5.large with autoscaling' in found
    assert 'First deploy "ml.m5.large" with "0" as MaximumInstanceCount, then the new type' in found
    assert push(SCALED, **{**SCALED, "MaximumInstanceCount": "0"}) == []
    assert push({**SCALED, "MaximumInstanceCount": "0"}, **given) == []


def test_burstable_instances_are_not_scaled() -> None:
    found = only(build(**{**SCALED, "InstanceType": "ml.t2.medium"}))
    assert 'InstanceType is "ml.t2.medium": SageMaker does not scale burstable instances' in found
    assert '"0" as MaximumInstanceCount' in found


def test_autoscaling_alone_on_the_burstable_instance_that_projects_start_with_is_refused() -> None:
    start = json.loads((ROOT / "seed-code/model-deploy/staging-config.json").read_text(encoding="utf-8"))["Parameters"]
    assert build(**start) == []
    assert "burstable" in only(build(**start, MaximumInstanceCount="2"))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("EnableNetworkIsolation", "true", "cannot isolate its container"),
        ("DataCaptureS3Uri", "s3://bucket/capture", "cannot capture data"),
        ("MaximumInstanceCount", "3", "has no instances to scale"),
        ("TrafficRoutingType", "LINEAR", "moves its traffic at once"),
        ("VolumeSizeInGB", "64", "has no volume"),
        ("DataKmsKeyId", "alias/data", "keeps no data"),
        ("ContainerStartupHealthCheckTimeoutInSeconds", "900", "has no instances that start"),
        ("ModelDataDownloadTimeoutInSeconds", "900", "has no instances that start"),
        ("InferenceAmiVersion", "al2-ami-sagemaker-inference-gpu-2", "has no instances of a machine image"),
    ],
)
def test_what_a_serverless_endpoint_lacks_is_refused(name: str, value: str, why: str) -> None:
    found = only(build(EndpointKind="serverless", **{name: value}))
    assert f"{name} is {json.dumps(value)}: a serverless endpoint {why}. Write " in found


def test_a_serverless_endpoint_runs_in_no_vpc() -> None:
    found = build(EndpointKind="serverless", VpcSubnetIds="account", VpcSecurityGroupIds="account")
    assert len(found) == 2
    assert all("cannot run in a VPC" in line for line in found)


def test_a_serverless_endpoint_may_become_a_real_time_one() -> None:
    assert push({"EndpointKind": "serverless"}, InstanceType="ml.m5.large") == []


@pytest.mark.parametrize(
    ("was", "will"), [("real-time", "serverless"), ("real-time", "asynchronous"), ("asynchronous", "real-time")]
)
def test_no_other_kind_becomes_another_one_and_the_way_round_is_said(was: str, will: str) -> None:
    answers = {"AsyncOutputS3Uri": "account"} if will == "asynchronous" else {}
    found = only(push({"EndpointKind": was}, EndpointKind=will, **answers))
    assert f'EndpointKind is "{will}", and the endpoints are {was}' in found
    assert f"aws cloudformation delete-stack --stack-name {STACK}" in found


@pytest.mark.parametrize("other", ["real-time", "serverless", "asynchronous"])
def test_a_batch_stage_may_come_and_go_since_both_are_other_resources(other: str) -> None:
    answers = {"AsyncOutputS3Uri": "account"} if other == "asynchronous" else {}
    assert push({"EndpointKind": other, **answers}, **BATCH) == []
    assert push(BATCH, EndpointKind=other, **answers) == []


def test_waits_that_are_longer_than_an_update_may_take_are_refused() -> None:
    long = {"InitialInstanceCount": "2", "TrafficRoutingType": "LINEAR", "TrafficStepPercentage": "10"}
    found = only(build(**long, BakeSeconds="3600"))
    assert 'BakeSeconds is "3600": 10 waits of it are 36,000 seconds, and an update ends within 28,800' in found
    assert 'Write at most "2879", or larger steps' in found
    assert build(**long, BakeSeconds="2879") == []
    rolling = {**long, "TrafficRoutingType": "ROLLING"}
    assert "10 waits of it are 28,800 seconds" in only(build(**rolling, BakeSeconds="2880"))


def test_alarms_watch_for_two_of_their_periods_at_least() -> None:
    assert 'BakeSeconds is "60": write a whole number from 120 to 3600' in only(build(BakeSeconds="60"))


def test_data_is_captured_in_the_bucket_of_each_account() -> None:
    assert build(DataCaptureS3Uri="s3://sagemaker-capture-333333333333/capture") == []
    assert build(DataCaptureS3Uri="account") == []
    assert "DataCaptureS3Uri" in only(build(DataCaptureS3Uri="acount"))


def test_capture_that_changes_under_autoscaling_begins_with_the_initial_number_of_instances() -> None:
    with_capture = {**SCALED, "MaximumInstanceCount": "4", **CAPTURE}
    assert push(SCALED, **with_capture) == []
    assert not keeps_count({**SCALED, "MaximumInstanceCount": "4"}, with_capture, DECLARED, same=False)
    assert keeps_count(with_capture, {**with_capture, "BakeSeconds": "600"}, DECLARED, same=False)


def test_an_update_that_changes_no_configuration_keeps_as_the_one_before() -> None:
    """Else the endpoint would be updated for nothing."""
    for kept in ("true", "false"):
        live = {**SCALED, "KeepInstanceCount": kept}
        assert keeps_count(live, SCALED, DECLARED, same=True) is (kept == "true")
    assert keeps_count(SCALED, SCALED, DECLARED, same=True), "a stack from before the parameter"
    assert keeps_count({}, SCALED, DECLARED, same=False), "the next update would go back to InitialInstanceCount"


def test_an_asynchronous_endpoint_never_keeps_its_number_which_may_be_none() -> None:
    live = {**SCALED, "EndpointKind": "asynchronous", "AsyncOutputS3Uri": "s3://b-b/asynchronous"}
    assert not keeps_count(live, {**live, "VolumeSizeInGB": "64"}, DECLARED, same=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ContainerStartupHealthCheckTimeoutInSeconds", "900"),
        ("ModelDataDownloadTimeoutInSeconds", "3600"),
        ("VolumeSizeInGB", "512"),
    ],
)
def test_start_up_download_and_volume_are_settings(name: str, value: str) -> None:
    assert build(**{name: value}) == []
    assert name in only(build(**{name: "3601"}))
    assert name in only(build(**{name: "0"}))


def test_an_unknown_instance_type_is_refused_on_one_line_with_those_of_its_family() -> None:
    found = only(build(InstanceType="ml.t2.huge"))
    assert 'InstanceType is "ml.t2.huge": SageMaker hosting has no such instance type' in found
    assert 'such as "ml.t2.2xlarge", "ml.t2.large", "ml.t2.medium", "ml.t2.xlarge"' in found
    assert "\n" not in found
    assert 'such as "ml.m5.large"' in only(build(InstanceType="ml.n5.large"))


def test_an_asynchronous_endpoint_needs_a_place_for_its_answers_and_no_other_takes_one() -> None:
    assert "AsyncOutputS3Uri" in only(build(EndpointKind="asynchronous"))
    assert "AsyncOutputS3Uri" in only(build(AsyncOutputS3Uri="s3://b-b/asynchronous"))
    guarded = {"InitialInstanceCount": "2", "TrafficRoutingType": "CANARY", "MaximumInstanceCount": "3"}
    assert build(EndpointKind="asynchronous", AsyncOutputS3Uri="account", **guarded) == []


@pytest.mark.parametrize("name", ["VpcSubnetIds", "VpcSecurityGroupIds"])
def test_a_vpc_needs_subnets_and_security_groups(name: str) -> None:
    assert "Write both" in only(build(**{name: "account"}))
    assert build(VpcSubnetIds="subnet-1a2b,subnet-3c4d", VpcSecurityGroupIds="sg-1a") == []


def test_a_serverless_endpoint_is_ready_for_no_more_than_it_answers() -> None:
    serverless = {"EndpointKind": "serverless", "ServerlessProvisionedConcurrency": "6"}
    assert "Write no more than ServerlessMaxConcurrency, such as" in only(build(**serverless))
    assert build(**serverless, ServerlessMaxConcurrency="6") == []


@pytest.mark.parametrize(
    ("given", "name", "rule"),
    [
        ({"OfficeHoursStart": MORNING}, "OfficeHoursEnd", 'Write both, such as "cron(0 19 ? * MON-FRI *)"'),
        ({"OfficeHoursEnd": EVENING}, "OfficeHoursStart", 'Write both, such as "cron(0 7 ? * MON-FRI *)"'),
        ({**OFFICE_HOURS, "OfficeHoursEnd": MORNING}, "OfficeHoursEnd", "end when they start"),
        ({**OFFICE_HOURS, "OfficeHoursInstanceCount": "1"}, "OfficeHoursInstanceCount", 'such as "2"'),
        ({**OFFICE_HOURS, "OfficeHoursInstanceCount": "4"}, "OfficeHoursInstanceCount", "at most 3"),
        ({**OFFICE_HOURS, "InitialInstanceCount": "3"}, "OfficeHoursInstanceCount", "as much as MaximumInstanceCount"),
    ],
)
def test_office_hours_have_two_times_and_a_number_between_those_of_autoscaling(
    given: dict[str, str], name: str, rule: str
) -> None:
    found = only(build(**{**SCALED, **given}))
    assert found.startswith(f"prod-config.json: Parameters.{name} is ")
    assert rule in found
    assert build(**{**SCALED, **OFFICE_HOURS, "OfficeHoursTimezone": "America/Argentina/Salta"}) == []


# -- what would be without effect ------------------------------------------------------------------

OTHER = {  # of each setting a value that is not its default
    "InstanceType": "ml.m5.xlarge", "AdditionalAlarmName": "mine", "EnableNetworkIsolation": "true",
    "DataCaptureS3Uri": "account", "VpcSubnetIds": "subnet-1a2b,subnet-3c4d", "VpcSecurityGroupIds": "sg-1a2b",
    "VolumeKmsKeyId": "alias/volumes", "DataKmsKeyId": "alias/data", "ServerlessMemorySizeInMB": "4096",
    "TrafficRoutingType": "LINEAR", "DataCapturePercentage": "20", "TrafficStepPercentage": "20",
    "AsyncOutputS3Uri": "s3://bucket/asynchronous", "ContainerStartupHealthCheckTimeoutInSeconds": "900",
    "ModelDataDownloadTimeoutInSeconds": "900", "VolumeSizeInGB": "64", "EndpointKind": "serverless",
    "ModelServerWorkers": "2", "InferenceAmiVersion": "al2-ami-sagemaker-inference-gpu-2",
    "InitialInstanceCount": "7", "MaximumInstanceCount": "7", "TargetInvocationsPerInstance": "7",
    "TargetBacklogPerInstance": "7", "ServerlessMaxConcurrency": "7", "MaximumServerErrorsPerMinute": "7",
    "MaximumClientErrorsPerMinute": "7", "MaximumModelLatencyMicroseconds": "7", "BakeSeconds": "600",
    "ScalingMetric": "concurrency", "TargetConcurrentRequests": "7", "Dashboard": "true", **QUALITY,
    "MonitorQualityHours": "12", "MonitorQualityWindowHours": "72,48", "BatchBucket": "batches",
    "ScaleOutCooldownSeconds": "60", "ScaleInCooldownSeconds": "60", "OfficeHoursStart": MORNING,
    "OfficeHoursEnd": EVENING, "OfficeHoursTimezone": "Europe/Zurich", "OfficeHoursInstanceCount": "3",
    "BatchContentType": "application/jsonlines", "BatchAccept": "application/json", "BatchSplitType": "Line",
    "MonitorHours": "12", "MonitorInstanceType": "ml.m5.large", "ServerlessProvisionedConcurrency": "3",
    "MonitorColumns": ",".join("abcdefghij"), "MaximumDrift": "0.3", "BatchSchedule": "rate(1 day)",
}  # fmt: skip
BATCH = {"EndpointKind": "batch", "BatchBucket": "account"}
ASYNCHRONOUS = {"EndpointKind": "asynchronous", "AsyncOutputS3Uri": "account"}
BESIDES = [
    {}, {"EndpointKind": "serverless"}, ASYNCHRONOUS, SCALED, {**ASYNCHRONOUS, **SCALED}, CAPTURE,
    {**SCALED, "ScalingMetric": "concurrency"}, {**SCALED, **OFFICE_HOURS}, {**ASYNCHRONOUS, **SCALED, **OFFICE_HOURS},
    {**CAPTURE, "MonitorHours": "24"}, {**CAPTURE, **QUALITY}, {"InstanceType": "ml.inf1.xlarge"},
    *({"TrafficRoutingType": routing, "InitialInstanceCount": "2"} for routing in ("CANARY", "ROLLING")),
    BATCH, {**BATCH, "BatchSchedule": "cron(0 3 * * ? *)", "BatchSplitType": "Line", "InitialInstanceCount": "2"},
]  # fmt: skip


def made(given: dict[str, str]) -> list[object]:
    """The resources of 50-endpoint.yaml with these settings."""
    stack = evaluator(ENDPOINT, {**WRITTEN, **given})
    return [(name, stack.resource(name)) for name in stack.active()]


def test_each_setting_of_an_endpoint_has_another_value_here() -> None:
    of_endpoint = declared_parameters(ENDPOINT).keys() & DECLARED.keys() - set(WRITTEN_HERE)
    assert sorted(OTHER) == sorted(of_endpoint)


@pytest.mark.parametrize("beside", BESIDES, ids=lambda given: "-".join(given.values()) or "defaults")
def test_a_setting_that_changes_nothing_beside_the_others_is_refused_and_no_other_is(beside: dict[str, str]) -> None:
    """Whatever the template gets: what its resources do not show is no setting that a team may believe in."""
    assert build(**beside) == []
    before = made(beside)
    for name in OTHER.keys() - beside.keys():
        given = {**beside, name: OTHER[name]}
        said = build(**given)
        if made(given) == before:
            assert said, f"{name} changes nothing, and Build takes it"
        for line in (line for line in said if f"Parameters.{name} is " in line and "it has no effect" in line):
            assert made(given) == before, f"{name} changes something: {line}"


def test_what_has_no_effect_is_refused_with_both_ways_round() -> None:
    assert only(build(ServerlessMemorySizeInMB="4096")) == (
        'prod-config.json: Parameters.ServerlessMemorySizeInMB is "4096": it has no effect where EndpointKind is '
        '"real-time". Take it out, or write another EndpointKind, such as "serverless"'
    )
    assert build(ServerlessMemorySizeInMB="2048", EndpointKind="real-time") == [], "the default changes nothing either"
    assert 'where DataCaptureS3Uri is "". Take it out' in only(build(DataCapturePercentage="20"))


def rules_refuse(given: dict[str, str]) -> bool:
    """Whether the Rules of 50-endpoint.yaml refuse these settings."""
    try:
        evaluator(ENDPOINT, {**WRITTEN, **given}).check_rules()
    except TemplateError:
        return True
    return False


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"EndpointKind": "serverless", "EnableNetworkIsolation": "true"},
        {"EndpointKind": "serverless", "DataCaptureS3Uri": "s3://b-b/capture"},
        {"EndpointKind": "serverless", "VpcSubnetIds": "account", "VpcSecurityGroupIds": "account"},
        {"EndpointKind": "serverless", "MaximumInstanceCount": "2"},
        {"EndpointKind": "serverless", "TrafficRoutingType": "CANARY"},
        {"EndpointKind": "asynchronous"},
        {"AsyncOutputS3Uri": "s3://b-b/asynchronous"},
        {**ASYNCHRONOUS, **CAPTURE},
        {**ASYNCHRONOUS, "InstanceType": "ml.inf1.24xlarge"},
        {"InstanceType": "ml.inf1.6xlarge", "TrafficRoutingType": "LINEAR", "InitialInstanceCount": "2"},
        {"EndpointKind": "batch"},
        {"BatchBucket": "account"},
        BATCH,
        {**BATCH, "DataCaptureS3Uri": "s3://b-b/capture"},
        {**BATCH, "DataKmsKeyId": "alias/data"},
        {**BATCH, "MaximumInstanceCount": "2"},
        {**BATCH, "VolumeKmsKeyId": "alias/volumes"},
        {**BATCH, "TrafficRoutingType": "CANARY", "InitialInstanceCount": "2"},
        {"TrafficRoutingType": "LINEAR"},
        {"InstanceType": "ml.t2.medium", "MaximumInstanceCount": "2"},
        {"VpcSubnetIds": "account"},
        {"MonitorHours": "24"},
        {"EndpointKind": "serverless", "MonitorHours": "24"},
        {**ASYNCHRONOUS, **CAPTURE, "MonitorHours": "24"},
        QUALITY,
        {**ASYNCHRONOUS, **CAPTURE, **QUALITY},
        {**CAPTURE, **QUALITY, "MonitorQualityBound": ""},
        SCALED,
        {**SCALED, **OFFICE_HOURS},
        {**SCALED, "OfficeHoursStart": MORNING},
        {**SCALED, "OfficeHoursEnd": EVENING},
        OFFICE_HOURS,
    ],
)
def test_the_templates_own_rules_refuse_nothing_that_build_takes(given: dict[str, str]) -> None:
    assert rules_refuse(given) == bool(build(**given)), build(**given)


def test_every_setting_has_a_value_that_counts() -> None:
    assert set(effective({}, DECLARED)) >= set(DECLARED) - set(WRITTEN_HERE)


@pytest.mark.parametrize(
    ("kind", "name", "value", "why"),
    [
        ("ml.g5.2xlarge", "VolumeSizeInGB", "256", 'has a disk of its own, and SageMaker adds no volume. Write ""'),
        ("ml.m5d.large", "VolumeKmsKeyId", "alias/models", "has a disk that it encrypts itself"),
        ("ml.m5.large", "InferenceAmiVersion", "al2-ami-sagemaker-inference-gpu-3-1", 'such as "ml.g5.xlarge"'),
        ("ml.g5.2xlarge", "InferenceAmiVersion", "al2-ami-sagemaker-inference-neuron-2", 'such as "ml.inf2.xlarge"'),
    ],
)
def test_what_an_instance_type_excludes_is_refused(kind: str, name: str, value: str, why: str) -> None:
    found = only(build(InstanceType=kind, **{name: value}))
    assert f"prod-config.json: Parameters.{name} is {json.dumps(value)}: {kind} has " in found
    assert why in found


def test_what_large_models_need_is_taken_together() -> None:
    times = {"ContainerStartupHealthCheckTimeoutInSeconds": "3600", "ModelDataDownloadTimeoutInSeconds": "3600"}
    workers = {"ModelServerWorkers": "2", **times}
    assert build(InstanceType="ml.p3.8xlarge", VolumeSizeInGB="512", VolumeKmsKeyId="alias/models", **workers) == []
    assert build(InstanceType="ml.p5.48xlarge", InferenceAmiVersion="al2023-ami-sagemaker-inference-gpu-4-1") == []
    assert build(InstanceType="ml.inf2.48xlarge", InferenceAmiVersion="al2-ami-sagemaker-inference-neuron-2") == []
    assert build(EndpointKind="serverless", ModelServerWorkers="2") == []
    assert "ModelServerWorkers" in only(build(ModelServerWorkers="0"))
