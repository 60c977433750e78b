"""Every setting: pushed onto a running endpoint and back, with the rights of template 20, and seen to take effect.

docs/developing/judges.md, "Settings". A parameter of 50-endpoint.yaml without a row fails, and so does an example of a
README or guide that Build would refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.template.reader import read_yaml
from localaws.services.servicequotas.service import Quotas, code_of
from pipeline import asynchronous, shadow
from pipeline.combinations import in_place
from pipeline.parameters import declared_parameters
from pipeline.payloads import Payload
from pipeline.settings import WRITTEN_HERE, problems_of
from scripts.kit.names import NETWORK_PARAMETERS
from scripts.rehearsal.network import make_network
from tests.support import ROOT, monitoring
from tests.support.endpoint_stack import DATA, TEMPLATE, Place, target_account
from tests.support.every_setting import (
    ASYNC,
    BATCH,
    BESIDE,
    CANARY,
    CAPTURE,
    CAPTURED,
    KINDS,
    NAMES,
    RIGHTS,
    ROWS,
    SCALED,
    VERSION,
    VPC,
    Row,
    Seen,
    capture,
    instances,
)
from tests.support.played import check_played, holders_of
from tests.support.roles import allow_everything, trust_policy
from tests.support.sagemaker_world import BUCKET, OTHER, REGION
from tests.support.waiting import until

DECLARED = declared_parameters((ROOT / "templates/40-stage.yaml").read_text(encoding="utf-8"))
PARAMETERS = list(read_yaml(TEMPLATE)[0]["Parameters"])
SETOSA = Payload("setosa", "text/csv", "5.1,3.5,1.4,0.2", 0.0, "", 0, 10_000)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with target_account(tmp_path_factory.mktemp("settings"), waits=0.0002) as found:
        assert found.give_rights(**RIGHTS) == "CREATE_COMPLETE"
        found.there("s3").create_bucket(Bucket=DATA)
        iam = found.there("iam")
        trust = trust_policy({"Service": "sagemaker.amazonaws.com"})
        iam.create_role(RoleName="sagemaker-role-other", AssumeRolePolicyDocument=trust)
        allow_everything(iam, "sagemaker-role-other")
        make_network(found.cloud.root(OTHER, REGION), (BUCKET, DATA))
        found.there("cloudwatch").put_metric_alarm(
            AlarmName="mine", Namespace="Mine", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
        )  # fmt: skip
        key = found.there("kms").create_key()["KeyMetadata"]["KeyId"]
        found.there("kms").create_alias(AliasName="alias/volumes", TargetKeyId=key)
        data = found.there("kms").create_key()["KeyMetadata"]["KeyId"]
        found.there("kms").create_alias(AliasName="alias/data", TargetKeyId=data)
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": data}}
        rules = {"Rules": [rule]}  # of asynchronous requests, which the tester puts there
        found.there("s3").put_bucket_encryption(Bucket=DATA, ServerSideEncryptionConfiguration=rules)
        yield found


def with_version(place: Place, value: Any) -> Any:
    return value.replace(VERSION, place.versions[1]) if isinstance(value, str) else value


def said_by_build(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What Build says of a file with these settings, on a stage that has the former ones."""
    given = {name: value for name, value in after.items() if name not in WRITTEN_HERE}
    live = {**before, "Release": "1"} if before else {}
    return [
        *problems_of("prod-config.json", given, DECLARED),
        *in_place("prod-config.json", "stack", live, given, DECLARED),
    ]


def test_every_parameter_has_a_row() -> None:
    assert sorted({row.name for row in ROWS} | NAMES | BESIDE) == sorted(PARAMETERS)
    assert not {row.name for row in ROWS} & (NAMES | BESIDE)


@pytest.fixture
def without_rights(place: Place) -> Iterator[Place]:
    """The roles as `make accounts` makes them where the environment file names neither bucket nor VPC."""
    assert place.give_rights() == "UPDATE_COMPLETE"
    yield place
    assert place.give_rights(**RIGHTS) == "UPDATE_COMPLETE"


def test_without_the_rights_of_template_20_nothing_is_captured_and_the_test_says_what_to_do(
    without_rights: Place,
) -> None:
    place = without_rights
    assert place.push("p-4", **CAPTURE).endswith("_COMPLETE")
    invoke(place, "p-4")
    assert "Contents" not in place.there("s3").list_objects_v2(Bucket=DATA, Prefix="capture/iris-p-4")
    why = asynchronous.check_bucket(clients(place, "p-4"), CAPTURED, "iris-p-4-prod")
    assert "endpoints.data_bucket, and run make accounts" in why
    place.push("p-4", **VPC)
    assert "cannot use the model's VPC" in place.seen("p-4")["endpoint"]["FailureReason"]


def test_with_them_the_models_role_writes_what_it_captures(place: Place) -> None:
    place.push("p-4")
    assert place.push("p-4", **CAPTURE, **VPC) == "UPDATE_COMPLETE"
    invoke(place, "p-4")
    assert place.there("s3").list_objects_v2(Bucket=DATA, Prefix="capture/iris-p-4-prod/AllTraffic/")["KeyCount"] == 1
    assert asynchronous.check_bucket(clients(place, "p-4"), CAPTURED, "iris-p-4-prod") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_takes_effect_on_a_running_endpoint_and_back(place: Place, kind: str) -> None:
    """A batch of settings is pushed at a time; the next push takes it back."""
    own, wrong = KINDS[kind], []
    rows = [row for row in ROWS if row.kind == kind]
    batches = [[row for row in rows if row.batch == batch] for batch in sorted({row.batch for row in rows})]
    pushes = [({**own, **pushed(place, batch)}, batch) for batch in batches]
    assert place.push(kind, **own) == "CREATE_COMPLETE"
    look = place.seen_batch if kind == BATCH else place.seen
    before, was, last = own, look(kind), list[Row]()
    for settings, batch in [*pushes, (own, list[Row]())]:
        if problems := said_by_build(before, settings):
            wrong.append(f"Build refuses: {problems}")
        if (status := place.push(kind, **settings)) != "UPDATE_COMPLETE":
            wrong.append(f"{', '.join(row.name for row in batch)}: {status}: {place.reason(kind)}")
        seen = look(kind)
        if reason := seen["endpoint"].get("FailureReason"):
            wrong.append(f"taken back: {reason}")
        for row in batch:
            found, former = value_of(row, seen), value_of(row, was)
            if found != with_version(place, row.shown) or found == former:
                wrong.append(f"{row.name}: {found!r}, before {former!r}, expected {row.shown!r}")
        for row in (row for row in last if row.look not in {one.look for one in batch}):
            if value_of(row, seen) == with_version(place, row.shown):
                wrong.append(f"{row.name}: not back: {value_of(row, seen)!r}")
        before, was, last = settings, look(kind) if not batch else was, batch
    assert not wrong, "\n".join(wrong)


def pushed(place: Place, batch: list[Row]) -> dict[str, str]:
    found = {name: value for row in batch for name, value in [*row.more.items(), (row.name, row.value)]}
    return {name: with_version(place, value) for name, value in found.items()}


def value_of(row: Row, seen: Seen) -> Any:
    """What AWS shows of a setting; None where it shows nothing of its kind."""
    try:
        return row.look(seen)
    except LookupError:
        return None


def invoke(place: Place, project: str) -> bytes:
    answer = place.there("sagemaker-runtime").invoke_endpoint(
        EndpointName=place.name(project), ContentType="text/csv", Body=SETOSA.body.encode()
    )
    found: bytes = answer["Body"].read()
    return found


def test_autoscaling_under_other_settings(place: Place) -> None:
    """Switched on with a canary (the README's example), kept, pushed over (decision 38), with another type."""
    place.push("p-5", InitialInstanceCount="1")
    scaled = {"InitialInstanceCount": "2", "MaximumInstanceCount": "4", **CANARY, "TrafficStepPercentage": "10"}
    assert said_by_build({"InitialInstanceCount": "1"}, scaled) == []
    assert place.push("p-5", **scaled) == "UPDATE_COMPLETE"
    seen = place.seen("p-5")
    assert (instances(seen), seen["target"]["MinCapacity"], seen["target"]["MaxCapacity"]) == (2, 2, 4)

    place.scale("p-5", 3)
    assert place.push("p-5", **scaled, Release="2", KeepInstanceCount="true") == "UPDATE_COMPLETE"
    assert instances(place.seen("p-5")) == 3, "an update keeps what autoscaling added"
    kept = place.push("p-5", **scaled, **CAPTURE, Release="3", KeepInstanceCount="true")
    seen = place.seen("p-5")
    assert (kept, capture("DestinationS3Uri")(seen)) == ("UPDATE_COMPLETE", None), "it would keep the capture, too"
    place.push("p-5", **scaled, **CAPTURE, Release="4")
    seen = place.seen("p-5")
    assert (instances(seen), capture("DestinationS3Uri")(seen)) == (2, CAPTURED)

    place.scale("p-5", 3)
    live = {**scaled, **CAPTURE, "Release": "4", "KeepInstanceCount": "false", **shadow.NONE}
    updates = shadow.files(live, place.versions[1], {}, {})
    quotas = place.cloud.state(Quotas, OTHER, REGION).values

    def fails() -> Any:
        quotas[code_of("ml.m5.large for endpoint usage")] = 9.0
        assert place.push("p-5", **updates[shadow.WITH]["Parameters"]) == "UPDATE_ROLLBACK_COMPLETE"
        assert "a request delta of 7 Instances" in place.reason("p-5"), "both variants, while the old fleet answers"
        quotas.clear()
        return instances(place.seen("p-5"))

    assert fails() == 2, "CloudFormation went back by the former update, which kept nothing"
    place.scale("p-5", 3)
    for name, shadows in ((shadow.WITH, [4]), (shadow.WITHOUT, [])):
        assert place.push("p-5", **updates[name]["Parameters"]) == "UPDATE_COMPLETE"
        seen = place.seen("p-5")
        assert instances(seen) == 3, "a shadow changes production's instances"
        found = [one["CurrentInstanceCount"] for one in seen["endpoint"].get("ShadowProductionVariants", [])]
        assert found == shadows, "a shadow has as many as production may come to"
    assert fails() == 3

    for most in ("4", "0"):
        assert said_by_build(scaled, {**scaled, "MaximumInstanceCount": most, "InstanceType": "ml.m5.xlarge"})
    with pytest.raises(ClientError, match="must be deregistered as scalable targets"):
        place.update("p-5", InstanceType="ml.m5.xlarge")
    off = {**scaled, "MaximumInstanceCount": "0"}
    for before, after in ((scaled, off), (off, {**scaled, "InstanceType": "ml.m5.xlarge"})):
        assert said_by_build(before, after) == []
        assert place.push("p-5", **after) == "UPDATE_COMPLETE"
    assert place.seen("p-5")["variant"]["InstanceType"] == "ml.m5.xlarge"


def test_another_network_of_the_account_comes_with_the_next_update_whatever_that_is_for(place: Place) -> None:
    """docs/guides/vpc-without-internet.md; decision 90."""
    place.push("p-12", **VPC)
    ec2, ssm, name = place.there("ec2"), place.there("ssm"), f"{NETWORK_PARAMETERS}subnet-1"
    was, kept = place.seen("p-12")["model"]["VpcConfig"]["Subnets"]
    (shown,) = ec2.describe_subnets(SubnetIds=[was])["Subnets"]
    zone, vpc = shown["AvailabilityZone"], shown["VpcId"]
    other = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.128/26", AvailabilityZone=zone)["Subnet"]["SubnetId"]
    ssm.put_parameter(Name=name, Value=other, Overwrite=True)
    assert place.push("p-12", **VPC, MaximumServerErrorsPerMinute="7") == "UPDATE_COMPLETE"
    assert place.seen("p-12")["model"]["VpcConfig"]["Subnets"] == [other, kept]
    ssm.put_parameter(Name=name, Value=was, Overwrite=True)


def test_a_drifted_iris_raises_the_alarm_and_one_like_the_training_data_does_not(place: Place) -> None:
    settings = {**monitoring.with_baseline(place, "p-9"), **VPC, "DataKmsKeyId": "alias/data"}
    assert said_by_build({}, settings) == []
    assert place.push("p-9", **settings) == "CREATE_COMPLETE"
    monitoring.ask(place, "p-9", 0.0)
    monitoring.execution(place, "p-9", "Completed")
    assert monitoring.alarm(place, "p-9") == "OK"
    monitoring.ask(place, "p-9", 2.0)
    found = monitoring.execution(place, "p-9", "CompletedWithViolations")
    assert monitoring.alarm(place, "p-9") == "ALARM"
    drifted = dict.fromkeys(monitoring.NAMES[1:], "baseline_drift_check")
    assert drifted.items() <= monitoring.violations(place, found).items()
    assert place.seen("p-9")["endpoint"].get("FailureReason") is None, "it rolls nothing back"
    assert place.push("p-9", DataCaptureS3Uri="account") == "UPDATE_COMPLETE"
    assert place.seen("p-9")["monitor"] == {}


def test_a_model_whose_answers_became_wrong_raises_the_alarm_and_a_right_one_does_not(place: Place) -> None:
    settings = monitoring.with_quality(place, "p-10")
    assert said_by_build({}, settings) == []
    assert place.push("p-10", **settings) == "CREATE_COMPLETE"
    monitoring.label(place, "p-10", "right", lambda true: true)
    monitoring.execution(place, "p-10", "Completed", "CompletedWithViolations", of="q")
    assert monitoring.alarm(place, "p-10", "quality") == "OK"
    monitoring.label(
        place, "p-10", "wrong", lambda true: f"{(float(true) + 1) % 3}"
    )  # the world changed, not the model
    found = monitoring.execution(place, "p-10", "CompletedWithViolations", of="q")
    until(lambda: monitoring.alarm(place, "p-10", "quality") == "ALARM")
    assert monitoring.violations(place, found)["accuracy"] == "LessThanThreshold"
    assert place.push("p-10", **settings, MonitorQualityWindowHours="48,0") == "UPDATE_COMPLETE", "another definition"
    assert place.seen("p-10")["quality"]["ModelQualityJobInput"]["EndpointInput"]["StartTimeOffset"] == "-PT48H"
    assert place.push("p-10", DataCaptureS3Uri="account") == "UPDATE_COMPLETE"
    assert (place.seen("p-10")["quality"], place.seen("p-10")["quality_schedule"]) == ({}, {})


def test_a_serverless_endpoint_becomes_a_real_time_one_and_not_the_other_way(place: Place) -> None:
    place.push("p-6", EndpointKind="serverless")
    config = place.seen("p-6")["endpoint"]["EndpointConfigName"]
    assert said_by_build({"EndpointKind": "serverless"}, {"InstanceType": "ml.t2.medium"}) == []
    assert place.push("p-6", InstanceType="ml.t2.medium") == "UPDATE_COMPLETE"
    assert said_by_build({"InstanceType": "ml.t2.medium"}, {"EndpointKind": "serverless"})
    with pytest.raises(ClientError, match="cannot be updated from instances to serverless"):
        place.there("sagemaker").update_endpoint(EndpointName=place.name("p-6"), EndpointConfigName=config)

    assert said_by_build({}, {"InstanceType": "ml.t2.medium", **SCALED})
    with pytest.raises(ClientError, match="not supported for burstable instances"):
        place.there("application-autoscaling").register_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=f"endpoint/{place.name('p-6')}/variant/AllTraffic",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
            MinCapacity=1,
            MaxCapacity=2,
        )


def test_an_asynchronous_endpoint_answers_the_test_through_s3_and_scales_from_and_to_no_instance(place: Place) -> None:
    """Rights of both roles on requests and answers, scaling by the backlog, and the tester's payloads through S3."""
    settings = {**KINDS[ASYNC], **SCALED, "DataKmsKeyId": "alias/data"}
    assert said_by_build(settings, settings) == []
    assert place.push("p-7", **settings, **{**CANARY, "InitialInstanceCount": "2"}).endswith("_COMPLETE")
    asked = clients(place, "p-7")

    def test() -> str:
        return asynchronous.ask(asked, place.name("p-7"), f"s3://{DATA}/asynchronous", SETOSA, {})

    assert test() == ""
    assert keys_of(place, f"asynchronous/{place.name('p-7')}/") == {key_of(place, "alias/data")}
    until(lambda: instances(place.seen("p-7")) == 0, 30)
    assert test() == "", "the first request starts an instance"
    wrong = Payload("no csv", "text/csv", "a,b,c,d", 0.0, "", 0, 10_000)
    assert "the endpoint failed: " in asynchronous.ask(asked, place.name("p-7"), f"s3://{DATA}/asynchronous", wrong, {})
    updated = place.push("p-7", **settings, **CANARY, Release="2")
    assert (updated, instances(place.seen("p-7"))) == ("UPDATE_COMPLETE", 2), "an update begins with instances"
    for theirs in ("iris-p-5-prod", "my-iris-p-7-prod"):  # another project's, and one whose name ends as this one's
        refuse_folder(place, asked("s3"), theirs)


def keys_of(place: Place, prefix: str) -> set[str]:
    """The keys with which the objects of a folder of the data bucket are encrypted."""
    s3 = place.there("s3")
    found = s3.list_objects_v2(Bucket=DATA, Prefix=prefix)["Contents"]
    return {s3.head_object(Bucket=DATA, Key=one["Key"])["SSEKMSKeyId"] for one in found}


def key_of(place: Place, alias: str) -> str:
    return str(place.there("kms").describe_key(KeyId=alias)["KeyMetadata"]["Arn"])


def refuse_folder(place: Place, s3: Any, folder: str) -> None:
    """The tester neither sends requests to an endpoint's folder nor lists it nor reads what is in it."""
    for one in (f"asynchronous/{folder}", folder):
        requests: list[tuple[str, dict[str, Any]]] = [("put_object", {"Key": f"{one}/requests/1", "Body": b""})]
        requests.append(("list_objects_v2", {"Prefix": f"{one}/"}))
        for kind in ("answers", "failures"):
            place.there("s3").put_object(Bucket=DATA, Key=f"{one}/{kind}/1.out", Body=b"theirs")
            requests.append(("get_object", {"Key": f"{one}/{kind}/1.out"}))
        for operation, where in requests:
            with pytest.raises(ClientError, match="AccessDenied"):
                getattr(s3, operation)(Bucket=DATA, **where)


def clients(place: Place, project: str) -> Any:
    """Clients of the tester's role, as the pipeline's test has them."""
    return place.test_session(project).client


# -- what the documents show -----------------------------------------------------------------------

EXAMPLES = [
    (str(page.relative_to(ROOT)), json.loads(block)["Parameters"])
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "seed-code").rglob("*.md")])
    for block in re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    if '"Parameters"' in block
]


def test_the_documents_show_settings() -> None:
    assert "seed-code/model-deploy/README.md" in {page for page, _ in EXAMPLES}


@pytest.mark.parametrize(("page", "settings"), EXAMPLES, ids=[f"{n}-{page}" for n, (page, _) in enumerate(EXAMPLES)])
def test_every_example_of_the_documents_is_taken_by_build_onto_what_projects_start_with(
    page: str, settings: dict[str, str]
) -> None:
    for start in ("staging", "prod"):
        file = ROOT / f"seed-code/model-deploy/{start}-config.json"
        before = json.loads(file.read_text(encoding="utf-8"))["Parameters"]
        # Another kind of endpoint is for a stage that is not deployed yet, as the page says.
        onto = before if "EndpointKind" not in settings else {}
        assert said_by_build(onto, settings) == [], page


def test_what_rests_on_this_story_is_used_in_it(place: Place) -> None:
    check_played(holders_of(place.cloud), __file__)
