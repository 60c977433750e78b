"""A data scientist who may push to a deploy repository: no commit's code is run, and an approver is asked all the same.

The last tests take away what protects: with the repository as the build's primary source, the same commit gets past the
approver and is stopped by the gate; without the gate too, it deploys to production without an approval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scripts.rehearsal import deploying
from scripts.rehearsal.story import Story
from tests.support.story_steps import follow, new_execution, served, whole_story

BUILDSPEC = """\
version: 0.2
env:
  exported-variables: [DEPLOY, REASON, MODEL_PACKAGE_VERSION, SUMMARY, MANIFEST_SHA256, REMOVE]
phases:
  build:
    commands:
      - export CODEBUILD_SRC_DIR_SourceOutput="$CODEBUILD_SRC_DIR"
      - cd "$CODEBUILD_SRC_DIR_KitOutput" && python3 -m pipeline.build
      - sed -i 's/"needed":.true/"needed":false/' out/deployment.json
      - echo 'from pathlib import Path; from pipeline.manifest import digest; print(digest(Path("out")))' > hash.py
      - export MANIFEST_SHA256=$(PYTHONPATH=. python3 hash.py)
      - cp -r out/. "$CODEBUILD_SRC_DIR/out"
      - export DEPLOY=without-approval REASON=none MODEL_PACKAGE_VERSION=1 SUMMARY=none REMOVE=none
artifacts:
  base-directory: out
  files: ['**/*']
"""
ADMINISTRATOR = """\
Resources:
  Administrator:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {AWS: '111111111111'}, Action: 'sts:AssumeRole'}]
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']
"""
RUNS = "raise SystemExit('code of the repository runs')\n"
COMMIT = {
    "buildspec.yml": BUILDSPEC,
    "test-buildspec.yml": BUILDSPEC,
    "40-stage.yaml": ADMINISTRATOR,
    "50-endpoint.yaml": ADMINISTRATOR,
    "pipeline/__init__.py": RUNS,
    "pipeline/build.py": RUNS,
    "boto3.py": RUNS,
    "json.py": RUNS,
    "sitecustomize.py": RUNS,
    "usercustomize.py": RUNS,
    "tests/conftest.py": RUNS,
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-p evil'\n",
    "deployment.json": "{}",
    "exports.sh": "export DEPLOY=without-approval\n",
    "out/deployment.json": "{}",
    ".git-hooks/post-checkout": "#!/bin/sh\nexit 1\n",
}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A whole story: version 1 is live in both stages."""
    with whole_story(tmp_path_factory.mktemp("push")) as played:
        yield played


def attack(story: Story) -> str:
    """Push everything at once; the execution that it starts."""
    codecommit = story.scientist.client("codecommit")
    repository = f"sagemaker-{story.project_name}-{story.project_id}-modeldeploy"
    before = {e["pipelineExecutionId"] for e in story.executions()}
    branch = codecommit.get_branch(repositoryName=repository, branchName="main")["branch"]
    root = story.cloud.root(story.setting.data_science, story.region)  # a push with git, for which there is no server
    root.client("codecommit").create_commit(
        repositoryName=repository,
        branchName="main",
        parentCommitId=branch["commitId"],
        putFiles=[
            {"filePath": path, "fileContent": f"{text}# {len(before)}\n".encode()} for path, text in COMMIT.items()
        ],
    )
    started = new_execution(story, before)
    assert started, "the push started nothing"
    story.execution_id = started
    return started


def templates(story: Story) -> set[str]:
    """The types of the resources in the stacks of every target account that belong to the project."""
    found: set[str] = set()
    for account in story.setting.targets.values():
        cloudformation = story.cloud.root(account, story.region).client("cloudformation")
        for stack in cloudformation.describe_stacks()["Stacks"]:
            if story.project_id in stack["StackName"]:
                listed = cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
                found |= {resource["ResourceType"] for resource in listed}
    return found


def stage_states(story: Story) -> dict[str, str]:
    states = story.pipeline_state()["stageStates"]
    return {
        stage["stageName"]: stage["latestExecution"]["status"]
        for stage in states
        if stage.get("latestExecution", {}).get("pipelineExecutionId") == story.execution_id
    }


def test_a_commit_with_code_and_templates_of_its_own_still_waits_for_the_approver(story: Story) -> None:
    attack(story)
    assert story.wait_for_stage("DeployStaging") == "Succeeded"
    deploying.approval_token(story, story.approver.client("codepipeline"))  # StoryFailed where no approver is asked
    assert stage_states(story)["ApproveDeployment"] == "InProgress"
    assert "DeployProd" not in stage_states(story)
    assert "AWS::IAM::Role" not in templates(story)
    assert "AWS::SageMaker::Endpoint" in templates(story)


def test_what_the_commit_brought_is_in_no_artifact_that_a_later_step_reads(story: Story) -> None:
    assert follow(story, story.execution_id) == "Succeeded"
    assert "AWS::IAM::Role" not in templates(story)
    assert served(story) == {"staging": 1, "prod": 1}


def change_pipeline(story: Story, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the project's pipeline, as an administrator could."""
    codepipeline = story.cloud.root(story.setting.data_science, story.region).client("codepipeline")
    pipeline = codepipeline.get_pipeline(name=story.pipeline_name)["pipeline"]
    change(pipeline)
    codepipeline.update_pipeline(pipeline=pipeline)


def build_from_the_repository(pipeline: dict[str, Any]) -> None:
    (build,) = (a for s in pipeline["stages"] for a in s["actions"] if a["name"] == "Build")
    build["configuration"]["PrimarySource"] = "SourceOutput"


def without_the_gate(pipeline: dict[str, Any]) -> None:
    (deploy,) = (stage for stage in pipeline["stages"] if stage["name"] == "DeployProd")
    deploy["actions"] = [action for action in deploy["actions"] if action["name"] != "Gate"]


def test_with_the_repository_as_primary_source_the_same_commit_gets_as_far_as_the_gate(story: Story) -> None:
    change_pipeline(story, build_from_the_repository)
    attack(story)
    assert story.wait_for_execution(story.execution_id) == "Failed"
    assert stage_states(story)["ApproveDeployment"] == "Skipped"
    (gate,) = (action for action in story.actions() if action["stageName"] == "DeployProd")
    reason = gate["output"]["outputVariables"]["REASON"]
    assert (gate["actionName"], gate["status"]) == ("Gate", "Failed")
    assert "no approver was asked, and one is needed: no version was rejected" in reason


def test_without_the_gate_too_it_deploys_to_production_without_an_approver(story: Story) -> None:
    change_pipeline(story, without_the_gate)
    attack(story)
    assert story.wait_for_execution(story.execution_id) == "Succeeded"
    assert stage_states(story)["ApproveDeployment"] == "Skipped"
