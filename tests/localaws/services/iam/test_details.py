"""GetAccountAuthorizationDetails of the embedded AWS: what decides what the principals of an account may do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud

ACCOUNT = "111111111111"
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def document(action: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


@pytest.fixture
def iam(cloud: Cloud) -> Any:
    """A user in a group, a role with a boundary and an instance profile, and a policy with two versions."""
    client = cloud.root(ACCOUNT, "us-east-1").client("iam")
    own = client.create_policy(PolicyName="own", PolicyDocument=document("s3:Get*"))["Policy"]["Arn"]
    client.create_policy_version(PolicyArn=own, PolicyDocument=document("s3:Put*"), SetAsDefault=True)
    client.create_user(UserName="anna", Tags=[{"Key": "team", "Value": "ml"}])
    client.put_user_policy(UserName="anna", PolicyName="mine", PolicyDocument=document("sns:*"))
    client.create_group(GroupName="people")
    client.attach_group_policy(GroupName="people", PolicyArn=READ_ONLY)
    client.add_user_to_group(GroupName="people", UserName="anna")
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    client.create_role(RoleName="worker", AssumeRolePolicyDocument=text, PermissionsBoundary=own)
    client.attach_role_policy(RoleName="worker", PolicyArn=own)
    client.create_instance_profile(InstanceProfileName="machine")
    client.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="worker")
    return client


def test_everything_is_shown_with_its_policies(iam: Any) -> None:
    found = iam.get_account_authorization_details()
    [user], [group] = found["UserDetailList"], found["GroupDetailList"]
    role = next(one for one in found["RoleDetailList"] if one["RoleName"] == "worker")
    assert user["UserPolicyList"] == [{"PolicyName": "mine", "PolicyDocument": json.loads(document("sns:*"))}]
    assert (user["GroupList"], user["Tags"]) == (["people"], [{"Key": "team", "Value": "ml"}])
    assert group["AttachedManagedPolicies"] == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY}]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == f"arn:aws:iam::{ACCOUNT}:policy/own"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert [one["InstanceProfileName"] for one in role["InstanceProfileList"]] == ["machine"]


def test_the_accounts_own_policies_are_shown_with_their_versions_and_of_awss_those_that_are_attached(iam: Any) -> None:
    policies = {one["PolicyName"]: one for one in iam.get_account_authorization_details()["Policies"]}
    assert set(policies) == {"own", "ReadOnlyAccess"}
    versions = {one["VersionId"]: one for one in policies["own"]["PolicyVersionList"]}
    assert policies["own"]["DefaultVersionId"] == "v2"
    assert versions["v2"]["Document"] == json.loads(document("s3:Put*"))
    assert (versions["v1"]["IsDefaultVersion"], versions["v2"]["IsDefaultVersion"]) == (False, True)
    assert (policies["own"]["AttachmentCount"], policies["ReadOnlyAccess"]["AttachmentCount"]) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "member", "names"),
    [
        ("User", "UserDetailList", {"anna"}),
        ("Group", "GroupDetailList", {"people"}),
        ("LocalManagedPolicy", "Policies", {"own"}),
        ("AWSManagedPolicy", "Policies", {"ReadOnlyAccess"}),
    ],
)
def test_a_filter_leaves_the_other_kinds_out(iam: Any, kind: str, member: str, names: set[str]) -> None:
    found = iam.get_account_authorization_details(Filter=[kind])
    assert {next(v for k, v in one.items() if k.endswith("Name")) for one in found[member]} == names
    assert [one for one in LISTS if found[one]] == [member]


def test_pages_are_as_long_as_asked_for_and_hold_everything_once(iam: Any) -> None:
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2}))
    sizes = [sum(len(page[member]) for member in LISTS) for page in pages]
    assert set(sizes[:-1]) == {2}
    arns = [one["Arn"] for page in pages for member in LISTS for one in page[member]]
    assert len(arns) == len(set(arns)) == sum(sizes)
    with pytest.raises(ClientError, match="Invalid Marker"):
        iam.get_account_authorization_details(Marker="elsewhere")
