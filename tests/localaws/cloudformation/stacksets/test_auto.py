"""Automatic deployments of stack sets, and files of accounts.

CloudFormation User Guide, "Enable or disable automatic deployments for StackSets in AWS Organizations"; API
Reference, "AutoDeployment", "DeploymentTargets".
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.organizations.service import plan_account_ids
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
from tests.support.waiting import until

NEW = "555555555555"

AUTOMATIC = {"Enabled": True, "RetainStacksOnAccountRemoval": False}


def automatic(setting: Setting, unit: str, name: str = "notes", **more: Any) -> Any:
    """A set with automatic deployment, deployed to a unit."""
    client = setting.management
    create(client, name, **{"AutoDeployment": AUTOMATIC, **more})
    deploy(setting, {"OrganizationalUnitIds": [unit]}, name)
    return client


def deploy(setting: Setting, targets: dict[str, Any], name: str = "notes", **more: Any) -> None:
    started = setting.management.create_stack_instances(
        StackSetName=name, DeploymentTargets=targets, Regions=[REGION], **more
    )
    assert finish(setting.management, started, name)["Status"] == "SUCCEEDED"


def new_account(setting: Setting, account: str = NEW) -> None:
    plan_account_ids([account])
    setting.organizations.create_account(AccountName=f"a{account}", Email=f"{account}@example.com")


def move(setting: Setting, account: str, source: str, target: str) -> None:
    setting.organizations.move_account(AccountId=account, SourceParentId=source, DestinationParentId=target)


def settled(client: Any, name: str = "notes") -> list[dict[str, Any]]:
    """The set's operations, the newest first, once all have ended."""

    def ended() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = client.list_stack_set_operations(StackSetName=name)["Summaries"]
        return found if all(o["Status"] not in {"RUNNING", "QUEUED", "STOPPING"} for o in found) else None

    found: list[dict[str, Any]] = until(ended)
    return found


def test_a_service_managed_set_says_whether_it_deploys_by_itself(cloud: Cloud) -> None:
    """API Reference, CreateStackSet, AutoDeployment: "Required if the permissions model is SERVICE_MANAGED"."""
    setting = Setting(cloud).trust()
    name = {"StackSetName": "notes", "TemplateBody": TEMPLATE}
    with pytest.raises(ClientError, match="AutoDeployment is required"):
        setting.management.create_stack_set(**name, PermissionModel="SERVICE_MANAGED")
    with pytest.raises(ClientError, match="only with SERVICE_MANAGED"):
        setting.management.create_stack_set(**name, AutoDeployment={"Enabled": False})
    with pytest.raises(ClientError, match="only if AutoDeployment is enabled"):
        create(setting.management, AutoDeployment={"Enabled": False, "RetainStacksOnAccountRemoval": False})
    create(setting.management)
    shown = setting.management.describe_stack_set(StackSetName="notes")["StackSet"]
    assert shown["AutoDeployment"] == {"Enabled": False}
    unit = {"OrganizationalUnitIds": [setting.staging]}
    with pytest.raises(ClientError, match="together with DeploymentTargets or Regions"):
        setting.management.update_stack_set(
            StackSetName="notes",
            UsePreviousTemplate=True,
            AutoDeployment=AUTOMATIC,
            DeploymentTargets=unit,
            Regions=[REGION],
        )


def test_an_account_that_joins_a_unit_gets_its_instance_and_loses_it_when_it_leaves(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    client = automatic(setting, setting.staging)
    deploy(
        setting,
        {"OrganizationalUnitIds": [setting.staging]},
        ParameterOverrides=[{"ParameterKey": "Value", "ParameterValue": "own"}],
    )
    new_account(setting)
    assert len(settled(client)) == 2  # it is beneath the root, which no stack set targets
    move(setting, NEW, setting.root, setting.nested)  # the unit below counts too
    newest = settled(client)[0]
    assert (newest["Action"], newest["Status"]) == ("CREATE", "SUCCEEDED")
    assert newest["OperationPreferences"] == {}
    assert setting.note(NEW) == "1"  # the set's default, not the override
    found = instances(client)[NEW, REGION]
    assert (found["Status"], found["OrganizationalUnitId"]) == ("CURRENT", setting.staging)
    move(setting, NEW, setting.nested, setting.staging)  # still in the same targeted unit
    assert len(settled(client)) == 3
    move(setting, NEW, setting.staging, setting.prod)
    newest = settled(client)[0]
    assert (newest["Action"], newest["Status"]) == ("DELETE", "SUCCEEDED")
    shown = client.describe_stack_set_operation(StackSetName="notes", OperationId=newest["OperationId"])
    assert shown["StackSetOperation"]["RetainStacks"] is False
    results = client.list_stack_set_operation_results(StackSetName="notes", OperationId=newest["OperationId"])
    assert [(r["Account"], r["Status"]) for r in results["Summaries"]] == [(NEW, "SUCCEEDED")]
    assert setting.note(NEW) == ""
    assert (NEW, REGION) not in instances(client)


def test_a_stack_is_retained_where_the_set_says_so(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    client = automatic(setting, setting.staging, AutoDeployment={**AUTOMATIC, "RetainStacksOnAccountRemoval": True})
    move(setting, STAGING, setting.staging, setting.root)
    assert settled(client)[0]["Status"] == "SUCCEEDED"
    assert (STAGING, REGION) not in instances(client)
    assert setting.note(STAGING) == "1"


def test_a_move_between_the_units_of_two_sets_deletes_here_and_creates_there(cloud: Cloud) -> None:
    """The guide's own example: StackSet1 targets OU1, StackSet2 targets OU2, the account moves."""
    setting = Setting(cloud).trust()
    one = json.loads(TEMPLATE)
    one["Resources"]["Note"]["Properties"]["Name"] = "/other"
    automatic(setting, setting.staging, "first")
    automatic(setting, setting.prod, "second", TemplateBody=json.dumps(one))
    move(setting, STAGING, setting.staging, setting.prod)
    client = setting.management
    assert (settled(client, "first")[0]["Action"], settled(client, "second")[0]["Action"]) == ("DELETE", "CREATE")
    assert {account for account, _ in instances(client, "second")} == {PROD, STAGING}
    assert {account for account, _ in instances(client, "first")} == {NESTED}


def test_a_new_account_of_the_organization_is_deployed_to_where_the_root_is_targeted(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    client = automatic(setting, setting.root)
    targets = client.list_stack_set_auto_deployment_targets(StackSetName="notes")["Summaries"]
    assert targets == [{"OrganizationalUnitId": setting.root, "Regions": [REGION]}]
    new_account(setting)
    assert settled(client)[0]["Status"] == "SUCCEEDED"
    assert setting.note(NEW) == "1"
    setting.organizations.remove_account_from_organization(AccountId=NEW)
    assert settled(client)[0]["Action"] == "DELETE"
    assert (NEW, REGION) not in instances(client)
    assert setting.note(MANAGEMENT) == ""
    started = client.delete_stack_instances(
        StackSetName="notes",
        DeploymentTargets={"OrganizationalUnitIds": [setting.root]},
        Regions=[REGION],
        RetainStacks=False,
    )
    finish(client, started)
    assert client.list_stack_set_auto_deployment_targets(StackSetName="notes")["Summaries"] == []


def test_a_filter_that_leaves_accounts_out_keeps_them_out(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    create(setting.management, AutoDeployment=AUTOMATIC)
    deploy(
        setting,
        {"OrganizationalUnitIds": [setting.staging], "Accounts": [PROD, NESTED], "AccountFilterType": "DIFFERENCE"},
    )
    move(setting, PROD, setting.prod, setting.staging)
    assert {account for account, _ in instances(setting.management)} == {STAGING}
    new_account(setting)
    move(setting, NEW, setting.root, setting.staging)
    settled(setting.management)
    assert {account for account, _ in instances(setting.management)} == {STAGING, NEW}


def test_switched_off_it_does_nothing_and_switched_on_again_it_does(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    client = automatic(setting, setting.staging)
    for enabled, expected in (({"Enabled": False}, {STAGING, NESTED}), (AUTOMATIC, {STAGING, NESTED, NEW})):
        started = client.update_stack_set(StackSetName="notes", UsePreviousTemplate=True, AutoDeployment=enabled)
        finish(client, started)
        account = NEW if enabled["Enabled"] else DATA
        if account == NEW:
            new_account(setting)
        move(setting, account, setting.root, setting.staging)
        settled(client)
        assert {a for a, _ in instances(client)} == expected


def test_sets_that_depend_on_others_are_deployed_after_them(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    client = setting.management
    other = json.loads(TEMPLATE)
    other["Resources"]["Note"]["Properties"]["Name"] = "/second"
    automatic(setting, setting.staging, "base")
    base = client.describe_stack_set(StackSetName="base")["StackSet"]["StackSetARN"]
    depends = {**AUTOMATIC, "DependsOn": [base]}
    automatic(setting, setting.staging, "above", TemplateBody=json.dumps(other), AutoDeployment=depends)
    above = client.describe_stack_set(StackSetName="above")["StackSet"]["StackSetARN"]
    with pytest.raises(ClientError, match="would depend on itself"):
        client.update_stack_set(
            StackSetName="base", UsePreviousTemplate=True, AutoDeployment={**AUTOMATIC, "DependsOn": [above]}
        )
    with pytest.raises(ClientError, match="is not a stack set"):
        create(client, "third", AutoDeployment={**AUTOMATIC, "DependsOn": [base + "x"]})
    move(setting, PROD, setting.prod, setting.staging)
    first, then = settled(client, "base")[0], settled(client, "above")[0]
    assert first["EndTimestamp"] <= then["EndTimestamp"]
    assert (first["Status"], then["Status"]) == ("SUCCEEDED", "SUCCEEDED")
    cloud.root(NEW, REGION).client("ssm").put_parameter(Name="/note", Value="mine", Type="String")
    new_account(setting)
    move(setting, NEW, setting.root, setting.staging)
    assert [settled(client, name)[0]["Status"] for name in ("base", "above")] == ["FAILED", "FAILED"]
    assert "depends on" in instances(client, "above")[NEW, REGION]["StatusReason"]


def listed(cloud: Cloud, text: str, key: str = "accounts.csv") -> str:
    s3 = cloud.root(MANAGEMENT, REGION).client("s3")
    s3.create_bucket(Bucket="lists")
    s3.put_object(Bucket="lists", Key=key, Body=text.encode())
    return f"s3://lists/{key}"


def test_a_file_in_s3_may_list_the_accounts(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    create(setting.management)
    url = listed(cloud, f"{NESTED},{PROD}\n{DATA}\n")
    targets = {"OrganizationalUnitIds": [setting.staging], "AccountsUrl": url}
    with pytest.raises(ClientError, match="AccountFilterType must be specified"):
        deploy(setting, targets)
    deploy(setting, {**targets, "AccountFilterType": "INTERSECTION"})
    assert {account for account, _ in instances(setting.management)} == {NESTED}
    operation = setting.management.list_stack_set_operations(StackSetName="notes")["Summaries"][0]["OperationId"]
    shown = setting.management.describe_stack_set_operation(StackSetName="notes", OperationId=operation)
    assert shown["StackSetOperation"]["DeploymentTargets"]["AccountsUrl"] == url


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("111", "accounts.csv", "not an account id of twelve digits"),
        ("", "accounts.csv", "lists no account"),
        (NESTED, "accounts.json", "must be a .csv or a .txt file"),
        ("1" * 10_000_001, "accounts.txt", "may not exceed 10000000 bytes"),
    ],
)
def test_a_wrong_file_of_accounts_is_refused(cloud: Cloud, text: str, key: str, message: str) -> None:
    setting = Setting(cloud)
    client = setting.management
    client.create_stack_set(StackSetName="notes", TemplateBody=TEMPLATE)
    url = listed(cloud, text, key)
    make = client.create_stack_instances
    with pytest.raises(ClientError, match=message):
        make(StackSetName="notes", DeploymentTargets={"AccountsUrl": url}, Regions=[REGION])
    if key == "accounts.csv":
        with pytest.raises(ClientError, match="but not both"):
            make(StackSetName="notes", DeploymentTargets={"AccountsUrl": url, "Accounts": [PROD]}, Regions=[REGION])
        with pytest.raises(ClientError, match="S3 error"):
            make(StackSetName="notes", DeploymentTargets={"AccountsUrl": "s3://lists/no.txt"}, Regions=[REGION])
