"""A deployed pipeline runs as AWS runs it."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localaws.services.events.service import deliveries
from tests.support.codepipeline_setting import (
    ACCOUNT,
    APPROVE,
    APPROVE_STAGE,
    BUCKET,
    BUILD_STAGE,
    NAME,
    REGION,
    Stage,
    action,
    artifacts,
    declaration,
    put_source,
    variable_check,
)
from tests.support.queues import open_to
from tests.support.roles import EVERYTHING, make_role
from tests.support.waiting import until


def test_a_new_pipeline_runs_at_once_and_resolves_its_variables(stage: Stage) -> None:
    execution = stage.create(declaration())
    assert stage.ends(execution) == "Succeeded"
    variables = stage.actions(execution)["Source"]["output"]["outputVariables"]
    version = variables["VersionId"]
    assert (variables["BucketName"], variables["ObjectKey"]) == (BUCKET, "seed.zip")
    assert stage.builds == [{"VERSION": "last-approved", "EXECUTION": execution, "OBJECT": version}]
    [summary] = stage.summaries()
    assert summary["trigger"]["triggerType"] == "CreatePipeline"
    assert summary["sourceRevisions"][0]["revisionId"] == version


def test_artifacts_lie_in_the_bucket_under_awss_keys_and_encrypted(stage: Stage) -> None:
    execution = stage.create(declaration())
    stage.ends(execution)
    [made] = stage.actions(execution)["Source"]["output"]["outputArtifacts"]
    key = made["s3location"]["key"]
    assert key.startswith("sagemaker-churn-p-1-/SourceOutp/")
    assert key.endswith(".zip")
    found = stage.cloud.root(ACCOUNT, REGION).client("s3").head_object(Bucket=BUCKET, Key=key)
    assert found["ServerSideEncryption"] == "aws:kms"
    assert stage.actions(execution)["Build"]["input"]["inputArtifacts"] == [made]


def test_a_start_passes_variables_and_is_idempotent(stage: Stage) -> None:
    stage.ends(stage.create(declaration()))
    given = [{"name": "ModelPackageVersion", "value": "3"}]
    first = stage.start(variables=given, clientRequestToken="once")
    assert stage.start(variables=given, clientRequestToken="once") == first
    assert stage.ends(first) == "Succeeded"
    assert stage.builds[-1]["VERSION"] == "3"
    found = stage.client.get_pipeline_execution(pipelineName=NAME, pipelineExecutionId=first)["pipelineExecution"]
    assert found["variables"] == [{"name": "ModelPackageVersion", "resolvedValue": "3"}]
    with pytest.raises(ClientError, match="does not declare the variables Other"):
        stage.start(variables=[{"name": "Other", "value": "3"}])
    with pytest.raises(ClientError, match="other parameters"):
        stage.start(clientRequestToken="once")


def test_a_variable_without_a_value_fails_its_action(stage: Stage) -> None:
    stage.exports = {"DEPLOY": "true"}
    execution = stage.create(declaration(BUILD_STAGE, APPROVE_STAGE))
    assert stage.ends(execution) == "Failed"
    error_details = stage.actions(execution)["Approve"]["output"]["executionResult"]["errorDetails"]
    assert error_details["code"] == "ConfigurationError"
    assert "#{Build.SUMMARY} could not be resolved" in error_details["message"]
    assert stage.stages()["Approve"]["latestExecution"]["status"] == "Failed"


def test_a_role_that_codepipeline_may_not_assume_is_refused_at_creation(stage: Stage) -> None:
    with pytest.raises(ClientError, match=r"not authorized to perform AssumeRole on role .*role/missing") as refused:
        stage.client.create_pipeline(pipeline=declaration(roleArn=f"arn:aws:iam::{ACCOUNT}:role/missing"))
    assert refused.value.response["Error"]["Code"] == "InvalidStructureException"


def test_an_unknown_source_object_fails_the_source_action(stage: Stage) -> None:
    declared = declaration()
    declared["stages"][0]["actions"][0]["configuration"]["S3ObjectKey"] = "other.zip"
    execution = stage.create(declared)
    assert stage.ends(execution) == "Failed"
    details = stage.actions(execution)["Source"]["output"]["executionResult"]["errorDetails"]
    assert details["code"] == "ConfigurationError"
    assert "other.zip" in details["message"]


# -- conditions --------------------------------------------------------------------------------


def test_an_entry_condition_that_fails_skips_its_stage(stage: Stage) -> None:
    stage.exports["DEPLOY"] = "false"
    execution = stage.create(declaration(BUILD_STAGE, {**APPROVE_STAGE, "beforeEntry": variable_check()}))
    assert stage.ends(execution) == "Succeeded"
    found = stage.stages()["Approve"]
    assert found["latestExecution"]["status"] == "Skipped"
    assert "Approve" not in stage.actions(execution)
    state = found["beforeEntryConditionState"]
    assert state["latestExecution"]["status"] == "Failed"
    assert (
        "#{Build.DEPLOY} is 'false': EQ 'true'"
        in state["conditionStates"][0]["ruleStates"][0]["latestExecution"]["summary"]
    )
    [rule] = stage.client.list_rule_executions(pipelineName=NAME)["ruleExecutionDetails"]
    assert rule["input"]["resolvedConfiguration"]["Variable"] == "false"


@pytest.mark.parametrize(
    ("operator", "value", "status"),
    [("EQ", "version 3", "Succeeded"), ("NE", "version 3", "Failed"), ("CONTAINS", "sion", "Succeeded"),
     ("MATCHES", "version [0-9]", "Succeeded"), ("MATCHES", "version", "Failed")],
)  # fmt: skip
def test_a_variable_check_compares_as_its_operator_says(stage: Stage, operator: str, value: str, status: str) -> None:
    checked = variable_check("FAIL", Variable="#{Build.SUMMARY}", Operator=operator, Value=value)
    test = action(
        "Test", "Test", "CodeBuild", configuration={"ProjectName": "test"}, inputArtifacts=artifacts("BuildOutput")
    )
    execution = stage.create(declaration(BUILD_STAGE, {"name": "Test", "actions": [test], "beforeEntry": checked}))
    assert stage.ends(execution) == status


def test_a_check_of_an_unset_variable_fails_the_stage_instead_of_skipping_it(stage: Stage) -> None:
    stage.exports = {}
    execution = stage.create(declaration(BUILD_STAGE, {**APPROVE_STAGE, "beforeEntry": variable_check()}))
    assert stage.ends(execution) == "Failed"
    assert stage.stages()["Approve"]["beforeEntryConditionState"]["latestExecution"]["status"] == "Errored"


def test_a_condition_can_be_overridden(stage: Stage) -> None:
    stage.exports["DEPLOY"] = "false"
    execution = stage.create(declaration(BUILD_STAGE, {**APPROVE_STAGE, "beforeEntry": variable_check("FAIL")}))
    assert stage.ends(execution) == "Failed"
    stage.client.override_stage_condition(
        pipelineName=NAME, stageName="Approve", pipelineExecutionId=execution, conditionType="BEFORE_ENTRY"
    )
    stage.decide("Approved")
    assert stage.ends(execution) == "Succeeded"


def test_a_failing_stage_may_roll_back_to_the_execution_that_succeeded_before(stage: Stage) -> None:
    given = json.dumps([{"name": "V", "value": "#{Build.SUMMARY}"}])
    test = action(
        "Test",
        "Test",
        "CodeBuild",
        configuration={"ProjectName": "test", "EnvironmentVariables": given},
        inputArtifacts=artifacts("BuildOutput"),
    )
    declared = declaration(BUILD_STAGE, {"name": "Test", "actions": [test], "onFailure": {"result": "ROLLBACK"}})
    good = stage.create(declared)
    assert stage.ends(good) == "Succeeded"
    stage.exports["SUMMARY"] = "version 4"
    stage.hold = lambda work: setattr(stage, "fail_builds", 1 if stage.builds[-1].get("V") == "version 4" else 0)
    bad = stage.start()
    assert stage.ends(bad) == "Failed"
    rollback = until(lambda: next((s for s in stage.summaries() if s["executionType"] == "ROLLBACK"), None))
    assert rollback["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": good}
    assert rollback["trigger"]["triggerType"] == "AutomatedRollback"
    assert stage.ends(rollback["pipelineExecutionId"]) == "Succeeded"
    assert stage.builds[-1] == {"V": "version 3"}
    assert list(stage.actions(rollback["pipelineExecutionId"])) == ["Test"]


def test_a_stage_is_rolled_back_by_hand(stage: Stage) -> None:
    good = stage.create(declaration())
    stage.ends(good)
    execution = stage.client.rollback_stage(pipelineName=NAME, stageName="Build", targetPipelineExecutionId=good)
    assert stage.ends(execution["pipelineExecutionId"]) == "Succeeded"
    with pytest.raises(ClientError, match="source stage"):
        stage.client.rollback_stage(pipelineName=NAME, stageName="Source", targetPipelineExecutionId=good)


def test_a_failure_condition_retries_a_stage_once(stage: Stage) -> None:
    again = {"result": "RETRY", "retryConfiguration": {"retryMode": "FAILED_ACTIONS"}}
    stage.fail_builds = 1
    execution = stage.create(declaration({**BUILD_STAGE, "onFailure": again}))
    assert stage.ends(execution) == "Succeeded"
    assert len(stage.builds) == 2
    stage.fail_builds = 2
    assert stage.ends(stage.start()) == "Failed"
    assert len(stage.builds) == 4


# -- approvals ---------------------------------------------------------------------------------


def test_an_approval_waits_for_its_token(stage: Stage) -> None:
    execution = stage.create(declaration(BUILD_STAGE, APPROVE_STAGE))
    token = stage.token()
    with pytest.raises(ClientError, match="token is not valid"):
        stage.decide("Approved", "00000000-0000-0000-0000-000000000000")
    assert stage.status(execution) == "InProgress"
    stage.decide("Approved", token)
    assert stage.ends(execution) == "Succeeded"
    latest = stage.stages()["Approve"]["actionStates"][0]["latestExecution"]
    assert latest["summary"] == "seen"
    assert latest["lastUpdatedBy"] == f"arn:aws:iam::{ACCOUNT}:root"
    with pytest.raises(ClientError, match="token is not valid"):
        stage.decide("Approved", token)


def test_a_rejected_approval_fails_the_execution_and_nothing_after_it_runs(stage: Stage) -> None:
    after = action(
        "After", "Test", "CodeBuild", configuration={"ProjectName": "test"}, inputArtifacts=artifacts("BuildOutput")
    )
    execution = stage.create(declaration(BUILD_STAGE, APPROVE_STAGE, {"name": "After", "actions": [after]}))
    stage.decide("Rejected")
    assert stage.ends(execution) == "Failed"
    details = stage.actions(execution)
    assert "Rejected by" in details["Approve"]["output"]["executionResult"]["errorDetails"]["message"]
    assert "After" not in details


def test_an_approval_asks_through_its_topic_as_the_pipelines_role(stage: Stage) -> None:
    root = stage.cloud.root(ACCOUNT, REGION)
    topic = root.client("sns").create_topic(Name="approvals")["TopicArn"]
    queue, queue_arn = open_to(root.client("sqs"), "approvers", "sns.amazonaws.com", topic)
    root.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    asking = {**APPROVE, "configuration": {**APPROVE["configuration"], "NotificationArn": topic}}
    execution = stage.create(declaration(BUILD_STAGE, {"name": "Approve", "actions": [asking]}))
    token = stage.token()
    [message] = root.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    approval = json.loads(json.loads(message["Body"])["Message"])["approval"]
    assert approval["token"] == token
    assert approval["customData"] == "version 3"
    stage.decide("Approved", token)
    assert stage.ends(execution) == "Succeeded"


def test_an_approval_whose_topic_does_not_exist_fails(stage: Stage) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:nowhere"
    asking = {**APPROVE, "configuration": {"NotificationArn": topic}}
    execution = stage.create(declaration(BUILD_STAGE, {"name": "Approve", "actions": [asking]}))
    assert stage.ends(execution) == "Failed"
    assert topic in stage.actions(execution)["Approve"]["output"]["executionResult"]["errorDetails"]["message"]


# -- what starts it, and what it tells -----------------------------------------------------------


def test_a_rule_starts_the_pipeline_as_its_role(stage: Stage) -> None:
    stage.ends(stage.create(declaration()))
    events = stage.cloud.root(ACCOUNT, REGION).client("events")
    rule = events.put_rule(Name="code", EventPattern='{"source": ["kit"]}')["RuleArn"]
    target = {
        "Id": "pipeline",
        "Arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{NAME}",
        "RoleArn": make_role(stage.cloud, "events", "events", EVERYTHING),
    }
    events.put_targets(Rule="code", Targets=[target])
    events.put_events(Entries=[{"Source": "kit", "DetailType": "Push", "Detail": "{}"}])
    started = until(lambda: len(found := stage.summaries()) == 2 and found[0])
    assert started["trigger"] == {"triggerType": "CloudWatchEvent", "triggerDetail": rule}
    assert stage.ends(started["pipelineExecutionId"]) == "Succeeded"
    assert deliveries(stage.cloud, failed=True) == []


def test_a_source_that_is_polled_starts_the_pipeline_when_it_changes(stage: Stage) -> None:
    declared = declaration()
    del declared["stages"][0]["actions"][0]["configuration"]["PollForSourceChanges"]
    stage.ends(stage.create(declared))
    put_source(stage.cloud, "second")
    started = until(lambda: len(found := stage.summaries()) == 2 and found[0])
    assert started["trigger"]["triggerType"] == "PollForSourceChanges"
    assert stage.ends(started["pipelineExecutionId"]) == "Succeeded"


def test_every_change_of_state_is_an_event(stage: Stage) -> None:
    root = stage.cloud.root(ACCOUNT, REGION)
    url = root.client("sqs").create_queue(QueueName="changes")["QueueUrl"]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:changes"
    statement = {
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": queue,
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    root.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    pattern = {"source": ["aws.codepipeline"], "detail": {"pipeline": [NAME]}}
    root.client("events").put_rule(Name="all", EventPattern=json.dumps(pattern))
    root.client("events").put_targets(Rule="all", Targets=[{"Id": "q", "Arn": queue}])
    execution = stage.create(declaration())
    stage.ends(execution)
    until(lambda: len(deliveries(stage.cloud)) == 10)
    emitted = {
        (d.event["detail-type"].split()[1], d.event["detail"].get("stage", ""), d.event["detail"]["state"])
        for d in deliveries(stage.cloud)
    }
    assert emitted == {
        (level, name, state)
        for level, name in (
            ("Pipeline", ""), ("Stage", "Source"), ("Action", "Source"), ("Stage", "Build"), ("Action", "Build"),
        )
        for state in ("STARTED", "SUCCEEDED")
    }  # fmt: skip


def test_pipelines_are_listed_tagged_and_deleted(stage: Stage) -> None:
    stage.client.create_pipeline(pipeline=declaration(), tags=[{"key": "project", "value": "churn"}])
    arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{NAME}"
    assert stage.client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "project", "value": "churn"}]
    stage.client.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "b"}])
    stage.client.untag_resource(resourceArn=arn, tagKeys=["project"])
    assert stage.client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "b"}]
    with pytest.raises(ClientError, match="already exists"):
        stage.client.create_pipeline(pipeline=declaration())
    assert [p["name"] for p in stage.client.list_pipelines()["pipelines"]] == [NAME]
    stage.client.delete_pipeline(name=NAME)
    stage.client.delete_pipeline(name=NAME)
    with pytest.raises(ClientError, match="does not have a pipeline with name"):
        stage.client.get_pipeline_state(name=NAME)


def test_a_source_object_needs_a_versioned_bucket_and_may_be_older_than_its_versioning(stage: Stage) -> None:
    """CodePipeline User Guide, "Amazon S3 source action reference"; S3 User Guide, "How S3 Versioning works"."""
    s3 = stage.cloud.root(ACCOUNT, REGION).client("s3")
    s3.create_bucket(Bucket="plain-bucket")
    s3.put_object(
        Bucket="plain-bucket", Key="seed.zip", Body=s3.get_object(Bucket=BUCKET, Key="seed.zip")["Body"].read()
    )
    given = declaration()
    given["stages"][0]["actions"][0]["configuration"]["S3Bucket"] = "plain-bucket"
    execution = stage.create(given)
    assert stage.ends(execution) == "Failed"
    details = stage.actions(execution)["Source"]["output"]["executionResult"]["errorDetails"]
    assert details["code"] == "ConfigurationError"
    assert "must have versioning enabled" in details["message"]
    s3.put_bucket_versioning(Bucket="plain-bucket", VersioningConfiguration={"Status": "Enabled"})
    stage.ends(execution := stage.start())
    assert stage.actions(execution)["Source"]["output"]["outputVariables"]["VersionId"] == "null"
