"""A pipeline's surroundings for the CodePipeline tests: bucket, role, source, and stand-ins for its providers."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from localaws.cloud import Cloud
from localaws.services.codepipeline import actions as codepipeline_actions
from localaws.services.codepipeline.state import ActionFailed
from localaws.services.codepipeline.work import Work, zipped
from tests.support.roles import EVERYTHING, make_role
from tests.support.waiting import until

ACCOUNT, REGION = "111111111111", "us-east-1"
NAME = "sagemaker-churn-p-1-deploy"
BUCKET = "sagemaker-project-p-1"


def action(name: str, category: str, provider: str, **more: Any) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, **more}


def artifacts(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def variable_check(result: str = "SKIP", **configuration: str) -> dict[str, Any]:
    given = {"Variable": "#{Build.DEPLOY}", "Operator": "EQ", "Value": "true", **configuration}
    kind = {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"}
    rule = {"name": "ThereIsAVersion", "ruleTypeId": kind, "configuration": given}
    return {"conditions": [{"result": result, "rules": [rule]}]}


SOURCE = action(
    "Source",
    "Source",
    "S3",
    namespace="Source",
    configuration={"S3Bucket": BUCKET, "S3ObjectKey": "seed.zip", "PollForSourceChanges": "false"},
    outputArtifacts=artifacts("SourceOutput"),
)
BUILD = action(
    "Build",
    "Build",
    "CodeBuild",
    namespace="Build",
    configuration={
        "ProjectName": "build",
        "EnvironmentVariables": json.dumps(
            [
                {"name": "VERSION", "value": "#{variables.ModelPackageVersion}"},
                {"name": "EXECUTION", "value": "#{codepipeline.PipelineExecutionId}"},
                {"name": "OBJECT", "value": "#{Source.VersionId}"},
            ]
        ),
    },
    inputArtifacts=artifacts("SourceOutput"),
    outputArtifacts=artifacts("BuildOutput"),
)
DEPLOY = action(
    "Deploy",
    "Deploy",
    "CloudFormation",
    configuration={
        "ActionMode": "CREATE_UPDATE",
        "StackName": "staging",
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/stage",
        "TemplatePath": "BuildOutput::40-stage.yaml",
        "TemplateConfiguration": "BuildOutput::staging-parameters.json",
    },
    inputArtifacts=artifacts("BuildOutput"),
)
APPROVE = action("Approve", "Approval", "Manual", configuration={"CustomData": "#{Build.SUMMARY}"})
BUILD_STAGE = {"name": "Build", "actions": [BUILD]}
APPROVE_STAGE = {"name": "Approve", "actions": [APPROVE]}


def declaration(*stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A V2 pipeline: Source, then the stages (Build alone when none is given)."""
    return copy.deepcopy(
        {
            "name": NAME,
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/pipeline",
            "artifactStore": {"type": "S3", "location": BUCKET},
            "pipelineType": "V2",
            "variables": [{"name": "ModelPackageVersion", "defaultValue": "last-approved"}],
            "stages": [
                {"name": "Source", "actions": [SOURCE]},
                *(stages or ({"name": "Build", "actions": [BUILD]},)),
            ],
            **more,
        }
    )


def put_source(cloud: Cloud, text: str = "first") -> str:
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    return str(s3.put_object(Bucket=BUCKET, Key="seed.zip", Body=zipped({"seed.txt": text.encode()}))["VersionId"])


class Stage:
    """An account with a bucket, a source object and a role, and how to play a pipeline in it."""

    def __init__(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        self.client = cloud.root(ACCOUNT, REGION).client("codepipeline")
        self.exports: dict[str, str] = {"DEPLOY": "true", "SUMMARY": "version 3"}
        self.files: dict[str, bytes] = {
            "40-stage.yaml": b"Resources: {}",
            "staging-parameters.json": b'{"Parameters": {"StageName": "staging"}, "Tags": {"project": "churn"}}',
        }
        self.fail_builds = 0
        self.builds: list[dict[str, str]] = []
        self.hold: Callable[[Work], object] = lambda work: None
        s3 = cloud.root(ACCOUNT, REGION).client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        put_source(cloud)
        make_role(cloud, "pipeline", "codepipeline", EVERYTHING)
        for key in (("Build", "CodeBuild"), ("Test", "CodeBuild")):
            monkeypatch.setitem(codepipeline_actions.PERFORMERS, key, self.build)

    def build(self, work: Work) -> None:
        """Stands in for CodeBuild."""
        given = json.loads(work.configuration.get("EnvironmentVariables", "[]"))
        self.builds.append({item["name"]: item["value"] for item in given})
        self.hold(work)
        if self.fail_builds:
            self.fail_builds -= 1
            raise ActionFailed("JobFailed", "Build terminated with state: FAILED")
        work.run.variables = dict(self.exports)
        for name in work.output_names:
            work.put_artifact(name, zipped(self.files))

    def create(self, declared: dict[str, Any]) -> str:
        """Create the pipeline; the id of the execution that this starts."""
        self.client.create_pipeline(pipeline=declared)
        return str(self.summaries()[0]["pipelineExecutionId"])

    def start(self, **given: Any) -> str:
        return str(self.client.start_pipeline_execution(name=NAME, **given)["pipelineExecutionId"])

    def summaries(self) -> list[dict[str, Any]]:
        """Executions, the newest first."""
        found: list[dict[str, Any]] = self.client.list_pipeline_executions(pipelineName=NAME)[
            "pipelineExecutionSummaries"
        ]
        return found

    def status(self, execution: str) -> str:
        found = self.client.get_pipeline_execution(pipelineName=NAME, pipelineExecutionId=execution)
        return str(found["pipelineExecution"]["status"])

    def ends(self, execution: str) -> str:
        """How the execution ends."""
        until(lambda: self.status(execution) not in ("InProgress", "Stopping"))
        return self.status(execution)

    def actions(self, execution: str) -> dict[str, dict[str, Any]]:
        """The latest execution of each action."""
        found = self.client.list_action_executions(pipelineName=NAME, filter={"pipelineExecutionId": execution})
        return {detail["actionName"]: detail for detail in reversed(found["actionExecutionDetails"])}

    def stages(self) -> dict[str, dict[str, Any]]:
        return {stage["stageName"]: stage for stage in self.client.get_pipeline_state(name=NAME)["stageStates"]}

    def token(self, stage: str = "Approve") -> str:
        """The token of the approval that waits in a stage."""

        def found() -> str:
            state = self.stages()[stage]["actionStates"][0]
            return str(state.get("latestExecution", {}).get("token", ""))

        return str(until(found))

    def decide(self, status: str, token: str | None = None) -> None:
        self.client.put_approval_result(
            pipelineName=NAME,
            stageName="Approve",
            actionName="Approve",
            token=token or self.token(),
            result={"status": status, "summary": "seen"},
        )
