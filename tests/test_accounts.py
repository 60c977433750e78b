"""`make accounts`: the data science account's stack, and one in every target account of the units."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import accounts
from scripts.bundle import console, members, stacks
from scripts.bundle.console import UserError
from scripts.rehearsal import setting as people
from scripts.rehearsal.cloud import Cloud

REGION = "us-east-1"


class Organization:
    """The rehearsal's organization, and its ML engineer in the management account."""

    def __init__(self, cloud: Cloud, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        self.setting = people.make_organization(cloud, "delegated", REGION)
        people.make_people(cloud, self.setting)
        self.environment = folder / "environment.yaml"
        self.environment.write_text(people.environment_file(self.setting))
        patch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))
        engineer = people.sign_in(cloud, self.setting.management, people.ENGINEER, REGION)
        for name, value in engineer.environment().items():
            patch.setenv(name, value)

    def __call__(self, *arguments: str) -> int:
        return console.run(lambda: accounts.main(["--environment", str(self.environment), *arguments]))

    def stacks(self, account: str) -> dict[str, str]:
        listed = self.cloud.root(account, REGION).client("cloudformation").describe_stacks()["Stacks"]
        return {stack["StackName"]: stack["StackStatus"] for stack in listed}

    def writes(self) -> int:
        lines = (self.cloud.folder / "requests.jsonl").read_text().splitlines()
        return sum(json.loads(line)["operation"] in {"CreateStack", "UpdateStack"} for line in lines)


@pytest.fixture
def organization(cloud: Cloud, tmp_path: Path) -> Iterator[Organization]:
    with pytest.MonkeyPatch.context() as patch:
        yield Organization(cloud, tmp_path, patch)


def test_every_account_gets_its_stack_once(organization: Organization, capsys: pytest.CaptureFixture[str]) -> None:
    setting = organization.setting
    assert organization("--dry-run") == 0
    assert organization.writes() == 0
    assert organization() == 0, capsys.readouterr().err
    assert organization.stacks(setting.data_science) == {"multi-account-deployment": "CREATE_COMPLETE"}
    for name in ("staging", "production"):
        account = setting.accounts[name]
        assert organization.stacks(account) == {"multi-account-deployment-target": "CREATE_COMPLETE"}
    written = organization.writes()
    assert written == 3
    assert organization() == 0
    assert organization.writes() == written
    text = organization.environment.read_text()
    organization.environment.write_text(text.replace("rehearsal-tester", "another-word"))
    assert organization() == 0
    assert organization.writes() == written + 3


def test_a_unit_that_is_not_there_is_told(organization: Organization, capsys: pytest.CaptureFixture[str]) -> None:
    unit = organization.setting.units["staging"]
    text = organization.environment.read_text()
    organization.environment.write_text(text.replace(unit, "ou-none-12345678"))
    assert organization() == 1
    assert "units.staging: the unit ou-none-12345678 is not in the organization" in capsys.readouterr().err
    assert organization.writes() == 0


def test_accounts_are_found_beneath_nested_units_and_paths_name_every_unit(organization: Organization) -> None:
    setting = organization.setting
    client = organization.cloud.root(setting.management, REGION).client("organizations")
    unit, account = setting.units["staging"], setting.accounts["staging"]
    child = client.create_organizational_unit(ParentId=unit, Name="Nested")["OrganizationalUnit"]["Id"]
    client.move_account(AccountId=account, SourceParentId=unit, DestinationParentId=child)
    assert [member.id for member in members.accounts_beneath(client, unit)] == [account]
    path = members.unit_path(client, child, "units.staging").split("/")
    assert (path[0][:2], path[1][:2], path[-3:]) == ("o-", "r-", [unit, child, "*"])


@pytest.mark.parametrize("status", ["ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"])
def test_a_broken_stack_is_left_for_a_person_to_look_at(status: str) -> None:
    want = stacks.Wanted("111111111111", "multi-account-deployment", "Resources: {}", {})
    with pytest.raises(UserError, match=status):
        stacks.make_plan(want, stacks.Found(status, "Resources: {}", {}))


def test_the_plan_names_what_differs() -> None:
    want = stacks.Wanted("111111111111", "s", "Resources: {A: 1}", {"Suffix": "prod", "Same": "x"})
    step = stacks.make_plan(want, stacks.Found("UPDATE_COMPLETE", "Resources: {}", {"Suffix": "old", "Same": "x"}))
    assert (step.action, step.detail) == ("change", "template, Suffix")
    assert stacks.make_plan(want, stacks.Found()).action == "create"
