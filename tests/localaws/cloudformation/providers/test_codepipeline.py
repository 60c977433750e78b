"""Pipelines."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.providers import (
    ACCOUNT,
    REGION,
    build_project,
    client_of,
    create_resource,
    delete_resource,
    make_role_resource,
    update_resource,
)


def test_a_pipeline_is_made_changed_and_deleted(cloud: Cloud) -> None:
    role_arn = make_role_resource(cloud, "pipeline", "codepipeline.amazonaws.com")
    create_resource(cloud, "AWS::S3::Bucket", {"BucketName": "sagemaker-store"})
    create_resource(cloud, "AWS::CodeCommit::Repository", {"RepositoryName": "r"})
    create_resource(
        cloud, "AWS::CodeBuild::Project", build_project(make_role_resource(cloud, "build", "codebuild.amazonaws.com"))
    )

    def action(name: str, category: str, provider: str, configuration: dict[str, Any], **more: Any) -> dict[str, Any]:
        kind = {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
        return {"Name": name, "ActionTypeId": kind, "Configuration": configuration, **more}

    where = {"RepositoryName": "r", "BranchName": "main", "PollForSourceChanges": False}
    source = action("Source", "Source", "CodeCommit", where, OutputArtifacts=[{"Name": "Code"}], RunOrder="1")
    build = action(
        "Build", "Build", "CodeBuild", {"ProjectName": "sagemaker-p-build"}, InputArtifacts=[{"Name": "Code"}]
    )
    old: dict[str, Any] = {
        "Name": "sagemaker-p",
        "RoleArn": role_arn,
        "PipelineType": "V2",
        "ArtifactStore": {"Type": "S3", "Location": "sagemaker-store"},
        "Stages": [{"Name": "Source", "Actions": [source]}, {"Name": "Build", "Actions": [build]}],
        "Variables": [{"Name": "Version", "DefaultValue": "last"}],
    }
    made = create_resource(cloud, "AWS::CodePipeline::Pipeline", old)
    client = client_of(cloud, "codepipeline")
    assert made.attributes["Arn"] == f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:sagemaker-p"
    pipeline = client.get_pipeline(name="sagemaker-p")["pipeline"]
    assert pipeline["stages"][0]["actions"][0]["configuration"]["PollForSourceChanges"] == "false"
    assert pipeline["variables"] == [{"name": "Version", "defaultValue": "last"}]
    stages = [*old["Stages"][:1], {"Name": "Compile", "Actions": [build]}]
    changed = update_resource(cloud, "AWS::CodePipeline::Pipeline", "sagemaker-p", old, {**old, "Stages": stages})
    assert changed.attributes["Version"] == "2"
    assert client.get_pipeline(name="sagemaker-p")["pipeline"]["stages"][1]["name"] == "Compile"
    delete_resource(cloud, "AWS::CodePipeline::Pipeline", "sagemaker-p", old)
    with pytest.raises(ClientError, match="PipelineNotFound"):
        client.get_pipeline(name="sagemaker-p")
