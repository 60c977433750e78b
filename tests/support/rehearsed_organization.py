"""The rehearsal's organization, and `make accounts` in it with the writes that it sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import Cloud
from scripts import accounts
from scripts.kit import console
from scripts.rehearsal import setting as people

REGION = "us-east-1"
READS = ("Describe", "List", "Get", "Head", "AssumeRole")


class RehearsedOrganization:
    """The rehearsal's organization, and its ML engineer in the management account."""

    def __init__(self, cloud: Cloud, folder: Path, patch: pytest.MonkeyPatch, bare: bool = False) -> None:
        self.cloud, self.patch = cloud, patch
        self.setting = people.make_organization(cloud, "delegated", REGION, bare)
        people.make_people(cloud, self.setting)
        self.environment = folder / "environment.yaml"
        self.environment.write_text(people.environment_file(self.setting))
        patch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))
        self.sign_in(self.setting.management)
        self.earlier = len(self.requests())

    def sign_in(self, account: str) -> None:
        for name, value in people.sign_in(self.cloud, account, people.ENGINEER, REGION).environment().items():
            self.patch.setenv(name, value)

    def __call__(self, *arguments: str) -> int:
        return console.run(lambda: accounts.main(["--environment", str(self.environment), *arguments]))

    def edit(self, old: str, new: str) -> None:
        text = self.environment.read_text()
        assert old in text
        self.environment.write_text(text.replace(old, new))

    @property
    def organizations(self) -> Any:
        return self.cloud.root(self.setting.management, REGION).client("organizations")

    def client(self, account: str, service: str) -> Any:
        return self.cloud.root(account, REGION).client(service)

    def stacks(self, account: str) -> dict[str, str]:
        listed = self.client(account, "cloudformation").describe_stacks()["Stacks"]
        return {stack["StackName"]: stack["StackStatus"] for stack in listed}

    def parent(self, account: str) -> str:
        return str(self.organizations.list_parents(ChildId=account)["Parents"][0]["Id"])

    def requests(self) -> list[str]:
        return (self.cloud.folder / "requests.jsonl").read_text().splitlines()

    def writes(self, *only: str) -> int:
        """How many requests were sent since that change something (or those of these operations)."""
        sent = [str(json.loads(line)["operation"]) for line in self.requests()[self.earlier :]]
        return sum(name in only if only else not name.startswith(READS) for name in sent)
