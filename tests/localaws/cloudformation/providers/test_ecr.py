"""Image repositories."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.providers import ACCOUNT, REGION, create_resource, delete_resource, update_resource


def test_an_image_repository_is_made_changed_and_deleted(cloud: Cloud) -> None:
    pull = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "ecr:BatchGetImage"}
    rule = {"rulePriority": 1, "action": {"type": "expire"},
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5}}  # fmt: skip
    old = {
        "RepositoryName": "shop/model",
        "ImageTagMutability": "IMMUTABLE",
        "RepositoryPolicyText": {"Version": "2012-10-17", "Statement": [pull]},
        "LifecyclePolicy": {"LifecyclePolicyText": json.dumps({"rules": [rule]})},
    }
    made = create_resource(cloud, "AWS::ECR::Repository", old)
    assert made.attributes["RepositoryUri"] == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/model"
    ecr = cloud.root(ACCOUNT, REGION).client("ecr")
    [shown] = ecr.describe_repositories(repositoryNames=["shop/model"])["repositories"]
    assert (shown["imageTagMutability"], shown["repositoryArn"]) == ("IMMUTABLE", made.attributes["Arn"])
    assert "BatchGetImage" in ecr.get_repository_policy(repositoryName="shop/model")["policyText"]
    new = {"RepositoryName": "shop/model", "ImageScanningConfiguration": {"ScanOnPush": "true"}}
    update_resource(cloud, "AWS::ECR::Repository", made.physical_id, old, new)
    [shown] = ecr.describe_repositories(repositoryNames=["shop/model"])["repositories"]
    assert (shown["imageTagMutability"], shown["imageScanningConfiguration"]["scanOnPush"]) == ("MUTABLE", True)
    with pytest.raises(ClientError, match="LifecyclePolicyNotFound"):
        ecr.get_lifecycle_policy(repositoryName="shop/model")
    delete_resource(cloud, "AWS::ECR::Repository", made.physical_id, new)
