"""`make rollback` interrupted at every request, and run again, ends as an undisturbed one.

The pipeline has the kit's stages, names and roles, but a Build and a Test step that do next to nothing, and
a stack set that puts a parameter into each target account instead of an endpoint.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import Cloud, Session
from scripts import rollback
from scripts.kit.bundle.pack import ROOT
from scripts.kit.names import bundle_bucket
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import play
from scripts.rehearsal.story import Story
from tests.support.every_request import problems
from tests.support.faults import Command, World
from tests.support.light_installation import ENDPOINT, FAULT_KINDS, REGION

NAME, ID = "light", "p-0123456789ab"
PREFIX, BUCKET = f"sagemaker-{NAME}-{ID}", f"sagemaker-project-{ID}"
TEMPLATE_KEY = "bundle/light/templates/50-endpoint.yaml"
BUILD = """\
version: 0.2
env:
  exported-variables: [MODEL_PACKAGE_VERSION, DEPLOY]
phases:
  build:
    commands:
      - export DEPLOY=true
      - sed -i "s/VERSION/$MODEL_PACKAGE_VERSION/" prod-parameters.json
artifacts:
  files: ['**/*']
"""
TEST = "{version: 0.2, phases: {build: {commands: ['true']}}}"


def role(account: str, name: str) -> str:
    return f"arn:aws:iam::{account}:role/service-role/AmazonSageMakerServiceCatalogProductsMultiAccount{name}Role"


def files(story: Story, account: str) -> dict[str, str]:
    """What the deploy repository of the light project holds."""
    target = story.setting.targets["prod"]
    parameters = {
        "SageMakerProjectName": NAME,
        "SageMakerProjectId": ID,
        "StageName": "prod",
        "OrganizationalUnitId": story.setting.units["prod"],
        "AccountIds": target,
        "Regions": REGION,
        "EndpointTemplateUrl": f"https://{bundle_bucket(account, REGION)}.s3.{REGION}.amazonaws.com/{TEMPLATE_KEY}",
        "ModelPackageName": f"arn:aws:sagemaker:{REGION}:{account}:model-package/{NAME}/VERSION",
        "SageMakerExecutionRoleName": "sagemaker-role-prod",
    }
    manifest = {"stages": {"prod": {"accounts": [{"id": target}], "regions": [REGION]}}}
    return {
        "40-stage.yaml": (ROOT / "templates/40-stage.yaml").read_text(encoding="utf-8"),
        "prod-parameters.json": json.dumps({"Parameters": parameters}),
        "deployment.json": json.dumps(manifest),
    }


def action(name: str, category: str, provider: str, **more: Any) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, **more}


def declaration(account: str) -> dict[str, Any]:
    source = {"RepositoryName": f"{PREFIX}-modeldeploy", "BranchName": "main", "PollForSourceChanges": "false"}
    version = [{"name": "MODEL_PACKAGE_VERSION", "value": "#{variables.ModelPackageVersion}"}]
    build = {"ProjectName": f"{PREFIX}-build", "EnvironmentVariables": json.dumps(version)}
    stage = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": f"{PREFIX}-deploy-prod",
        "RoleArn": role(account, "Stage"),
        "TemplatePath": "BuildOutput::40-stage.yaml",
        "TemplateConfiguration": "BuildOutput::prod-parameters.json",
    }
    built = [{"name": "BuildOutput"}]
    fetch = action("Source", "Source", "CodeCommit", configuration=source, outputArtifacts=[{"name": "SourceOutput"}])
    make = action("Build", "Build", "CodeBuild", namespace="Build", configuration=build, outputArtifacts=built)
    deploy = action("DeployResourcesProd", "Deploy", "CloudFormation", configuration=stage, inputArtifacts=built)
    test = action(
        "TestProd", "Test", "CodeBuild", configuration={"ProjectName": f"{PREFIX}-test"}, inputArtifacts=built
    )
    return {
        "name": f"{PREFIX}-deploy",
        "roleArn": role(account, "Pipeline"),
        "artifactStore": {"type": "S3", "location": BUCKET},
        "pipelineType": "V2",
        "variables": [{"name": "ModelPackageVersion", "defaultValue": "1"}],
        "stages": [
            {"name": "Source", "actions": [fetch]},
            {"name": "Build", "actions": [make | {"inputArtifacts": [{"name": "SourceOutput"}]}]},
            {"name": "DeployProd", "actions": [deploy | {"runOrder": 1}, test | {"runOrder": 2}]},
        ],
    }


class Light:
    """The world, with versions 1 and 2 deployed one after the other, and the command as it is typed there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.story: Story
        self.world = World(folder / "faults", self.build)

    def manager(self, cloud: Cloud) -> Session:
        return people.sign_in(cloud, self.story.setting.data_science, people.ENGINEER, REGION)

    def rollback(self) -> Command:
        line = ["--environment", str(self.story.environment_path), "--project", NAME, "--stage", "prod", "--yes"]
        return lambda: rollback.main(line)

    def build(self, cloud: Cloud) -> None:
        self.story = Story(cloud, self.folder)
        play(self.story, until="permissions")
        session = self.story.engineer
        s3, codecommit, sagemaker = (session.client(name) for name in ("s3", "codecommit", "sagemaker"))
        s3.create_bucket(Bucket=BUCKET)
        whole = (ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8")
        endpoint = ENDPOINT.format(parameters=whole[whole.index("\nParameters:") : whole.index("\nRules:")])
        s3.put_object(Bucket=bundle_bucket(session.account, REGION), Key=TEMPLATE_KEY, Body=endpoint.encode())
        repository = f"{PREFIX}-modeldeploy"
        codecommit.create_repository(repositoryName=repository)
        put = [{"filePath": k, "fileContent": v.encode()} for k, v in files(self.story, session.account).items()]
        codecommit.create_commit(repositoryName=repository, branchName="main", putFiles=put)
        for name, spec, service in (("build", BUILD, "Build"), ("test", TEST, "Test")):
            session.client("codebuild").create_project(
                name=f"{PREFIX}-{name}",
                source={"type": "CODEPIPELINE", "buildspec": spec},
                artifacts={"type": "CODEPIPELINE"},
                environment={
                    "type": "LINUX_CONTAINER",
                    "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
                    "computeType": "BUILD_GENERAL1_SMALL",
                },
                serviceRole=role(session.account, service),
            )
        sagemaker.create_model_package_group(ModelPackageGroupName=NAME)
        container = {"Image": f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:3.0-5"}
        contents = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
        for _ in range(2):
            sagemaker.create_model_package(
                ModelPackageGroupName=NAME,
                InferenceSpecification={"Containers": [container], **contents},
                ModelApprovalStatus="Approved",
            )
        codepipeline = session.client("codepipeline")
        codepipeline.create_pipeline(pipeline=declaration(session.account))
        self.ended(codepipeline)
        variables = [{"name": "ModelPackageVersion", "value": "2"}]
        codepipeline.start_pipeline_execution(name=f"{PREFIX}-deploy", variables=variables)
        self.ended(codepipeline)

    def ended(self, codepipeline: Any) -> None:
        def status() -> str | None:
            listed = codepipeline.list_pipeline_executions(pipelineName=f"{PREFIX}-deploy")
            now = str(listed["pipelineExecutionSummaries"][0]["status"])
            return None if now == "InProgress" else now

        assert self.story.until("the execution", status) == "Succeeded", codepipeline.list_action_executions(
            pipelineName=f"{PREFIX}-deploy"
        )


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Light:
    return Light(tmp_path_factory.mktemp("light"))


def test_a_rollback_interrupted_at_any_request_and_run_again_ends_as_an_undisturbed_one(light: Light) -> None:
    command = light.rollback()
    whole = light.world.undisturbed(command, light.manager)
    assert "version 2 → 1" in whole.printed[0]
    assert "serves version 1" in whole.printed[0]
    assert f"model-package/{NAME}/1" in json.dumps(whole.state)
    assert problems(light.world, command, light.manager, FAULT_KINDS) == []
