"""The operations of Organizations."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from moto.organizations import models as moto_models
from moto.organizations import utils as moto_utils

from awslang.errors import AwsError
from localaws import moto_bridge, shapes
from localaws.calls import Call
from localaws.cloud import Cloud, new_id
from localaws.service import Service
from localaws.shapes import Violation

STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"
ACCOUNT_ROLE = "OrganizationAccountAccessRole"
ADMINISTRATOR_ACCESS = "arn:aws:iam::aws:policy/AdministratorAccess"
MOST_ADMINISTRATORS = 5  # for stack sets (CloudFormation User Guide, "Register a delegated administrator")
PAGE = 20  # items of a list, at most (API Reference, MaxResults of each)

READS = (
    "DescribeOrganizationalUnit", "DescribePolicy", "ListAWSServiceAccessForOrganization", "ListChildren",
    "ListDelegatedAdministrators", "ListDelegatedServicesForAccount", "ListOrganizationalUnitsForParent",
    "ListParents", "ListPolicies", "ListPoliciesForTarget", "ListRoots", "ListTagsForResource",
    "ListTargetsForPolicy",
)  # fmt: skip
WRITES = (
    "DeleteOrganization", "DeletePolicy", "DeregisterDelegatedAdministrator",
    "DisableAWSServiceAccess", "DisablePolicyType", "EnableAWSServiceAccess", "EnablePolicyType",
    "TagResource", "UntagResource", "UpdateOrganizationalUnit",
)  # fmt: skip


def refused(call: Call, found: list[Violation]) -> AwsError:
    """InvalidInputException with its reason (API Reference, "Errors" of each operation)."""
    first, reason = found[0], "INVALID_PATTERN"
    if first.missing:
        reason = "INPUT_REQUIRED"
    elif "enum" in first.rule:
        reason = "INVALID_ENUM"
    elif bound := re.search("(length|value) (less|greater) than", first.rule):
        reason = f"{'MAX' if bound[2] == 'less' else 'MIN'}_{bound[1].upper()}_EXCEEDED"
    return AwsError("InvalidInputException", shapes.wording(found), Reason=reason)


organizations = Service("organizations", moto=("DescribeOrganization",), by_text=True, invalid=refused)
if STACK_SETS not in moto_models.FakeDelegatedAdministrator.SUPPORTED_SERVICES:
    moto_models.FakeDelegatedAdministrator.SUPPORTED_SERVICES.append(STACK_SETS)

moto_utils.PAGINATION_MODEL["list_accounts"]["limit_default"] = PAGE

ids_lock = threading.Lock()
# Called when an account has moved: (cloud, management, account, units above it before, and after)
listeners: list[Callable[[Cloud, str, str, list[str], list[str]], None]] = []
_planned_ids: list[str] = []


# -- what other modules ask ------------------------------------------------------------------------


def plan_account_ids(ids: list[str]) -> None:
    """The next accounts that CreateAccount makes get these ids, in this order."""
    with ids_lock:
        _planned_ids[:] = ids


@dataclass
class OwnNames:
    by_account: dict[str, str] = field(default_factory=dict)


def name_account(cloud: Cloud, account: str, name: str) -> None:
    """The name that an account got when its owner signed up, before any organization."""
    cloud.state(OwnNames, "", "").by_account[account] = name


def own_name(cloud: Cloud, account: str) -> str:
    return cloud.state(OwnNames, "", "").by_account.get(account, account)


def management_of(account: str) -> str:
    """The management account of the account's organization; empty where it is in none."""
    if moto_bridge.backend("organizations", account, "aws").org:
        return account
    found = moto_models.organizations_backends.master_accounts.get(account)
    return str(found[0]) if found else ""


def organization(management: str) -> Any:
    """moto's state of the organization of this management account."""
    return moto_bridge.backend("organizations", management, "aws")


def is_delegated(management: str, account: str, service: str = "") -> bool:
    """Whether the account administers the service (or any service) for its organization."""
    return any(
        admin.account.id == account and (service in admin.services if service else admin.services)
        for admin in organization(management).admins
    )


def is_trusted(management: str, service: str) -> bool:
    """Whether the organization gave the service trusted access."""
    return any(access["ServicePrincipal"] == service for access in organization(management).services)


def accounts_below(management: str, parent: str) -> list[Any]:
    """The accounts of a unit or root and of every unit below it, by id."""
    state = organization(management)
    parents, found = [parent], []
    while parents:
        here = parents.pop()
        found += [account for account in state.accounts if account.parent_id == here]
        parents += [unit.id for unit in state.ou if unit.parent_id == here]
    return sorted(found, key=lambda account: str(account.id))


def unit_exists(management: str, unit: str) -> bool:
    return any(found.id == unit for found in organization(management).ou)


def units_above(management: str, account: str) -> list[str]:
    """The ids of the account's unit, of the units above it and of the root; [] for one that is in no organization."""
    state = organization(management)
    member = moto_bridge.member(state, account)
    if member is None:
        return []
    parents, found = {unit.id: unit.parent_id for unit in state.ou}, [str(member.parent_id)]
    while parent := parents.get(found[-1]):
        found.append(str(parent))
    return found


@contextmanager
def announced_move(cloud: Cloud, management: str, account: str) -> Iterator[None]:
    """Tell the listeners when the account is elsewhere afterwards."""
    before = units_above(management, account)
    yield
    after = units_above(management, account)
    if before != after:
        for listener in listeners:
            listener(cloud, management, account, before, after)


# -- requests --------------------------------------------------------------------------------------


def through_moto(call: Call, account: str) -> dict[str, Any]:
    """moto's answer to the call as if this account had made it."""
    status, _, body = moto_bridge.answer(replace(call, account=account))
    answer = json.loads(body or b"{}")
    if status >= 400:
        code = str(answer.get("__type", "InternalFailure")).rsplit("#", 1)[-1]
        raise AwsError(code, str(answer.get("message") or answer.get("Message", "")), status)
    dated: dict[str, Any] = with_dates(answer)
    return dated


def with_dates(value: Any, name: str = "") -> Any:
    """The answer with its times as datetimes, and without members that are null."""
    if isinstance(value, dict):
        return {k: with_dates(v, k) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [with_dates(item) for item in value]
    if name.endswith(("Timestamp", "Date", "DateEnabled")) and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return value


def page(call: Call, member: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    token = str(call.params.get("NextToken", "0"))
    end = int(token) + int(call.params.get("MaxResults", PAGE))
    return {member: items[int(token) : end]} | ({"NextToken": str(end)} if end < len(items) else {})


def management_for(call: Call, *, writes: bool) -> str:
    """The management account, if the caller may ask; AWS's refusal otherwise."""
    management = management_of(call.account)
    if not management:
        raise AwsError("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
    if call.account != management and (writes or not is_delegated(management, call.account)):
        raise AwsError("AccessDeniedException", "You don't have permissions to access this resource.")
    return management


@organizations.operation(*READS)
def read(call: Call) -> dict[str, Any]:
    return through_moto(call, management_for(call, writes=False))


@organizations.operation("DescribeAccount", "ListAccounts", "ListAccountsForParent")
def read_accounts(call: Call) -> dict[str, Any]:
    """With State and without Status ("will be retired on September 9, 2026": API Reference, Account)."""
    answer = through_moto(call, management_for(call, writes=False))
    for account in [answer["Account"]] if "Account" in answer else answer["Accounts"]:
        account.pop("Status", None)
    return answer


@organizations.operation(*WRITES)
def write(call: Call) -> dict[str, Any]:
    return through_moto(call, management_for(call, writes=True))


@organizations.operation("CloseAccount")
def close_account(call: Call) -> dict[str, Any]:
    """ "You can't close the management account with this API" (API Reference, CloseAccount)."""
    management = management_for(call, writes=True)
    if call.params["AccountId"] == management:
        message = "You cannot close the management account of the organization."
        raise AwsError("ConstraintViolationException", message, Reason="CANNOT_CLOSE_MANAGEMENT_ACCOUNT")
    return through_moto(call, management)


@organizations.operation("RegisterDelegatedAdministrator")
def register_delegated_administrator(call: Call) -> dict[str, Any]:
    management = management_for(call, writes=True)
    service = str(call.params["ServicePrincipal"])
    if service == STACK_SETS and not is_trusted(management, service):
        raise AwsError(
            "ConstraintViolationException",
            f"You must enable trusted access for {service} before you register a delegated administrator for it.",
        )
    administrators = [admin for admin in organization(management).admins if service in admin.services]
    if any(admin.account.id == call.params["AccountId"] for admin in administrators):
        raise AwsError(
            "AccountAlreadyRegisteredException",
            "The provided account is already a delegated administrator for your organization.",
        )
    if service == STACK_SETS and len(administrators) >= MOST_ADMINISTRATORS:
        raise AwsError(
            "ConstraintViolationException",
            f"You have exceeded the allowed number of delegated administrators ({MOST_ADMINISTRATORS}).",
        )
    return through_moto(call, management)


# -- units and accounts ----------------------------------------------------------------------------


@organizations.operation("CreateOrganization")
def create_organization(call: Call) -> dict[str, Any]:
    """The organization; its management account keeps the name that it had (moto would call it "master").

    With all features, service control policies are enabled in the root (API Reference, CreateOrganization).
    """
    answer = through_moto(call, call.account)
    if call.params.get("FeatureSet", "ALL") == "ALL":
        organization(call.account).ou[0].policy_types = [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]
    moto_bridge.member(organization(call.account), call.account).name = own_name(call.cloud, call.account)
    return answer


@organizations.operation("CreateOrganizationalUnit")
def create_organizational_unit(call: Call) -> dict[str, Any]:
    management = management_for(call, writes=True)
    parent, name = call.params["ParentId"], call.params["Name"]
    if not any(unit.id == parent for unit in organization(management).ou):  # the root is the first of them
        raise AwsError("ParentNotFoundException", "You specified parent that doesn't exist.")
    if any(getattr(unit, "parent_id", "") == parent and unit.name == name for unit in organization(management).ou):
        raise AwsError(
            "DuplicateOrganizationalUnitException", "An OU with the same name already exists within the parent."
        )
    return through_moto(call, management)


@organizations.operation("DeleteOrganizationalUnit")
def delete_organizational_unit(call: Call) -> dict[str, Any]:
    management, unit = management_for(call, writes=True), call.params["OrganizationalUnitId"]
    state = organization(management)
    if any(getattr(child, "parent_id", "") == unit for child in (*state.ou, *state.accounts)):
        raise AwsError(
            "OrganizationalUnitNotEmptyException",
            "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, "
            "and try the operation again.",
        )
    return through_moto(call, management)


@organizations.operation("MoveAccount", "RemoveAccountFromOrganization")
def move_account(call: Call) -> dict[str, Any]:
    management, account_id = management_for(call, writes=True), str(call.params["AccountId"])
    account = moto_bridge.member(organization(management), account_id)
    if account is not None and call.operation == "MoveAccount":
        if account.parent_id == call.params["DestinationParentId"]:
            raise AwsError("DuplicateAccountException", "The account is already in the specified destination parent.")
        if account.parent_id != call.params["SourceParentId"]:
            raise AwsError("SourceParentNotFoundException", "The account is not in the specified source parent.")
    if call.operation == "RemoveAccountFromOrganization" and is_delegated(management, account_id):
        reason = "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG"  # API Reference, RemoveAccountFromOrganization
        message = "The account is a delegated administrator: deregister it first."
        raise AwsError("ConstraintViolationException", message, Reason=reason)
    with announced_move(call.cloud, management, account_id):
        return through_moto(call, management)


@dataclass
class FailedCreations:
    """The requests for accounts that came to nothing, by their ids."""

    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)


def failed_creations(call: Call, management: str) -> dict[str, dict[str, Any]]:
    return call.cloud.state(FailedCreations, management, "").by_id


@organizations.operation("DescribeCreateAccountStatus")
def describe_create_account_status(call: Call) -> dict[str, Any]:
    management = management_for(call, writes=False)
    failed = failed_creations(call, management).get(str(call.params["CreateAccountRequestId"]))
    if failed:
        return {"CreateAccountStatus": failed}
    try:
        return through_moto(call, management)
    except AwsError as error:
        if error.code != "AccountNotFoundException":
            raise
        what = "We can't find a create account request with the CreateAccountRequestId that you specified."
        raise AwsError("CreateAccountStatusNotFoundException", what) from error


@organizations.operation("ListCreateAccountStatus")
def list_create_account_status(call: Call) -> dict[str, Any]:
    management = management_for(call, writes=False)
    accounts = [account for account in organization(management).accounts if account.id != management]
    made = [account.create_account_status["CreateAccountStatus"] for account in accounts]
    asked = call.params.get("States") or ["IN_PROGRESS", "SUCCEEDED", "FAILED"]
    shown = [with_dates(status) for status in made if status["State"] in asked]
    shown += failed_creations(call, management).values() if "FAILED" in asked else []
    return page(call, "CreateAccountStatuses", shown)


@contextmanager
def next_account_id(account_id: str) -> Iterator[None]:
    """Within, moto gives this id to the account that it makes."""
    ordinary = moto_utils.make_random_account_id
    moto_utils.make_random_account_id = lambda: account_id
    try:
        yield
    finally:
        moto_utils.make_random_account_id = ordinary


@organizations.operation("CreateAccount")
def create_account(call: Call) -> dict[str, Any]:
    """The account, with a role that the management account may assume (AdministratorAccess)."""
    management = management_for(call, writes=True)
    if any(account.email == call.params["Email"] for account in organization(management).accounts):
        now, id = datetime.now(UTC), f"car-{new_id().replace('-', '')}"
        failed = {"Id": id, "AccountName": call.params["AccountName"], "State": "FAILED"}
        failed |= {"RequestedTimestamp": now, "CompletedTimestamp": now, "FailureReason": "EMAIL_ALREADY_EXISTS"}
        failed_creations(call, management)[id] = failed
        return {"CreateAccountStatus": failed}
    with ids_lock:
        account_id = _planned_ids.pop(0) if _planned_ids else moto_utils.make_random_account_id()
        if moto_bridge.member(organization(management), account_id):
            raise AwsError("InvalidInputException", f"The account {account_id} exists already")
        with announced_move(call.cloud, management, account_id), next_account_id(account_id):
            answer = through_moto(call, management)
    iam = moto_bridge.backend("iam", account_id, "aws")
    role = iam.get_role(str(call.params.get("RoleName", ACCOUNT_ROLE)))
    iam.managed_policies[ADMINISTRATOR_ACCESS].attach_to(role)
    return answer
