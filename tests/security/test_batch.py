"""Transform jobs of a batch stage, attacked by what runs as the tester's role: own tests are code of a repository."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.template.template import parse
from tests.support.endpoint_stack import DATA, TEMPLATE, Place, target_account
from tests.support.every_setting import RIGHTS
from tests.support.roles import allow_everything
from tests.support.sagemaker_world import OTHER, REGION
from tests.support.waiting import until

FOLDER, SECRET = "batch/iris-p-1-prod", "batch/iris-p-2-prod/requests/theirs.csv"
MACHINE = f"arn:aws:states:{REGION}:{OTHER}:stateMachine:iris-p-1-prod"
EVERYTHING = {
    "TransformJobName": "mine", "TransformOutput": {"S3OutputPath": f"s3://{DATA}/{FOLDER}/answers/"},
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{DATA}/{SECRET}"}},
        "ContentType": "text/csv",
    },
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A batch stage, and beside its folder a request of another project."""
    with target_account(tmp_path_factory.mktemp("attacked"), waits=0.0002) as found:
        assert found.give_rights(**RIGHTS) == "CREATE_COMPLETE"
        found.there("s3").create_bucket(Bucket=DATA)
        found.there("s3").put_object(Bucket=DATA, Key=SECRET, Body=b"5.1,3.5,1.4,0.2")
        assert found.push("p-1", EndpointKind="batch", BatchBucket="account") == "CREATE_COMPLETE"
        yield found


def as_tester(place: Place, service: str, project: str = "p-1") -> Any:
    return place.test_session(project).client(service)


def model_of(place: Place) -> str:
    name: str = place.seen_batch("p-1")["job"]["ModelName"]
    return name


def refused(act: Any, **given: Any) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        act(**given)


def test_own_tests_that_start_or_create_jobs_of_others_are_refused(place: Place) -> None:
    refused(as_tester(place, "stepfunctions", "p-2").start_execution, stateMachineArn=MACHINE, input="{}")
    refused(as_tester(place, "stepfunctions", "p-2").describe_state_machine, stateMachineArn=MACHINE)
    refused(as_tester(place, "s3", "p-2").put_object, Bucket=DATA, Key=f"{FOLDER}/tests/1/0", Body=b"")
    refused(as_tester(place, "s3").put_object, Bucket=DATA, Key=f"{FOLDER}/answers/a.csv.out", Body=b"9.0")
    refused(as_tester(place, "s3").get_object, Bucket=DATA, Key=SECRET)
    asked = {**EVERYTHING, "ModelName": model_of(place)}
    refused(as_tester(place, "sagemaker").create_transform_job, **asked)
    allow_everything(place.there("iam"), "sagemaker-role-prod-tester")  # with the right, the same request reads it
    try:
        as_tester(place, "sagemaker").create_transform_job(**asked)
        job = place.there("sagemaker").describe_transform_job
        assert until(lambda: job(TransformJobName="mine")["TransformJobStatus"] == "Completed")
    finally:
        place.there("iam").delete_role_policy(RoleName="sagemaker-role-prod-tester", PolicyName="inline")


@pytest.mark.parametrize("key", [SECRET, f"{FOLDER}/../../{SECRET}", "capture/", "", f"x{FOLDER}/../{SECRET}"])
def test_own_tests_that_start_a_job_reach_nothing_beyond_the_projects_folder(place: Place, key: str) -> None:
    states, number = as_tester(place, "stepfunctions"), f"attack-{abs(hash(key)) % 10**8}"
    execution = states.start_execution(
        stateMachineArn=MACHINE, input=json.dumps({"id": number, "detail": {"object": {"key": key}}})
    )["executionArn"]  # fmt: skip
    until(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING")
    job = place.there("sagemaker").describe_transform_job(TransformJobName=f"batch-{number}")
    assert job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"].startswith(f"s3://{DATA}/{FOLDER}/")
    assert job["TransformOutput"]["S3OutputPath"].startswith(f"s3://{DATA}/{FOLDER}/answers/")


THEIRS = "batch/iris-p-1x-prod"  # of a project whose id begins as this one's
WITHIN = f"{THEIRS}/requests/iris-p-1-prod/requests/answers/order.csv"
WITHIN_OF_OURS = (
    f"{THEIRS}/requests/asynchronous/iris-p-1-prod/requests/order.csv"  # the bucket's star ends where it may
)
CAPTURED = "capture/iris-p-1-prod/AllTraffic/2026/12/01/03/a.jsonl"
FORGED = "capture/iris-p-2-prod/AllTraffic/2026/12/01/03/iris-p-1-x/requests/forged.jsonl"


@pytest.mark.parametrize(
    "key", [f"{THEIRS}/tests/1/0", WITHIN, WITHIN_OF_OURS, FORGED, f"{FOLDER}/answers/tests/1/0.out"]
)
def test_a_session_of_the_tester_writes_nothing_but_its_projects_requests(place: Place, key: str) -> None:
    mine = as_tester(place, "s3")
    assert mine.put_object(Bucket=DATA, Key=f"{FOLDER}/tests/mine/0", Body=b"")
    assert mine.put_object(Bucket=DATA, Key="asynchronous/iris-p-1-prod/requests/mine", Body=b"")
    refused(mine.put_object, Bucket=DATA, Key=key, Body=b"9.0")


@pytest.mark.parametrize(
    "folder",
    ["asynchronous/iris-p-1x-prod/answers", f"{THEIRS}/answers/tests", f"{THEIRS}/answers/iris-p-1-prod/answers"],
)
def test_a_session_of_the_tester_reads_no_answer_of_another_project(place: Place, folder: str) -> None:
    place.there("s3").put_object(Bucket=DATA, Key=f"{folder}/secret.out", Body=b"theirs")
    refused(as_tester(place, "s3").get_object, Bucket=DATA, Key=f"{folder}/secret.out")
    refused(as_tester(place, "s3").list_objects_v2, Bucket=DATA, Prefix=f"{folder}/")
    own = f"{FOLDER}/answers/tests/"
    assert as_tester(place, "s3").list_objects_v2(Bucket=DATA, Prefix=own)["Prefix"] == own
    refused(as_tester(place, "s3", "p").get_object, Bucket=DATA, Key=f"{folder}/secret.out")


def test_a_container_reads_nothing_captured_and_writes_no_requests_labels_or_reports(place: Place) -> None:
    """What runs as the model's role, of whatever project: its credentials are in the container."""
    role = f"arn:aws:iam::{OTHER}:role/sagemaker-role-prod"
    model = place.cloud.service_role(
        role, "m", "sagemaker.amazonaws.com", REGION, SourceArn=f"arn:aws:sagemaker:{REGION}:{OTHER}:model/m"
    )
    s3 = model.client("s3")
    place.there("s3").put_object(Bucket=DATA, Key=CAPTURED, Body=b"")
    refused(s3.get_object, Bucket=DATA, Key=CAPTURED)
    among = [f"{THEIRS}/{folder}/answers/a" for folder in ("requests", "scheduled", "tests/1")]
    among.append("asynchronous/iris-p-2-prod/requests/answers/a")  # the star of answers would take these in
    among += [f"{FOLDER}/requests/a", f"{THEIRS}/requests/capture/a", "ground-truth/iris-p-1-prod/a", "reports/a"]
    for key in among:
        refused(s3.put_object, Bucket=DATA, Key=key, Body=b"")
    for own in ("answers/a.out", "answers/tests/1/0.out", "answers/scheduled/a.out", "answers/day/requests/a.out"):
        assert s3.put_object(Bucket=DATA, Key=f"{FOLDER}/{own}", Body=b"")


def test_a_monitor_writes_its_reports_and_nothing_that_was_captured(place: Place) -> None:
    role = f"arn:aws:iam::{OTHER}:role/sagemaker-role-prod-monitor"
    monitor = place.cloud.service_role(
        role, "m", "sagemaker.amazonaws.com", REGION, SourceArn=f"arn:aws:sagemaker:{REGION}:{OTHER}:processing-job/m"
    )
    s3 = monitor.client("s3")
    for key in (CAPTURED, "capture/iris-p-1-prod/AllTraffic/reports/a", "ground-truth/iris-p-1-prod/reports/a"):
        refused(s3.put_object, Bucket=DATA, Key=key, Body=b"")
    assert s3.put_object(Bucket=DATA, Key="reports/iris-p-1-prod/iris-p-1-prod-m/a.json", Body=b"")


@pytest.mark.parametrize(("setting", "folder"), [("AsyncOutputS3Uri", "asynchronous"), ("DataCaptureS3Uri", "capture")])
def test_a_push_that_names_another_projects_folder_for_data_is_refused(setting: str, folder: str) -> None:
    """Build decides by the template's own pattern, as CloudFormation does."""
    pattern = str(parse(TEMPLATE).document["Parameters"][setting]["AllowedPattern"])
    assert re.fullmatch(pattern, f"s3://{DATA}/{folder}")
    for key in (THEIRS, f"{THEIRS}/requests", f"{folder}/iris-p-1x-prod", "", f"{folder}/"):
        assert not re.fullmatch(pattern, f"s3://{DATA}/{key}")


def test_the_rules_role_starts_no_state_machine_that_is_not_a_projects(place: Place) -> None:
    """One of another team in the same account, whose name ends as a stage does."""
    pass_on = {"StartAt": "End", "States": {"End": {"Type": "Pass", "End": True}}}
    states = place.there("stepfunctions")
    made = {
        "definition": json.dumps(pass_on), "roleArn": f"arn:aws:iam::{OTHER}:role/sagemaker-role-prod-batch",
    }  # fmt: skip
    theirs = states.create_state_machine(name="payroll-prod", **made)["stateMachineArn"]
    starter = f"arn:aws:iam::{OTHER}:role/sagemaker-role-prod-starter"
    rules = place.cloud.service_role(starter, "rules", "events.amazonaws.com", REGION, SourceAccount=OTHER)
    refused(rules.client("stepfunctions").start_execution, stateMachineArn=theirs, input="{}")
    states.tag_resource(resourceArn=theirs, tags=[{"key": "sagemaker:project-id", "value": "p-2"}])
    assert rules.client("stepfunctions").start_execution(stateMachineArn=theirs, input="{}")["executionArn"]
