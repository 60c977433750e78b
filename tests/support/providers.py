"""Resource providers called as a stack calls them, without a stack."""

from __future__ import annotations

from typing import Any

from localaws.cloud import Cloud
from localaws.cloudformation.provider import Context, Made, Provider, provider_for

ACCOUNT, REGION = "111111111111", "eu-west-1"


def stack_context(cloud: Cloud, logical_id: str = "Thing", **changed: Any) -> Context:
    given: dict[str, Any] = {
        "session": cloud.root(ACCOUNT, REGION),
        "cloud": cloud,
        "account": ACCOUNT,
        "region": REGION,
        "stack_id": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop/1",
        "stack_name": "shop",
        "logical_id": logical_id,
        "tags": {"project": "shop", "aws:cloudformation:stack-name": "shop"},
        "token": "t1",
    }
    return Context(**{**given, **changed})


def provider_of(type_name: str) -> Provider:
    found = provider_for(type_name)
    assert found, f"{type_name} is not supported"
    return found


def create_resource(cloud: Cloud, type_name: str, properties: dict[str, Any]) -> Made:
    return provider_of(type_name).create(stack_context(cloud), properties)


def update_resource(cloud: Cloud, type_name: str, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
    return provider_of(type_name).update(stack_context(cloud), physical_id, old, new)


def delete_resource(cloud: Cloud, type_name: str, physical_id: str, properties: dict[str, Any]) -> None:
    """Twice: a resource that is gone already is no error."""
    provider_of(type_name).delete(stack_context(cloud), physical_id, properties)
    provider_of(type_name).delete(stack_context(cloud), physical_id, properties)


def client_of(cloud: Cloud, service: str) -> Any:
    return cloud.root(ACCOUNT, REGION).client(service)


def make_role_resource(cloud: Cloud, name: str, service: str, actions: str = "*") -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    given = {
        "RoleName": name,
        "AssumeRolePolicyDocument": trust,
        "Policies": [{"PolicyName": "all", "PolicyDocument": allow}],
    }
    return str(create_resource(cloud, "AWS::IAM::Role", given).attributes["Arn"])


def build_project(role_arn: str) -> dict[str, Any]:
    return {
        "Name": "sagemaker-p-build",
        "ServiceRole": role_arn,
        "Artifacts": {"Type": "CODEPIPELINE"},
        "Environment": {
            "Type": "LINUX_CONTAINER",
            "ComputeType": "BUILD_GENERAL1_SMALL",
            "Image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
            "EnvironmentVariables": [{"Name": "STAGE", "Value": "staging"}],
        },
        "Source": {"Type": "CODEPIPELINE", "BuildSpec": "buildspec.yml"},
        "TimeoutInMinutes": "30",
    }
