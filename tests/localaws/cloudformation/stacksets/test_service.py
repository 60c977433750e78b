"""Stack sets: which callers may operate them, which accounts they reach, and what becomes of each instance."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation.stacksets.run import Pace, pace
from tests.support.stacksets_setting import (
    DATA,
    MANAGEMENT,
    NESTED,
    PROD,
    REGION,
    STAGING,
    TEMPLATE,
    Setting,
    create,
    finish,
    instances,
)

# -- preconditions ---------------------------------------------------------------------------------


def test_service_managed_sets_need_the_management_account_and_trusted_access(cloud: Cloud) -> None:
    setting = Setting(cloud)
    with pytest.raises(ClientError, match="must enable organizations access"):
        create(setting.management)
    assert setting.management.describe_organizations_access()["Status"] == "DISABLED"
    setting.trust()
    assert setting.management.describe_organizations_access()["Status"] == "ENABLED"
    with pytest.raises(ClientError, match="must be the management account or delegated admin account"):
        create(setting.data)
    with pytest.raises(ClientError, match="not a delegated administrator"):
        create(cloud.root(PROD, REGION).client("cloudformation"), CallAs="DELEGATED_ADMIN")
    with pytest.raises(ClientError, match="only from the management account"):
        setting.data.activate_organizations_access()


def test_a_delegate_who_may_not_ask_organizations_is_answered_as_if_it_were_none(cloud: Cloud) -> None:
    Setting(cloud).trust()
    iam = cloud.root(DATA, REGION).client("iam")
    trusted = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trusted})
    role = iam.create_role(RoleName="tests", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    client = cloud.service_role(role, "s", "codebuild.amazonaws.com", REGION).client("cloudformation")

    def allow(*actions: str) -> None:
        document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}}
        iam.put_role_policy(RoleName="tests", PolicyName="p", PolicyDocument=json.dumps(document))

    allow("cloudformation:ListStackSets")
    with pytest.raises(ClientError, match=r"not a delegated administrator .*:ListDelegatedAdmin"):
        client.list_stack_sets(CallAs="DELEGATED_ADMIN")
    assert client.list_stack_sets(CallAs="SELF")["Summaries"] == []
    allow("cloudformation:ListStackSets", "organizations:ListDelegatedAdministrators")
    assert client.list_stack_sets(CallAs="DELEGATED_ADMIN")["Summaries"] == []


def test_a_delegates_set_belongs_to_the_management_account(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    create(setting.data, CallAs="DELEGATED_ADMIN")
    shown = setting.data.describe_stack_set(StackSetName="notes", CallAs="DELEGATED_ADMIN")["StackSet"]
    assert shown["StackSetARN"].startswith(f"arn:aws:cloudformation:{REGION}:{MANAGEMENT}:stackset/notes:")
    with pytest.raises(ClientError, match="StackSetNotFound"):
        setting.data.describe_stack_set(StackSetName="notes")
    assert setting.management.describe_stack_set(StackSetName="notes")["StackSet"]["Status"] == "ACTIVE"
    with pytest.raises(ClientError, match="NameAlreadyExists"):
        create(setting.data, CallAs="DELEGATED_ADMIN")


def test_service_managed_templates_hold_no_transform_and_no_nested_stack(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    document = json.loads(TEMPLATE)
    with pytest.raises(ClientError, match="transforms or macros"):
        create(setting.management, TemplateBody=json.dumps({**document, "Transform": "AWS::LanguageExtensions"}))
    document["Resources"]["Inner"] = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x"}}
    with pytest.raises(ClientError, match="AWS::CloudFormation::Stack"):
        create(setting.management, TemplateBody=json.dumps(document))


def test_unknown_and_missing_parameters_are_refused(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    with pytest.raises(ClientError, match=r"\[Wrong\] do not exist in the template"):
        create(setting.management, Parameters=[{"ParameterKey": "Wrong", "ParameterValue": "1"}])
    document = json.loads(TEMPLATE)
    del document["Parameters"]["Value"]["Default"]
    with pytest.raises(ClientError, match=r"\[Value\] must have values"):
        create(setting.management, TemplateBody=json.dumps(document))


# -- targets --------------------------------------------------------------------------------------


def test_a_unit_includes_its_units_and_never_the_management_account(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    create(setting.data, CallAs="DELEGATED_ADMIN")
    started = setting.data.create_stack_instances(
        StackSetName="notes",
        DeploymentTargets={"OrganizationalUnitIds": [setting.root]},
        Regions=[REGION, "eu-west-1"],
        OperationPreferences={"MaxConcurrentCount": 4, "FailureToleranceCount": 3},
        CallAs="DELEGATED_ADMIN",
    )
    assert finish(setting.data, started, CallAs="DELEGATED_ADMIN")["Status"] == "SUCCEEDED"
    found = instances(setting.data, CallAs="DELEGATED_ADMIN")
    accounts = {account for account, _ in found}
    assert accounts == {DATA, STAGING, NESTED, PROD}
    assert len(found) == 8
    assert {i["Status"] for i in found.values()} == {"CURRENT"}
    assert setting.note(NESTED, "eu-west-1") == "1"
    stack = cloud.root(STAGING, REGION).client("cloudformation").describe_stacks()["Stacks"][0]
    assert stack["StackName"].startswith("StackSet-notes-")
    roles = cloud.root(STAGING, REGION).client("iam").list_roles()["Roles"]
    assert any(role["RoleName"].startswith("stacksets-exec-") for role in roles)


@pytest.mark.parametrize(
    ("kind", "accounts", "expected"),
    [
        ("INTERSECTION", [NESTED, PROD], {NESTED}),
        ("DIFFERENCE", [NESTED], {STAGING}),
        ("NONE", [], {STAGING, NESTED}),
    ],
)
def test_an_account_filter_chooses_within_the_unit(
    cloud: Cloud, kind: str, accounts: list[str], expected: set[str]
) -> None:
    setting = Setting(cloud).trust()
    create(setting.management)
    targets: dict[str, Any] = {"OrganizationalUnitIds": [setting.staging], "AccountFilterType": kind}
    if accounts:
        targets["Accounts"] = accounts
    started = setting.management.create_stack_instances(
        StackSetName="notes", DeploymentTargets=targets, Regions=[REGION]
    )
    assert finish(setting.management, started)["Status"] == "SUCCEEDED"
    assert {account for account, _ in instances(setting.management)} == expected


def test_wrong_targets_are_refused(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    create(setting.management)
    name, unit = {"StackSetName": "notes"}, {"OrganizationalUnitIds": [setting.staging]}
    make = setting.management.create_stack_instances
    with pytest.raises(ClientError, match="can only have OrganizationalUnit as target"):
        make(**name, Accounts=[STAGING], Regions=[REGION])
    with pytest.raises(ClientError, match="does not exist in the organization"):
        make(**name, DeploymentTargets={"OrganizationalUnitIds": ["ou-aaaa-bbbbbbbb"]}, Regions=[REGION])
    with pytest.raises(ClientError, match="UNION is not supported"):
        make(**name, DeploymentTargets={**unit, "Accounts": [PROD], "AccountFilterType": "UNION"}, Regions=[REGION])
    with pytest.raises(ClientError, match="AccountFilterType must be specified"):
        make(**name, DeploymentTargets={**unit, "Accounts": [STAGING]}, Regions=[REGION])
    with pytest.raises(ClientError, match="mars-north-1"):
        make(**name, DeploymentTargets=unit, Regions=["mars-north-1"])


def test_a_suspended_account_is_left_out(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    setting.organizations.close_account(AccountId=NESTED)
    create(setting.management)
    targets = {"OrganizationalUnitIds": [setting.staging]}
    started = setting.management.create_stack_instances(
        StackSetName="notes", DeploymentTargets=targets, Regions=[REGION]
    )
    finish(setting.management, started)
    assert {account for account, _ in instances(setting.management)} == {STAGING}


# -- updates, failures, deletion -------------------------------------------------------------------


def deployed(setting: Setting) -> Any:
    client = setting.management
    create(client)
    targets = {"OrganizationalUnitIds": [setting.staging]}
    finish(client, client.create_stack_instances(StackSetName="notes", DeploymentTargets=targets, Regions=[REGION]))
    return client


def test_an_update_reaches_every_instance_and_overrides_stay(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    client = deployed(setting)
    only_nested = {"OrganizationalUnitIds": [setting.nested]}
    started = client.update_stack_instances(
        StackSetName="notes",
        DeploymentTargets=only_nested,
        Regions=[REGION],
        ParameterOverrides=[{"ParameterKey": "Value", "ParameterValue": "own"}],
    )
    assert finish(client, started)["Status"] == "SUCCEEDED"
    assert (setting.note(STAGING), setting.note(NESTED)) == ("1", "own")
    started = client.update_stack_set(
        StackSetName="notes", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Value", "ParameterValue": "2"}]
    )
    assert finish(client, started)["Status"] == "SUCCEEDED"
    assert (setting.note(STAGING), setting.note(NESTED)) == ("2", "own")
    shown = client.describe_stack_instance(
        StackSetName="notes", StackInstanceAccount=NESTED, StackInstanceRegion=REGION
    )["StackInstance"]
    assert shown["ParameterOverrides"] == [{"ParameterKey": "Value", "ParameterValue": "own"}]
    started = client.update_stack_instances(
        StackSetName="notes", DeploymentTargets=only_nested, Regions=[REGION], ParameterOverrides=[]
    )
    finish(client, started)
    assert setting.note(NESTED) == "2"


def test_a_failed_instance_says_why_and_stops_the_rest(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    cloud.root(STAGING, REGION).client("ssm").put_parameter(Name="/note", Value="mine", Type="String")
    client = setting.management
    create(client)
    targets = {"OrganizationalUnitIds": [setting.staging, setting.prod]}
    started = client.create_stack_instances(
        StackSetName="notes", DeploymentTargets=targets, Regions=[REGION, "eu-west-1"]
    )
    ended = finish(client, started)
    assert (ended["Status"], ended["StatusDetails"]["FailedStackInstancesCount"]) == ("FAILED", 1)
    found = instances(client)
    assert found[PROD, REGION]["Status"] == "CURRENT"  # 222… comes before 333…
    assert found[STAGING, REGION]["Status"] == "OUTDATED"
    assert found[STAGING, REGION]["StackInstanceStatus"]["DetailedStatus"] == "FAILED"
    assert "ResourceLogicalId:Note" in found[STAGING, REGION]["StatusReason"]
    assert found[NESTED, REGION]["StackInstanceStatus"]["DetailedStatus"] == "CANCELLED"
    assert found[PROD, "eu-west-1"]["StackInstanceStatus"]["DetailedStatus"] == "CANCELLED"
    results = client.list_stack_set_operation_results(StackSetName="notes", OperationId=started["OperationId"])
    by_status = [result["Status"] for result in results["Summaries"]]
    assert sorted(by_status) == ["CANCELLED"] * 4 + ["FAILED", "SUCCEEDED"]


def test_tolerated_failures_do_not_fail_the_operation(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    cloud.root(STAGING, REGION).client("ssm").put_parameter(Name="/note", Value="mine", Type="String")
    client = setting.management
    create(client)
    started = client.create_stack_instances(
        StackSetName="notes",
        DeploymentTargets={"OrganizationalUnitIds": [setting.staging]},
        Regions=[REGION, "eu-west-1"],
        OperationPreferences={"FailureTolerancePercentage": 50, "RegionConcurrencyType": "PARALLEL"},
    )
    assert finish(client, started)["Status"] == "SUCCEEDED"
    found = instances(client)
    assert sorted(i["Status"] for i in found.values()) == ["CURRENT", "CURRENT", "CURRENT", "OUTDATED"]


def test_an_operation_that_is_refused_leaves_no_instance(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    client = setting.management
    create(client)
    with pytest.raises(ClientError, match="Only one of FailureToleranceCount and FailureTolerancePercentage"):
        client.create_stack_instances(
            StackSetName="notes",
            DeploymentTargets={"OrganizationalUnitIds": [setting.staging]},
            Regions=[REGION],
            OperationPreferences={"FailureToleranceCount": 1, "FailureTolerancePercentage": 50},
        )
    assert instances(client) == {}
    client.delete_stack_set(StackSetName="notes")


def test_a_set_is_deleted_after_its_instances(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    client = deployed(setting)
    with pytest.raises(ClientError, match="StackSetNotEmpty"):
        client.delete_stack_set(StackSetName="notes")
    targets = {"OrganizationalUnitIds": [setting.staging]}
    started = client.delete_stack_instances(
        StackSetName="notes", DeploymentTargets=targets, Regions=[REGION], RetainStacks=False
    )
    assert finish(client, started)["Status"] == "SUCCEEDED"
    assert (setting.note(STAGING), setting.note(NESTED)) == ("", "")
    client.delete_stack_set(StackSetName="notes")
    with pytest.raises(ClientError, match="StackSetNotFound"):
        client.describe_stack_set(StackSetName="notes")
    assert client.list_stack_sets(Status="DELETED")["Summaries"][0]["StackSetName"] == "notes"


def test_retained_stacks_outlive_their_instances(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    client = deployed(setting)
    started = client.delete_stack_instances(
        StackSetName="notes",
        DeploymentTargets={"OrganizationalUnitIds": [setting.staging]},
        Regions=[REGION],
        RetainStacks=True,
    )
    assert finish(client, started)["Status"] == "SUCCEEDED"
    assert instances(client) == {}
    assert setting.note(STAGING) == "1"


def test_single_accounts_are_let_go_together_with_the_unit_that_they_were_made_for(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    client = deployed(setting)
    setting.organizations.move_account(
        AccountId=STAGING, SourceParentId=setting.staging, DestinationParentId=setting.prod
    )
    request = {"StackSetName": "notes", "Regions": [REGION], "RetainStacks": True}
    with pytest.raises(ClientError, match="can only have OrganizationalUnit as target"):
        client.delete_stack_instances(**request, DeploymentTargets={"Accounts": [STAGING]})
    targets = {"OrganizationalUnitIds": [setting.staging], "Accounts": [STAGING], "AccountFilterType": "INTERSECTION"}
    assert finish(client, client.delete_stack_instances(**request, DeploymentTargets=targets))["Status"] == "SUCCEEDED"
    assert {account for account, _ in instances(client)} == {NESTED}


def test_concurrency_follows_tolerance_only_in_strict_mode() -> None:
    """User Guide, "Choose the Concurrency Mode": its own numbers, 5 tolerated and 10 at once."""
    strict = pace({"FailureToleranceCount": 5, "MaxConcurrentCount": 10}, 100)
    assert [strict.at_once(failed) for failed in (0, 1, 3)] == [6, 5, 3]
    soft = pace(
        {"FailureToleranceCount": 5, "MaxConcurrentCount": 10, "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE"}, 100
    )
    assert [soft.at_once(failed) for failed in (0, 5)] == [10, 10]
    assert pace({"FailureTolerancePercentage": 10, "MaxConcurrentPercentage": 1}, 25) == Pace(2, 1, True)


# -- self-managed ----------------------------------------------------------------------------------


def role(cloud: Cloud, account: str, name: str, principal: dict[str, str], action: str) -> None:
    iam = cloud.root(account, REGION).client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(allow))


def test_a_self_managed_set_works_through_its_two_roles(cloud: Cloud) -> None:
    client = cloud.root(DATA, REGION).client("cloudformation")
    client.create_stack_set(StackSetName="notes", TemplateBody=TEMPLATE)
    started = client.create_stack_instances(StackSetName="notes", Accounts=[PROD], Regions=[REGION])
    assert finish(client, started)["Status"] == "FAILED"
    reason = instances(client)[PROD, REGION]["StatusReason"]
    assert "should have 'AWSCloudFormationStackSetExecutionRole' role" in reason
    administration = "AWSCloudFormationStackSetAdministrationRole"
    role(cloud, DATA, administration, {"Service": "cloudformation.amazonaws.com"}, "sts:AssumeRole")
    trusted = {"AWS": f"arn:aws:iam::{DATA}:role/{administration}"}
    execution = "AWSCloudFormationStackSetExecutionRole"
    role(cloud, PROD, execution, trusted, "ssm:*")
    started = client.create_stack_instances(StackSetName="notes", Accounts=[PROD], Regions=[REGION])
    assert finish(client, started)["Status"] == "FAILED"
    assert "cloudformation:CreateStack" in instances(client)[PROD, REGION]["StatusReason"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam = cloud.root(PROD, REGION).client("iam")
    iam.put_role_policy(RoleName=execution, PolicyName="p", PolicyDocument=json.dumps(everything))
    started = client.create_stack_instances(StackSetName="notes", Accounts=[PROD], Regions=[REGION])
    assert finish(client, started)["Status"] == "SUCCEEDED", instances(client)
    found = cloud.root(PROD, REGION).client("ssm").get_parameter(Name="/note")["Parameter"]
    assert found["Value"] == "1"
