"""What tests do with a project after its story: another version, its approval, an execution to its end, a commit."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from awslang.archives import read_zip
from scripts.rehearsal import chapters, deploying, examples
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support.waiting import PATIENCE


@contextmanager
def whole_story(folder: Path) -> Iterator[Story]:
    """A whole story: version 1 is live in both stages. Afterwards the embedded AWS has had no fault."""
    with embedded_aws(folder) as cloud:
        played = Story(cloud, folder)
        chapters.play(played, "predictions")
        yield played
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def version_arn(story: Story, version: int) -> str:
    return f"{story.model_package_arn.rsplit('/', 1)[0]}/{version}"


def register(story: Story, image: str = "", url: str = "") -> str:
    """One more version, of the artifact of the first: nothing is trained for it.

    image, url: another image and another artifact than the first's
    """
    sagemaker = story.scientist.client("sagemaker")
    first = sagemaker.describe_model_package(ModelPackageName=version_arn(story, 1))
    specification = first["InferenceSpecification"]
    for container in specification["Containers"] if image else ():
        container["Image"] = image
        container.pop("ImageDigest", None)
    for container in specification["Containers"] if url else ():
        container["ModelDataUrl"] = url
        container.pop("ModelDataETag", None)
    made = sagemaker.create_model_package(
        ModelPackageGroupName=story.project_name,
        InferenceSpecification=specification,
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties=first.get("CustomerMetadataProperties", {}),
    )
    return str(made["ModelPackageArn"])


def copy_artifact(story: Story, folder: str) -> str:
    """The first version's artifact once more, in a folder beside it; its URL."""
    first = story.scientist.client("sagemaker").describe_model_package(ModelPackageName=version_arn(story, 1))
    (container,) = first["InferenceSpecification"]["Containers"]
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    s3 = story.cloud.root(story.setting.data_science, story.region).client("s3")
    other = key.replace("model.tar.gz", f"{folder}/model.tar.gz")
    s3.put_object(Bucket=bucket, Key=other, Body=s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return f"s3://{bucket}/{other}"


def set_status(story: Story, version: int, status: str, patience: float = PATIENCE) -> str | None:
    """Set a version's approval; the id of the execution that it starts, None where none starts in so many seconds."""
    before = {e["pipelineExecutionId"] for e in story.executions()}
    story.scientist.client("sagemaker").update_model_package(
        ModelPackageArn=version_arn(story, version), ModelApprovalStatus=status
    )
    started = new_execution(story, before, patience)
    story.execution_id = started or story.execution_id
    return started


def new_execution(story: Story, before: set[str], patience: float = PATIENCE) -> str | None:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        new = [e["pipelineExecutionId"] for e in story.executions() if e["pipelineExecutionId"] not in before]
        if new:
            return str(new[0])
        time.sleep(0.05)
    return None


def follow(story: Story, execution_id: str | None, approve: str | None = "Approved") -> str:
    """Follow an execution to its end, answering the approval; None leaves it waiting after staging."""
    assert execution_id, "no execution started"
    story.execution_id = execution_id
    status = story.wait_for_stage("DeployStaging")
    if status != "Succeeded" or approve is None:
        return status
    deploying.give_approval(story, approve, "a test")
    return story.wait_for_execution(execution_id)


def commit(story: Story, path: str, content: str, message: str = "A test") -> None:
    """Write a file into the deploy repository."""
    examples.commit(story, "modeldeploy", path, content, message)


def push(story: Story, path: str, content: str) -> str | None:
    """Commit a file to the deploy repository; the id of the execution that it starts."""
    before = {e["pipelineExecutionId"] for e in story.executions()}
    commit(story, path, content)
    return started_since(story, before)


def push_files(story: Story, files: Mapping[str, str]) -> str | None:
    """The same of several files in one commit, which git makes for a person. files: the content of each, by its path"""
    before = {e["pipelineExecutionId"] for e in story.executions()}
    codecommit = story.cloud.root(story.setting.data_science, story.region).client("codecommit")
    name = f"sagemaker-{story.project_name}-{story.project_id}-modeldeploy"
    codecommit.create_commit(
        repositoryName=name,
        branchName="main",
        parentCommitId=codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"],
        putFiles=[{"filePath": path, "fileContent": content.encode()} for path, content in files.items()],
    )
    return started_since(story, before)


def started_since(story: Story, before: set[str]) -> str | None:
    started = new_execution(story, before)
    story.execution_id = started or story.execution_id
    return started


def served(story: Story) -> dict[str, int]:
    """The version that each stage's endpoint serves, asked in its own account."""
    asked = {s: deploying.ask_endpoint(story, s, a, []) for s, a in story.setting.targets.items()}
    return {stage: int(answer["model_package_arn"].rsplit("/", 1)[1]) for stage, answer in asked.items()}


def configure(story: Story, stage: str, **parameters: str) -> str | None:
    """Commit the settings of a stage; the id of the execution that this starts."""
    config = {"Parameters": {"InstanceType": "ml.m5.large", **parameters}}
    return push(story, f"{stage}-config.json", json.dumps(config))


def reason(story: Story, execution: str = "") -> str:
    """Why an execution deploys what it deploys, this story's own where none is named."""
    build = next(action for action in story.actions(execution=execution) if action["actionName"] == "Build")
    return str(build["output"]["outputVariables"]["REASON"])


def manifest(story: Story) -> dict[str, Any]:
    """The manifest that the Build step of the execution wrote."""
    (build,) = (action for action in story.actions() if action["actionName"] == "Build")
    (artifact,) = build["output"]["outputArtifacts"]
    place = artifact["s3location"]
    s3 = story.cloud.root(story.setting.data_science, story.region).client("s3")
    body = s3.get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    found: dict[str, Any] = json.loads(read_zip(body)["deployment.json"])
    return found
