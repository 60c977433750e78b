"""IAM on the embedded AWS: what moto lacks, and simulations by the evaluator that decides requests."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud

ACCOUNT = "111111111111"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/worker"
BUCKET = "arn:aws:s3:::data"


def statement(effect: str, action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def iam(cloud: Cloud) -> Any:
    """A role that may read the bucket over TLS, ask SageMaker everything, and delete nothing."""
    client = cloud.root(ACCOUNT, "us-east-1").client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    client.create_role(RoleName="worker", Path="/service-role/", AssumeRolePolicyDocument=document(trust))
    tls = {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    policy = document(
        statement("Allow", "s3:GetObject", f"{BUCKET}/*", **tls),
        statement("Allow", "sagemaker:*"),
        statement("Deny", "sagemaker:Delete*"),
    )
    client.put_role_policy(RoleName="worker", PolicyName="work", PolicyDocument=policy)
    return client


def simulate(iam: Any, *actions: str, **more: Any) -> dict[str, dict[str, Any]]:
    found = iam.simulate_principal_policy(PolicySourceArn=ROLE, ActionNames=list(actions), **more)
    return {result["EvalActionName"]: result for result in found["EvaluationResults"]}


def test_a_simulation_answers_as_the_request_would_be_decided(iam: Any) -> None:
    found = simulate(iam, "sagemaker:ListModels", "sagemaker:DeleteModel", "ec2:DescribeVpcs")
    decisions = {action: result["EvalDecision"] for action, result in found.items()}
    assert decisions == {
        "sagemaker:ListModels": "allowed",
        "sagemaker:DeleteModel": "explicitDeny",
        "ec2:DescribeVpcs": "implicitDeny",
    }
    matched = [{"SourcePolicyId": "work", "SourcePolicyType": "role"}]
    assert found["sagemaker:ListModels"]["MatchedStatements"] == matched
    assert found["sagemaker:DeleteModel"]["MatchedStatements"] == matched
    assert "OrganizationsDecisionDetail" not in found["sagemaker:ListModels"]


def test_a_simulation_without_resources_asks_for_all_of_them(iam: Any) -> None:
    """IAM API Reference, SimulatePrincipalPolicy: ResourceArns defaults to *. A statement on one does not cover it."""
    tls = {"ContextKeyName": "aws:SecureTransport", "ContextKeyValues": ["true"], "ContextKeyType": "boolean"}
    assert simulate(iam, "s3:GetObject", ContextEntries=[tls])["s3:GetObject"]["EvalDecision"] == "implicitDeny"
    one = simulate(iam, "s3:GetObject", ResourceArns=[f"{BUCKET}/a"], ContextEntries=[tls])["s3:GetObject"]
    assert (one["EvalDecision"], one["EvalResourceName"], one["MissingContextValues"]) == ("allowed", f"{BUCKET}/a", [])


def test_a_simulation_names_the_condition_keys_that_it_was_not_given(iam: Any) -> None:
    found = simulate(iam, "s3:GetObject", ResourceArns=[f"{BUCKET}/a"])["s3:GetObject"]
    assert (found["EvalDecision"], found["MissingContextValues"]) == ("implicitDeny", ["aws:SecureTransport"])


def test_a_boundary_limits_what_a_simulation_allows(iam: Any) -> None:
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=document(statement("Allow", "s3:*")))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="worker", PermissionsBoundary=limit)
    found = simulate(iam, "sagemaker:ListModels")["sagemaker:ListModels"]
    assert found["EvalDecision"] == "implicitDeny"
    assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_a_service_control_policy_limits_what_a_simulation_allows(cloud: Cloud, iam: Any) -> None:
    organizations = cloud.root("999999999999", "us-east-1").client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    account = organizations.create_account(AccountName="a", Email="a@example.com")["CreateAccountStatus"]["AccountId"]
    policy = organizations.create_policy(
        Name="none", Description="", Type="SERVICE_CONTROL_POLICY", Content=document(statement("Deny", "sagemaker:*"))
    )["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=policy, TargetId=account)
    member = cloud.root(account, "us-east-1").client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    arn = member.create_role(RoleName="worker", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    member.put_role_policy(RoleName="worker", PolicyName="all", PolicyDocument=document(statement("Allow", "*")))
    found = member.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["sagemaker:ListModels", "s3:ListBucket"])
    decided = [
        (result["EvalDecision"], result["OrganizationsDecisionDetail"]["AllowedByOrganizations"])
        for result in found["EvaluationResults"]
    ]
    assert decided == [("explicitDeny", False), ("allowed", True)]


def test_a_simulation_of_many_actions_comes_in_pages(iam: Any) -> None:
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=ROLE, ActionNames=["sagemaker:ListModels", "s3:GetObject", "ec2:DescribeVpcs"], MaxItems=2
    )
    assert [len(page["EvaluationResults"]) for page in pages] == [2, 1]


def test_a_simulation_of_what_is_not_there_or_not_supported_is_refused(iam: Any) -> None:
    with pytest.raises(ClientError, match=r"NoSuchEntity.*role with name absent"):
        iam.simulate_principal_policy(PolicySourceArn=ROLE.replace("worker", "absent"), ActionNames=["s3:GetObject"])
    with pytest.raises(
        ClientError, match=r"Not supported by the embedded AWS: SimulatePrincipalPolicy for .*:group/all"
    ):
        iam.simulate_principal_policy(PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:group/all", ActionNames=["s3:GetObject"])
    with pytest.raises(ClientError, match="Not supported by the embedded AWS: SimulatePrincipalPolicy with CallerArn"):
        simulate(iam, "s3:GetObject", CallerArn=f"arn:aws:iam::{ACCOUNT}:user/me")
    with pytest.raises(ClientError, match="InvalidInput"):
        simulate(iam, "GetObject")


def test_who_may_not_simulate_is_refused(cloud: Cloud, iam: Any) -> None:
    iam.create_user(UserName="ada")
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    user = boto3.client(
        "iam",
        region_name="us-east-1",
        endpoint_url=cloud.endpoint,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    with pytest.raises(ClientError, match=r"AccessDenied.*iam:SimulatePrincipalPolicy"):
        simulate(user, "s3:GetObject")
