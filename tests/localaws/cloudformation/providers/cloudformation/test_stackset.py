"""AWS::CloudFormation::StackSet: the resource creates, updates and deletes its set, and fails with its instances."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation.provider import Context, ResourceFailed
from localaws.cloudformation.providers.cloudformation.stackset import StackSet
from localaws.cloudformation.providers.cloudformation.stackset_targets import Selection, plan
from tests.support.stacks import settled_stack
from tests.support.stacksets_setting import (
    DATA,
    NESTED,
    PROD,
    REGION,
    STAGING,
    TEMPLATE,
    Setting,
    instances,
)
from tests.support.waiting import until


def test_selections_of_accounts_are_sets() -> None:
    a, b = Selection(frozenset("12"), False), Selection(frozenset("23"), False)
    everyone = Selection(frozenset(), True)
    assert a.minus(b) == Selection(frozenset("1"), False)
    assert a.also(b) == Selection(frozenset("2"), False)
    assert everyone.minus(a) == Selection(frozenset("12"), True)
    assert everyone.minus(a).also(b) == Selection(frozenset("3"), False)
    assert a.minus(everyone).targets("ou") is None
    assert a.plus(b) == Selection(frozenset("123"), False)
    assert Selection(frozenset("123"), True).plus(a) == Selection(frozenset("3"), True)
    assert a.plus(everyone) == everyone


def properties(setting: Setting, accounts: list[str], **more: Any) -> dict[str, Any]:
    return {
        "StackSetName": "notes",
        "PermissionModel": "SERVICE_MANAGED",
        "CallAs": "DELEGATED_ADMIN",
        "AutoDeployment": {"Enabled": False},
        "TemplateBody": TEMPLATE,
        "StackInstancesGroup": [
            {
                "DeploymentTargets": {
                    "OrganizationalUnitIds": [setting.root],
                    "Accounts": accounts,
                    "AccountFilterType": "INTERSECTION",
                },
                "Regions": [REGION],
            }
        ],
        **more,
    }


def test_a_changed_account_list_becomes_deletions_and_creations(cloud: Cloud) -> None:
    setting = Setting(cloud)
    todo = plan(properties(setting, ["1", "2"]), properties(setting, ["2", "3"]))
    assert [i.targets["Accounts"] for i in (*todo.delete, *todo.create, *todo.update)] == [["1"], ["3"], ["2"]]


def test_the_resource_creates_updates_and_deletes_the_set(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    context = Context(cloud.root(DATA, REGION), cloud, DATA, REGION, "stack/1", "s", "Stage", {"project": "p"}, "t")
    old = properties(setting, [STAGING, NESTED])
    made = StackSet().create(context, old)
    assert (setting.note(STAGING), setting.note(NESTED), setting.note(PROD)) == ("1", "1", "")
    new = properties(setting, [NESTED, PROD], Parameters=[{"ParameterKey": "Value", "ParameterValue": "2"}])
    StackSet().update(context, made.physical_id, old, new)
    assert (setting.note(STAGING), setting.note(NESTED), setting.note(PROD)) == ("", "2", "2")
    tags = setting.data.describe_stack_set(StackSetName="notes", CallAs="DELEGATED_ADMIN")["StackSet"]["Tags"]
    assert tags == [{"Key": "project", "Value": "p"}]
    StackSet().delete(context, made.physical_id, new)
    assert (setting.note(NESTED), setting.note(PROD)) == ("", "")
    StackSet().delete(context, made.physical_id, new)


def test_a_failed_set_names_its_instances_and_leaves_nothing(cloud: Cloud) -> None:
    setting = Setting(cloud).trust()
    cloud.root(PROD, REGION).client("ssm").put_parameter(Name="/note", Value="mine", Type="String")
    context = Context(cloud.root(DATA, REGION), cloud, DATA, REGION, "stack/1", "s", "Stage", {}, "t")
    with pytest.raises(ResourceFailed, match=f"unexpectedly stopped or failed.*{PROD} {REGION}: .*Note"):
        StackSet().create(context, properties(setting, [STAGING, PROD]))
    with pytest.raises(ClientError, match="StackSetNotFound"):
        setting.management.describe_stack_set(StackSetName="notes")


def test_a_stack_rolls_its_set_back_when_an_instance_fails(cloud: Cloud) -> None:
    """A failed UpdateStackSet alone would leave the set changed; the stack around it puts it right."""
    setting = Setting(cloud).trust()
    document = json.loads(TEMPLATE)
    failing = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/taken", "Type": "String", "Value": "x"}}
    document["Resources"]["Second"] = failing
    cloud.root(STAGING, REGION).client("ssm").put_parameter(Name="/taken", Value="mine", Type="String")

    def stage(body: str) -> str:
        resource = {"Type": "AWS::CloudFormation::StackSet", "Properties": properties(setting, [STAGING])}
        resource["Properties"]["TemplateBody"] = body  # type: ignore[index]
        return json.dumps({"Resources": {"Stage": resource}})

    setting.data.create_stack(StackName="stage", TemplateBody=stage(TEMPLATE))
    assert settled_stack(setting.data, "stage")["StackStatus"] == "CREATE_COMPLETE"
    setting.data.update_stack(StackName="stage", TemplateBody=stage(json.dumps(document)))
    assert settled_stack(setting.data, "stage")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    events = setting.data.describe_stack_events(StackName="stage")["StackEvents"]
    reasons = [e.get("ResourceStatusReason", "") for e in events if e["ResourceStatus"] == "UPDATE_FAILED"]
    assert any(f"{STAGING} {REGION}" in reason and "Second" in reason for reason in reasons), reasons
    shown = setting.data.describe_stack_set(StackSetName="notes", CallAs="DELEGATED_ADMIN")["StackSet"]
    assert shown["TemplateBody"] == TEMPLATE
    assert {i["Status"] for i in instances(setting.data, CallAs="DELEGATED_ADMIN").values()} == {"CURRENT"}
    setting.data.delete_stack(StackName="stage")
    until(lambda: not setting.data.list_stack_sets(Status="ACTIVE", CallAs="DELEGATED_ADMIN")["Summaries"])
    assert setting.note(STAGING) == ""
