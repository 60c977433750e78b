"""Groups of instances in a stack set's template: which operations they become, and what AWS's handler refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localaws.cloud import Cloud
from localaws.cloudformation.provider import Context, ResourceFailed
from localaws.cloudformation.providers.cloudformation.stackset import StackSet
from localaws.cloudformation.providers.cloudformation.stackset_targets import plan
from tests.support.stacksets_setting import (
    DATA,
    NESTED,
    PROD,
    REGION,
    STAGING,
    TEMPLATE,
)


def group(unit: str, accounts: list[str], kind: str | None = "INTERSECTION", **more: Any) -> dict[str, Any]:
    targets: dict[str, Any] = {"OrganizationalUnitIds": [unit]}
    targets |= {"Accounts": accounts} if accounts else {}
    targets |= {"AccountFilterType": kind} if kind else {}
    return {"DeploymentTargets": targets, "Regions": [REGION], **more}


def managed(*groups: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"PermissionModel": "SERVICE_MANAGED", "StackInstancesGroup": list(groups), **more}


def overrides(value: str) -> dict[str, Any]:
    return {"ParameterOverrides": [{"ParameterKey": "Value", "ParameterValue": value}]}


def test_groups_of_one_unit_are_taken_together(cloud: Cloud) -> None:
    todo = plan(managed(group("ou", ["1"]), group("ou", ["2"])), managed(group("ou", ["1", "3"]), group("ou", ["4"])))
    assert [i.targets["Accounts"] for i in (*todo.delete, *todo.create, *todo.update)] == [["2"], ["3", "4"], ["1"]]
    todo = plan({}, managed(group("ou", ["1"]), group("ou", ["2"])))
    assert [i.targets["Accounts"] for i in todo.create] == [["1"], ["2"]]
    todo = plan(managed(group("ou", ["1"])), managed(group("ou", [], "NONE")))
    assert todo.create[0].targets == {
        "OrganizationalUnitIds": ["ou"], "Accounts": ["1"], "AccountFilterType": "DIFFERENCE",
    }  # fmt: skip


def test_regions_of_filtered_groups_are_deployed_one_after_the_other_in_their_order() -> None:
    properties = managed(
        {**group("ou", ["1"]), "Regions": ["us-east-1", "eu-west-1"]},
        OperationPreferences={"RegionOrder": ["eu-west-1"]},
    )
    assert [i.regions for i in plan({}, properties).create] == [("eu-west-1",), ("us-east-1",)]


def test_units_without_filters_become_few_calls_and_change_only_with_their_overrides() -> None:
    one, two = group("ou-1", [], None, **overrides("a")), group("ou-2", [], None, **overrides("a"))
    todo = plan({}, managed(one, two))
    assert [i.targets for i in todo.create] == [{"OrganizationalUnitIds": ["ou-1", "ou-2"]}]
    todo = plan(managed(one, two), managed(one, {**two, **overrides("b")}))
    assert (todo.delete, todo.create) == ([], [])
    assert [i.targets for i in todo.update] == [{"OrganizationalUnitIds": ["ou-2"]}]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        (managed(group("ou", ["1"], **overrides("a")), group("ou", ["2"], **overrides("b"))), "than one Parameters"),
        (managed(group("ou", ["1"], "NONE")), "AccountFilterType should be specified"),
        (managed(group("ou", [])), "Accounts should be specified"),
        (managed(group("ou", ["1"], "UNION")), "not a valid AccountFilterType"),
        (managed(group("ou", [], None), group("ou", [], None)), "duplicated"),
        (
            managed({"DeploymentTargets": {"OrganizationalUnitIds": ["ou"], "AccountsUrl": "s3://b/k.csv",
                                           "AccountFilterType": "INTERSECTION"}, "Regions": [REGION]}),
            "AccountsUrl is currently not supported",
        ),
    ],
)  # fmt: skip
def test_groups_that_awss_handler_refuses_are_refused(properties: dict[str, Any], message: str) -> None:
    with pytest.raises(ResourceFailed, match=message):
        plan(managed(group("other", ["1"])) if "duplicated" not in message else managed(), properties)


def roles(cloud: Cloud, accounts: list[str], execution: str, administration: str) -> str:
    """The two roles of self-managed permissions, with names of their own; the administration role's ARN."""
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::*:role/{execution}"}

    def role(account: str, name: str, principal: dict[str, str], policy: dict[str, Any]) -> None:
        iam = cloud.root(account, REGION).client("iam")
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))

    arn = f"arn:aws:iam::{DATA}:role/{administration}"
    role(DATA, administration, {"Service": "cloudformation.amazonaws.com"}, {**everything, "Statement": [assume]})
    for account in accounts:
        role(account, execution, {"AWS": arn}, everything)
    return arn


def test_a_self_managed_set_in_a_template_uses_its_roles_and_takes_its_accounts_from_a_list(cloud: Cloud) -> None:
    """User Guide, "Grant self-managed permissions"; no organization is needed."""
    arn = roles(cloud, [STAGING, PROD], "Deployer", "Administrator")
    client = cloud.root(DATA, REGION).client("cloudformation")
    context = Context(cloud.root(DATA, REGION), cloud, DATA, REGION, "stack/1", "s", "Stage", {}, "t")

    def properties(*groups: dict[str, Any]) -> dict[str, Any]:
        return {
            "StackSetName": "notes", "PermissionModel": "SELF_MANAGED", "TemplateBody": TEMPLATE,
            "AdministrationRoleARN": arn, "ExecutionRoleName": "Deployer", "StackInstancesGroup": list(groups),
        }  # fmt: skip

    def accounts(*ids: str, **more: Any) -> dict[str, Any]:
        return {"DeploymentTargets": {"Accounts": list(ids)}, "Regions": [REGION], **more}

    def note(account: str) -> str:
        found = cloud.root(account, REGION).client("ssm").get_parameters(Names=["/note"])["Parameters"]
        return str(found[0]["Value"]) if found else ""

    first = properties(accounts(STAGING), accounts(PROD, **overrides("prod")))
    made = StackSet().create(context, first)
    assert (note(STAGING), note(PROD)) == ("1", "prod")
    second = properties(accounts(PROD, **overrides("again")))
    StackSet().update(context, made.physical_id, first, second)
    assert (note(STAGING), note(PROD)) == ("", "again")
    shown = client.describe_stack_set(StackSetName="notes")["StackSet"]
    assert (shown["AdministrationRoleARN"], shown["ExecutionRoleName"]) == (arn, "Deployer")
    broken = properties(accounts(PROD, NESTED, **overrides("again")))
    with pytest.raises(ResourceFailed, match=f"{NESTED} {REGION}: .*should have 'Deployer' role"):
        StackSet().update(context, made.physical_id, second, broken)
    StackSet().delete(context, made.physical_id, broken)
    s3 = cloud.root(DATA, REGION).client("s3")
    s3.create_bucket(Bucket="mine")
    s3.put_object(Bucket="mine", Key="accounts.txt", Body=f"{PROD}\n{STAGING}\n".encode())
    managed_execution = {**second, "StackSetName": "queued", "Parameters": overrides("own")["ParameterOverrides"]}
    made = StackSet().create(context, managed_execution)
    StackSet().update(
        context, made.physical_id, managed_execution, {**managed_execution, "ManagedExecution": {"Active": True}}
    )
    shown = client.describe_stack_set(StackSetName="queued")["StackSet"]
    assert shown["ManagedExecution"] == {"Active": True}
    assert [p["ParameterValue"] for p in shown["Parameters"]] == ["own"]
    StackSet().delete(context, made.physical_id, managed_execution)
    third = properties({"DeploymentTargets": {"AccountsUrl": "s3://mine/accounts.txt"}, "Regions": [REGION]})
    third["StackSetName"] = "listed"
    made = StackSet().create(context, third)
    assert (note(STAGING), note(PROD)) == ("1", "1")
    with pytest.raises(ResourceFailed, match="Accounts should be specified in DeploymentTargets"):
        StackSet().update(context, made.physical_id, third, {**third, "Description": "other"})
