"""`make accounts`: the organization, its OUs, and the accounts that join it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localaws.cloud import Cloud
from localaws.services.organizations.service import plan_account_ids
from scripts import accounts
from scripts.kit import console
from scripts.kit.organization import members
from scripts.rehearsal import setting as people
from tests.support.accounts_setting import HOME, ONE_BY_ONE, OTHER
from tests.support.rehearsed_organization import REGION, RehearsedOrganization

# -- the organization --------------------------------------------------------------------------


def test_a_bare_organization_is_set_up_in_order_and_once(
    bare: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bare("--dry-run", "--invite") == 0
    assert bare.writes() == 0
    capsys.readouterr()
    assert bare("--invite", "--json") == 0
    printed = capsys.readouterr()
    kinds = [step["kind"] for step in json.loads(printed.out)["steps"]]
    assert kinds[:6] == ["organization", "trusted access", "administrator", "unit", "unit", "unit"]
    assert kinds[6:] == ["account"] * 3 + ["roles", "studio"] + ["stack"] * 7 + ["roles"] + ["stack set"] * 2
    assert "21 steps: 15 created, 5 updated, 1 unchanged" in printed.err
    done = people.with_units(bare.cloud, bare.setting)
    assert {stage: bare.parent(account) for stage, account in done.targets.items()} == done.units
    above = bare.parent(done.data_science)  # as in the post: in the unit that both stages' units are in
    assert {bare.parent(unit) for unit in done.units.values()} == {above}
    registered = bare.organizations.list_delegated_administrators(ServicePrincipal=people.STACK_SETS)
    assert [admin["Id"] for admin in registered["DelegatedAdministrators"]] == [done.data_science]
    written = bare.writes()
    assert bare() == 0
    assert bare.writes() == written


def test_accounts_are_moved_only_when_asked(bare: RehearsedOrganization, capsys: pytest.CaptureFixture[str]) -> None:
    before = bare.parent(bare.setting.targets["staging"])
    assert bare() == 1
    stderr = capsys.readouterr().err
    assert (
        '  remaining, for these credentials when asked:\n    make accounts ARGS="--invite --profile PROFILE"' in stderr
    )
    assert bare.parent(bare.setting.targets["staging"]) == before


def test_the_data_science_account_lists_what_the_management_account_has_to_do(
    bare: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.sign_in(bare.setting.data_science)
    assert bare("--invite") == 1
    stderr = capsys.readouterr().err
    assert bare.writes() == 0
    assert "remaining, with credentials of account 999999999999:" in stderr
    assert "    aws cloudformation activate-organizations-access\n" in stderr
    assert f"--service-principal {people.STACK_SETS} --account-id 111111111111\n" in stderr
    assert "cannot be seen from here before this account is an administrator" in stderr


def test_the_data_science_account_finishes_what_the_management_account_began(
    organization: RehearsedOrganization,
) -> None:
    organization.sign_in(organization.setting.data_science)
    assert organization() == 0
    assert len(organization.stacks(organization.setting.accounts["production"])) == 1


def test_one_by_one_the_targets_are_left_to_whom_their_role_trusts(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    """OrganizationAccountAccessRole trusts the management account, not the data science account."""
    organization.edit("invited_accounts:", f"{ONE_BY_ONE}invited_accounts:")
    organization.sign_in(organization.setting.data_science)
    assert organization() == 1
    err = capsys.readouterr().err
    assert organization.stacks(organization.setting.data_science) == HOME
    assert err.count("! wait   stack         multi-account-deployment-target in") == 2
    assert err.endswith('credentials of account 999999999999:\n    make accounts ARGS="--profile PROFILE"\n')
    organization.sign_in(organization.setting.management)
    assert organization() == 0


def test_a_unit_of_a_given_name_is_used_where_it_exists(bare: RehearsedOrganization) -> None:
    client, root = bare.organizations, bare.organizations.list_roots()["Roots"][0]["Id"]
    made = client.create_organizational_unit(ParentId=root, Name="multi-account-deployment")["OrganizationalUnit"]
    assert bare("--invite") == 0
    assert client.list_parents(ChildId=people.with_units(bare.cloud, bare.setting).units["prod"])["Parents"] == [
        {"Id": made["Id"], "Type": "ORGANIZATIONAL_UNIT"}
    ]


def test_a_sixth_administrator_is_not_registered(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    client, own = organization.organizations, organization.setting.data_science
    client.deregister_delegated_administrator(AccountId=own, ServicePrincipal=people.STACK_SETS)
    for number in range(5):
        made = client.create_account(AccountName=f"a{number}", Email=f"a{number}@example.com")["CreateAccountStatus"]
        client.register_delegated_administrator(AccountId=made["AccountId"], ServicePrincipal=people.STACK_SETS)
    assert organization("--dry-run") == 0
    stderr = capsys.readouterr().err
    assert "! wait   administrator 111111111111 of stack sets (the organization has its 5 already" in stderr
    assert "aws organizations deregister-delegated-administrator" in stderr


def test_another_management_account_than_the_files_is_reported(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    organization.edit("management: '999999999999'", f"management: '{OTHER}'")
    organization.sign_in(organization.setting.data_science)
    assert organization() == 1
    assert f"accounts.management is {OTHER}, but account 111111111111 belongs to" in capsys.readouterr().err


# -- accounts that are made or invited ---------------------------------------------------------


def test_from_no_organization_to_a_working_one_with_new_accounts(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manager = cloud.root(people.MANAGEMENT, REGION)
    people.make_person(
        manager.client("iam"), people.MANAGEMENT, people.ENGINEER, "arn:aws:iam::aws:policy/AdministratorAccess"
    )
    session = people.sign_in(cloud, people.MANAGEMENT, people.ENGINEER, REGION)
    for name, value in session.environment().items():
        monkeypatch.setenv(name, value)
    setting = people.Setting(
        "delegated", REGION, people.MANAGEMENT, people.DATA_SCIENCE, {"staging": OTHER, "prod": OTHER},
        {"staging": "models/staging", "prod": "models/production"},
    )  # fmt: skip
    text = people.environment_file(setting).replace(f"  data_science: '{people.DATA_SCIENCE}'\n", "")
    new = "".join(
        f"  - {{name: {stage}, email: {stage}@example.com, stage: {stage}}}\n"
        for stage in ("data_science", "staging", "production")
    )
    file = tmp_path / "environment.yaml"
    file.write_text(text[: text.index("invited_accounts")] + f"new_accounts:\n{new}")

    def command(*options: str) -> int:
        return console.run(lambda: accounts.main(["--environment", str(file), *options]))

    assert command() == 1
    assert 'make accounts ARGS="--create-organization --profile PROFILE"' in capsys.readouterr().err
    named = file.read_text()
    file.write_text(named.replace("models/staging", "ou-ab12-stag1111"))
    assert command("--create-organization") == 1
    assert "there is no organization yet that could have ou-ab12-stag1111" in capsys.readouterr().err
    file.write_text(named)
    ids = [people.DATA_SCIENCE, people.STAGING, people.PRODUCTION]
    plan_account_ids(ids)
    assert command("--create-organization", "--create-accounts") == 0
    assert "write `data_science: '111111111111'` beneath accounts" in capsys.readouterr().err
    organizations = manager.client("organizations")
    assert organizations.describe_organization()["Organization"]["FeatureSet"] == "ALL"
    assert len(organizations.list_accounts()["Accounts"]) == 4
    (above,) = organizations.list_parents(ChildId=people.DATA_SCIENCE)["Parents"]
    named = organizations.describe_organizational_unit(OrganizationalUnitId=above["Id"])["OrganizationalUnit"]["Name"]
    assert named == "models"
    for account in ids[1:]:
        made = cloud.root(account, REGION).client("cloudformation").describe_stacks()["Stacks"]
        assert made[0]["StackName"].startswith("StackSet-")
        assert [stack["StackStatus"] for stack in made] == ["CREATE_COMPLETE"]
    assert command() == 0
    assert "21 steps: 21 unchanged" in capsys.readouterr().err


def test_an_invited_account_is_waited_for_and_moved(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no role for the organization: one by one, its own administrator gets the command for its roles."""
    organization.edit("invited_accounts:\n", f"{ONE_BY_ONE}invited_accounts:\n  - {{id: '{OTHER}', stage: staging}}\n")
    assert organization("--invite") == 0
    assert f"note: account {OTHER} has to accept: aws organizations accept-handshake" in capsys.readouterr().err
    assert organization("--invite") == 1
    err = capsys.readouterr().err
    assert f"remaining, with credentials of account {OTHER}:" in err
    handshake = err.rsplit("--handshake-id ", 1)[1].strip()
    organization.client(OTHER, "organizations").accept_handshake(HandshakeId=handshake)
    assert organization("--invite") == 1
    assert organization.parent(OTHER) == organization.setting.units["staging"]
    stderr = capsys.readouterr().err
    assert f"account {OTHER} cannot be entered through the role OrganizationAccountAccessRole (roles.access)" in stderr
    assert "aws cloudformation deploy --stack-name multi-account-deployment-target" in stderr
    assert "PipelineExecutionRoleArn=arn:aws:iam::111111111111:role/" in stderr


# -- units and stacks --------------------------------------------------------------------------


def test_a_unit_that_is_not_there_is_reported(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    organization.edit(organization.setting.units["staging"], "ou-none-12345678")
    assert organization() == 1
    assert "units.staging: the unit ou-none-12345678 is not in the organization" in capsys.readouterr().err
    assert organization.writes() == 0


def test_accounts_are_found_beneath_nested_units_and_paths_name_every_unit(organization: RehearsedOrganization) -> None:
    setting, client = organization.setting, organization.organizations
    unit, account = setting.units["staging"], setting.accounts["staging"]
    child = client.create_organizational_unit(ParentId=unit, Name="Nested")["OrganizationalUnit"]["Id"]
    client.move_account(AccountId=account, SourceParentId=unit, DestinationParentId=child)
    assert [member.id for member in members.accounts_beneath(client, unit)] == [account]
    named = members.accounts_beneath(client, "multi-account-deployment/staging")
    assert named == members.accounts_beneath(client, unit)
    assert members.accounts_beneath(client, "multi-account-deployment/none") == ()
    path = members.unit_path(client, child, "units.staging").split("/")
    assert (path[0][:2], path[1][:2], path[-3:]) == ("o-", "r-", [unit, child, "*"])
