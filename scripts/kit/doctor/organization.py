"""The organization: features, trusted access, delegation, units and their accounts, policies that deny."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from awslang.policy.document import Policy, parse
from awslang.policy.evaluator import AuthorizationRequest, Levels, Policies, decide
from scripts.kit.doctor.findings import Place, finding
from scripts.kit.doctor.reader import UNREAD, NotExamined, Reader, Unread, known
from scripts.kit.doctor.roles import EVERYTHING, role_session
from scripts.kit.organization.members import state
from scripts.kit.settings.model import Settings
from scripts.kit.settings.reading import UNIT_ID

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"
STAGES = ("staging", "production")
# What a stack set's role in a target account does for 50-endpoint.yaml, and what the tests then ask.
NEEDED_IN_TARGETS = (
    "cloudformation:CreateStack",
    "sagemaker:CreateModel",
    "sagemaker:CreateEndpointConfig",
    "sagemaker:CreateEndpoint",
    "sagemaker:InvokeEndpoint",
    "cloudwatch:PutMetricAlarm",
    "iam:PassRole",
)


@dataclass(frozen=True)
class Account:
    """An account of a unit; parents: the units above it, the root first."""

    id: str
    name: str
    status: str
    parents: tuple[str, ...]


@dataclass(frozen=True)
class Unit:
    """A stage's unit; accounts: in it and in the units beneath it, whatever their status."""

    key: str
    named: str
    id: str
    parents: tuple[str, ...]
    accounts: tuple[Account, ...]


@dataclass(frozen=True)
class Organization:
    """described: as DescribeOrganization shows it; trusted: the status of trusted access for stack sets.

    controls: the service control policies attached to each root, unit and account
    """

    described: Any = UNREAD
    trusted: Any = UNREAD
    delegates: Any = UNREAD
    units: Mapping[str, Any] = None  # type: ignore[assignment]  # by stage: Unit, None where it is missing, or UNREAD
    data_science: Any = UNREAD
    controls: Mapping[str, tuple[Policy, ...]] | Unread = UNREAD

    def targets(self, stage: str) -> tuple[Account, ...]:
        """The active accounts of a stage."""
        unit = self.units[stage]
        return tuple(account for account in unit.accounts if account.status == "ACTIVE") if unit else ()

    def path(self, stage: str) -> str:
        """The unit's path as aws:PrincipalOrgPaths has it; "" where it is not known."""
        unit = self.units[stage]
        if not unit or not self.described:
            return ""
        return "/".join([self.described["Organization"]["Id"], *unit.parents, unit.id, "*"])


# -- the facts ---------------------------------------------------------------------------------


def gather(reader: Reader, settings: Settings) -> Organization:
    """What these credentials may see of the organization."""
    if settings.administrator == "self-managed":
        return without_organizations(settings)
    described = reader.ask(reader.account, "organizations", "DescribeOrganization")
    if not described:
        return Organization(described, units=dict.fromkeys(STAGES, UNREAD))
    management = described["Organization"]["MasterAccountId"]
    call_as = {} if reader.account == management else {"CallAs": "DELEGATED_ADMIN"}
    access = reader.ask(reader.account, "cloudformation", "DescribeOrganizationsAccess", **call_as)
    if (
        access is None
    ):  # "Account used is not a delegated administrator": CloudFormation's answer to an account that is none
        reader.leave_out(closed(management))
        return Organization(described, delegates=[], units=dict.fromkeys(STAGES, UNREAD))
    delegates = reader.pages(
        reader.account,
        "organizations",
        "ListDelegatedAdministrators",
        "DelegatedAdministrators",
        ServicePrincipal=STACK_SETS,
    )
    if not known(delegates):  # the answer of Organizations to everybody who is no administrator of anything
        reader.leave_out(closed(management))
        return Organization(described, units=dict.fromkeys(STAGES, UNREAD))
    units = {stage: read_unit(reader, stage, getattr(settings.units, stage)) for stage in STAGES}
    account = settings.accounts.data_science
    return Organization(
        described=described,
        trusted=access["Status"] if access else access,
        delegates=[item["Id"] for item in delegates or []],
        units=units,
        data_science=reader.ask(reader.account, "organizations", "DescribeAccount", AccountId=account),
        controls=read_controls(reader, units),
    )


def closed(management: str) -> NotExamined:
    who = f"the management account {management}, or the data science account once it is a delegated administrator"
    return NotExamined(management, "the organization's units and accounts", "credentials that may read them", who)


def without_organizations(settings: Settings) -> Organization:
    targets = settings.targets
    units = {
        stage: Unit(f"targets.{stage}", "", "", (), tuple(Account(id, "", "ACTIVE", ()) for id in accounts))
        for stage, accounts in (("staging", targets.staging), ("production", targets.production))
    } if targets else dict.fromkeys(STAGES, UNREAD)  # fmt: skip
    return Organization(units=units)


def read_unit(reader: Reader, stage: str, named: str) -> Any:
    """The unit of a stage with its accounts; None where there is none."""
    found = find(reader, named)
    if not found:
        return found
    parents: list[str] = []
    child = found
    while not child.startswith("r-"):
        answer = reader.ask(reader.account, "organizations", "ListParents", ChildId=child)
        if not answer:
            return UNREAD
        child = answer["Parents"][0]["Id"]
        parents.insert(0, child)
    accounts = tuple(accounts_of(reader, found, (*parents, found)))
    return Unit(f"units.{stage}", named, found, tuple(parents), accounts)


def find(reader: Reader, named: str) -> Any:
    """The id of a unit, given as an id or as names from the root down."""
    if re.fullmatch(UNIT_ID, named):
        answer = reader.ask(reader.account, "organizations", "DescribeOrganizationalUnit", OrganizationalUnitId=named)
        return named if answer else answer
    roots = reader.pages(reader.account, "organizations", "ListRoots", "Roots")
    here = roots[0]["Id"] if roots else None
    for name in named.split("/"):
        here = next((unit["Id"] for unit in children(reader, here) if unit["Name"] == name), None) if here else None
    return here


def children(reader: Reader, parent: str) -> list[Any]:
    operation = "ListOrganizationalUnitsForParent"
    return reader.pages(reader.account, "organizations", operation, "OrganizationalUnits", ParentId=parent) or []


def accounts_of(reader: Reader, unit: str, parents: tuple[str, ...]) -> Iterator[Account]:
    listed = reader.pages(reader.account, "organizations", "ListAccountsForParent", "Accounts", ParentId=unit)
    for account in listed or []:
        # State takes the place of Status since September 2025 (Organizations API Reference, "Account")
        yield Account(account["Id"], account["Name"], state(account), parents)
    for child in children(reader, unit):
        yield from accounts_of(reader, child["Id"], (*parents, child["Id"]))


def read_controls(reader: Reader, units: Mapping[str, Any]) -> Mapping[str, tuple[Policy, ...]] | Unread:
    """The service control policies of everything above the target accounts, and of the accounts."""
    roots = reader.pages(reader.account, "organizations", "ListRoots", "Roots")
    kinds = {kind["Type"] for root in roots or [] for kind in root["PolicyTypes"] if kind["Status"] == "ENABLED"}
    if "SERVICE_CONTROL_POLICY" not in kinds:
        return {} if known(roots) else UNREAD
    ask, pages = partial(reader.ask, reader.account, "organizations"), partial(reader.pages, reader.account)
    policies = pages("organizations", "ListPolicies", "Policies", Filter="SERVICE_CONTROL_POLICY")
    if not known(policies):
        return UNREAD
    accounts = [account for unit in units.values() if unit for account in unit.accounts]
    found: dict[str, list[Policy]] = {name: [] for account in accounts for name in (*account.parents, account.id)}
    for policy in policies or []:  # there are fewer of them than accounts
        targets = pages("organizations", "ListTargetsForPolicy", "Targets", PolicyId=policy["Id"])
        answer = ask("DescribePolicy", PolicyId=policy["Id"])
        if not known(targets) or not answer:
            return UNREAD
        document = parse(answer["Policy"]["Content"], policy["Name"], "", "control")
        for target in targets or []:
            if target["TargetId"] in found:
                found[target["TargetId"]].append(document)
    return {target: tuple(documents) for target, documents in found.items()}


# -- the checks --------------------------------------------------------------------------------


@finding(
    "organization-missing",
    "stops",
    "The account is in no organization",
    "Stack sets of this kind deploy to the accounts of organizational units.",
)
def organization_missing(it: Snapshot) -> Iterator[Place]:
    if it.organization.described is None:
        yield Place(
            it.reader_account,
            "organization",
            f"account {it.reader_account} belongs to no organization",
            "aws organizations create-organization --feature-set ALL\n"
            "(in the account that is to manage it), or write `administrator: self-managed` and `targets`",
        )


@finding(
    "organization-features",
    "stops",
    "The organization has only consolidated billing",
    "Trusted access for stack sets needs an organization with all features.",
)
def organization_features(it: Snapshot) -> Iterator[Place]:
    described = it.organization.described
    if described and described["Organization"]["FeatureSet"] != "ALL":
        yield Place(
            described["Organization"]["MasterAccountId"],
            described["Organization"]["Id"],
            f"FeatureSet is {described['Organization']['FeatureSet']}",
            "aws organizations enable-all-features\n(in the management account; invited accounts must agree)",
        )


@finding(
    "organization-management",
    "stops",
    "accounts.management is not the organization's management account",
    "Trusted access and delegation are set there, and its accounts are entered from there.",
)
def organization_management(it: Snapshot) -> Iterator[Place]:
    described = it.organization.described
    if described and described["Organization"]["MasterAccountId"] != it.settings.accounts.management:
        management = described["Organization"]["MasterAccountId"]
        yield Place(
            management,
            described["Organization"]["Id"],
            f"it is {management}, and the environment file says {it.settings.accounts.management}",
            f"write accounts.management: '{management}' in the environment file",
        )


@finding(
    "trusted-access",
    "stops",
    "CloudFormation has no trusted access to the organization",
    "Without it nobody can make a stack set that deploys to units.",
)
def trusted_access(it: Snapshot) -> Iterator[Place]:
    if known(it.organization.trusted) and it.organization.trusted != "ENABLED":
        yield Place(
            it.settings.accounts.management,
            "trusted access for stack sets",
            f"its status is {it.organization.trusted}",
            "aws cloudformation activate-organizations-access",
        )


@finding(
    "delegation",
    "stops",
    "The data science account may not make stack sets for the organization",
    "Each stage is a stack set that the data science account makes as a delegated administrator.",
)
def delegation(it: Snapshot) -> Iterator[Place]:
    account = it.settings.accounts.data_science
    delegates = it.organization.delegates
    if it.settings.administrator == "delegated" and known(delegates) and account not in delegates:
        yield Place(
            it.settings.accounts.management,
            f"account {account}",
            f"delegated administrators of stack sets: {', '.join(delegates) or 'none'}",
            "aws organizations register-delegated-administrator "
            f"--service-principal {STACK_SETS} --account-id {account}",
        )


@finding(
    "data-science-account",
    "stops",
    "The data science account is not an active account of the organization",
    "Models are shared, and stack sets made, within one organization.",
)
def data_science_account(it: Snapshot) -> Iterator[Place]:
    answer, account = it.organization.data_science, it.settings.accounts.data_science
    now = state(answer["Account"]) if answer else "not in it"
    if known(answer) and now != "ACTIVE":
        yield Place(
            account,
            f"account {account}",
            f"the account is {now}",
            f"invite it (aws organizations invite-account-to-organization --target Id={account},Type=ACCOUNT), "
            "or name another account in accounts.data_science",
        )


@finding(
    "unit-missing",
    "stops",
    "A stage's unit does not exist",
    "The Build step looks for the accounts of this unit.",
)
def unit_missing(it: Snapshot) -> Iterator[Place]:
    for stage in STAGES:
        if it.organization.units[stage] is None:
            named = getattr(it.settings.units, stage)
            yield Place(
                it.settings.accounts.management,
                f"units.{stage}",
                f"there is no unit {named}",
                "aws organizations list-organizational-units-for-parent --parent-id ROOT shows those that are; "
                f"put the right id into units.{stage}, or a path of names and run `make accounts`",
            )


@finding(
    "unit-empty",
    "stops",
    "A stage's unit holds no active account",
    "The Build step fails when a stage has nowhere to go.",
)
def unit_empty(it: Snapshot) -> Iterator[Place]:
    for stage in STAGES:
        unit = it.organization.units[stage]
        others = {it.settings.accounts.management, it.settings.accounts.data_science}
        if unit and not [account for account in it.organization.targets(stage) if account.id not in others]:
            yield Place(
                it.settings.accounts.management,
                unit.id or unit.key,
                f"the {stage} unit {unit.named} holds {len(unit.accounts)} accounts, none that can run a model",
                f"aws organizations move-account --account-id ACCOUNT --source-parent-id PARENT "
                f"--destination-parent-id {unit.id}",
            )


@finding(
    "unit-suspended",
    "note",
    "A suspended account stands in a stage's unit",
    "It is left out of every deployment; endpoints that it still has are not updated.",
)
def unit_suspended(it: Snapshot) -> Iterator[Place]:
    for stage in STAGES:
        unit = it.organization.units[stage]
        for account in unit.accounts if unit else ():
            if account.status != "ACTIVE":
                yield Place(
                    account.id,
                    f"account {account.id} ({account.name})",
                    f"it is {account.status} in the {stage} unit {unit.named}",
                    "nothing, where this is meant. Otherwise reopen it through AWS Support within 90 days, or "
                    f"aws organizations remove-account-from-organization --account-id {account.id}",
                )


@finding(
    "units-overlap",
    "stops",
    "An account belongs to both stages",
    "It would get a staging endpoint and a production endpoint, and the roles of only one stage.",
)
def units_overlap(it: Snapshot) -> Iterator[Place]:
    staging = {account.id: account for account in it.organization.targets("staging")}
    for account in it.organization.targets("production"):
        if account.id in staging:
            yield Place(
                account.id,
                f"account {account.id} ({account.name})",
                "one of the units lies beneath the other, or the account is listed for both stages",
                "give each stage a unit of its own, side by side, and name them in units",
            )


@finding(
    "unit-own-account",
    "stops",
    "The data science account stands in a stage's unit",
    "The Build step would deploy to it, and it has no role for the model.",
)
def unit_own_account(it: Snapshot) -> Iterator[Place]:
    wanted = it.settings.units.data_science
    parent = wanted if re.fullmatch(UNIT_ID, wanted) else f"ID-OF-{wanted.upper()}" if wanted else "PARENT"
    for stage in STAGES:
        for account in it.organization.targets(stage):
            if account.id == it.settings.accounts.data_science:
                unit = it.organization.units[stage]
                yield Place(
                    account.id,
                    f"account {account.id} ({account.name})",
                    f"it is in the {stage} unit {unit.named}",
                    f"aws organizations move-account --account-id {account.id} --source-parent-id "
                    f"{account.parents[-1] if account.parents else unit.id} --destination-parent-id {parent}",
                )


@finding(
    "unit-management-account",
    "note",
    "The management account stands in a stage's unit",
    "Stack sets never deploy to it, so it gets no endpoint.",
)
def unit_management_account(it: Snapshot) -> Iterator[Place]:
    for stage in STAGES:
        for account in it.organization.targets(stage):
            if account.id == it.settings.accounts.management != it.settings.accounts.data_science:
                yield Place(
                    account.id,
                    f"account {account.id} ({account.name})",
                    f"it is in the {stage} unit {it.organization.units[stage].named}",
                    "nothing, where no endpoint is expected there. Otherwise use another account for it",
                )


@finding(
    "service-control-policy",
    "stops",
    "A service control policy denies what an endpoint needs",
    "The stack set fails in this account, or its tests do, whatever the roles allow.",
)
def service_control_policy(it: Snapshot) -> Iterator[Place]:
    controls = it.organization.controls
    if not known(controls) or not controls:
        return
    for stage in STAGES:
        regions = getattr(it.settings.regions, stage)
        for account in it.organization.targets(stage):
            levels: Levels = tuple(controls.get(name, ()) for name in (*account.parents, account.id))  # type: ignore[union-attr]
            for region in regions:
                if denied := [a for a in NEEDED_IN_TARGETS if denies(it, account, levels, a, region)]:
                    policies = ", ".join(sorted({policy.name for level in levels for policy in level}))
                    yield Place(
                        account.id,
                        f"account {account.id} ({account.name})",
                        f"denied: {', '.join(denied)} (policies above it: {policies or 'none'})",
                        "except the role in the policy's Deny statement: "
                        '"Condition": {"ArnNotLike": '
                        f'{{"aws:PrincipalArn": "arn:{it.partition}:iam::*:role/stacksets-exec-*"}}}}',
                        region,
                    )


def denies(it: Snapshot, account: Account, levels: Levels, action: str, region: str) -> bool:
    who = role_session(f"arn:{it.partition}:iam::{account.id}:role/stacksets-exec-0123456789abcdef0")
    context = {"aws:requestedregion": (region,), "aws:principalarn": (who.role_arn,)}
    request = AuthorizationRequest(who, action, "*", account.id, context)
    policies = Policies(
        identity=(EVERYTHING,), service_control=levels, management_account=it.settings.accounts.management
    )
    return not decide(request, policies).allowed
