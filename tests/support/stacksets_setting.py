"""An organization for the tests of stack sets, and how to follow an operation."""

from __future__ import annotations

import json
from typing import Any

from localaws.cloud import Cloud
from localaws.services.organizations.service import STACK_SETS, plan_account_ids
from tests.support.waiting import until

MANAGEMENT, DATA, STAGING, PROD, NESTED = (
    "999999999999", "111111111111", "333333333333", "222222222222", "444444444444",
)  # fmt: skip
REGION = "us-east-1"
TEMPLATE = json.dumps(
    {
        "Parameters": {"Value": {"Type": "String", "Default": "1"}},
        "Resources": {
            "Note": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "/note", "Type": "String", "Value": {"Ref": "Value"}},
            }
        },
    }
)


class Setting:
    """An organization: staging with a unit below it, production, the data science account in neither."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        client = cloud.root(MANAGEMENT, REGION).client("organizations")
        client.create_organization(FeatureSet="ALL")
        self.root = client.list_roots()["Roots"][0]["Id"]
        self.staging = self.unit(self.root, "staging")
        self.nested = self.unit(self.staging, "nested")
        self.prod = self.unit(self.root, "prod")
        for account, unit in ((STAGING, self.staging), (NESTED, self.nested), (PROD, self.prod), (DATA, None)):
            plan_account_ids([account])
            client.create_account(AccountName=f"a{account}", Email=f"{account}@example.com")
            if unit:
                client.move_account(AccountId=account, SourceParentId=self.root, DestinationParentId=unit)
        self.organizations = client
        self.management = cloud.root(MANAGEMENT, REGION).client("cloudformation")
        self.data = cloud.root(DATA, REGION).client("cloudformation")

    def unit(self, parent: str, name: str) -> str:
        client = self.cloud.root(MANAGEMENT, REGION).client("organizations")
        return str(client.create_organizational_unit(ParentId=parent, Name=name)["OrganizationalUnit"]["Id"])

    def trust(self) -> Setting:
        self.management.activate_organizations_access()
        self.organizations.register_delegated_administrator(AccountId=DATA, ServicePrincipal=STACK_SETS)
        return self

    def note(self, account: str, region: str = REGION) -> str:
        found = self.cloud.root(account, region).client("ssm").get_parameters(Names=["/note"])["Parameters"]
        return str(found[0]["Value"]) if found else ""


def create(client: Any, name: str = "notes", **more: Any) -> str:
    given = {
        "StackSetName": name,
        "TemplateBody": TEMPLATE,
        "PermissionModel": "SERVICE_MANAGED",
        "AutoDeployment": {"Enabled": False},
        **more,
    }
    return str(client.create_stack_set(**given)["StackSetId"])


def finish(client: Any, answer: dict[str, Any], name: str = "notes", **more: Any) -> dict[str, Any]:
    """The operation, when it has ended."""
    names = {"StackSetName": name, "OperationId": answer["OperationId"], **more}

    def ended() -> dict[str, Any] | None:
        seen: dict[str, Any] = client.describe_stack_set_operation(**names)["StackSetOperation"]
        return None if seen["Status"] in {"RUNNING", "QUEUED", "STOPPING"} else seen

    return dict(until(ended))


def instances(client: Any, name: str = "notes", **more: Any) -> dict[tuple[str, str], dict[str, Any]]:
    found = client.list_stack_instances(StackSetName=name, **more)["Summaries"]
    return {(i["Account"], i["Region"]): i for i in found}
