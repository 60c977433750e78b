"""Model package groups and code repositories."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.providers import ACCOUNT, REGION, client_of, create_resource, delete_resource, update_resource


def test_a_model_package_group_has_its_policy(cloud: Cloud) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Targets",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sagemaker:DescribeModelPackage",
                "Resource": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/shop/*",
            }
        ],
    }
    old = {"ModelPackageGroupName": "shop", "ModelPackageGroupPolicy": policy}
    made = create_resource(cloud, "AWS::SageMaker::ModelPackageGroup", old)
    sagemaker = client_of(cloud, "sagemaker")
    assert made.physical_id.endswith("model-package-group/shop")
    got = sagemaker.get_model_package_group_policy(ModelPackageGroupName="shop")["ResourcePolicy"]
    assert json.loads(got) == policy
    update_resource(
        cloud, "AWS::SageMaker::ModelPackageGroup", made.physical_id, old, {"ModelPackageGroupName": "shop"}
    )
    with pytest.raises(ClientError, match="Cannot find"):
        sagemaker.get_model_package_group_policy(ModelPackageGroupName="shop")
    delete_resource(cloud, "AWS::SageMaker::ModelPackageGroup", made.physical_id, old)
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_a_code_repository_is_known_by_name_and_its_secret_can_be_changed(cloud: Cloud) -> None:
    kind, git = "AWS::SageMaker::CodeRepository", {"RepositoryUrl": "https://example.com/a.git", "Branch": "main"}
    made = create_resource(cloud, kind, {"CodeRepositoryName": "code", "GitConfig": git})
    assert made.attributes == {"CodeRepositoryName": "code"}
    sagemaker = client_of(cloud, "sagemaker")
    assert sagemaker.describe_code_repository(CodeRepositoryName="code")["GitConfig"] == git
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:AmazonSageMaker-git-AbCdEf"
    new = {"CodeRepositoryName": "code", "GitConfig": {**git, "SecretArn": secret}}
    update_resource(cloud, kind, made.physical_id, {"CodeRepositoryName": "code", "GitConfig": git}, new)
    (listed,) = sagemaker.list_code_repositories()["CodeRepositorySummaryList"]
    assert listed["GitConfig"]["SecretArn"] == secret
    delete_resource(cloud, kind, made.physical_id, new)
    delete_resource(cloud, kind, made.physical_id, new)
    assert sagemaker.list_code_repositories()["CodeRepositorySummaryList"] == []
