"""Roles and policies."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from tests.support.providers import (
    ACCOUNT,
    REGION,
    client_of,
    create_resource,
    delete_resource,
    make_role_resource,
    provider_of,
    stack_context,
    update_resource,
)

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ALLOW: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}],
}
LIST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"}],
}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def test_a_role_gets_its_policies_and_loses_them(cloud: Cloud) -> None:
    old = {
        "RoleName": "builder",
        "Path": "/service-role/",
        "AssumeRolePolicyDocument": TRUST,
        "ManagedPolicyArns": [READ_ONLY],
        "Policies": [{"PolicyName": "read", "PolicyDocument": ALLOW}],
        "MaxSessionDuration": "7200",
    }
    made = create_resource(cloud, "AWS::IAM::Role", old)
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    assert made.attributes["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/service-role/builder"
    assert [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName="builder")["AttachedPolicies"]] == [
        READ_ONLY
    ]
    assert iam.get_role_policy(RoleName="builder", PolicyName="read")["PolicyDocument"] == ALLOW
    role = iam.get_role(RoleName="builder")["Role"]
    assert (role["MaxSessionDuration"], role["Tags"]) == (7200, [{"Key": "project", "Value": "shop"}])
    new = {"RoleName": "builder", "Path": "/service-role/", "AssumeRolePolicyDocument": TRUST, "Description": "d"}
    update_resource(cloud, "AWS::IAM::Role", "builder", old, new)
    assert iam.list_attached_role_policies(RoleName="builder")["AttachedPolicies"] == []
    assert iam.list_role_policies(RoleName="builder")["PolicyNames"] == []
    role = iam.get_role(RoleName="builder")["Role"]
    assert (role["MaxSessionDuration"], role["Description"]) == (3600, "d")
    delete_resource(cloud, "AWS::IAM::Role", "builder", new)
    assert iam.list_roles()["Roles"] == []


def test_a_role_with_a_policy_from_elsewhere_is_not_deleted(cloud: Cloud) -> None:
    properties = {"AssumeRolePolicyDocument": TRUST}
    made = create_resource(cloud, "AWS::IAM::Role", properties)
    assert made.physical_id.startswith("shop-Thing-")
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    iam.attach_role_policy(RoleName=made.physical_id, PolicyArn=READ_ONLY)
    with pytest.raises(ClientError, match="DeleteConflict"):
        provider_of("AWS::IAM::Role").delete(stack_context(cloud), made.physical_id, properties)


def test_a_role_whose_policy_does_not_exist_leaves_nothing_behind(cloud: Cloud) -> None:
    wrong = {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": ["arn:aws:iam::aws:policy/Nonesuch"]}
    with pytest.raises(ClientError, match="Nonesuch"):
        create_resource(cloud, "AWS::IAM::Role", wrong)
    assert cloud.root(ACCOUNT, REGION).client("iam").list_roles()["Roles"] == []


def test_a_managed_policy_keeps_at_most_five_versions(cloud: Cloud) -> None:
    create_resource(cloud, "AWS::IAM::Role", {"RoleName": "builder", "AssumeRolePolicyDocument": TRUST})
    old: dict[str, Any] = {"ManagedPolicyName": "p", "PolicyDocument": ALLOW, "Roles": ["builder"]}
    arn = create_resource(cloud, "AWS::IAM::ManagedPolicy", old).physical_id
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    for number in range(6):
        statement = {**ALLOW["Statement"][0], "Sid": f"S{number}"}
        new = {**old, "PolicyDocument": {**ALLOW, "Statement": [statement]}}
        update_resource(cloud, "AWS::IAM::ManagedPolicy", arn, old, new)
        old = new
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert len(versions) == 5
    current = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=current)["PolicyVersion"]["Document"]
    assert document["Statement"][0]["Sid"] == "S5"
    assert iam.list_attached_role_policies(RoleName="builder")["AttachedPolicies"][0]["PolicyArn"] == arn
    delete_resource(cloud, "AWS::IAM::ManagedPolicy", arn, old)
    assert iam.list_attached_role_policies(RoleName="builder")["AttachedPolicies"] == []


@pytest.mark.parametrize("type_name", ["AWS::IAM::Policy", "AWS::IAM::RolePolicy"])
def test_an_inline_policy_is_put_changed_and_deleted(cloud: Cloud, type_name: str) -> None:
    create_resource(cloud, "AWS::IAM::Role", {"RoleName": "builder", "AssumeRolePolicyDocument": TRUST})
    where = {"Roles": ["builder"]} if type_name == "AWS::IAM::Policy" else {"RoleName": "builder"}
    old = {"PolicyName": "p", "PolicyDocument": ALLOW, **where}
    made = create_resource(cloud, type_name, old)
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    assert iam.get_role_policy(RoleName="builder", PolicyName="p")["PolicyDocument"] == ALLOW
    new = {**old, "PolicyDocument": LIST}
    assert update_resource(cloud, type_name, made.physical_id, old, new).physical_id == made.physical_id
    assert iam.get_role_policy(RoleName="builder", PolicyName="p")["PolicyDocument"] == LIST
    delete_resource(cloud, type_name, made.physical_id, new)
    assert iam.list_role_policies(RoleName="builder")["PolicyNames"] == []


def test_a_group_changes_its_policies(cloud: Cloud) -> None:
    read = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    old = {"GroupName": "team", "ManagedPolicyArns": [read], "Policies": [{"PolicyName": "p", "PolicyDocument": allow}]}
    made = create_resource(cloud, "AWS::IAM::Group", old)
    iam = client_of(cloud, "iam")
    assert made.attributes["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/team"
    assert iam.list_attached_group_policies(GroupName="team")["AttachedPolicies"][0]["PolicyArn"] == read
    assert iam.list_group_policies(GroupName="team")["PolicyNames"] == ["p"]
    update_resource(cloud, "AWS::IAM::Group", "team", old, {"GroupName": "team"})
    assert iam.list_attached_group_policies(GroupName="team")["AttachedPolicies"] == []
    assert iam.list_group_policies(GroupName="team")["PolicyNames"] == []
    delete_resource(cloud, "AWS::IAM::Group", "team", {"GroupName": "team"})
    assert iam.list_groups()["Groups"] == []


def test_an_instance_profile_holds_one_role(cloud: Cloud) -> None:
    for name in ("one", "two"):
        make_role_resource(cloud, name, "ec2.amazonaws.com")
    old = {"InstanceProfileName": "servers", "Roles": ["one"]}
    made = create_resource(cloud, "AWS::IAM::InstanceProfile", old)
    iam = client_of(cloud, "iam")
    assert made.attributes["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/servers"
    update_resource(cloud, "AWS::IAM::InstanceProfile", "servers", old, {**old, "Roles": ["two"]})
    profile = iam.get_instance_profile(InstanceProfileName="servers")["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["two"]
    delete_resource(cloud, "AWS::IAM::InstanceProfile", "servers", {**old, "Roles": ["two"]})
    assert iam.list_instance_profiles()["InstanceProfiles"] == []
