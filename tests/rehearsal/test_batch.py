"""A batch stage in a target account, with the roles of template 20: answers, tests, updates, and what stays closed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from localaws.services.events import service as events
from pipeline import batch, outcome
from pipeline.endpoints import check_place
from pipeline.outcome import Checked, Served
from pipeline.payloads import Golden, Payload
from scripts.kit.projects import served
from tests.support.endpoint_stack import DATA, Place, target_account
from tests.support.every_setting import RIGHTS
from tests.support.played import check_played, holders_of
from tests.support.sagemaker_world import OTHER, REGION
from tests.support.waiting import until

SETTINGS = {"EndpointKind": "batch", "BatchBucket": "account", "BatchSchedule": "cron(0 3 * * ? *)"}
ROWS = {"setosa": ("5.1,3.5,1.4,0.2", 0.0), "virginica": ("6.3,3.3,6.0,2.5", 2.0)}
GOLDEN = Golden(tuple(Payload(name, "text/csv", row, answer, "", 0, 10_000) for name, (row, answer) in ROWS.items()))
FOLDER = "batch/iris-p-1-prod"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with target_account(tmp_path_factory.mktemp("batch"), waits=0.0002) as found:
        assert found.give_rights(**RIGHTS) == "CREATE_COMPLETE"
        found.there("s3").create_bucket(Bucket=DATA)
        assert found.push("p-1", **SETTINGS, Release="7") == "CREATE_COMPLETE", found.reason("p-1")
        yield found


def send_events(place: Place, configuration: dict[str, Any]) -> None:
    place.there("s3").put_bucket_notification_configuration(Bucket=DATA, NotificationConfiguration=configuration)


def put(place: Place, key: str, text: str) -> None:
    place.there("s3").put_object(Bucket=DATA, Key=f"{FOLDER}/{key}", Body=text.encode())


def written(place: Place, key: str) -> str:
    body: bytes = place.there("s3").get_object(Bucket=DATA, Key=f"{FOLDER}/{key}")["Body"].read()
    return body.decode()


def executions(place: Place) -> list[dict[str, Any]]:
    """Of the state machine, the newest first."""
    machine = f"arn:aws:states:{REGION}:{OTHER}:stateMachine:iris-p-1-prod"
    found: list[dict[str, Any]] = place.there("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return found


def ended(place: Place, before: int) -> str:
    """The state of the execution that follows so many, once it has ended."""
    until(lambda: len(executions(place)) > before and executions(place)[0]["status"] != "RUNNING")
    return str(executions(place)[0]["status"])


def raised(place: Place, name: str) -> bool:
    """Whether the alarm was raised: here a minute is so short that its state may be another one since."""
    recent = place.cloud.state(events.EventsState, OTHER, REGION).recent
    changes = [one["detail"] for one in list(recent) if one["detail-type"] == "CloudWatch Alarm State Change"]
    return ("ALARM", f"iris-p-1-prod-{name}") in [(one["state"]["value"], one["alarmName"]) for one in changes]


def check_stage(place: Place, version: int = 0, release: int = 7, golden: Golden = GOLDEN) -> Checked:
    """What the pipeline's test says of the stage."""
    part = {"endpoint_name": "iris-p-1-prod", "release": release, "config": {"Parameters": SETTINGS}}
    arn = place.versions[version]
    manifest = {"stages": {"prod": part}, "project": {"name": "iris", "id": "p-1"},
                "model_package": {"arn": arn, "regions": {REGION: arn}}}  # fmt: skip

    def become(account: str, region: str) -> Any:
        return place.test_session("p-1").client

    return check_place(manifest, "prod", (OTHER, REGION), golden, become, time.monotonic() + 60)


def failures(checked: Checked) -> list[str]:
    return [result.failure for result in checked.results if result.failure]


def test_the_pipelines_test_asks_one_job_and_says_that_arrivals_are_not_announced(place: Place) -> None:
    before = len(executions(place))
    (failed,) = failures(check_stage(place))
    assert f"the bucket {DATA} sends no events to EventBridge" in failed
    assert "put-bucket-notification-configuration" in failed
    send_events(place, {"EventBridgeConfiguration": {}})
    checked = check_stage(place)
    assert failures(checked) == []
    assert checked.answers == {"setosa": 0.0, "virginica": 2.0}
    assert len(executions(place)) == before + 2, "the tests of a stage are one job, and their requests arrive nowhere"
    seen = checked.served
    assert (seen.status, seen.model_package, seen.release, seen.as_deployed) == (
        "InService", place.versions[0], 7, True,
    )  # fmt: skip


def test_a_wrong_answer_a_failed_job_and_another_version_are_failures(place: Place) -> None:
    wrong = Golden((Payload("setosa", "text/csv", ROWS["setosa"][0], 1.0, "", 0, 10_000),))
    assert "setosa: the answer: expected 1.0, got 0.0" in failures(check_stage(place, golden=wrong))[-1]
    broken = Golden((Payload("no csv", "text/csv", "a,b", 0.0, "", 0, 10_000),))
    found = failures(check_stage(place, golden=broken))[-1]
    assert "failed: AlgorithmError" in found
    other = failures(check_stage(place, version=1, release=8))
    assert f"expected {place.versions[1]}, got {place.versions[0]}" in other[0]
    assert "SageMaker went back" not in other[0]
    assert "expected the configuration with the number 8, got 7" in failures(check_stage(place, release=8))[0]


def test_objects_are_answered_as_they_arrive_and_by_the_schedule_and_a_failure_raises_the_alarm(place: Place) -> None:
    send_events(place, {"EventBridgeConfiguration": {}})
    before = len(executions(place))
    put(place, "requests/2026/a.csv", ROWS["virginica"][0])
    assert ended(place, before) == "SUCCEEDED"
    assert written(place, "answers/2026/a.csv.out") == "2.0\n"
    put(place, "requests/folder/", "")
    put(place, "scheduled/b.csv", ROWS["setosa"][0])
    events.tick(place.cloud, datetime(2026, 12, 1, 3, 0, tzinfo=UTC))
    assert ended(place, before + 1) == "SUCCEEDED"
    assert written(place, "answers/scheduled/b.csv.out") == "0.0\n"
    put(place, "requests/c.csv", "a,b")
    assert ended(place, before + 2) == "FAILED"
    assert until(lambda: raised(place, "batch-failures"))
    jobs = place.there("sagemaker").list_transform_jobs()["TransformJobSummaries"]
    tags = place.there("sagemaker").list_tags(ResourceArn=jobs[0]["TransformJobArn"])["Tags"]
    assert {"Key": "sagemaker:project-id", "Value": "p-1"} in tags


def test_an_object_of_any_name_is_answered_and_an_event_that_comes_twice_asks_once(place: Place) -> None:
    send_events(place, {"EventBridgeConfiguration": {}})
    before = len(executions(place))
    put(place, 'requests/a "b\\c.csv', ROWS["virginica"][0])
    assert ended(place, before) == "SUCCEEDED"
    assert written(place, 'answers/a "b\\c.csv.out') == "2.0\n"
    states = place.there("stepfunctions")
    first = states.describe_execution(executionArn=executions(place)[0]["executionArn"])
    jobs = len(place.there("sagemaker").list_transform_jobs()["TransformJobSummaries"])
    states.start_execution(stateMachineArn=first["stateMachineArn"], input=first["input"])
    assert ended(place, before + 1) == "SUCCEEDED", "and no alarm"
    assert len(place.there("sagemaker").list_transform_jobs()["TransformJobSummaries"]) == jobs


def test_an_arrival_that_starts_nothing_raises_an_alarm(place: Place) -> None:
    """As where the starter's role was changed: EventBridge drops the event, and no execution fails."""
    send_events(place, {"EventBridgeConfiguration": {}})
    iam, role, before = place.there("iam"), "sagemaker-role-prod-starter", len(executions(place))
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    kept = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    put(place, "requests/lost.csv", ROWS["virginica"][0])
    try:
        assert until(lambda: raised(place, "batch-lost-arrivals"))
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(kept))
    assert len(executions(place)) == before


def test_an_update_and_the_way_back_lose_no_request_and_show_what_is_live(place: Place) -> None:
    send_events(place, {"EventBridgeConfiguration": {}})
    before = len(executions(place))
    put(place, "requests/during.csv", ROWS["virginica"][0])
    for version, release in ((1, "8"), (0, "9")):
        changed = {**SETTINGS, "ModelPackageName": place.versions[version], "Release": release}
        assert place.push("p-1", **changed) == "UPDATE_COMPLETE"
        session = place.cloud.root(OTHER, REGION)
        seen = served.ask(session.client, OTHER, "iris-p-1-prod", release)
        assert (seen.status, seen.package, seen.as_deployed) == ("InService", place.versions[version], True)
        assert served.ask(session.client, OTHER, "iris-p-1-prod", "5").as_deployed is False
    assert ended(place, before) == "SUCCEEDED"
    assert written(place, "answers/during.csv.out") == "2.0\n"
    assert place.push("p-1", **SETTINGS, Release="7") == "UPDATE_COMPLETE"


def test_a_stage_without_its_state_machine_is_missing(place: Place) -> None:
    session = place.cloud.root(OTHER, REGION)
    assert served.ask(session.client, OTHER, "iris-p-3-prod", "1").status == served.MISSING
    bare = Served(OTHER, REGION, "iris-p-3-prod")
    found = batch.look(place.test_session("p-3").client, bare, "aws")
    assert (found.status, found.as_deployed) == (outcome.MISSING, False)


def test_what_rests_on_this_story_is_used_in_it(place: Place) -> None:
    check_played(holders_of(place.cloud), __file__)
