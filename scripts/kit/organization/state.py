"""The organization as these credentials see it, and how it is written to.

Sources: Organizations API Reference (each operation: who may call it, and its errors). Plan and apply: organizing.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection, Request, pages
from scripts.kit.console import UserError, with_progress
from scripts.kit.organization import members
from scripts.kit.patience import Answer, code, of, patiently
from scripts.kit.settings.model import Settings
from scripts.kit.stages import Stage

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import CallAsType
    from mypy_boto3_organizations import OrganizationsClient

STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"
SETTLING = 900.0  # seconds for an organization that is still being finalized
# What the Landing Zone Accelerator on AWS and Terraform's provider ask again for, besides what botocore does itself
# (throttling, errors of the service).
PASSING = of(
    "ConcurrentModificationException", "FinalizingOrganizationException", "ServiceException", "TooManyRequestsException"
)
AT_ONCE = (
    "ACCOUNT_CREATION_RATE_LIMIT_EXCEEDED"  # "accounts that can be in progress at a time", those of other requests, too
)
NO_ORGANIZATION, DENIED = of("AWSOrganizationsNotInUseException"), of("AccessDeniedException")


@dataclass(frozen=True)
class AccountOptions:
    """What the command line asks for besides."""

    create_organization: bool = False
    create_accounts: bool = False
    invite: bool = False


@dataclass(frozen=True)
class SeenOrganization:
    """The organization as these credentials see it.

    id: empty where there is none; readable: whether they may list anything in it
    administrators: of stack sets; joined: whether the data science account is in it (or yet to be made)
    units: environment.yaml's name of a unit to its id, for those that are there; paths: of the stages' units
    listed: the accounts beneath a unit by its id, and all of them beneath "", once they have been asked for
    """

    id: str = ""
    management: str = ""
    all_features: bool = True
    readable: bool = False
    trusted: bool = False
    administrators: tuple[str, ...] = ()
    joined: bool = True
    units: tuple[tuple[str, str], ...] = ()
    paths: Mapping[Stage, str] = field(default_factory=dict)
    listed: dict[str, list[dict[str, Any]]] = field(default_factory=dict, repr=False, compare=False)

    def unit(self, name: str) -> str:
        return dict(self.units).get(name, "")

    def members(self, organizations: OrganizationsClient) -> list[dict[str, Any]]:
        """Every account of the organization, whatever its status."""
        if "" not in self.listed:
            self.listed[""] = all_members(organizations)
        return self.listed[""]

    def beneath(self, organizations: OrganizationsClient, unit: str) -> list[dict[str, Any]]:
        """Every account beneath a unit (its id, "" for one that is not there), whatever its status."""
        if unit and unit not in self.listed:
            self.listed[unit] = members.all_beneath(organizations, unit)
        return self.listed.get(unit, []) if unit else []


# -- look ------------------------------------------------------------------------------------------


def look(connection: Connection, settings: Settings) -> SeenOrganization:
    organizations = connection.client("organizations")
    try:
        found = organizations.describe_organization()["Organization"]
    except ClientError as error:
        if NO_ORGANIZATION(error):
            return SeenOrganization()
        raise
    management = str(found["MasterAccountId"])
    if management != settings.accounts.management:
        raise UserError(
            f"accounts.management is {settings.accounts.management}, but account {connection.account} belongs to the "
            f"organization {found['Id']}, whose management account is {management}"
        )
    seen = SeenOrganization(str(found["Id"]), management, found["FeatureSet"] == "ALL")
    try:
        administrators = stack_set_administrators(organizations)
    except ClientError as error:
        if DENIED(error):
            return seen
        raise
    call_as: CallAsType = "SELF" if connection.account == management else "DELEGATED_ADMIN"
    trusted = False
    if call_as == "SELF" or connection.account in administrators:
        access = connection.client("cloudformation").describe_organizations_access(CallAs=call_as)
        trusted = access["Status"] == "ENABLED"
    names = {name for unit in every_unit(settings) for name in prefixes(unit)}
    units = members.find_units(organizations, sorted(names))
    return replace(
        seen,
        readable=True,
        trusted=trusted,
        administrators=administrators,
        joined=settings.accounts.data_science in {"", *administrators}
        or is_member(organizations, settings.accounts.data_science),
        units=tuple(units.items()),
        paths={
            stage: members.unit_path(organizations, units[unit], f"units.{stage.key}", str(found["Id"]))
            for stage in settings.stages
            if (unit := settings.units.of(stage)) in units
        },
    )


def is_member(organizations: OrganizationsClient, account: str) -> bool:
    try:
        return members.state(organizations.describe_account(AccountId=account)["Account"]) == "ACTIVE"
    except ClientError as error:
        if code(error) == "AccountNotFoundException":
            return False
        raise


def stack_set_administrators(organizations: OrganizationsClient) -> tuple[str, ...]:
    found = pages(
        organizations, "list_delegated_administrators", "DelegatedAdministrators", ServicePrincipal=STACK_SETS
    )
    return tuple(str(one["Id"]) for one in found)


def every_unit(settings: Settings) -> tuple[str, ...]:
    """The stages' units, and the one for the data science account where there is one."""
    own = settings.units.data_science
    return (*(settings.units.of(stage) for stage in settings.stages), *([own] if own else []))


def prefixes(unit: str) -> list[str]:
    """A unit's path and those above it, the upper first: a, a/b; an id stands alone."""
    parts = unit.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def all_members(organizations: OrganizationsClient) -> list[dict[str, Any]]:
    return list(with_progress("accounts of the organization read", pages(organizations, "list_accounts", "Accounts")))


def with_data_science(connection: Connection, settings: Settings) -> Settings:
    """The settings with the data science account's id: a new account's by its e-mail address, once it is made."""
    if settings.accounts.data_science:
        return settings
    new = next(account for account in settings.new_accounts if account.stage == "data_science")
    try:
        found = all_members(connection.client("organizations"))
    except ClientError as error:
        if NO_ORGANIZATION(error) or DENIED(error):
            return settings
        raise
    id = next((str(member["Id"]) for member in found if member["Email"] == new.email), "")
    return replace(settings, accounts=replace(settings.accounts, data_science=id))


def reason(error: ClientError) -> str:
    """Which constraint is violated (API Reference, ConstraintViolationException and the same of Handshake)."""
    return str(error.response.get("Reason", ""))


def passes(error: ClientError) -> bool:
    """Whether the organization will take the request after a while."""
    return PASSING(error) or reason(error) == AT_ONCE


def write(operation: Callable[Request, Answer], *args: Request.args, **kwargs: Request.kwargs) -> Answer:
    """One request, asked again while the organization is being finalized or changed."""
    return patiently("the organization", lambda: operation(*args, **kwargs), passes, SETTLING)


def write_unless(
    done: str, operation: Callable[Request, Answer], *args: Request.args, **kwargs: Request.kwargs
) -> Answer | None:
    """As write; None where the error has the code `done`, which says that it is so already."""
    try:
        return write(operation, *args, **kwargs)
    except ClientError as error:
        if code(error) == done:
            return None
        raise
