"""The accounts of a unit and the unit's path, from Organizations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.kit.connect import pages
from scripts.kit.console import UserError, with_progress
from scripts.kit.settings.where import UNIT_ID

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient


@dataclass(frozen=True)
class Member:
    """An active account."""

    id: str
    name: str


def accounts_beneath(organizations: OrganizationsClient, unit: str) -> tuple[Member, ...]:
    """Every active account in a unit (an id, or names as in environment.yaml) and in the units beneath it.

    Suspended ones are left out; a unit that is not there has none.
    """
    there = find_unit(organizations, unit)
    return active(all_beneath(organizations, there)) if there else ()


def state(account: Mapping[str, Any]) -> str:
    """ACTIVE, SUSPENDED …; State takes the place of Status, which ended in September 2026 (API Reference, Account).

    UserError where the answer shows neither: an older boto3 leaves State out, and every account would be missed.
    """
    if not (found := account.get("State") or account.get("Status")):
        raise UserError(
            f"account {account.get('Id')}: this boto3 does not show the State of an organization's accounts, which "
            "took the place of Status. `make setup` installs one that does"
        )
    return str(found)


def active(accounts: Iterable[Mapping[str, Any]]) -> tuple[Member, ...]:
    """The active ones of accounts as Organizations lists them, by id."""
    found = [Member(account["Id"], account["Name"]) for account in accounts if state(account) == "ACTIVE"]
    return tuple(sorted(found, key=lambda member: member.id))


def all_beneath(organizations: OrganizationsClient, unit: str) -> list[dict[str, Any]]:
    """Every account in a unit (its id) and in the units beneath it, whatever its status."""
    found = (
        account
        for parent in units_beneath(organizations, unit)
        for account in pages(organizations, "list_accounts_for_parent", "Accounts", ParentId=parent)
    )
    return list(with_progress(f"accounts of the unit {unit} read", found))


def units_beneath(organizations: OrganizationsClient, unit: str) -> Iterator[str]:
    """The unit itself and every unit beneath it."""
    yield unit
    for child in pages(organizations, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=unit):
        yield from units_beneath(organizations, child["Id"])


def find_unit(organizations: OrganizationsClient, unit: str) -> str:
    """The id of a unit that environment.yaml names by its id or by names from the root down; "" when it is missing."""
    return find_units(organizations, [unit]).get(unit, "")


def find_units(organizations: OrganizationsClient, units: Iterable[str]) -> dict[str, str]:
    """As find_unit, for several units: those that are there. Every list is asked for once."""
    children: dict[str, dict[str, str]] = {}
    root, found = "", {}
    for unit in units:
        if re.fullmatch(UNIT_ID, unit):
            found[unit] = unit
            continue
        here = root = root or str(organizations.list_roots()["Roots"][0]["Id"])
        for name in unit.split("/"):
            if here and here not in children:
                listed = pages(
                    organizations, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=here
                )
                children[here] = {child["Name"]: str(child["Id"]) for child in listed}
            here = children[here].get(name, "") if here else ""
        if here:
            found[unit] = here
    return found


def unit_id(organizations: OrganizationsClient, unit: str, key: str) -> str:
    """As find_unit; UserError when it is missing. key: where the environment file names it."""
    if found := find_unit(organizations, unit):
        return found
    raise UserError(
        f"{key}: there is no unit {unit}. `make accounts`, with credentials of the management account, makes it"
    )


def unit_path(organizations: OrganizationsClient, unit: str, key: str, organization: str = "") -> str:
    """The unit's path as aws:PrincipalOrgPaths has it, with everything beneath: o-…/r-…/ou-…/*.

    IAM User Guide, "aws:PrincipalOrgPaths". UserError for a unit that is not there; key: where the
    environment file names it; organization: its id, where it is known.
    """
    organization = organization or organizations.describe_organization()["Organization"]["Id"]
    try:
        organizations.describe_organizational_unit(OrganizationalUnitId=unit)
    except ClientError as error:
        if error.response["Error"]["Code"] == "OrganizationalUnitNotFoundException":
            raise UserError(
                f"{key}: the unit {unit} is not in the organization {organization}. "
                "`aws organizations list-organizational-units-for-parent` shows those that are"
            ) from error
        raise
    return "/".join([organization, *reversed(parents(organizations, unit)), unit, "*"])


def parents(organizations: OrganizationsClient, child: str) -> list[str]:
    """The ids of the units above an account or a unit, the nearest first, with the root at the end."""
    found = [child]
    while not found[-1].startswith("r-"):
        found.append(str(organizations.list_parents(ChildId=found[-1])["Parents"][0]["Id"]))
    return found[1:]
