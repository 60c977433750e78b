"""Actions with the services that they call: CodeCommit, CodeBuild, CloudFormation, S3, Step Functions."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from localaws.authorization.authorizer import Authorizer
from localaws.cloud import Cloud
from localaws.services.codepipeline import actions
from localaws.services.codepipeline.state import ActionFailed
from localaws.services.events.service import deliveries
from tests.support.codepipeline_setting import (
    ACCOUNT,
    BUCKET,
    BUILD,
    DEPLOY,
    NAME,
    REGION,
    SOURCE,
    Stage,
    action,
    artifacts,
    declaration,
)
from tests.support.roles import EVERYTHING, make_role
from tests.support.waiting import until

TEMPLATE = """
Parameters:
  StageName: {Type: String, AllowedPattern: '[a-z]+'}
Resources:
  Note:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Sub '/kit/${StageName}', Type: String, Value: !Ref StageName}
Outputs:
  Where: {Value: !Ref Note}
"""


@pytest.fixture
def stage(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage(cloud, monkeypatch)
    make_role(cloud, "stage", "cloudformation", EVERYTHING)
    made.files["40-stage.yaml"] = TEMPLATE.encode()
    return made


def deploying(**configuration: str) -> dict[str, Any]:
    deploy = {**DEPLOY, "namespace": "Deploy", "configuration": {**DEPLOY["configuration"], **configuration}}
    return declaration({"name": "Build", "actions": [BUILD]}, {"name": "Deploy", "actions": [deploy]})


def error(stage: Stage, execution: str, name: str = "Deploy") -> tuple[str, str]:
    details = stage.actions(execution)[name]["output"]["executionResult"]["errorDetails"]
    return details["code"], details["message"]


def test_a_stack_is_created_updated_and_left_alone_when_nothing_changes(stage: Stage) -> None:
    execution = stage.create(deploying())
    assert stage.ends(execution) == "Succeeded", stage.actions(execution)["Deploy"]["output"]
    assert stage.actions(execution)["Deploy"]["output"]["outputVariables"] == {"Where": "/kit/staging"}
    cloudformation = stage.cloud.root(ACCOUNT, REGION).client("cloudformation")
    [made] = cloudformation.describe_stacks(StackName="staging")["Stacks"]
    assert made["RoleARN"] == f"arn:aws:iam::{ACCOUNT}:role/stage"
    assert {"Key": "project", "Value": "churn"} in made["Tags"]
    assert stage.ends(stage.start()) == "Succeeded"
    assert cloudformation.describe_stacks(StackName="staging")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    stage.files["staging-parameters.json"] = b'{"Parameters": {"StageName": "other"}}'
    execution = stage.start()
    assert stage.ends(execution) == "Succeeded"
    assert stage.actions(execution)["Deploy"]["output"]["outputVariables"] == {"Where": "/kit/other"}


def test_parameter_overrides_win_and_may_read_artifacts(stage: Stage) -> None:
    stage.files["names.json"] = b'{"stage": "fromfile"}'
    overrides = json.dumps({"StageName": {"Fn::GetParam": ["BuildOutput", "names.json", "stage"]}})
    execution = stage.create(deploying(ParameterOverrides=overrides))
    assert stage.ends(execution) == "Succeeded"
    assert stage.actions(execution)["Deploy"]["output"]["outputVariables"] == {"Where": "/kit/fromfile"}


@pytest.mark.parametrize(
    ("files", "configuration", "code", "message"),
    [
        (
            {},
            {"TemplatePath": "BuildOutput::missing.yaml"},
            "ConfigurationError",
            "File [missing.yaml] does not exist in",
        ),
        ({"staging-parameters.json": b"{"}, {}, "ConfigurationError", "is not valid JSON"),
        ({"staging-parameters.json": b'{"StageName": "x"}'}, {}, "ConfigurationError", "nothing else"),
        ({"staging-parameters.json": b'{"Parameters": {"StageName": 1}}'}, {}, "ConfigurationError", "is not a string"),
        ({"staging-parameters.json": b'{"Parameters": {"Stage": "x"}}'}, {}, "JobFailed", "Stage"),
        ({"staging-parameters.json": b'{"Parameters": {"StageName": "UP"}}'}, {}, "JobFailed", "StageName"),
        (
            {"40-stage.yaml": TEMPLATE.replace("Type: String, Value", "Type: Texts, Value").encode()},
            {},
            "JobFailed",
            "Note",
        ),
        ({}, {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none"}, "JobFailed", "role"),
    ],
)
def test_a_stack_that_cannot_be_made_fails_its_action_with_the_reason(
    stage: Stage, files: dict[str, bytes], configuration: dict[str, str], code: str, message: str
) -> None:
    stage.files |= files
    execution = stage.create(deploying(**configuration))
    assert stage.ends(execution) == "Failed"
    error_details = error(stage, execution)
    assert error_details[0] == code, error_details
    assert message in error_details[1]


def test_a_stack_is_deleted_and_deleting_none_succeeds(stage: Stage) -> None:
    stage.ends(stage.create(deploying()))
    changed = deploying(ActionMode="DELETE_ONLY")
    stage.client.update_pipeline(pipeline=changed)
    for _ in range(2):
        execution = stage.start()
        assert stage.ends(execution) == "Succeeded", error(stage, execution)
    ssm = stage.cloud.root(ACCOUNT, REGION).client("ssm")
    assert ssm.describe_parameters()["Parameters"] == []


def test_a_change_set_is_made_and_executed(stage: Stage) -> None:
    prepared = {**DEPLOY["configuration"], "ActionMode": "CHANGE_SET_REPLACE", "ChangeSetName": "next"}
    replace = {**DEPLOY, "name": "Prepare", "configuration": prepared}
    execute = action(
        "Execute", "Deploy", "CloudFormation", runOrder=2,
        configuration={"ActionMode": "CHANGE_SET_EXECUTE", "StackName": "staging", "ChangeSetName": "next"},
    )  # fmt: skip
    declared = declaration({"name": "Build", "actions": [BUILD]}, {"name": "Deploy", "actions": [replace, execute]})
    execution = stage.create(declared)
    assert stage.ends(execution) == "Succeeded", stage.actions(execution)
    assert stage.actions(execution)["Execute"]["output"]["outputVariables"] == {"Where": "/kit/staging"}


def test_a_stack_set_is_made_and_brought_to_its_targets(stage: Stage) -> None:
    iam = stage.cloud.root(ACCOUNT, REGION).client("iam")
    make_role(stage.cloud, "AWSCloudFormationStackSetAdministrationRole", "cloudformation", EVERYTHING)
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    make_role(stage.cloud, "AWSCloudFormationStackSetExecutionRole", "cloudformation", EVERYTHING)
    iam.update_assume_role_policy(
        RoleName="AWSCloudFormationStackSetExecutionRole",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    stage.files["parameters.json"] = b'[{"ParameterKey": "StageName", "ParameterValue": "staging"}]'
    deploy = action(
        "Deploy", "Deploy", "CloudFormationStackSet", namespace="Deploy", inputArtifacts=artifacts("BuildOutput"),
        configuration={
            "StackSetName": "endpoints", "TemplatePath": "BuildOutput::40-stage.yaml", "DeploymentTargets": ACCOUNT,
            "Parameters": "BuildOutput::parameters.json", "Regions": REGION, "FailureTolerancePercentage": "0",
        },
    )  # fmt: skip
    execution = stage.create(
        declaration({"name": "Build", "actions": [BUILD]}, {"name": "Deploy", "actions": [deploy]})
    )
    assert stage.ends(execution) == "Succeeded", error(stage, execution)
    made = stage.actions(execution)["Deploy"]["output"]["outputVariables"]
    assert made["StackSetId"].startswith("endpoints:")
    ssm = stage.cloud.root(ACCOUNT, REGION).client("ssm")
    assert ssm.get_parameter(Name="/kit/staging")["Parameter"]["Value"] == "staging"
    stage.files["parameters.json"] = b'[{"ParameterKey": "StageName", "ParameterValue": "UP"}]'
    execution = stage.start()
    assert stage.ends(execution) == "Failed"
    assert "StageName" in error(stage, execution)[1]


def test_an_artifact_is_deployed_to_a_bucket(stage: Stage) -> None:
    put = action(
        "Deploy", "Deploy", "S3", inputArtifacts=artifacts("SourceOutput"),
        configuration={"BucketName": BUCKET, "Extract": "true", "ObjectKey": "site/"},
    )  # fmt: skip
    assert stage.ends(stage.create(declaration({"name": "Deploy", "actions": [put]}))) == "Succeeded"
    s3 = stage.cloud.root(ACCOUNT, REGION).client("s3")
    assert s3.get_object(Bucket=BUCKET, Key="site/seed.txt")["Body"].read() == b"first"


def test_a_state_machine_is_invoked(stage: Stage) -> None:
    states = stage.cloud.root(ACCOUNT, REGION).client("stepfunctions")
    machine = states.create_state_machine(
        name="m",
        definition='{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
        roleArn=make_role(stage.cloud, "states", "states", EVERYTHING),
    )["stateMachineArn"]
    invoke = action(
        "Invoke", "Invoke", "StepFunctions", outputArtifacts=artifacts("Answer"),
        configuration={"StateMachineArn": machine, "Input": '{"id": "#{codepipeline.PipelineExecutionId}"}'},
    )  # fmt: skip
    execution = stage.create(declaration({"name": "Invoke", "actions": [invoke]}))
    assert stage.ends(execution) == "Succeeded"
    [made] = stage.actions(execution)["Invoke"]["output"]["outputArtifacts"]
    s3 = stage.cloud.root(ACCOUNT, REGION).client("s3")
    found = s3.get_object(Bucket=BUCKET, Key=made["s3location"]["key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        assert json.loads(archive.read("output.json")) == {"id": execution}


BUILDSPEC = """
version: 0.2
env:
  exported-variables: [SUMMARY]
phases:
  build:
    commands:
      - export SUMMARY="$COMMIT built"
      - cp seed.txt built.txt
artifacts:
  files: [built.txt]
"""


def test_a_commit_is_built_with_its_variables(cloud: Cloud) -> None:
    """The real thing: CodeCommit's files, CodeBuild's commands, artifacts in S3."""
    root = cloud.root(ACCOUNT, REGION)
    root.client("s3").create_bucket(Bucket=BUCKET)
    make_role(cloud, "pipeline", "codepipeline", EVERYTHING)
    codecommit = root.client("codecommit")
    codecommit.create_repository(repositoryName="seed")
    files = [
        {"filePath": "buildspec.yml", "fileContent": BUILDSPEC.encode()},
        {"filePath": "seed.txt", "fileContent": b"seed"},
    ]
    commit = codecommit.create_commit(
        repositoryName="seed", branchName="main", putFiles=files, commitMessage="Begin", authorName="A", email="a@b.c"
    )["commitId"]
    root.client("codebuild").create_project(
        name="build",
        source={"type": "CODEPIPELINE"},
        artifacts={"type": "CODEPIPELINE"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=make_role(cloud, "build", "codebuild", EVERYTHING),
    )
    source = {
        **SOURCE,
        "actionTypeId": {**SOURCE["actionTypeId"], "provider": "CodeCommit"},
        "configuration": {"RepositoryName": "seed", "BranchName": "main", "PollForSourceChanges": "false"},
    }
    variables = json.dumps([{"name": "COMMIT", "value": "#{Source.CommitId}"}])
    build = {**BUILD, "configuration": {"ProjectName": "build", "EnvironmentVariables": variables}}
    declared = declaration({"name": "Build", "actions": [build]})
    declared["stages"][0]["actions"] = [source]
    stage = Stage.__new__(Stage)
    stage.cloud, stage.client = cloud, root.client("codepipeline")
    execution = stage.create(declared)
    assert stage.ends(execution) == "Succeeded", stage.actions(execution)
    found = stage.actions(execution)
    assert found["Source"]["output"]["outputVariables"]["CommitId"] == commit
    assert found["Source"]["output"]["outputVariables"]["CommitMessage"] == "Begin"
    assert found["Build"]["output"]["outputVariables"] == {"SUMMARY": f"{commit} built"}
    [made] = found["Build"]["output"]["outputArtifacts"]
    content = root.client("s3").get_object(Bucket=BUCKET, Key=made["s3location"]["key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("built.txt") == b"seed"


def test_a_branch_that_does_not_exist_fails_the_source(cloud: Cloud) -> None:
    root = cloud.root(ACCOUNT, REGION)
    root.client("s3").create_bucket(Bucket=BUCKET)
    make_role(cloud, "pipeline", "codepipeline", EVERYTHING)
    root.client("codecommit").create_repository(repositoryName="seed")
    declared = declaration()
    declared["stages"][0]["actions"][0] |= {
        "actionTypeId": {**SOURCE["actionTypeId"], "provider": "CodeCommit"},
        "configuration": {"RepositoryName": "seed", "BranchName": "main", "PollForSourceChanges": "false"},
    }
    stage = Stage.__new__(Stage)
    stage.cloud, stage.client = cloud, root.client("codepipeline")
    execution = stage.create(declared)
    assert stage.ends(execution) == "Failed"
    code, message = error(stage, execution, "Source")
    assert code == "ConfigurationError"
    assert "branch main does not exist" in message


# -- permissions -------------------------------------------------------------------------------


def deny(cloud: Cloud, role: str, *actions: str) -> None:
    statement = {"Sid": "Not", "Effect": "Deny", "Action": list(actions), "Resource": "*"}
    cloud.root(ACCOUNT, REGION).client("iam").put_role_policy(
        RoleName=role,
        PolicyName="not",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


@pytest.mark.parametrize(
    ("role", "denied", "failing", "code"),
    [
        ("pipeline", "s3:GetObjectVersion", "Source", "PermissionError"),
        ("pipeline", "s3:PutObject", "Source", "PermissionError"),
        ("pipeline", "cloudformation:CreateStack", "Deploy", "PermissionError"),
        ("pipeline", "iam:PassRole", "Deploy", "PermissionError"),
        ("stage", "ssm:PutParameter", "Deploy", "JobFailed"),
    ],
)
def test_an_action_that_its_role_may_not_do_fails_and_names_the_permission(
    stage: Stage, role: str, denied: str, failing: str, code: str
) -> None:
    stage.cloud.authorizer = Authorizer(stage.cloud)
    deny(stage.cloud, role, denied)
    execution = stage.create(deploying())
    assert stage.ends(execution) == "Failed"
    error_details = error(stage, execution, failing)
    assert error_details[0] == code, error_details
    assert denied in error_details[1]


def test_a_source_whose_role_may_not_fetch_the_files_fails(cloud: Cloud) -> None:
    cloud.authorizer = Authorizer(cloud)
    root = cloud.root(ACCOUNT, REGION)
    root.client("s3").create_bucket(Bucket=BUCKET)
    make_role(cloud, "pipeline", "codepipeline", EVERYTHING)
    deny(cloud, "pipeline", "codecommit:UploadArchive")
    root.client("codecommit").create_repository(repositoryName="seed")
    root.client("codecommit").create_commit(
        repositoryName="seed", branchName="main", putFiles=[{"filePath": "a", "fileContent": b"b"}]
    )
    declared = declaration()
    declared["stages"][0]["actions"][0] |= {
        "actionTypeId": {**SOURCE["actionTypeId"], "provider": "CodeCommit"},
        "configuration": {"RepositoryName": "seed", "BranchName": "main", "PollForSourceChanges": "false"},
    }
    stage = Stage.__new__(Stage)
    stage.cloud, stage.client = cloud, root.client("codepipeline")
    execution = stage.create(declared)
    assert stage.ends(execution) == "Failed"
    code, message = error(stage, execution, "Source")
    assert code == "PermissionError"
    assert "codecommit:UploadArchive" in message


def test_a_rule_whose_role_may_not_start_the_pipeline_leaves_a_failed_delivery(stage: Stage) -> None:
    stage.ends(stage.create(declaration()))
    stage.cloud.authorizer = Authorizer(stage.cloud)
    events_role = make_role(stage.cloud, "events", "events", EVERYTHING)
    deny(stage.cloud, "events", "codepipeline:StartPipelineExecution")
    events = stage.cloud.root(ACCOUNT, REGION).client("events")
    events.put_rule(Name="code", EventPattern='{"source": ["kit"]}')
    pipeline = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{NAME}"
    events.put_targets(Rule="code", Targets=[{"Id": "p", "Arn": pipeline, "RoleArn": events_role}])
    events.put_events(Entries=[{"Source": "kit", "DetailType": "Push", "Detail": "{}"}])
    [failed] = until(lambda: deliveries(stage.cloud, failed=True))
    assert failed.target == pipeline
    assert "codepipeline:StartPipelineExecution" in failed.failed
    assert len(stage.summaries()) == 1


def test_the_time_of_an_approval_is_not_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """CodePipeline User Guide, "Add a manual approval action to a stage": seven days, or what timeoutInMinutes says."""
    clock = [datetime(2026, 1, 1, tzinfo=UTC)]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return clock[0]

    class Decided:
        def wait(self, seconds: float) -> bool:
            clock[0] += timedelta(hours=1)
            return False

    monkeypatch.setattr(actions, "datetime", Clock)
    given: list[tuple[dict[str, int], float]] = [({}, 7 * 24), ({"timeoutInMinutes": 90}, 1.5)]
    for asked, hours in given:
        run, start = SimpleNamespace(action=asked, decided=Decided()), clock[0]
        cloud = SimpleNamespace(waits=0.001, stopping=threading.Event())
        with pytest.raises(ActionFailed, match="not given within"):
            actions.manual_approval(SimpleNamespace(run=run, cloud=cloud, configuration={}))  # type: ignore[arg-type]
        assert timedelta(0) < clock[0] - start - timedelta(hours=hours) <= timedelta(hours=1)
