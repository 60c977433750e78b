"""The accounts of an organizational unit.

AWS Organizations API Reference: ListAccountsForParent answers for one unit only, so units beneath
are walked; answers come in pages. Stack sets leave the management account out, so does this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.console import UserError, counted

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_organizations.type_defs import AccountTypeDef


@dataclass(frozen=True)
class Account:
    id: str
    name: str = ""  # Organizations knows it

    def __str__(self) -> str:
        return f"{self.id} ({self.name})" if self.name else self.id


def accounts_of(organizations: OrganizationsClient, unit: str) -> tuple[Account, ...]:
    """The active accounts of a unit and of the units beneath it, by id; UserError where there is none."""
    found: dict[str, Account] = {}
    left_out = 0
    units = [unit]
    while units:
        parent = units.pop()
        for page in organizations.get_paginator("list_accounts_for_parent").paginate(ParentId=parent):
            for account in page["Accounts"]:
                if is_active(account) and not is_management(account):
                    found[account["Id"]] = Account(account["Id"], account.get("Name", ""))
                else:
                    left_out += 1
        for beneath in organizations.get_paginator("list_organizational_units_for_parent").paginate(ParentId=parent):
            units += [child["Id"] for child in beneath["OrganizationalUnits"]]
    if not found:
        hint = f" ({counted(left_out, 'suspended or management account')} left out)" if left_out else ""
        raise UserError(
            f"the organizational unit {unit} has no account to deploy to{hint}: "
            "move an account into it, or update the project with another unit"
        )
    return tuple(found[key] for key in sorted(found))


def is_active(account: AccountTypeDef) -> bool:
    """State takes the place of Status, which ended in September 2026 (Organizations API Reference, Account).

    UserError where the answer shows neither: a older boto3 leaves State out, and every account would be missed.
    """
    if not (found := account.get("State") or account.get("Status")):
        raise UserError(
            f"account {account.get('Id')}: the build image's boto3 does not show the State of "
            "an organization's accounts"
        )
    return found == "ACTIVE"


def is_management(account: AccountTypeDef) -> bool:
    """An account's ARN names the management account before the account itself."""
    parts = str(account.get("Arn", "")).split(":")
    return len(parts) > 4 and parts[4] == account["Id"]
