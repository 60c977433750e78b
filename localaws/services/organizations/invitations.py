"""Invitations of accounts to an organization, and the accounts' answers.

AWS Organizations API Reference, InviteAccountToOrganization, AcceptHandshake, DeclineHandshake, DescribeHandshake,
ListHandshakesForAccount, ListHandshakesForOrganization.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import Cloud, new_id
from localaws.services.organizations.service import (
    ACCOUNT_ROLE,
    announced_move,
    ids_lock,
    management_for,
    management_of,
    next_account_id,
    organization,
    organizations,
    own_name,
    page,
)

INVITATION_DAYS = 15


@dataclass
class Handshake:
    id: str
    management: str
    account: str
    state: str = "OPEN"
    asked: datetime = field(default_factory=lambda: datetime.now(UTC))

    def shown(self) -> dict[str, Any]:
        org = organization(self.management).org
        return {
            "Id": self.id,
            "Arn": f"arn:aws:organizations::{self.management}:handshake/{org.id}/invite/{self.id}",
            "Parties": [{"Id": org.id, "Type": "ORGANIZATION"}, {"Id": self.account, "Type": "ACCOUNT"}],
            "State": self.state,
            "RequestedTimestamp": self.asked,
            "ExpirationTimestamp": self.asked + timedelta(days=INVITATION_DAYS),
            "Action": "INVITE",
            "Resources": [{"Type": "ORGANIZATION", "Value": org.id}, {"Type": "ACCOUNT", "Value": self.account}],
        }


@dataclass
class Handshakes:
    by_id: dict[str, Handshake] = field(default_factory=dict)


def handshakes(cloud: Cloud) -> dict[str, Handshake]:
    return cloud.state(Handshakes, "", "").by_id


@organizations.operation("InviteAccountToOrganization")
def invite_account(call: Call) -> dict[str, Any]:
    management, target = management_for(call, writes=True), call.params["Target"]
    if target["Type"] != "ACCOUNT":
        raise AwsError("InvalidInputException", "The embedded AWS invites by account id, not by e-mail address")
    if management_of(target["Id"]):
        raise AwsError(
            "HandshakeConstraintViolationException",
            "The provided account is already a member of an organization.",
            Reason="ALREADY_IN_AN_ORGANIZATION",
        )
    asked = handshakes(call.cloud)
    if any(h.account == target["Id"] and h.management == management and h.state == "OPEN" for h in asked.values()):
        raise AwsError("DuplicateHandshakeException", "A handshake with the same action and target already exists.")
    made = Handshake(f"h-{new_id().replace('-', '')[:10]}", management, str(target["Id"]))
    asked[made.id] = made
    return {"Handshake": made.shown()}


def handshake_for(call: Call) -> Handshake:
    found = handshakes(call.cloud).get(str(call.params["HandshakeId"]))
    if found is None or call.account not in {found.account, found.management}:
        raise AwsError(
            "HandshakeNotFoundException", "We can't find a handshake with the HandshakeId that you specified."
        )
    return found


def answerable(call: Call) -> Handshake:
    found = handshake_for(call)
    if call.account != found.account:
        raise AwsError("AccessDeniedException", "You don't have permissions to access this resource.")
    if found.state != "OPEN":
        raise AwsError("HandshakeAlreadyInStateException", f"The handshake is already {found.state}.")
    return found


@organizations.operation("AcceptHandshake")
def accept_handshake(call: Call) -> dict[str, Any]:
    """The account joins, beneath the root. Unlike a created one it gets no role for its organization."""
    found = answerable(call)
    state, account_id = organization(found.management), found.account
    iam = moto_bridge.backend("iam", account_id, "aws")
    had_role = any(role.name == ACCOUNT_ROLE for role in iam.roles.values())
    with ids_lock, announced_move(call.cloud, found.management, account_id), next_account_id(account_id):
        state.create_account(AccountName=own_name(call.cloud, account_id), Email=f"{account_id}@example.com")
    next(account for account in state.accounts if account.id == account_id).joined_method = "INVITED"
    if not had_role:
        iam.delete_role(ACCOUNT_ROLE)
    found.state = "ACCEPTED"
    return {"Handshake": found.shown()}


@organizations.operation("DeclineHandshake")
def decline_handshake(call: Call) -> dict[str, Any]:
    found = answerable(call)
    found.state = "DECLINED"
    return {"Handshake": found.shown()}


@organizations.operation("DescribeHandshake")
def describe_handshake(call: Call) -> dict[str, Any]:
    return {"Handshake": handshake_for(call).shown()}


@organizations.operation("ListHandshakesForAccount")
def list_handshakes_for_account(call: Call) -> dict[str, Any]:
    return {"Handshakes": [h.shown() for h in handshakes(call.cloud).values() if h.account == call.account]}


@organizations.operation("ListHandshakesForOrganization")
def list_handshakes_for_organization(call: Call) -> dict[str, Any]:
    management = management_for(call, writes=False)
    shown = [h.shown() for h in handshakes(call.cloud).values() if h.management == management]
    return page(call, "Handshakes", shown)
