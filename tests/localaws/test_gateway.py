"""The front door: who asks, what is asked, and what is not supported."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud

A, B, REGION = "111111111111", "222222222222", "us-east-1"


def test_each_account_has_its_own_state(cloud: Cloud) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    cloud.root(A, REGION).client("iam").create_role(RoleName="mine", AssumeRolePolicyDocument=document)
    assert [r["RoleName"] for r in cloud.root(A, REGION).client("iam").list_roles()["Roles"]] == ["mine"]
    assert cloud.root(B, REGION).client("iam").list_roles()["Roles"] == []


def test_an_operation_that_is_not_supported_is_an_error(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="Not supported by the embedded AWS: ec2:DescribeInstances"):
        cloud.root(A, REGION).client("ec2").describe_instances()


def test_a_role_that_does_not_exist_cannot_be_assumed(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        cloud.root(A, REGION).client("sts").assume_role(RoleArn=f"arn:aws:iam::{B}:role/none", RoleSessionName="me")


def test_an_object_keeps_its_name_metadata_and_bytes(cloud: Cloud) -> None:
    s3 = cloud.root(A, REGION).client("s3")
    s3.create_bucket(Bucket="sagemaker-x")
    s3.put_object(Bucket="sagemaker-x", Key="a b/ü+c.txt", Body=b"\x00\xff" * 5000, Metadata={"a_b": "c"})
    found = s3.get_object(Bucket="sagemaker-x", Key="a b/ü+c.txt")
    assert found["Body"].read() == b"\x00\xff" * 5000
    assert found["Metadata"] == {"a_b": "c"}
    assert s3.head_object(Bucket="sagemaker-x", Key="a b/ü+c.txt")["ContentLength"] == 10000


def test_every_request_is_recorded_with_its_principal(cloud: Cloud) -> None:
    cloud.root(A, REGION).client("sts").get_caller_identity()
    lines = [json.loads(line) for line in (cloud.folder / "requests.jsonl").read_text().splitlines()]
    assert (lines[-1]["operation"], lines[-1]["principal"]) == ("GetCallerIdentity", f"arn:aws:iam::{A}:root")
