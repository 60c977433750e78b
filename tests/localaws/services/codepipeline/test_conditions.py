"""Stage conditions: their rules, their results, and what an override does.

AWS CodePipeline User Guide, "Configure conditions for a stage", "Rule structure reference", "Configuring stage
rollback".
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.codepipeline.window import window, zone
from tests.support.codepipeline_setting import (
    ACCOUNT,
    APPROVE_STAGE,
    BUILD_STAGE,
    NAME,
    REGION,
    Stage,
    action,
    artifacts,
    declaration,
    variable_check,
)
from tests.support.roles import WRITE_LOGS
from tests.support.waiting import until
from tests.support.zips import zip_of


def condition(provider: str, result: str = "FAIL", **more: Any) -> dict[str, Any]:
    kind = {"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"}
    return {"conditions": [{"result": result, "rules": [{"name": "Rule", "ruleTypeId": kind, **more}]}]}


def rules(stage: Stage, execution: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.client.list_rule_executions(
        pipelineName=NAME, filter={"pipelineExecutionId": execution}
    )["ruleExecutionDetails"]
    return found


# -- deployment windows ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "moment", "opens"),
    [
        ("0 * 9-17 ? * MON-FRI *", "2026-11-26 10:30", True),  # a Thursday
        ("0 * 9-17 ? * MON-FRI *", "2026-11-28 10:30", False),
        ("0 * 9-17 ? * MON-FRI", "2026-11-26 18:00", False),
        ("0 0/15 * ? * *", "2026-11-26 10:30", True),
        ("0 0/15 * ? * *", "2026-11-26 10:31", False),
        ("0 * * L * ?", "2026-02-28 00:00", True),
        ("0 * * L-3 * ?", "2026-11-27 00:00", True),
        ("0 * * 15W * ?", "2026-08-14 00:00", True),  # the 15th is a Saturday
        ("0 * * LW * ?", "2026-05-29 00:00", True),  # the 31st is a Sunday
        ("0 * * ? * 6L", "2026-11-27 00:00", True),  # the last Friday
        ("0 * * ? * 6#3", "2026-11-20 00:00", True),  # the third Friday
        ("0 * * ? * 6#3", "2026-11-27 00:00", False),
        ("0 * * ? * L", "2026-11-28 00:00", True),
        ("0 * * 1,15 jan-mar ? 2026-2027", "2027-03-15 00:00", True),
        ("0 * * 1,15 JAN-MAR ? 2026-2027", "2028-03-15 00:00", False),
    ],
)
def test_a_window_is_open_as_its_expression_says(cron: str, moment: str, opens: bool) -> None:
    assert window(cron).open_at(datetime.fromisoformat(moment)) is opens


def test_a_window_knows_when_it_opens_next() -> None:
    weekend = datetime.fromisoformat("2026-11-28 10:30")
    assert window("0 * 9-17 ? * MON-FRI *").opens_in(weekend) == timedelta(days=1, hours=22, minutes=30).total_seconds()
    assert window("0 * * ? * * 2020").opens_in(weekend) is None
    assert zone("UTC-03:30").utcoffset(None) == timedelta(hours=-3, minutes=-30)
    assert zone("Europe/Berlin").utcoffset(datetime(2026, 7, 1)) == timedelta(hours=2)


def test_a_stage_waits_for_its_window_and_fails_where_it_opens_too_late(stage: Stage) -> None:
    stage.cloud.waits = 0.0000001
    window_of: dict[str, Any] = {"configuration": {"Cron": "0 0 0 1 1 ? *"}}
    execution = stage.create(declaration({**BUILD_STAGE, "beforeEntry": condition("DeploymentWindow", **window_of)}))
    assert stage.ends(execution) == "Succeeded"
    late = {**window_of, "timeoutInMinutes": 5, "configuration": {"Cron": "0 0 0 1 1 ? 2100"}}
    stage.client.update_pipeline(
        pipeline=declaration({**BUILD_STAGE, "beforeEntry": condition("DeploymentWindow", **late)})
    )
    execution = stage.start()
    assert stage.ends(execution) == "Failed"
    assert (
        "does not open in time" in rules(stage, execution)[0]["output"]["executionResult"]["externalExecutionSummary"]
    )


def test_a_condition_is_overridden_while_it_waits(stage: Stage) -> None:
    """The page's own pictures: the rule is Abandoned, the condition Overridden, the stage runs."""
    stage.cloud.waits = 1
    closed = condition("DeploymentWindow", configuration={"Cron": f"0 0 0 1 1 ? {datetime.now().year + 1}"})
    execution = stage.create(declaration({**BUILD_STAGE, "beforeEntry": closed}))
    until(lambda: stage.stages()["Build"].get("beforeEntryConditionState"))
    stage.client.override_stage_condition(
        pipelineName=NAME, stageName="Build", pipelineExecutionId=execution, conditionType="BEFORE_ENTRY"
    )
    assert stage.ends(execution) == "Succeeded"
    assert stage.stages()["Build"]["beforeEntryConditionState"]["latestExecution"]["status"] == "Overridden"
    assert rules(stage, execution)[0]["status"] == "Abandoned"


def test_a_failed_success_condition_is_overridden_and_a_skipping_one_is_not(stage: Stage) -> None:
    stage.exports["DEPLOY"] = "false"
    execution = stage.create(declaration({**BUILD_STAGE, "onSuccess": variable_check("FAIL")}, APPROVE_STAGE))
    assert stage.ends(execution) == "Failed"
    assert len(stage.builds) == 1
    override = {"pipelineName": NAME, "pipelineExecutionId": execution}
    stage.client.override_stage_condition(**override, stageName="Build", conditionType="ON_SUCCESS")
    stage.decide("Approved")
    assert stage.ends(execution) == "Succeeded"
    assert len(stage.builds) == 1  # the build itself had succeeded
    skipping = declaration(BUILD_STAGE, {**APPROVE_STAGE, "beforeEntry": variable_check("SKIP")})
    stage.client.update_pipeline(pipeline=skipping)
    override["pipelineExecutionId"] = stage.start()
    assert stage.ends(override["pipelineExecutionId"]) == "Succeeded"
    with pytest.raises(ClientError, match="ConditionNotOverridable"):
        stage.client.override_stage_condition(**override, stageName="Approve", conditionType="BEFORE_ENTRY")


# -- functions, builds and commands ------------------------------------------------------------------


def make_function(cloud: Cloud, name: str, code: str, *statements: dict[str, Any]) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [WRITE_LOGS, *statements]}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    client = cloud.root(ACCOUNT, REGION).client("lambda")
    client.create_function(
        FunctionName=name, Runtime="python3.12", Handler="index.handler", Role=role, Timeout=20,
        Code={"ZipFile": zip_of({"index.py": code})},
    )  # fmt: skip
    until(lambda: client.get_function(FunctionName=name)["Configuration"]["State"] == "Active", 30)


CHECK = """
def handler(event, context):
    given = event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"]
    if given != "good":
        raise ValueError("not good: " + given)
"""
REPORT = """
import boto3
def handler(event, context):
    job = event["CodePipeline.job"]
    client = boto3.client("codepipeline")
    if job["data"]["actionConfiguration"]["configuration"].get("UserParameters") == "fail":
        client.put_job_failure_result(jobId=job["id"], failureDetails={"type": "JobFailed", "message": "as asked"})
    elif "continuationToken" not in job["data"]:
        client.put_job_success_result(jobId=job["id"], continuationToken="again")
    else:
        client.put_job_success_result(jobId=job["id"], outputVariables={"ANSWER": "42"},
                                      executionDetails={"summary": "done"})
"""


def test_a_functions_error_fails_an_entry_and_is_what_a_failure_condition_asks_for(stage: Stage) -> None:
    make_function(stage.cloud, "check", CHECK)

    def lambda_rule(result: str, parameters: str) -> dict[str, Any]:
        given = {"FunctionName": "check", "UserParameters": parameters}
        return condition("LambdaInvoke", result, configuration=given)

    execution = stage.create(declaration({**BUILD_STAGE, "beforeEntry": lambda_rule("FAIL", "good")}))
    assert stage.ends(execution) == "Succeeded", rules(stage, execution)
    stage.client.update_pipeline(pipeline=declaration({**BUILD_STAGE, "beforeEntry": lambda_rule("SKIP", "bad")}))
    execution = stage.start()
    assert stage.ends(execution) == "Succeeded"
    assert stage.stages()["Build"]["latestExecution"]["status"] == "Skipped"
    assert "not good: bad" in stage.stages()["Build"]["beforeEntryConditionState"]["latestExecution"]["summary"]
    stage.client.update_pipeline(
        pipeline=declaration(BUILD_STAGE, {**APPROVE_STAGE, "onFailure": lambda_rule("FAIL", "bad")})
    )
    execution = stage.start()
    stage.decide("Rejected")
    assert stage.ends(execution) == "Failed"
    assert stage.stages()["Approve"]["onFailureConditionState"]["latestExecution"]["status"] == "Succeeded"


def test_a_lambda_action_ends_when_its_function_says_so(stage: Stage) -> None:
    tell = {
        "Effect": "Allow", "Resource": "*",
        "Action": ["codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"],
    }  # fmt: skip
    make_function(stage.cloud, "report", REPORT, tell)

    def invoke(parameters: str) -> dict[str, Any]:
        given = {"FunctionName": "report", "UserParameters": parameters}
        return {
            "name": "Invoke", "actions": [action("Call", "Invoke", "Lambda", namespace="Call", configuration=given)],
        }  # fmt: skip

    approval = action("Approve", "Approval", "Manual", configuration={"CustomData": "#{Call.ANSWER}"})
    execution = stage.create(declaration(invoke("go"), {"name": "Approve", "actions": [approval]}))
    stage.decide("Approved")
    assert stage.ends(execution) == "Succeeded"
    shown = stage.actions(execution)
    assert shown["Call"]["output"]["outputVariables"] == {"ANSWER": "42"}
    assert shown["Approve"]["input"]["resolvedConfiguration"]["CustomData"] == "42"
    stage.client.update_pipeline(pipeline=declaration(invoke("fail")))
    execution = stage.start()
    assert stage.ends(execution) == "Failed"
    assert stage.actions(execution)["Call"]["output"]["executionResult"]["errorDetails"] == {
        "code": "JobFailed", "message": "as asked",
    }  # fmt: skip
    with pytest.raises(ClientError, match="JobNotFound"):
        stage.client.put_job_success_result(jobId="0a1b2c3d-0000-0000-0000-000000000000")


def commands(*lines: str, **more: Any) -> dict[str, Any]:
    return {
        **action("Run", "Compute", "Commands", namespace="Run", inputArtifacts=artifacts("SourceOutput")),
        "commands": list(lines), **more,
    }  # fmt: skip


def test_commands_run_with_the_pipelines_role_and_hand_on_variables_and_files(stage: Stage) -> None:
    run = commands(
        "cat seed.txt > copy.txt",
        "export ANSWER=$GIVEN-#{codepipeline.PipelineExecutionId}",
        outputVariables=["ANSWER", "AWS_DEFAULT_REGION"],
        outputArtifacts=[{"name": "RunOutput", "files": ["copy.txt"]}],
        environmentVariables=[{"name": "GIVEN", "value": "#{variables.ModelPackageVersion}"}],
    )
    deploy = action(
        "Deploy", "Deploy", "S3", inputArtifacts=artifacts("RunOutput"),
        configuration={"BucketName": "sagemaker-project-p-1", "Extract": "true", "ObjectKey": "out"},
    )  # fmt: skip
    stages = ({"name": "Run", "actions": [run]}, {"name": "Deploy", "actions": [deploy]})
    execution = stage.create(declaration(*stages))
    until(lambda: stage.status(execution) != "InProgress", 30)
    assert stage.status(execution) == "Succeeded", stage.actions(execution)
    shown = stage.actions(execution)["Run"]["output"]
    assert shown["outputVariables"] == {"ANSWER": f"last-approved-{execution}", "AWS_DEFAULT_REGION": REGION}
    root = stage.cloud.root(ACCOUNT, REGION)
    assert root.client("s3").get_object(Bucket="sagemaker-project-p-1", Key="out/copy.txt")["Body"].read() == b"first"
    streams = root.client("logs").describe_log_streams(logGroupName=f"/aws/codepipeline/{NAME}")["logStreams"]
    assert len(streams) == 1


def test_a_rule_of_commands_passes_when_they_do(stage: Stage) -> None:
    def rule(line: str) -> dict[str, Any]:
        return condition("Commands", inputArtifacts=artifacts("SourceOutput"), commands=[line])

    execution = stage.create(declaration({**BUILD_STAGE, "beforeEntry": rule("grep first seed.txt")}))
    until(lambda: stage.status(execution) != "InProgress", 30)
    assert stage.status(execution) == "Succeeded", rules(stage, execution)
    stage.client.update_pipeline(pipeline=declaration({**BUILD_STAGE, "beforeEntry": rule("grep second seed.txt")}))
    execution = stage.start()
    until(lambda: stage.status(execution) != "InProgress", 30)
    state = stage.stages()["Build"]["beforeEntryConditionState"]["latestExecution"]
    assert (stage.status(execution), state["status"]) == ("Failed", "Failed")
    assert "exit status 1" in state["summary"]


# -- other regions, and rolling back -----------------------------------------------------------------


def test_an_action_of_another_region_finds_its_artifacts_there(stage: Stage) -> None:
    """User Guide, "Add a cross-Region action in CodePipeline"."""
    west = stage.cloud.root(ACCOUNT, "eu-west-1").client("s3")
    west.create_bucket(Bucket="west", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    deploy = action(
        "Deploy", "Deploy", "S3", region="eu-west-1", inputArtifacts=artifacts("SourceOutput"),
        configuration={"BucketName": "west", "Extract": "true", "ObjectKey": "out"},
    )  # fmt: skip
    declared = declaration({"name": "Deploy", "actions": [deploy]})
    home = declared.pop("artifactStore")
    declared["artifactStores"] = {REGION: home}
    with pytest.raises(ClientError, match="no artifact store for the region eu-west-1"):
        stage.create(declared)
    declared["artifactStores"]["eu-west-1"] = {"type": "S3", "location": "west"}
    execution = stage.create(declared)
    assert stage.ends(execution) == "Succeeded", stage.actions(execution)
    shown = stage.actions(execution)["Deploy"]["input"]
    assert shown["region"] == "eu-west-1"
    assert shown["inputArtifacts"][0]["s3location"]["bucket"] == "west"
    assert west.get_object(Bucket="west", Key="out/seed.txt")["Body"].read() == b"first"


def roll_back(stage: Stage, target: str, name: str = "Build") -> str:
    answer = stage.client.rollback_stage(pipelineName=NAME, stageName=name, targetPipelineExecutionId=target)
    return str(answer["pipelineExecutionId"])


def test_a_rollback_takes_source_and_variables_of_its_target(stage: Stage) -> None:
    """ "CodePipeline will use the variables and artifacts from the execution to which it is rolling back"."""
    good = stage.create(declaration(BUILD_STAGE, APPROVE_STAGE))
    stage.decide("Approved")
    assert stage.ends(good) == "Succeeded"
    newer = stage.start(variables=[{"name": "ModelPackageVersion", "value": "7"}])
    stage.decide("Rejected")
    assert stage.ends(newer) == "Failed"
    rolled = roll_back(stage, good)
    assert stage.ends(rolled) == "Succeeded"
    assert stage.builds[-1]["VERSION"] == "last-approved"
    shown = stage.client.get_pipeline_execution(pipelineName=NAME, pipelineExecutionId=rolled)["pipelineExecution"]
    assert shown["executionType"] == "ROLLBACK"
    assert shown["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": good}
    assert shown["trigger"]["triggerType"] == "ManualRollback"
    assert shown["variables"] == [{"name": "ModelPackageVersion", "resolvedValue": "last-approved"}]
    first = stage.client.get_pipeline_execution(pipelineName=NAME, pipelineExecutionId=good)["pipelineExecution"]
    assert shown["artifactRevisions"][0]["revisionId"] == first["artifactRevisions"][0]["revisionId"]
    listed = stage.client.list_pipeline_executions(
        pipelineName=NAME, filter={"succeededInStage": {"stageName": "Build"}}
    )["pipelineExecutionSummaries"]
    assert [e["pipelineExecutionId"] for e in listed] == [rolled, newer, good]
    assert "Approve" not in stage.actions(rolled)


def test_a_rollback_is_refused_as_the_guide_says(stage: Stage) -> None:
    good = stage.create(declaration(BUILD_STAGE, APPROVE_STAGE))
    with pytest.raises(ClientError, match=r"UnableToRollbackStage.*did not succeed"):
        roll_back(stage, good, "Approve")
    with pytest.raises(ClientError, match="source stage"):
        roll_back(stage, good, "Source")
    with pytest.raises(ClientError, match="PipelineExecutionNotFound"):
        roll_back(stage, "0a1b2c3d-0000-0000-0000-000000000000")
    with pytest.raises(ClientError, match="StageNotFound"):
        roll_back(stage, good, "Deploy")
    stage.decide("Approved")
    assert stage.ends(good) == "Succeeded"
    rolled = roll_back(stage, good)
    assert stage.ends(rolled) == "Succeeded"
    with pytest.raises(ClientError, match="of the type ROLLBACK"):
        roll_back(stage, rolled)
    newer = stage.start()
    stage.token()
    with pytest.raises(ClientError, match="is in progress"):
        roll_back(stage, good, "Approve")
    stage.decide("Approved")
    assert stage.ends(newer) == "Succeeded"
    stage.client.update_pipeline(pipeline=declaration(BUILD_STAGE, APPROVE_STAGE))
    with pytest.raises(ClientError, match="PipelineExecutionOutdated"):
        roll_back(stage, good)
    stage.client.update_pipeline(pipeline=declaration(BUILD_STAGE, executionMode="PARALLEL"))
    parallel = stage.start()
    assert stage.ends(parallel) == "Succeeded"
    with pytest.raises(ClientError, match="PARALLEL mode"):
        roll_back(stage, parallel)


def test_a_rollback_that_fails_is_not_rolled_back_again(stage: Stage) -> None:
    declared = declaration({**BUILD_STAGE, "onFailure": {"result": "ROLLBACK"}})
    good = stage.create(declared)
    assert stage.ends(good) == "Succeeded"
    stage.fail_builds = 2
    failed = stage.start()
    assert stage.ends(failed) == "Failed"
    rolled = until(lambda: (s := stage.summaries()[0])["executionType"] == "ROLLBACK" and s)
    assert json.loads(rolled["trigger"]["triggerDetail"]) == {"FailedPipelineExecutionId": failed}
    assert stage.ends(rolled["pipelineExecutionId"]) == "Failed"
    assert len(stage.summaries()) == 3
