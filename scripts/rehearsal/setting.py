"""The organization that the story plays in: accounts, units and people; or accounts that no organization joins.

The post's layout ("Configuring Organizations"): a unit multi-account-deployment that holds the data
science account and the units production and staging. People are roles, each with what its owner
would have on AWS. Studio, its users and AWS's roles for projects are for `make accounts` to make.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from awslang.principals import Principal
from localaws.cloud import Cloud, Session
from localaws.services.organizations.service import ACCOUNT_ROLE, name_account, plan_account_ids
from scripts.kit import names
from scripts.kit.organization import members
from scripts.kit.patience import until
from scripts.kit.settings.model import Administrator, Domain
from scripts.kit.stages import Stage

MANAGEMENT = "999999999999"
DATA_SCIENCE = "111111111111"  # the post's account ids
PRODUCTION = "222222222222"
STAGING = "333333333333"
BETWEEN = {"qa": "666666666666", "uat": "888888888888", "preprod": "777777777777"}  # where the story has such stages
ACCOUNTS = {"staging": STAGING, **BETWEEN, "prod": PRODUCTION}  # of the stages, in the order of deployment
USUAL = ("staging", "prod")
DEPLOYMENT = "multi-account-deployment"  # the post's name; the units beneath it are called as the stages' keys
STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"

NEWLINE = "\n"
PATIENCE = 60.0  # seconds for an account to be made in the embedded AWS
LAUNCH_ROLE = "AmazonSageMakerServiceCatalogProductsLaunchRole"
LAUNCH_POLICY = "arn:aws:iam::aws:policy/AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy"
STUDIO_ROLE = names.STUDIO_ROLE.rsplit("/", 1)[1]
DOMAIN = Domain("data-science", "vpc-0a1b2c3d4e5f67890", ("subnet-0a1b2c3d4e5f67890",), ("ada",))
ENGINEER = "MLEngineer"
APPROVER = "Approver"
APPROVER_POLICY = "sagemaker-multi-account-approver"
ACCESS_ROLE = "MultiAccountSetUp"  # without an organization: what the targets' owners let the ML engineer in by


@dataclass(frozen=True)
class Setting:
    """Who and what there is; accounts by role, units by stage: ids, or names of units that are yet to be made.

    management and units are empty where there is no organization
    """

    administrator: Administrator
    region: str
    management: str
    data_science: str
    targets: dict[str, str]  # stage ("staging", "prod") to account, in the order of deployment
    units: dict[str, str]  # stage to unit
    asked: tuple[str, ...] = ()  # the stages between staging and production that an approver lets versions into

    @property
    def set_up_from(self) -> str:
        """The account whose ML engineer runs `make accounts`."""
        return self.management or self.data_science

    @property
    def accounts(self) -> dict[str, str]:
        """Every account, by what it is for."""
        named = {"management": self.management} if self.management else {}
        named["data science"] = self.data_science
        if self.management == self.data_science:
            named = {"data science (management)": self.management}
        return {**named, **{Stage(stage).key: account for stage, account in self.targets.items()}}


def trust(**principal: str) -> str:
    """A trust policy for one principal, for example trust(Service="sagemaker.amazonaws.com")."""
    statement = {"Sid": "Trust", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_organization(
    cloud: Cloud, administrator: Administrator, region: str, bare: bool = False, stages: Sequence[str] = USUAL
) -> Setting:
    """The organization with its units and accounts, trusted access, and the delegated administrator.

    bare: only the organization and its accounts. The rest is for `make accounts` to do.
    stages: of the story, in any order
    """
    delegated = administrator == "delegated"
    management = MANAGEMENT if delegated else DATA_SCIENCE
    name_account(cloud, management, "management" if delegated else "data-science")
    root = cloud.root(management, region)
    organizations = root.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    top = organizations.list_roots()["Roots"][0]["Id"]

    def unit(parent: str, name: str) -> str:
        made = organizations.create_organizational_unit(ParentId=parent, Name=name)
        return str(made["OrganizationalUnit"]["Id"])

    targets = {stage: account for stage, account in ACCOUNTS.items() if stage in stages}
    named = {stage: Stage(stage).key for stage in targets}
    units, deployment = {stage: f"{DEPLOYMENT}/{name}" for stage, name in named.items()}, top
    if not bare:
        deployment = unit(top, DEPLOYMENT)
        units = {stage: unit(deployment, name) for stage, name in named.items()}

    def account(account_id: str, name: str, parent: str) -> None:
        plan_account_ids([account_id])
        asked = organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]

        def created() -> str | None:
            described = organizations.describe_create_account_status(CreateAccountRequestId=asked["Id"])
            status = described["CreateAccountStatus"]
            return None if status["State"] == "IN_PROGRESS" else str(status["AccountId"])

        made = until(f"account {name}", created, PATIENCE, longest=0.02)
        if not bare:
            organizations.move_account(AccountId=made, SourceParentId=top, DestinationParentId=parent)

    if delegated:
        account(DATA_SCIENCE, "data-science", deployment)
    for stage in sorted(targets):  # production first, as the ids of its OU and account always were
        account(targets[stage], named[stage], units[stage])

    if not bare:
        root.client("cloudformation").activate_organizations_access()
    if delegated and not bare:
        organizations.register_delegated_administrator(AccountId=DATA_SCIENCE, ServicePrincipal=STACK_SETS)
    return Setting(administrator, region, management, DATA_SCIENCE, targets, units)


def make_accounts_alone(cloud: Cloud, region: str, stages: Sequence[str] = USUAL) -> Setting:
    """The accounts without an organization; each target's owner has let the data science account in."""
    targets = {stage: account for stage, account in ACCOUNTS.items() if stage in stages}
    setting = Setting("self-managed", region, "", DATA_SCIENCE, targets, {})
    for account in setting.targets.values():
        iam = cloud.root(account, region).client("iam")
        let_in = trust(AWS=f"arn:aws:iam::{DATA_SCIENCE}:root")
        iam.create_role(RoleName=ACCESS_ROLE, AssumeRolePolicyDocument=let_in)
        iam.attach_role_policy(RoleName=ACCESS_ROLE, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    return setting


def with_units(cloud: Cloud, setting: Setting) -> Setting:
    """The setting with the ids of its units, once `make accounts` has made them."""
    if not setting.units:
        return setting
    organizations = cloud.root(setting.management, setting.region).client("organizations")
    units = {stage: members.unit_id(organizations, unit, "units") for stage, unit in setting.units.items()}
    return replace(setting, units=units)


def make_people(cloud: Cloud, setting: Setting) -> None:
    """The ML engineer of each account that `make accounts` and `make publish` start from."""
    for account in dict.fromkeys((setting.data_science, setting.set_up_from)):
        iam = cloud.root(account, setting.region).client("iam")
        make_person(iam, account, ENGINEER, "arn:aws:iam::aws:policy/AdministratorAccess")


def make_person(iam: Any, account: str, name: str, policy_arn: str) -> None:
    """A user of this account, and the role that the user works with."""
    iam.create_user(UserName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(AWS=f"arn:aws:iam::{account}:user/{name}"))
    iam.attach_role_policy(RoleName=name, PolicyArn=policy_arn)


def sign_in(cloud: Cloud, account: str, role: str, region: str) -> Session:
    """A person signed in to an account with the role that make_person made."""
    person = Principal("user", account, f"arn:aws:iam::{account}:user/{role}")
    return cloud.assume_role(f"arn:aws:iam::{account}:role/{role}", role, person, region)


def studio(cloud: Cloud, setting: Setting) -> Session:
    """The data scientist in Studio: a session of the Studio execution role, which SageMaker assumes."""
    role = f"arn:aws:iam::{setting.data_science}:role/service-role/{STUDIO_ROLE}"
    return cloud.service_role(role, "SageMaker", "sagemaker.amazonaws.com", setting.region)


def environment_file(
    setting: Setting, regions: Sequence[str] = (), images: str = "", build_on_push: bool = False
) -> str:
    """What the ML engineer writes into environment.yaml.

    regions: of the stages, where they are not the Region; images: the namespace of images that go to the others
    build_on_push: whether a push to a training repository trains
    """
    listed = f"[{', '.join(regions)}]"
    keys = [Stage(stage).key for stage in setting.targets]
    of_stages = "".join(["regions:\n", *(f"  {key}: {listed}\n" for key in keys)]) if regions else ""
    of_stages += "" if "staging" in setting.targets else "production_alone: true\n"
    of_stages += f"approval: {{before: [{', '.join(setting.asked)}]}}\n" if setting.asked else ""
    of_stages += f"images: {{repository_prefix: {images}}}\n" if images else ""
    of_stages += "builds: {on_push: true}\n" if build_on_push else ""
    alone = setting.administrator == "self-managed"
    return f"""\
region: {setting.region}
{of_stages}\
administrator: {setting.administrator}
{targets_of(setting) if alone else units_of(setting)}\
roles:
  suffix:
{"".join(f"    {Stage(stage).key}: {stage}{NEWLINE}" for stage in USUAL if stage in setting.targets)}\
  access: {ACCESS_ROLE if alone else ACCOUNT_ROLE}
  publishers: [{ENGINEER}]
tester_external_id: rehearsal-tester
studio:
  domain:
    name: {DOMAIN.name}
    vpc_id: {DOMAIN.vpc_id}
    subnet_ids: [{", ".join(DOMAIN.subnet_ids)}]
    users: [{", ".join(DOMAIN.users)}]
catalog:
  owner: ML platform
{"" if alone else invitations_of(setting)}"""


def units_of(setting: Setting) -> str:
    """The accounts and units of an organization."""
    return f"""\
accounts:
  management: '{setting.management}'
  data_science: '{setting.data_science}'
units:
{"".join(f"  {Stage(stage).key}: {unit}{NEWLINE}" for stage, unit in setting.units.items())}"""


def invitations_of(setting: Setting) -> str:
    """The accounts that go into their units; a management account stays where it is."""
    delegated = setting.administrator == "delegated"
    data_science = f"  - {{id: '{setting.data_science}', stage: data_science}}\n" if delegated else ""
    return f"""\
invited_accounts:
{data_science}\
{"".join(f"  - {{id: '{id}', stage: {Stage(stage).key}}}{NEWLINE}" for stage, id in setting.targets.items())}"""


def targets_of(setting: Setting) -> str:
    """The accounts where there is no organization."""
    return f"""\
accounts:
  data_science: '{setting.data_science}'
targets:
{"".join(f"  {Stage(stage).key}: ['{id}']{NEWLINE}" for stage, id in setting.targets.items())}"""
