"""Keys and their aliases."""

from __future__ import annotations

import json

from localaws.cloud import Cloud
from tests.support.providers import ACCOUNT, REGION, create_resource, delete_resource, update_resource


def test_a_key_rotates_and_its_deletion_is_scheduled(cloud: Cloud) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
    old = {"KeyPolicy": policy, "EnableKeyRotation": True, "PendingWindowInDays": 7, "Description": "models"}
    made = create_resource(cloud, "AWS::KMS::Key", old)
    kms = cloud.root(ACCOUNT, REGION).client("kms")
    assert made.attributes["Arn"].endswith(f"key/{made.physical_id}")
    assert kms.get_key_rotation_status(KeyId=made.physical_id)["KeyRotationEnabled"]
    assert json.loads(kms.get_key_policy(KeyId=made.physical_id, PolicyName="default")["Policy"]) == policy
    alias = create_resource(cloud, "AWS::KMS::Alias", {"AliasName": "alias/models", "TargetKeyId": made.physical_id})
    assert kms.describe_key(KeyId="alias/models")["KeyMetadata"]["KeyId"] == made.physical_id
    update_resource(
        cloud, "AWS::KMS::Key", made.physical_id, old, {**old, "EnableKeyRotation": False, "Enabled": False}
    )
    assert not kms.get_key_rotation_status(KeyId=made.physical_id)["KeyRotationEnabled"]
    delete_resource(cloud, "AWS::KMS::Alias", alias.physical_id, {})
    delete_resource(cloud, "AWS::KMS::Key", made.physical_id, old)
    assert kms.describe_key(KeyId=made.physical_id)["KeyMetadata"]["KeyState"] == "PendingDeletion"
