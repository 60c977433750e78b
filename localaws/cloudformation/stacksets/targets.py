"""Which accounts and Regions an operation on a stack set is for.

CloudFormation API Reference, "DeploymentTargets": units include the units below them; the
management account is never a target; suspended accounts are left out; a file in S3 may list the accounts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.session import Session

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloudformation.requests import SERVICE, stored
from localaws.cloudformation.stacksets.state import StackSet
from localaws.services.organizations import service as organizations

MOST_UNITS = 50  # in one call
MOST_BYTES = 10_000_000  # of the file behind AccountsUrl ("DeploymentTargets": 10MB, approximately 800,000 accounts)
Places = list[tuple[str, str]]  # account and unit


def refused(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def request_of(call: Call) -> dict[str, Any]:
    """The call's parameters, with the accounts of DeploymentTargets that a file in S3 lists in their place.

    The file is read as the caller (docs/explanation/open-questions.md).
    """
    targets = call.params.get("DeploymentTargets") or {}
    url = str(targets.get("AccountsUrl") or "")
    if not url:
        return call.params
    if targets.get("Accounts"):
        raise refused("You can specify either Accounts or AccountsUrl in DeploymentTargets, but not both")
    if not re.fullmatch("(s3://|https?://).+", url):
        raise refused(f"AccountsUrl {url} is not an address of an object in S3")
    if not url.split("?")[0].endswith((".csv", ".txt")):
        raise refused(f"The file of AccountsUrl must be a .csv or a .txt file: {url}")
    address = re.sub("^s3:/", call.cloud.endpoint, url)
    text = stored(call.forward(SERVICE), address, MOST_BYTES, "AccountsUrl")
    accounts = [part.strip() for part in re.split(r"[,\r\n]+", text) if part.strip()]
    if wrong := [account for account in accounts if not re.fullmatch(r"[0-9]{12}", account)]:
        raise refused(f"The file {url} holds {wrong[0]!r}, which is not an account id of twelve digits")
    if not accounts:
        raise refused(f"The file {url} lists no account")
    rest = {name: value for name, value in targets.items() if name != "AccountsUrl"}
    return {**call.params, "DeploymentTargets": {**rest, "Accounts": accounts}}


def targets_for(stack_set: StackSet, params: Mapping[str, Any], *, creates: bool) -> Places:
    """The accounts, each with the unit through which it was chosen; in the order of the accounts' ids."""
    targets, accounts = params.get("DeploymentTargets") or {}, params.get("Accounts") or []
    if targets and accounts:
        raise refused("You can specify Accounts or DeploymentTargets, but not both.")
    if stack_set.service_managed:
        if accounts or not targets:
            raise refused("StackSets with SERVICE_MANAGED permission model can only have OrganizationalUnit as target")
        return below_units(stack_set, targets, creates=creates)
    if targets.get("OrganizationalUnitIds"):
        raise refused("StackSets with SELF_MANAGED permission model can only have accounts as target")
    chosen = accounts or targets.get("Accounts") or []
    if not chosen:
        raise refused("At least one account must be specified")
    return [(account, "") for account in dict.fromkeys(chosen)]


def below_units(stack_set: StackSet, targets: Mapping[str, Any], *, creates: bool) -> Places:
    management = stack_set.owner
    units, accounts = targets.get("OrganizationalUnitIds") or [], set(targets.get("Accounts") or [])
    kind = targets.get("AccountFilterType") or ("UNION" if accounts and not creates else "NONE")
    check_filter(units, accounts, kind, given=targets.get("AccountFilterType"), creates=creates)
    found: dict[str, str] = {}
    for unit in units:
        if not organizations.unit_exists(management, unit):
            raise refused(f"Organizational unit {unit} does not exist in the organization")
        for account in organizations.accounts_below(management, unit):
            if account.status == "ACTIVE" and account.id != management:
                found.setdefault(account.id, unit)
    if kind == "INTERSECTION":
        found = {account: unit for account, unit in found.items() if account in accounts}
    elif kind == "DIFFERENCE":
        found = {account: unit for account, unit in found.items() if account not in accounts}
    elif kind == "UNION":
        units_by_account = units_of(stack_set)
        found = {**{a: units_by_account.get(a, "") for a in accounts if a != management}, **found}
    return sorted(found.items())


def check_filter(units: list[str], accounts: set[str], kind: str, *, given: str | None, creates: bool) -> None:
    if len(units) > MOST_UNITS:
        raise refused(f"At most {MOST_UNITS} organizational units can be given in one operation")
    if creates and not units:
        raise refused("StackSets with SERVICE_MANAGED permission model can only have OrganizationalUnit as target")
    if creates and kind == "UNION":
        raise refused("AccountFilterType UNION is not supported for CreateStackInstances operations")
    if creates and accounts and not given:
        raise refused("AccountFilterType must be specified when both OrganizationalUnitIds and Accounts are specified")
    if kind in {"INTERSECTION", "DIFFERENCE"} and not (accounts and units):
        raise refused(f"AccountFilterType {kind} needs both OrganizationalUnitIds and Accounts")
    if kind == "NONE" and accounts:
        raise refused("Accounts cannot be specified when AccountFilterType is NONE")
    if not units and not accounts:
        raise refused("DeploymentTargets must have OrganizationalUnitIds or Accounts")


def units_of(stack_set: StackSet) -> dict[str, str]:
    """The units of the instances that exist already, by account."""
    return {instance.account: instance.unit for instance in stack_set.instances.values()}


@cache
def known_regions() -> frozenset[str]:
    return frozenset(Session().get_available_regions("cloudformation"))


def check_regions(regions: list[str]) -> list[str]:
    if not regions:
        raise refused("At least one region must be specified")
    if unknown := [region for region in regions if region not in known_regions()]:
        raise refused(f"Region {unknown[0]} is not a region where stack instances can be created")
    return list(dict.fromkeys(regions))
