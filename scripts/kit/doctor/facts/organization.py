"""The organization: features, trusted access, delegation, OUs and their accounts, service control policies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from awslang.policy.document import Policy, parse
from awslang.policy.evaluator import Levels
from scripts.kit.doctor.reader import UNREAD, NotChecked, Reader, Unread, known
from scripts.kit.organization.members import state
from scripts.kit.settings.model import Settings
from scripts.kit.settings.where import UNIT_ID
from scripts.kit.stages import Stage

STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"


@dataclass(frozen=True)
class Account:
    """An account of an OU; parents: the root and the OUs above it, the root first."""

    id: str
    name: str
    status: str
    parents: tuple[str, ...]


@dataclass(frozen=True)
class Unit:
    """A stage's OU; accounts: in it and in the OUs beneath it, whatever their status."""

    key: str
    named: str
    id: str
    parents: tuple[str, ...]
    accounts: tuple[Account, ...]


@dataclass(frozen=True)
class Organization:
    """described: as DescribeOrganization shows it; trusted: the status of trusted access for stack sets.

    controls: the service control policies attached to each root, OU and account
    above: the root and the OUs above the data science account, the root first; () where they may not be read
    """

    described: Any = UNREAD
    trusted: Any = UNREAD
    delegates: Any = UNREAD
    units: Mapping[Stage, Any] = None  # type: ignore[assignment]  # Unit, None where it is missing, or UNREAD
    data_science: Any = UNREAD
    controls: Mapping[str, tuple[Policy, ...]] | Unread = UNREAD
    above: tuple[str, ...] = ()

    def nodes(self, account: str) -> tuple[str, ...]:
        """The root, the OUs and the account itself; () where they are not known."""
        if self.data_science and account == self.data_science["Account"]["Id"]:
            return (*self.above, account) if self.above else ()
        found = (one for unit in (self.units or {}).values() if unit for one in unit.accounts)
        return next(((*one.parents, one.id) for one in found if one.id == account), ())

    def levels(self, account: str) -> Levels:
        """The service control policies of each level above an account; () for none, or where they are not known."""
        if isinstance(self.controls, Unread) or not self.controls:
            return ()
        nodes = self.nodes(account)
        return tuple(self.controls[node] for node in nodes) if all(node in self.controls for node in nodes) else ()

    def targets(self, stage: Stage) -> tuple[Account, ...]:
        """The active accounts of a stage."""
        unit = self.units[stage]
        return tuple(account for account in unit.accounts if account.status == "ACTIVE") if unit else ()

    def path(self, stage: Stage) -> str:
        """The OU's path as aws:PrincipalOrgPaths has it; "" where it is not known."""
        unit = self.units[stage]
        if not unit or not self.described:
            return ""
        return "/".join([self.described["Organization"]["Id"], *unit.parents, unit.id, "*"])


def gather(reader: Reader, settings: Settings) -> Organization:
    """What these credentials may see of the organization."""
    if settings.administrator == "self-managed":
        return without_organizations(settings)
    described = reader.ask(reader.account, "organizations", "DescribeOrganization")
    if not described:
        return Organization(described, units=dict.fromkeys(settings.stages, UNREAD))
    management = described["Organization"]["MasterAccountId"]
    call_as = {} if reader.account == management else {"CallAs": "DELEGATED_ADMIN"}
    access = reader.ask(reader.account, "cloudformation", "DescribeOrganizationsAccess", **call_as)
    if access is None:  # "Account used is not a delegated administrator" is what CloudFormation answers
        reader.leave_out(closed(management))
        return Organization(described, delegates=[], units=dict.fromkeys(settings.stages, UNREAD))
    delegates = reader.pages(
        reader.account,
        "organizations",
        "ListDelegatedAdministrators",
        "DelegatedAdministrators",
        ServicePrincipal=STACK_SETS,
    )
    if not known(delegates):  # Organizations answers so to an account that administers nothing
        reader.leave_out(closed(management))
        return Organization(described, units=dict.fromkeys(settings.stages, UNREAD))
    units = {stage: read_unit(reader, stage, settings.units.of(stage)) for stage in settings.stages}
    account = settings.accounts.data_science
    above = tuple(read_parents(reader, account) or ())
    return Organization(
        described=described,
        trusted=access["Status"] if access else access,
        delegates=[item["Id"] for item in delegates or []],
        units=units,
        data_science=reader.ask(reader.account, "organizations", "DescribeAccount", AccountId=account),
        controls=read_controls(reader, units, (*above, account)),
        above=above,
    )


def closed(management: str) -> NotChecked:
    who = f"the management account {management}, or the data science account once it is a delegated administrator"
    return NotChecked(management, "the organization's OUs and accounts", "credentials that may read them", who)


def without_organizations(settings: Settings) -> Organization:
    targets = settings.targets
    if not targets:
        return Organization(units=dict.fromkeys(settings.stages, UNREAD))
    listed = {stage: tuple(Account(id, "", "ACTIVE", ()) for id in targets.of(stage)) for stage in settings.stages}
    return Organization(units={s: Unit(f"targets.{s.key}", "", "", (), accounts) for s, accounts in listed.items()})


def read_unit(reader: Reader, stage: Stage, named: str) -> Any:
    """The OU of a stage with its accounts; None where there is none."""
    found = find(reader, named)
    if not found:
        return found
    parents = read_parents(reader, found)
    if not known(parents):
        return UNREAD
    accounts = tuple(accounts_of(reader, found, (*parents, found)))
    return Unit(f"units.{stage.key}", named, found, tuple(parents), accounts)


def read_parents(reader: Reader, child: str) -> Any:
    """The root and the OUs above an OU or account, the root first."""
    parents: list[str] = []
    while not child.startswith("r-"):
        answer = reader.ask(reader.account, "organizations", "ListParents", ChildId=child)
        if not answer:
            return UNREAD
        child = answer["Parents"][0]["Id"]
        parents.insert(0, child)
    return tuple(parents)


def find(reader: Reader, named: str) -> Any:
    """The id of an OU, given as an id or as names from the root down."""
    if re.fullmatch(UNIT_ID, named):
        answer = reader.ask(reader.account, "organizations", "DescribeOrganizationalUnit", OrganizationalUnitId=named)
        return named if answer else answer
    roots = reader.pages(reader.account, "organizations", "ListRoots", "Roots")
    here = roots[0]["Id"] if roots else None
    for name in named.split("/"):
        here = next((unit["Id"] for unit in children(reader, here) if unit["Name"] == name), None) if here else None
    return here


def children(reader: Reader, parent: str) -> list[Any]:
    ask = partial(reader.pages, reader.account, "organizations")
    return ask("ListOrganizationalUnitsForParent", "OrganizationalUnits", ParentId=parent) or []


def accounts_of(reader: Reader, unit: str, parents: tuple[str, ...]) -> Iterator[Account]:
    listed = reader.pages(reader.account, "organizations", "ListAccountsForParent", "Accounts", ParentId=unit)
    for account in listed or []:
        # State takes the place of Status since September 2025 (Organizations API Reference, "Account")
        yield Account(account["Id"], account["Name"], state(account), parents)
    for child in children(reader, unit):
        yield from accounts_of(reader, child["Id"], (*parents, child["Id"]))


def read_controls(
    reader: Reader, units: Mapping[Stage, Any], others: tuple[str, ...]
) -> Mapping[str, tuple[Policy, ...]] | Unread:
    """The service control policies of the target accounts, of everything above them, and of the others named."""
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
    found |= {name: found.get(name, []) for name in others}
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
