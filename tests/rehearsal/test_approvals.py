"""What an approval is: a change of the approval status, which starts one execution however often it is announced.

It is recorded once, in the project's bucket, and what was approved last, or before, is what the record says.
The last tests of this file look at the notices of these deployments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.services.events.service import EventsState
from localaws.services.s3.service import s3 as s3_service
from localaws.services.sagemaker.base import announce
from pipeline import record
from pipeline.registry import person
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import CHAPTERS, play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support import notices
from tests.support.played import check_played, holders_of
from tests.support.records import as_before_the_record, forgotten, storage
from tests.support.story_steps import follow, manifest, new_execution, push, register, served, set_status, version_arn
from tests.support.waiting import PATIENCE

KIND = "SageMaker Model Package State Change"
SET_UP = ("organization", "permissions")
NOTIFIER = "role/service-role/AmazonSageMakerServiceCatalogProductsMultiAccountNotifierRole"


@pytest.fixture(scope="module")
def captured() -> list[str]:
    """The address of the queue of docs/guides/extend-the-pipeline.md, once the story has it."""
    return []


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, captured: list[str]) -> Iterator[Story]:
    """Version 2 is live everywhere, version 1 still approved."""
    folder = tmp_path_factory.mktemp("approvals")
    with embedded_aws(folder) as cloud:
        played = Story(cloud, folder)
        play(played, names=SET_UP)
        notices.listen(played)
        play(played, "project", ["publishing", "project"])
        captured.append(notices.capture(played))
        play(played, "predictions", [name for name in CHAPTERS if name not in (*SET_UP, "publishing", "project")])
        register(played)
        assert follow(played, set_status(played, 2, "Approved")) == "Succeeded"
        yield played
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def executions(story: Story) -> set[str]:
    return {execution["pipelineExecutionId"] for execution in story.executions()}


def recorded(story: Story) -> list[dict[str, Any]]:
    return record.approvals(storage(story), f"sagemaker-project-{story.project_id}")


def starts(story: Story) -> list[dict[str, Any]]:
    """The executions of the starter, the newest first."""
    states = story.engineer.client("stepfunctions")
    machine = f"arn:aws:states:{story.region}:{story.setting.data_science}:stateMachine:sagemaker-multi-account-starter"
    found: list[dict[str, Any]] = states.list_executions(stateMachineArn=machine)["executions"]
    return found


def test_every_approval_is_recorded_with_what_was_approved_and_by_whom(story: Story) -> None:
    entries = recorded(story)
    assert [(entry["version"], entry["status"]) for entry in entries] == [(1, "Approved"), (2, "Approved")]
    second = entries[1]
    shown = story.scientist.client("sagemaker").describe_model_package(ModelPackageName=version_arn(story, 2))
    assert second["specification"] == second["announced"] == shown["InferenceSpecification"]
    assert second["by"] == shown["LastModifiedBy"]
    assert second["by"]["IamIdentity"]["Arn"] == story.scientist.principal.arn
    [container] = shown["InferenceSpecification"]["Containers"]
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    etag = story.scientist.client("s3").head_object(Bucket=bucket, Key=key)["ETag"]
    assert second["artifacts"] == [{"url": container["ModelDataUrl"], "etag": etag}]
    assert (second["arn"], second["schema"]) == (shown["ModelPackageArn"], 1)
    assert second["at"] == shown["LastModifiedTime"].strftime("%Y-%m-%dT%H:%M:%SZ")
    package = manifest(story)["model_package"]
    assert (package["approved_by"], package["approved_at"]) == (person(second["by"]), second["at"])


@pytest.mark.parametrize(
    "edit",
    [
        {"CustomerMetadataProperties": {"note": "read again"}},
        {"ApprovalDescription": "still good"},
        {"SourceUri": "s3://a-bucket/elsewhere"},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_an_edit_of_an_approved_version_starts_nothing(story: Story, edit: dict[str, Any]) -> None:
    before = executions(story)
    story.scientist.client("sagemaker").update_model_package(ModelPackageArn=version_arn(story, 1), **edit)
    story.until("everything to settle", story.idle)
    assert executions(story) == before
    assert len(recorded(story)) == 2


def test_after_edits_of_version_1_a_push_deploys_version_2_which_was_approved_last(story: Story) -> None:
    assert follow(story, push(story, "README.md", "A push.\n")) == "Succeeded", story.diagnosis()
    assert served(story) == {"staging": 2, "prod": 2}


def test_after_edits_of_version_1_the_rejection_of_version_2_goes_back_to_it(story: Story) -> None:
    execution = set_status(story, 2, "Rejected")
    assert execution
    assert story.wait_for_execution(execution) == "Succeeded", (
        story.diagnosis()
    )  # approved before: no approver is asked
    assert served(story) == {"staging": 1, "prod": 1}
    assert [(entry["version"], entry["status"]) for entry in recorded(story)][2:] == [(2, "Rejected")]


def test_an_approval_that_is_announced_three_times_starts_one_execution(story: Story) -> None:
    register(story)
    before = executions(story)
    started = set_status(story, 3, "Approved")
    account = story.setting.data_science
    events = story.cloud.state(EventsState, account, story.region).recent
    event = next(e for e in reversed(events) if e["detail-type"] == KIND)
    assert event["detail"]["UpdatedModelPackageFields"] == ["ModelApprovalStatus"]
    count = len(starts(story))
    for _ in range(2):  # AWS gives each announcement an id of its own
        announce(story.cloud, account, story.region, KIND, event["resources"], event["detail"])
    story.until("the starter to run twice more", lambda: len(starts(story)) == count + 2)
    assert follow(story, started) == "Succeeded"
    assert executions(story) == before | {started}
    assert [start["status"] for start in starts(story)[:3]] == ["SUCCEEDED"] * 3
    assert [entry["version"] for entry in recorded(story)].count(3) == 1


def test_a_version_that_is_approved_again_later_starts_again(story: Story) -> None:
    set_status(story, 3, "PendingManualApproval", patience=1)
    assert set_status(story, 3, "Approved") is not None
    story.wait_for_stage("DeployStaging")


def test_a_version_whose_specification_was_replaced_is_not_what_was_approved(story: Story) -> None:
    """Refused; approved again, it is deployed as it is now. Without the record's entry the attack gets through."""
    assert follow(story, story.execution_id) == "Succeeded", story.diagnosis()
    sagemaker = story.scientist.client("sagemaker")
    shown = sagemaker.describe_model_package(ModelPackageName=version_arn(story, 3))["InferenceSpecification"]
    first = {**shown["Containers"][0], "Environment": {"EVIL": "yes"}}
    changed = {**shown, "Containers": [first]}
    before = executions(story)
    sagemaker.update_model_package(ModelPackageArn=version_arn(story, 3), InferenceSpecification=changed)
    story.until("everything to settle", story.idle)
    assert executions(story) == before
    execution = push(story, "README.md", "Another push.\n")
    assert execution
    assert story.wait_for_execution(execution) == "Failed"
    refusal = "version 3 of iris-multi-01 is not what was approved at"
    assert refusal in story.diagnosis()
    assert "Containers[0].Environment was absent, and is 1 items. Approve it again" in story.diagnosis()

    with forgotten(story):
        execution = push(story, "README.md", "The same attack without the entry of version 3.\n")
        assert execution
        assert story.wait_for_stage("Build") == "Succeeded", story.diagnosis()
        assert follow(story, execution, approve="Rejected") == "Failed"
    set_status(story, 3, "PendingManualApproval", patience=1)
    assert follow(story, set_status(story, 3, "Approved")) == "Succeeded", story.diagnosis()


def test_a_version_that_is_registered_as_approved_starts_nothing(story: Story) -> None:
    before = executions(story)
    sagemaker = story.scientist.client("sagemaker")
    first = sagemaker.describe_model_package(ModelPackageName=version_arn(story, 1))
    sagemaker.create_model_package(
        ModelPackageGroupName=story.project_name,
        InferenceSpecification=first["InferenceSpecification"],
        ModelApprovalStatus="Approved",
    )
    assert new_execution(story, before, patience=2) is None


def test_a_version_that_is_registered_as_approved_is_not_deployed_by_its_number_either(story: Story) -> None:
    codepipeline = story.engineer.client("codepipeline")
    variables = [{"name": "ModelPackageVersion", "value": "4"}]
    started = codepipeline.start_pipeline_execution(name=story.pipeline_name, variables=variables)
    story.execution_id = started["pipelineExecutionId"]
    assert story.wait_for_execution(story.execution_id) == "Failed"
    assert "version 4 of iris-multi-01 has no approval in the project's record" in story.diagnosis()


def test_an_approval_in_a_group_that_belongs_to_no_project_starts_nothing_and_fails_nowhere(story: Story) -> None:
    before, count = executions(story), len(starts(story))
    sagemaker = story.cloud.root(story.setting.data_science, story.region).client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="another-teams-model")
    first = sagemaker.describe_model_package(ModelPackageName=version_arn(story, 1))
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="another-teams-model",
        InferenceSpecification=first["InferenceSpecification"],
        ModelApprovalStatus="PendingManualApproval",
    )["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    story.until("the starter to run", lambda: len(starts(story)) == count + 1 and starts(story)[0].get("stopDate"))
    assert starts(story)[0]["status"] == "SUCCEEDED"
    assert executions(story) == before


@pytest.mark.parametrize("failures", [3, 99])
def test_an_approval_that_cannot_be_recorded_is_tried_again_and_then_starts_nothing(
    story: Story, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3's "409 Conflict" is retried, as its User Guide says. What fails in the end fails visibly."""
    tried: list[str] = []
    checks: dict[str, Any] = s3_service.checks

    def conflict(call: Call) -> None:
        if call.params["Key"].startswith("record/"):
            tried.append(call.params["Key"])
            if len(tried) <= failures:
                raise AwsError("ConditionalRequestConflict", "The conditional request cannot succeed.", 409)
        checks_before(call)

    checks_before = checks["PutObject"]
    monkeypatch.setitem(checks, "PutObject", conflict)
    before, count, entries = executions(story), len(starts(story)), len(recorded(story))
    set_status(story, 4, "PendingManualApproval", patience=0)
    started = set_status(story, 4, "Approved", patience=PATIENCE if failures == 3 else 1)
    story.until("the starter to end", lambda: len(starts(story)) == count + 1 and starts(story)[0].get("stopDate"))
    if failures == 3:
        assert started
        assert (len(tried), len(recorded(story))) == (4, entries + 1)
        assert follow(story, started, approve="Rejected") == "Failed"
        return
    assert (len(tried), len(recorded(story)), executions(story)) == (5, entries, before)
    machine = starts(story)[0]["executionArn"]
    ended = story.engineer.client("stepfunctions").describe_execution(executionArn=machine)
    assert (ended["status"], ended["error"]) == ("FAILED", "ApprovalNotRecorded")
    assert "Nothing was started, because the approval could not be recorded: The conditional" in ended["cause"]


def test_a_project_from_before_the_record_is_started_and_its_executions_stand_in(story: Story) -> None:
    """Its bucket's policy knows no starter. Once the project is upgraded, its record begins."""
    s3, bucket = storage(story), f"sagemaker-project-{story.project_id}"
    with forgotten(story):
        set_status(story, 1, "PendingManualApproval", patience=0)
        with as_before_the_record(story):
            assert follow(story, set_status(story, 1, "Approved")) == "Succeeded", story.diagnosis()
        assert starts(story)[0]["status"] == "SUCCEEDED"
        assert record.entries(s3, bucket) == []
        assert manifest(story)["model_package"]["approved_by"] == "unknown"
        assert follow(story, set_status(story, 2, "Approved")) == "Succeeded", story.diagnosis()
        assert [(entry.version, entry.status) for entry in record.entries(s3, bucket)] == [(2, "Approved")]
        execution = set_status(story, 2, "Rejected")
        assert execution
        assert story.wait_for_execution(execution) == "Succeeded", story.diagnosis()
        assert served(story) == {"staging": 1, "prod": 1}


# -- notices (15-notices.yaml) ------------------------------------------------------------------


def test_each_deployment_has_one_notice_with_the_first_reason(story: Story) -> None:
    found = notices.received(story)
    for notice in found:
        jsonschema.validate(notice, notices.schema())
    assert len({notice["event"] for notice in found}) == len(found)
    by_kind = {kind: [one for one in found if one["notice"] == kind] for kind in ("deployed", "failed", "rolled-back")}
    ended = {one["execution"]: one["notice"] == "failed" for one in found if one["notice"] != "waiting-for-approval"}
    assert ended == notices.failed(story)
    assert [notice["version"] for notice in by_kind["rolled-back"]] == ["1", "1"], found
    assert (by_kind["deployed"][0]["version"], by_kind["deployed"][0]["stage"]) == ("1", "prod")
    refused = [notice for notice in by_kind["failed"] if "is not what was approved at" in notice["reason"]]
    assert [(one["stage"], one["action"], one["version"]) for one in refused] == [("build", "Build", "")]
    assert "version 4 of iris-multi-01 has no approval in the project's record" in str(by_kind["failed"])
    asked = [notice for notice in found if notice["notice"] == "waiting-for-approval"]
    assert {notice["execution"] for notice in by_kind["deployed"]} <= {notice["execution"] for notice in asked}
    assert "production: first deployment (version 1)" in asked[0]["reason"]
    assert f"prefix=evidence/{asked[0]['execution']}/" in asked[0]["link"]
    messages = notices.arrived(story, notices.MESSAGES)
    assert len(messages) == len(by_kind["failed"]), "the subscription takes failures alone"
    assert all(message.startswith("iris-multi-01: failed") for message in messages)


def test_the_guides_template_captures_notices_and_the_stages_that_ended(story: Story, captured: list[str]) -> None:
    events = [json.loads(body) for body in notices.arrived(story, captured[0])]
    kinds = {event["source"] for event in events}
    assert kinds == {notices.SOURCE, "aws.codepipeline"}
    deployed = next(event["detail"] for event in events if event["detail"].get("notice") == "deployed")
    ended = [event["detail"] for event in events if event["detail"].get("execution-id") == deployed["execution"]]
    assert [(one["stage"], one["state"]) for one in ended] == [
        (stage, "SUCCEEDED") for stage in ("Source", "Build", "DeployStaging", "ApproveDeployment", "DeployProd")
    ]


FORGED = ("payroll: deployed to production, version 9-p-1-prod-latency", f"{'x' * 60}-prod-latency")


def test_an_alarm_of_production_reaches_people_of_the_data_science_account_and_one_of_staging_does_not(
    story: Story,
) -> None:
    for stage, account in sorted(story.setting.targets.items(), reverse=True):
        name = f"{story.project_name}-{story.project_id}-{stage}-server-errors"
        there = story.owner(account).client("cloudwatch")
        there.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="errors for a minute")
    name = f"{story.project_name}-{story.project_id}-prod-drift"  # of 50-endpoint.yaml, where a stage has a monitor
    raised = {name: "a column drifted\n\nhttps://example.com", **dict.fromkeys(FORGED, "whatever")}
    for one, reason in raised.items():
        there.put_metric_alarm(
            AlarmName=one, Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        there.set_alarm_state(AlarmName=one, StateValue="ALARM", StateReason=reason)
    received = notices.received(story)
    for notice in received:
        jsonschema.validate(notice, notices.schema())
        assert (notice["stage"], notice["account"]) == ("prod", story.setting.targets["prod"])
        assert notice["project_id"] == story.project_id
    reasons = sorted((notice["notice"], notice["reason"]) for notice in received)
    assert reasons == [("alarm", "errors for a minute"), ("drift", "a column drifted https://example.com")]
    there.delete_alarms(AlarmNames=[*raised])


def test_only_the_role_of_a_production_accounts_rule_may_send_alarms(story: Story) -> None:
    """Not an administrator of that account, not the same role of a staging account, and nothing but alarms."""
    bus = f"arn:aws:events:{story.region}:{story.setting.data_science}:event-bus/default"
    entry = {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Detail": "{}",
        "EventBusName": bus,
    }
    for account in story.setting.targets.values():
        with pytest.raises(ClientError, match="AccessDenied"):
            story.owner(account).client("events").put_events(Entries=[entry])
    staging = story.owner(story.setting.targets["staging"]).client("iam")
    with pytest.raises(ClientError, match="NoSuchEntity"):
        staging.get_role(RoleName="sagemaker-role-staging-alarms")
    role = f"arn:aws:iam::{story.setting.targets['prod']}:role/sagemaker-role-prod-alarms"
    named = {"SourceAccount": story.setting.targets["prod"]}
    events = story.cloud.service_role(role, "x", "events.amazonaws.com", story.region, **named).client("events")
    with pytest.raises(ClientError, match="AccessDenied"):
        events.put_events(Entries=[{**entry, "Source": notices.SOURCE}])


def test_the_registry_shows_where_each_version_runs_and_that_starts_nothing(story: Story) -> None:
    assert notices.stages(story) == {}, "only where the environment file asks for it"
    text = story.environment_path.read_text()
    story.environment_path.write_text(f"{text}models: {{life_cycle: true}}\n")
    manager = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, story.region)
    story.command(manager, "scripts.accounts", "--environment", str(story.environment_path))

    def settled() -> dict[int, tuple[str, str]]:
        story.until("everything to settle", story.idle)
        return notices.stages(story)

    set_status(story, 1, "PendingManualApproval", patience=0)
    assert follow(story, set_status(story, 1, "Approved")) == "Succeeded", story.diagnosis()
    assert settled() == {1: ("Production", "Live")}
    assert follow(story, set_status(story, 2, "Approved"), approve="Rejected") == "Failed"
    assert settled() == {1: ("Production", "Live"), 2: ("Staging", "Tested")}
    before = executions(story)
    execution = push(story, "README.md", "And now.\n")
    assert follow(story, execution) == "Succeeded", story.diagnosis()
    assert settled() == {1: ("Archived", "Retired"), 2: ("Production", "Live")}
    assert executions(story) == before | {execution}
    assert served(story) == {"staging": 2, "prod": 2}


@pytest.mark.parametrize(
    "edit",
    [
        {"ModelApprovalStatus": "Approved"},
        {"ModelApprovalStatus": "Approved", "ModelLifeCycle": {"Stage": "Production", "StageStatus": "Live"}},
        {"ModelLifeCycle": {"Stage": "Anything", "StageStatus": "Live"}},
        {"CustomerMetadataProperties": {"note": "x"}},
    ],
)
def test_who_writes_the_stage_of_a_version_cannot_approve_it_or_write_anything_else(
    story: Story, edit: dict[str, Any]
) -> None:
    account = story.setting.data_science
    named = {"SourceAccount": account}
    notifier = story.cloud.service_role(
        f"arn:aws:iam::{account}:{NOTIFIER}", "x", "states.amazonaws.com", story.region, **named
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        notifier.client("sagemaker").update_model_package(ModelPackageArn=version_arn(story, 3), **edit)


def test_what_rests_on_this_story_is_used_in_it(story: Story) -> None:
    check_played(holders_of(story.cloud), __file__)
