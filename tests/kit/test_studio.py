"""`make accounts` from nothing: AWS's roles for projects, the Studio domain and its users."""

from __future__ import annotations

import json

import pytest

from awslang.policy.document import parse
from scripts.kit.names import OTHERS_POLICY, STUDIO_ROLE, STUDIO_STACK, user_stack
from scripts.kit.stacks import project_roles
from scripts.kit.stacks.project_roles import PATH, PREFIX, ROLES, USE_ROLE
from scripts.rehearsal import setting as people
from tests.support.rehearsed_organization import RehearsedOrganization

# "Granting SageMaker Studio Permissions Required to Use Projects": "the complete list of roles".
LISTED = """Launch Use ApiGateway Cloudformation CodeBuild CodePipeline Events Firehose Glue Lambda Execution"""


def test_an_account_gets_the_roles_that_awss_page_lists_the_domain_and_its_users(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    account = people.DATA_SCIENCE
    iam, sagemaker = organization.client(account, "iam"), organization.client(account, "sagemaker")
    events = f"{PREFIX}EventsRole"
    theirs = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [theirs]})
    iam.create_role(RoleName=events, Path=PATH, AssumeRolePolicyDocument=document, Description="theirs")
    iam.put_role_policy(RoleName=events, PolicyName="theirs", PolicyDocument=project_roles.use_policy("aws"))
    iam.create_role(RoleName=f"{PREFIX}GlueRole", Path=PATH, AssumeRolePolicyDocument=document)  # interrupted
    organization.edit("users: [ada]", "users: [ada, grace]")
    organization.edit("tester_external_id", "tags: {cost-center: '1234'}\ntester_external_id")
    assert organization() == 0
    assert f"create roles         10 roles {PREFIX}…Role in {account}" in capsys.readouterr().err
    made = {role["RoleName"]: role for role in iam.list_roles(PathPrefix=PATH)["Roles"]}
    assert {f"{PREFIX}{kind}Role" for kind in LISTED.split()} == {role.name for role in ROLES} <= set(made)
    assert made[events]["Description"] == "theirs"
    for role in ROLES:
        attached = iam.list_attached_role_policies(RoleName=role.name)["AttachedPolicies"]
        expected = set() if role.name == events else {role.policy.rsplit("/", 1)[-1] or f"{USE_ROLE}Policy"}
        limited = set() if role.name.endswith("LaunchRole") else {OTHERS_POLICY}
        assert {policy["PolicyName"] for policy in attached} == expected | limited
    tags = iam.list_role_tags(RoleName=f"{PREFIX}LaunchRole")["Tags"]
    assert tags == [{"Key": "cost-center", "Value": "1234"}]
    assert sagemaker.get_sagemaker_servicecatalog_portfolio_status()["Status"] == "Enabled"

    [domain] = sagemaker.list_domains()["Domains"]
    settings = sagemaker.describe_domain(DomainId=domain["DomainId"])["DefaultUserSettings"]
    assert settings == {"ExecutionRole": f"arn:aws:iam::{account}:role/{STUDIO_ROLE}"}
    users = sagemaker.list_user_profiles(DomainIdEquals=domain["DomainId"])["UserProfiles"]
    assert {user["UserProfileName"] for user in users} == {"ada", "grace"}
    assert {STUDIO_STACK, user_stack("ada"), user_stack("grace")} <= set(organization.stacks(account))
    before = organization.writes()
    organization.edit("users: [ada, grace]", "users: [ada]")  # who leaves keeps the profile, and the home directory
    assert organization() == 0
    assert organization.writes() == before


def test_without_a_domain_in_the_file_none_is_made_and_with_templates_in_s3_alone_no_role(
    organization: RehearsedOrganization,
) -> None:
    iam, text = organization.client(people.DATA_SCIENCE, "iam"), organization.environment.read_text()
    start, end = text.index("  domain:\n"), text.index("catalog:\n")
    text = f"{text[:start]}  execution_roles: [Scientist]\n{text[end:]}publishing: {{to: s3}}\n"
    organization.environment.write_text(text)
    trust = people.trust(Service="sagemaker.amazonaws.com")
    iam.create_role(RoleName="Scientist", AssumeRolePolicyDocument=trust)
    assert organization() == 0
    assert STUDIO_STACK not in organization.stacks(people.DATA_SCIENCE)
    sagemaker = organization.client(people.DATA_SCIENCE, "sagemaker")
    assert sagemaker.list_domains()["Domains"] == []
    assert sagemaker.get_sagemaker_servicecatalog_portfolio_status()["Status"] == "Enabled"
    names = {role["RoleName"] for role in iam.list_roles(PathPrefix=PATH)["Roles"]}
    assert names & {role.name for role in ROLES} == set()


def test_the_use_roles_policy_is_one_and_suits_the_partition() -> None:
    document = project_roles.use_policy("aws-cn")
    assert "arn:aws:" not in document
    assert len(document) <= 6144  # characters of a managed policy (IAM User Guide, "IAM and AWS STS quotas")
    assert len(parse(document, USE_ROLE, people.DATA_SCIENCE, "identity").statements) == 19
