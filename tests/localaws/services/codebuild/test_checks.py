"""Projects of CodeBuild: which are refused, and what is kept of the others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Session
from tests.support.codebuild_setting import ACCOUNT, IMAGE, REGION, build, project

LAMBDA = {
    "type": "LINUX_LAMBDA_CONTAINER",
    "image": "aws/codebuild/amazonlinux-x86_64-lambda-standard:python3.13",
    "computeType": "BUILD_LAMBDA_2GB",
}


def environment(**changes: Any) -> dict[str, Any]:
    return {"environment": {**project()["environment"], **changes}}


def on_lambda(**changes: Any) -> dict[str, Any]:
    return environment(**LAMBDA, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "with space"}, "at 'name' failed to satisfy constraint"),
        (environment(image="aws/codebuild/amazonlinux-x86_64-standard:5.9"), "CodeBuild has no image"),
        (environment(image="aws/codebuild/amazonlinux-aarch64-standard:3.0"), "does not run in environment type"),
        (environment(imagePullCredentialsType="SERVICE_ROLE"), "curated image"),
        (environment(image="not an image"), "Invalid image"),
        (environment(computeType="BUILD_GENERAL1_TINY"), "BUILD_GENERAL1_TINY' at 'environment.computeType'"),
        (environment(type="LINUX"), "LINUX' at 'environment.type'"),
        (environment(type="LINUX_LAMBDA_CONTAINER"), "Compute type BUILD_GENERAL1_SMALL is not available"),
        (environment(**{**LAMBDA, "image": IMAGE}), "does not run in environment type LINUX_LAMBDA_CONTAINER"),
        (environment(image=LAMBDA["image"]), "does not run in environment type LINUX_CONTAINER"),
        (on_lambda(privilegedMode=True), "Cannot specify privilegedMode for lambda compute"),
        ({**on_lambda(), "timeoutInMinutes": 15}, "Cannot specify timeoutInMinutes for lambda compute"),
        ({**on_lambda(), "queuedTimeoutInMinutes": 30}, "Cannot specify queuedTimeoutInMinutes for lambda compute"),
        ({**on_lambda(), "cache": {"type": "LOCAL"}}, "Cannot specify cache for lambda compute"),
        (environment(type="WINDOWS_CONTAINER"), "Not supported by the embedded AWS"),
        (environment(environmentVariables=[{"name": "CODEBUILD_A", "value": ""}]), "reserved"),
        (environment(environmentVariables=[{"name": "A", "value": ""}] * 2), "Duplicate environment variable"),
        ({"source": {"type": "NO_SOURCE", "buildspec": "buildspec.yml"}}, "inline"),
        ({"source": {"type": "S3", "location": "bucket"}}, "bucket/key"),
        ({"source": {"type": "GITHUB", "location": "https://x"}}, "Not supported by the embedded AWS"),
        ({"source": {"type": "CODEPIPELINE"}}, "both be of type CODEPIPELINE"),
        ({"artifacts": {"type": "S3", "name": "x"}}, "location"),
        ({"timeoutInMinutes": 3000}, "less than or equal to 2160"),
        ({"vpcConfig": {"vpcId": "vpc-1"}}, "Not supported by the embedded AWS: a CodeBuild project with vpcConfig"),
        ({"serviceRole": f"arn:aws:iam::{ACCOUNT}:role/absent"}, "not authorized to perform: sts:AssumeRole"),
    ],
)
def test_a_wrong_project_is_refused(root: Session, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        root.client("codebuild").create_project(**project(**changes))
    assert root.client("codebuild").list_projects()["projects"] == []


@pytest.mark.parametrize(
    "image",
    [
        "aws/codebuild/amazonlinux2-x86_64-standard:5.0",
        "aws/codebuild/standard:7.0-24.10.29",
        "aws/codebuild/standard:4.0",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/tools:1.2",
        "public.ecr.aws/docker/library/python:3.12",
    ],
)
def test_known_images_are_accepted(root: Session, image: str) -> None:
    codebuild = root.client("codebuild")
    codebuild.create_project(**project(**environment(image=image)))
    [made] = codebuild.batch_get_projects(names=codebuild.list_projects()["projects"])["projects"]
    assert made["environment"]["image"] == image


def test_projects_are_updated_listed_and_deleted(root: Session) -> None:
    codebuild = root.client("codebuild")
    codebuild.create_project(**project(tags=[{"key": "k", "value": "v"}]))
    with pytest.raises(ClientError, match="ResourceAlreadyExistsException"):
        codebuild.create_project(**project())
    codebuild.update_project(name="maker", timeoutInMinutes=30)
    answer = codebuild.batch_get_projects(names=["maker", "other"])
    assert answer["projects"][0]["timeoutInMinutes"] == 30
    assert answer["projects"][0]["tags"] == [{"key": "k", "value": "v"}]
    assert answer["projects"][0]["encryptionKey"] == f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/s3"
    assert answer["projectsNotFound"] == ["other"]
    codebuild.delete_project(name="maker")
    codebuild.delete_project(name="maker")
    assert codebuild.list_projects()["projects"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        codebuild.start_build(projectName="maker")


def test_lambda_compute_has_times_of_its_own_and_is_not_in_every_region(root: Session) -> None:
    codebuild = root.client("codebuild")
    codebuild.create_project(**project(timeoutInMinutes=30))
    made = codebuild.update_project(name="maker", **on_lambda())["project"]
    assert (made["timeoutInMinutes"], made["queuedTimeoutInMinutes"]) == (15, 480)
    with pytest.raises(ClientError, match="Cannot specify timeoutInMinutes for lambda compute"):
        codebuild.start_build(projectName="maker", timeoutInMinutesOverride=20)
    elsewhere = root.client("codebuild", "eu-west-2")
    with pytest.raises(ClientError, match="LINUX_LAMBDA_CONTAINER is not available in eu-west-2"):
        elsewhere.create_project(**project(**on_lambda()))


def test_a_build_on_lambda_compute_has_what_its_image_has(root: Session) -> None:
    commands = ["python3 -c 'import boto3'", "command -v python3.13"]
    done = build(root, json.dumps({"version": 0.2, "phases": {"build": {"commands": commands}}}), **on_lambda())
    assert done["buildStatus"] == "SUCCEEDED"
    assert done["timeoutInMinutes"] == 15
    for phases, said in (
        (
            "build: {on-failure: ABORT, commands: ['true']}",
            "on-failure in phases/build is not supported",
        ),
        (
            "install: {runtime-versions: {python: 3.13}}",
            "Not supported by the embedded AWS: runtime-versions",
        ),
    ):
        root.client("codebuild").delete_project(name="maker")
        failed = build(root, f"version: 0.2\nphases:\n  {phases}\n", **on_lambda())
        assert said in failed["phases"][3]["contexts"][0]["message"]
