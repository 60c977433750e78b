"""Repositories and the code that they begin with."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation.provider import ResourceFailed
from tests.support.providers import ACCOUNT, REGION, client_of, create_resource, delete_resource
from tests.support.zips import zip_of


def seed(cloud: Cloud, files: dict[str, bytes]) -> dict[str, Any]:
    create_resource(cloud, "AWS::S3::Bucket", {"BucketName": "sagemaker-seeds"})
    client_of(cloud, "s3").put_object(Bucket="sagemaker-seeds", Key="seed.zip", Body=zip_of(files))
    return {"S3": {"Bucket": "sagemaker-seeds", "Key": "seed.zip"}, "BranchName": "main"}


def test_a_repository_begins_with_its_seed_code(cloud: Cloud) -> None:
    files = {f"src/{number}.txt": str(number).encode() for number in range(120)} | {"buildspec.yml": b"version: 0.2\n"}
    given = {"RepositoryName": "sagemaker-r", "Code": seed(cloud, files), "RepositoryDescription": "d"}
    made = create_resource(cloud, "AWS::CodeCommit::Repository", given)
    codecommit = client_of(cloud, "codecommit")
    assert made.attributes["Name"] == "sagemaker-r"
    assert made.attributes["Arn"] == f"arn:aws:codecommit:{REGION}:{ACCOUNT}:sagemaker-r"
    for path in ("buildspec.yml", "src/119.txt"):
        got = codecommit.get_file(repositoryName="sagemaker-r", filePath=path, commitSpecifier="main")["fileContent"]
        assert got == files[path]
    delete_resource(cloud, "AWS::CodeCommit::Repository", made.physical_id, given)
    with pytest.raises(ClientError, match="RepositoryDoesNotExist"):
        codecommit.get_repository(repositoryName="sagemaker-r")


def test_seed_code_that_is_no_zip_fails_and_leaves_no_repository(cloud: Cloud) -> None:
    code = seed(cloud, {"a": b"1"})
    client_of(cloud, "s3").put_object(Bucket="sagemaker-seeds", Key="seed.zip", Body=b"not a zip")
    with pytest.raises(ResourceFailed, match="is not a zip file"):
        create_resource(cloud, "AWS::CodeCommit::Repository", {"RepositoryName": "r", "Code": code})
    assert client_of(cloud, "codecommit").list_repositories()["repositories"] == []
