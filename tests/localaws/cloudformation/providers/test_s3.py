"""Buckets and their policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation.provider import ResourceFailed
from tests.support.providers import (
    ACCOUNT,
    REGION,
    create_resource,
    delete_resource,
    provider_of,
    stack_context,
    update_resource,
)

ALLOW: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}],
}


BUCKET: dict[str, Any] = {
    "BucketName": "shop-models",
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [
            {
                "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/x"},
                "BucketKeyEnabled": True,
            }
        ]
    },
    "VersioningConfiguration": {"Status": "Enabled"},
    "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": "true",
    },
    "LifecycleConfiguration": {
        "Rules": [
            {
                "Id": "old",
                "Status": "Enabled",
                "ExpirationInDays": 30,
                "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": "3"},
            }
        ]
    },
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "CorsConfiguration": {
        "CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://*.sagemaker.aws"], "MaxAge": 60}]
    },
    "Tags": [{"Key": "team", "Value": "ml"}],
}


def test_a_bucket_has_every_setting_that_its_template_gives(cloud: Cloud) -> None:
    made = create_resource(cloud, "AWS::S3::Bucket", BUCKET)
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    assert made.attributes["Arn"] == "arn:aws:s3:::shop-models"
    rule = s3.get_bucket_encryption(Bucket="shop-models")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert s3.get_bucket_versioning(Bucket="shop-models")["Status"] == "Enabled"
    block = s3.get_public_access_block(Bucket="shop-models")["PublicAccessBlockConfiguration"]
    assert all(block.values())
    lifecycle = s3.get_bucket_lifecycle_configuration(Bucket="shop-models")["Rules"][0]
    assert lifecycle["Expiration"]["Days"] == 30
    assert lifecycle["NoncurrentVersionExpiration"]["NoncurrentDays"] == 7
    assert s3.get_bucket_cors(Bucket="shop-models")["CORSRules"][0]["MaxAgeSeconds"] == 60
    tags = {t["Key"]: t["Value"] for t in s3.get_bucket_tagging(Bucket="shop-models")["TagSet"]}
    assert tags == {"project": "shop", "team": "ml"}
    assert s3.get_bucket_location(Bucket="shop-models")["LocationConstraint"] == REGION


def test_a_bucket_changes_in_place_and_loses_what_its_template_lost(cloud: Cloud) -> None:
    create_resource(cloud, "AWS::S3::Bucket", BUCKET)
    new = {"BucketName": "shop-models", "PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}
    update_resource(cloud, "AWS::S3::Bucket", "shop-models", BUCKET, new)
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    assert s3.get_bucket_versioning(Bucket="shop-models")["Status"] == "Suspended"
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket="shop-models")
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        s3.get_bucket_cors(Bucket="shop-models")
    tags = {t["Key"]: t["Value"] for t in s3.get_bucket_tagging(Bucket="shop-models")["TagSet"]}
    assert tags == {"project": "shop"}


def test_a_bucket_with_objects_is_not_deleted(cloud: Cloud) -> None:
    given = {"BucketName": "shop-models", "VersioningConfiguration": {"Status": "Enabled"}}
    made = create_resource(cloud, "AWS::S3::Bucket", given)
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    s3.put_object(Bucket="shop-models", Key="a", Body=b"1")
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        provider_of("AWS::S3::Bucket").delete(stack_context(cloud), made.physical_id, given)
    s3.delete_object(Bucket="shop-models", Key="a")  # leaves a version and a delete marker
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        provider_of("AWS::S3::Bucket").delete(stack_context(cloud), made.physical_id, given)
    for kind in ("Versions", "DeleteMarkers"):
        for found in s3.list_object_versions(Bucket="shop-models").get(kind, []):
            s3.delete_object(Bucket="shop-models", Key=found["Key"], VersionId=found["VersionId"])
    delete_resource(cloud, "AWS::S3::Bucket", made.physical_id, given)
    assert s3.list_buckets()["Buckets"] == []


def test_a_bucket_that_exists_is_not_taken_over(cloud: Cloud) -> None:
    east = stack_context(cloud, region="us-east-1", session=cloud.root(ACCOUNT, "us-east-1"))
    east.client("s3").create_bucket(Bucket="mine")
    with pytest.raises(ResourceFailed, match="mine already exists"):
        provider_of("AWS::S3::Bucket").create(east, {"BucketName": "mine"})


def test_a_bucket_that_cannot_be_finished_is_taken_away(cloud: Cloud) -> None:
    wrong = {"BucketName": "shop-x", "LoggingConfiguration": {"DestinationBucketName": "nowhere"}}
    with pytest.raises(ClientError, match="target bucket for logging does not exist"):
        create_resource(cloud, "AWS::S3::Bucket", wrong)
    assert cloud.root(ACCOUNT, REGION).client("s3").list_buckets()["Buckets"] == []


def test_a_bucket_has_one_policy_resource(cloud: Cloud) -> None:
    create_resource(cloud, "AWS::S3::Bucket", {"BucketName": "shop-b"})
    policy = {
        "Bucket": "shop-b",
        "PolicyDocument": {
            **ALLOW,
            "Statement": [
                {**ALLOW["Statement"][0], "Principal": {"AWS": ACCOUNT}, "Resource": "arn:aws:s3:::shop-b/*"}
            ],
        },
    }
    made = create_resource(cloud, "AWS::S3::BucketPolicy", policy)
    with pytest.raises(ResourceFailed, match="already exists on bucket shop-b"):
        create_resource(cloud, "AWS::S3::BucketPolicy", policy)
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    assert json.loads(s3.get_bucket_policy(Bucket="shop-b")["Policy"]) == policy["PolicyDocument"]
    delete_resource(cloud, "AWS::S3::BucketPolicy", made.physical_id, policy)
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="shop-b")
