"""The organization's part of the set-up: all features, trusted access, the delegated administrator, units, accounts.

Plan, apply. Only the management account may write here; what it would have to do is a step that waits, with the
command for it, where the credentials are another account's. Sources: CloudFormation User Guide, "Activate trusted
access for StackSets with Organizations" and "Register a delegated administrator member account".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from scripts.kit import plan
from scripts.kit.connect import Connection
from scripts.kit.console import UserError
from scripts.kit.organization import joining, members
from scripts.kit.organization.state import (
    SETTLING,
    STACK_SETS,
    AccountOptions,
    SeenOrganization,
    every_unit,
    passes,
    prefixes,
    stack_set_administrators,
    write,
    write_unless,
)
from scripts.kit.patience import code, patiently, until
from scripts.kit.plan import PlanStep
from scripts.kit.settings.model import PURPOSES, Settings

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient

MOST_ADMINISTRATORS = 5  # for stack sets (CloudFormation User Guide, "Register a delegated administrator…")


# -- plan ------------------------------------------------------------------------------------------


def make_plan(
    connection: Connection, settings: Settings, seen: SeenOrganization, asked: AccountOptions
) -> list[PlanStep]:
    """Every step of the organization, in order; those that these credentials may not take wait."""
    management = settings.accounts.management
    manages = connection.account == management
    first = organization_step(connection, settings, seen, asked)
    if first.action == "wait":
        return [first]
    steps = [first, trust_step(seen)]
    administrator = [administrator_step(settings, seen)] if settings.administrator == "delegated" else []
    known = bool(settings.accounts.data_science)
    steps += administrator if known else []
    if manages or seen.readable:
        steps += unit_steps(settings, seen)
        steps += joining.plan_accounts(connection, settings, seen, asked)
    else:
        detail = "cannot be seen from here before this account is an administrator"
        steps.append(PlanStep("wait", "units", "and their accounts", detail))
    steps += [] if known else administrator
    return steps if manages else [to_another(step, management) if step.writes else step for step in steps]


def to_another(step: PlanStep, account: str) -> PlanStep:
    """A step that needs credentials of that account."""
    return replace(step, action="wait", account=account)


def organization_step(
    connection: Connection, settings: Settings, seen: SeenOrganization, asked: AccountOptions
) -> PlanStep:
    management = settings.accounts.management
    if not seen.id and connection.account != management:
        detail = f"account {connection.account} is in no organization: it has to be invited, or made there"
        command = f"aws organizations invite-account-to-organization --target Id={connection.account},Type=ACCOUNT"
        return PlanStep("wait", "organization", f"of {management}", detail, account=management, command=command)
    if not seen.id:
        name = f"of {management}"
        if asked.create_organization and (ids := [unit for unit in every_unit(settings) if unit.startswith("ou-")]):
            raise UserError(
                f"units: there is no organization yet that could have {' or '.join(ids)}. "
                "Name the units from the root down instead, such as multi-account-deployment/staging"
            )
        if asked.create_organization:
            return PlanStep("create", "organization", name, "with all features")
        return PlanStep(
            "wait",
            "organization",
            name,
            "there is none yet: ask for it",
            account=management,
            command=f'{joining.AGAIN} ARGS="--create-organization --profile PROFILE"',
        )
    if not seen.all_features:
        return PlanStep(
            "wait",
            "organization",
            seen.id,
            "it has only consolidated billing: every invited account has to agree to all features",
            account=management,
            command="aws organizations enable-all-features",
        )
    return PlanStep("keep", "organization", seen.id)


def trust_step(seen: SeenOrganization) -> PlanStep:
    command = "aws cloudformation activate-organizations-access"
    return PlanStep(
        "keep" if seen.trusted else "create", "trusted access", "of CloudFormation stack sets", command=command
    )


def administrator_step(settings: Settings, seen: SeenOrganization) -> PlanStep:
    account = settings.accounts.data_science
    kind, name = "administrator", f"{account or 'the new data science account'} of stack sets"
    if account and account in seen.administrators:
        return PlanStep("keep", kind, name)
    if not seen.joined and account not in {invited.id for invited in settings.invited_accounts}:
        detail = "is not in the organization yet. Name it in invited_accounts (stage: data_science)"
        command = f'{joining.AGAIN} ARGS="--invite --profile PROFILE"'
        return PlanStep("wait", kind, name, detail, account=settings.accounts.management, command=command)
    if len(seen.administrators) >= MOST_ADMINISTRATORS:
        return PlanStep(
            "wait",
            kind,
            name,
            f"the organization has its {MOST_ADMINISTRATORS} already ({', '.join(seen.administrators)}): take one away",
            account=settings.accounts.management,
            command="aws organizations deregister-delegated-administrator "
            f"--service-principal {STACK_SETS} --account-id ACCOUNT",
        )
    command = (
        f"aws organizations register-delegated-administrator --service-principal {STACK_SETS} --account-id {account}"
    )
    return PlanStep("create", kind, name, command=command)


def unit_steps(settings: Settings, seen: SeenOrganization) -> Iterator[PlanStep]:
    done: set[str] = set()
    for stage, unit in zip(PURPOSES, every_unit(settings), strict=False):
        for name in prefixes(unit):
            if name in done:
                continue
            done.add(name)
            parent, _, last = name.rpartition("/")
            if id := seen.unit(name):
                yield PlanStep("keep", "unit", name, id if id != name else stage)
            else:
                above = seen.unit(parent) or f"ID-OF-{parent.upper() or 'THE-ROOT'}"
                command = f"aws organizations create-organizational-unit --parent-id {above} --name {last}"
                yield PlanStep("create", "unit", name, request={"parent": parent}, command=command)


# -- apply -----------------------------------------------------------------------------------------


def apply(connection: Connection, settings: Settings, seen: SeenOrganization, steps: list[PlanStep]) -> Settings:
    """Carry the steps out, in order; the settings with the data science account's id, where it was just made."""
    organizations, units = connection.client("organizations"), dict(seen.units)
    for joins, some in groupby(plan.writes(steps), joining.is_of_an_account):
        if joins:
            settings = joining.apply(organizations, settings, units, list(some))
            continue
        for step in some:
            if step.kind == "organization":
                write_unless("AlreadyInOrganizationException", organizations.create_organization, FeatureSet="ALL")
            elif step.kind == "trusted access":
                write(connection.client("cloudformation").activate_organizations_access)
            elif step.kind == "administrator":
                register(organizations, settings.accounts.data_science)
            else:
                units[step.name] = make_unit(organizations, step.name, units.get(step.request["parent"], ""))
    return settings


def make_unit(organizations: OrganizationsClient, path: str, parent: str) -> str:
    """The id of the new unit; parent: the id of the one above it, "" for the root."""
    parent = parent or organizations.list_roots()["Roots"][0]["Id"]
    name, make = path.rsplit("/", 1)[-1], organizations.create_organizational_unit
    made = write_unless("DuplicateOrganizationalUnitException", make, ParentId=parent, Name=name)
    return str(made["OrganizationalUnit"]["Id"]) if made else members.unit_id(organizations, path, "units")


def register(organizations: OrganizationsClient, account: str) -> None:
    def add() -> object:
        return organizations.register_delegated_administrator(AccountId=account, ServicePrincipal=STACK_SETS)

    def not_seen_yet(error: ClientError) -> bool:  # of an account that was just made or has just joined
        return passes(error) or code(error) == "AccountNotFoundException"

    try:
        patiently("the organization", add, not_seen_yet, SETTLING)
    except ClientError as error:
        if code(error) != "AccountAlreadyRegisteredException":
            raise
    until(
        f"{account} to be seen as an administrator of stack sets",
        lambda: True if account in stack_set_administrators(organizations) else None,
        SETTLING,
        lambda: "not yet",
    )
