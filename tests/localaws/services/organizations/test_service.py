"""Organizations: who may ask, chosen account ids, delegated administrators, invitations."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.organizations import models, utils

from localaws.cloud import Cloud
from localaws.services.organizations.service import STACK_SETS, accounts_below, name_account, plan_account_ids

MANAGEMENT, REGION = "999999999999", "us-east-1"


def management(cloud: Cloud) -> Any:
    client = cloud.root(MANAGEMENT, REGION).client("organizations")
    client.create_organization(FeatureSet="ALL")
    return client


def account(client: Any, account_id: str, email: str = "") -> str:
    plan_account_ids([account_id])
    made = client.create_account(AccountName=f"a{account_id}", Email=email or f"{account_id}@example.com")
    return str(made["CreateAccountStatus"]["AccountId"])


def test_accounts_get_the_planned_ids_and_the_organizations_role(cloud: Cloud) -> None:
    client = management(cloud)
    assert account(client, "111111111111") == "111111111111"
    iam = cloud.root("111111111111", REGION).client("iam")
    role = iam.get_role(RoleName="OrganizationAccountAccessRole")["Role"]
    principal = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    assert principal == {"AWS": f"arn:aws:iam::{MANAGEMENT}:root"}
    attached = iam.list_attached_role_policies(RoleName="OrganizationAccountAccessRole")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["AdministratorAccess"]
    other = client.create_account(AccountName="x", Email="x@example.com")["CreateAccountStatus"]
    assert len(other["AccountId"]) == 12
    with pytest.raises(ClientError, match="exists already"):
        account(client, "111111111111", "another@example.com")


def test_accounts_that_are_older_than_the_organization_keep_their_names(cloud: Cloud) -> None:
    name_account(cloud, MANAGEMENT, "head office")
    name_account(cloud, "444444444444", "far branch")
    client = management(cloud)
    for invited in ("444444444444", "555555555555"):
        asked = client.invite_account_to_organization(Target={"Id": invited, "Type": "ACCOUNT"})["Handshake"]["Id"]
        cloud.root(invited, REGION).client("organizations").accept_handshake(HandshakeId=asked)
    names = {account["Id"]: account["Name"] for account in client.list_accounts()["Accounts"]}
    assert names == {MANAGEMENT: "head office", "444444444444": "far branch", "555555555555": "555555555555"}
    with pytest.raises(ClientError, match="AlreadyInOrganizationException"):
        client.create_organization(FeatureSet="ALL")


def test_an_email_address_that_is_taken_fails_the_request_for_an_account(cloud: Cloud) -> None:
    client = management(cloud)
    account(client, "111111111111")
    before = len(client.list_accounts()["Accounts"])
    made = client.create_account(AccountName="again", Email="111111111111@example.com")["CreateAccountStatus"]
    described = client.describe_create_account_status(CreateAccountRequestId=made["Id"])["CreateAccountStatus"]
    assert (described["State"], described["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    failed = client.list_create_account_status(States=["FAILED"])["CreateAccountStatuses"]
    assert [status["AccountName"] for status in failed] == ["again"]
    assert len(client.list_accounts()["Accounts"]) == before


def test_units_moves_and_delegation_are_refused_where_they_are_so_already(cloud: Cloud) -> None:
    client = management(cloud)
    member, root = account(client, "111111111111"), client.list_roots()["Roots"][0]["Id"]
    unit = client.create_organizational_unit(ParentId=root, Name="x")["OrganizationalUnit"]["Id"]
    with pytest.raises(ClientError, match="DuplicateOrganizationalUnitException"):
        client.create_organizational_unit(ParentId=root, Name="x")
    with pytest.raises(ClientError, match="SourceParentNotFoundException"):
        client.move_account(AccountId=member, SourceParentId=unit, DestinationParentId=unit[:-1] + "0")
    client.move_account(AccountId=member, SourceParentId=root, DestinationParentId=unit)
    with pytest.raises(ClientError, match="DuplicateAccountException"):
        client.move_account(AccountId=member, SourceParentId=root, DestinationParentId=unit)
    client.enable_aws_service_access(ServicePrincipal=STACK_SETS)
    client.register_delegated_administrator(AccountId=member, ServicePrincipal=STACK_SETS)
    with pytest.raises(ClientError, match="AccountAlreadyRegisteredException"):
        client.register_delegated_administrator(AccountId=member, ServicePrincipal=STACK_SETS)


def test_moto_makes_accounts_with_the_id_generator_that_is_replaced() -> None:
    """A canary: planned ids rest on these private names."""
    assert callable(utils.make_random_account_id)
    assert models.utils is utils
    assert STACK_SETS in models.FakeDelegatedAdministrator.SUPPORTED_SERVICES
    assert hasattr(models.organizations_backends, "master_accounts")


def test_lists_give_twenty_a_page(cloud: Cloud) -> None:
    client = management(cloud)
    for number in range(41):
        client.create_account(AccountName=f"a{number}", Email=f"a{number}@example.com")
        client.invite_account_to_organization(Target={"Id": f"{number:012}", "Type": "ACCOUNT"})
    for operation, member in (
        ("list_accounts", "Accounts"),
        ("list_create_account_status", "CreateAccountStatuses"),
        ("list_handshakes_for_organization", "Handshakes"),
    ):
        listed = [page[member] for page in client.get_paginator(operation).paginate()]
        assert [len(page) for page in listed[:2]] == [20, 20]
        total = 42 if member == "Accounts" else 41  # the management account is one of them, by no request
        assert len({one["Id"] for page in listed for one in page}) == sum(map(len, listed)) == total


def test_a_member_may_read_only_as_a_delegated_administrator(cloud: Cloud) -> None:
    client = management(cloud)
    account(client, "111111111111")
    account(client, "222222222222")
    member = cloud.root("111111111111", REGION).client("organizations")
    assert member.describe_organization()["Organization"]["MasterAccountId"] == MANAGEMENT
    with pytest.raises(ClientError, match="AccessDeniedException"):
        member.list_accounts()
    with pytest.raises(ClientError, match="must enable trusted access"):
        client.register_delegated_administrator(AccountId="111111111111", ServicePrincipal=STACK_SETS)
    client.enable_aws_service_access(ServicePrincipal=STACK_SETS)
    client.register_delegated_administrator(AccountId="111111111111", ServicePrincipal=STACK_SETS)
    assert {a["Id"] for a in member.list_accounts()["Accounts"]} == {MANAGEMENT, "111111111111", "222222222222"}
    root = member.list_roots()["Roots"][0]["Id"]
    assert len(member.list_accounts_for_parent(ParentId=root)["Accounts"]) == 3
    assert member.describe_account(AccountId="222222222222")["Account"]["State"] == "ACTIVE"
    registered = client.list_delegated_administrators(ServicePrincipal=STACK_SETS)["DelegatedAdministrators"]
    assert [admin["Id"] for admin in registered] == ["111111111111"]
    with pytest.raises(ClientError, match="AccessDeniedException"):
        member.create_organizational_unit(ParentId=root, Name="x")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        cloud.root("222222222222", REGION).client("organizations").list_roots()
    client.deregister_delegated_administrator(AccountId="111111111111", ServicePrincipal=STACK_SETS)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        member.list_roots()


def test_what_is_not_there_and_kinds_of_policies_that_do_nothing_are_refused(cloud: Cloud) -> None:
    """API Reference, DescribeCreateAccountStatus."""
    client = management(cloud)
    with pytest.raises(ClientError, match="CreateAccountStatusNotFoundException"):
        client.describe_create_account_status(CreateAccountRequestId="car-" + "1" * 32)
    with pytest.raises(ClientError, match="NotSupported"):
        client.create_policy(Content="{}", Description="d", Name="n", Type="TAG_POLICY")


def test_an_account_outside_any_organization_is_refused(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="AWSOrganizationsNotInUseException"):
        cloud.root("333333333333", REGION).client("organizations").list_roots()


def test_accounts_below_a_unit_are_found_through_its_units(cloud: Cloud) -> None:
    client = management(cloud)
    root = client.list_roots()["Roots"][0]["Id"]
    outer = client.create_organizational_unit(ParentId=root, Name="outer")["OrganizationalUnit"]["Id"]
    inner = client.create_organizational_unit(ParentId=outer, Name="inner")["OrganizationalUnit"]["Id"]
    for account_id, unit in (("111111111111", outer), ("222222222222", inner)):
        account(client, account_id)
        client.move_account(AccountId=account_id, SourceParentId=root, DestinationParentId=unit)
    assert [a.id for a in accounts_below(MANAGEMENT, outer)] == ["111111111111", "222222222222"]
    assert [a.id for a in accounts_below(MANAGEMENT, inner)] == ["222222222222"]


def test_an_invited_account_joins_when_it_accepts(cloud: Cloud) -> None:
    client = management(cloud)
    made = client.invite_account_to_organization(Target={"Id": "333333333333", "Type": "ACCOUNT"})["Handshake"]
    invited = cloud.root("333333333333", REGION).client("organizations")
    assert [h["Id"] for h in invited.list_handshakes_for_account()["Handshakes"]] == [made["Id"]]
    with pytest.raises(ClientError, match="AccessDeniedException"):
        client.accept_handshake(HandshakeId=made["Id"])
    assert invited.accept_handshake(HandshakeId=made["Id"])["Handshake"]["State"] == "ACCEPTED"
    joined = client.describe_account(AccountId="333333333333")["Account"]
    assert (joined["JoinedMethod"], joined["State"]) == ("INVITED", "ACTIVE")
    assert cloud.root("333333333333", REGION).client("iam").list_roles()["Roles"] == []
    with pytest.raises(ClientError, match="HandshakeAlreadyInState"):
        invited.decline_handshake(HandshakeId=made["Id"])
    with pytest.raises(ClientError, match="HandshakeConstraintViolation") as refused:
        client.invite_account_to_organization(Target={"Id": "333333333333", "Type": "ACCOUNT"})
    assert refused.value.response["Reason"] == "ALREADY_IN_AN_ORGANIZATION"  # type: ignore[typeddict-item]
