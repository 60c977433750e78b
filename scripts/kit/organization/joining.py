"""The accounts that the environment file names: made, invited, and moved into their units.

AWS Organizations User Guide, "Quotas and service limits for AWS Organizations": five accounts are made at a time; an
organization begins with ten, and sends twenty invitations a day, or as many as it may have accounts. The rates are
in connect.py. So where an account is, is read from the lists of the units and of the root; an account is asked
about by itself only where these do not hold it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection, pages
from scripts.kit.console import FEW, Progress, UserError, say, some, with_progress
from scripts.kit.organization import members
from scripts.kit.organization.state import (
    AccountOptions,
    SeenOrganization,
    all_members,
    reason,
    write,
    write_unless,
)
from scripts.kit.patience import until
from scripts.kit.plan import PlanStep
from scripts.kit.settings.model import Settings

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_organizations.type_defs import CreateAccountStatusTypeDef, HandshakePartyTypeDef

MOST_AT_ONCE = 5  # "Number of member accounts you can create concurrently" (the page above)
CREATION = 900.0  # seconds for an account to be made ("You might need to wait a few minutes", API Reference)
AGAIN = "make accounts"
# What is refused for an hour or a day, or until AWS has raised a quota (API Reference, ConstraintViolationException and
# HandshakeConstraintViolationException, Reason).
QUOTAS = {
    "ACCOUNT_NUMBER_LIMIT_EXCEEDED": "the organization has as many accounts as its quota allows",
    "HANDSHAKE_RATE_LIMIT_EXCEEDED": "AWS sends no more invitations of the organization today",
}
TAKEN = "ALREADY_IN_AN_ORGANIZATION"
THEN = (
    "Ask for a higher quota (Service Quotas console in us-east-1, AWS Organizations, Default maximum number of "
    "accounts), or wait: for an hour where the organization is new, until tomorrow for invitations. "
    "Then run this command again: it continues from here"
)


# -- plan ------------------------------------------------------------------------------------------


def plan_accounts(
    connection: Connection, settings: Settings, seen: SeenOrganization, asked: AccountOptions
) -> Iterator[PlanStep]:
    """The accounts to make or invite, and the moves into their units."""
    if not (settings.new_accounts or settings.invited_accounts):
        return
    organizations = connection.client("organizations")
    places = AccountPlaces(organizations, settings, seen)
    known = seen.members(organizations) if seen.readable else []
    made = {member["Email"]: str(member["Id"]) for member in known}
    here = {str(member["Id"]) for member in known}
    for new in settings.new_accounts:
        request = {"name": new.name, "email": new.email, "stage": new.stage}
        if new.email in made:
            step = places.step(made[new.email], new.stage)
        else:
            command = f"aws organizations create-account --account-name '{new.name}' --email {new.email}"
            step = PlanStep("create", "account", new.name, f"for {new.stage}", request, command=command)
        yield step if asked.create_accounts or not step.writes else when_asked(step, settings, "--create-accounts")
    open_invitations = invitations(organizations) if settings.invited_accounts and seen.readable else {}
    for invited in settings.invited_accounts:
        if invited.id in here:
            step = places.step(invited.id, invited.stage)
        elif handshake := open_invitations.get(invited.id):
            command = f"aws organizations accept-handshake --handshake-id {handshake}"
            detail = "invited: it has to accept"
            step = PlanStep("wait", "account", invited.id, detail, account=invited.id, command=command)
        else:
            command = f"aws organizations invite-account-to-organization --target Id={invited.id},Type=ACCOUNT"
            request = {"id": invited.id, "stage": invited.stage}
            step = PlanStep("create", "invitation", invited.id, f"for {invited.stage}", request, command=command)
        yield step if asked.invite or not step.writes else when_asked(step, settings, "--invite")


def when_asked(step: PlanStep, settings: Settings, option: str) -> PlanStep:
    account, command = settings.accounts.management, f'{AGAIN} ARGS="{option} --profile PROFILE"'
    return replace(step, action="wait", detail=f"{step.detail}, when asked", account=account, command=command)


def invitations(organizations: OrganizationsClient) -> dict[str, str]:
    """Account id to handshake id, of the invitations without an answer."""
    listed = pages(organizations, "list_handshakes_for_organization", "Handshakes", Filter={"ActionType": "INVITE"})
    asked = [h for h in with_progress("invitations read", listed) if h["State"] in {"OPEN", "REQUESTED"}]
    return {party["Id"]: str(h["Id"]) for h in asked for party in h["Parties"] if party["Type"] == "ACCOUNT"}


def unit_of(settings: Settings, stage: str) -> str:
    """The unit for an account of this stage, as the environment file names it; "" where it stays where it is."""
    units = {one.key: settings.units.of(one) for one in settings.stages}
    return units.get(stage, settings.units.data_science)


@dataclass
class AccountPlaces:
    """Where the organization's accounts are."""

    organizations: OrganizationsClient
    settings: Settings
    seen: SeenOrganization
    beneath: dict[str, frozenset[str]] = field(default_factory=dict)  # the accounts, by unit
    root: str = ""
    at_root: frozenset[str] = frozenset()

    def step(self, account: str, stage: str) -> PlanStep:
        """Into the unit of its stage, unless it is there or beneath it."""
        unit = unit_of(self.settings, stage)
        if not unit:
            return PlanStep("keep", "account", account, stage)
        if self.inside(account, unit) and not (
            stage == "data_science"
            and any(self.inside(account, self.settings.units.of(one)) for one in self.settings.stages)
        ):
            return PlanStep("keep", "account", account, f"in {unit}")
        source = self.parent(account)
        request = {"account": account, "unit": unit, "from": source}
        target = self.seen.unit(unit) or f"ID-OF-{unit.upper()}"
        command = (
            f"aws organizations move-account --account-id {account} --source-parent-id {source} "
            f"--destination-parent-id {target}"
        )
        return PlanStep("change", "account", account, f"move to {unit}", request, command=command)

    def inside(self, account: str, unit: str) -> bool:
        if unit not in self.beneath:
            listed = self.seen.beneath(self.organizations, self.seen.unit(unit))
            self.beneath[unit] = frozenset(str(member["Id"]) for member in listed)
        return account in self.beneath[unit]

    def parent(self, account: str) -> str:
        """What the account is in: most that are to be moved are beneath the root, where accounts begin."""
        if not self.root:
            self.root = str(self.organizations.list_roots()["Roots"][0]["Id"])
            listed = pages(self.organizations, "list_accounts_for_parent", "Accounts", ParentId=self.root)
            self.at_root = frozenset(str(member["Id"]) for member in with_progress("accounts of the root read", listed))
        return self.root if account in self.at_root else members.parents(self.organizations, account)[0]


# -- apply -----------------------------------------------------------------------------------------


def is_of_an_account(step: PlanStep) -> bool:
    return step.kind in {"account", "invitation"}


def apply(
    organizations: OrganizationsClient, settings: Settings, units: Mapping[str, str], steps: Sequence[PlanStep]
) -> Settings:
    """Make, invite and move; the settings with the data science account's id, where it was just made.

    units: the environment file's names to ids. UserError, after all that can be done, with what could not.
    """
    requests = [step.request for step in steps]
    new = [request for request in requests if "email" in request]
    settings, problems = make(organizations, settings, units, new)
    problems += invite(organizations, [request["id"] for request in requests if "id" in request])
    moves = [request for request in requests if "account" in request]
    for request in with_progress("accounts moved", moves, len(moves)):
        move(organizations, request["account"], request["from"], units[request["unit"]])
    if problems:
        raise UserError("\n".join(problems))
    return settings


def make(
    organizations: OrganizationsClient,
    settings: Settings,
    units: Mapping[str, str],
    requests: Sequence[Mapping[str, str]],
) -> tuple[Settings, list[str]]:
    """New accounts, each in its unit; and what went wrong. Requests that an interrupted run left are followed."""
    problems: list[str] = []
    if not requests:
        return settings, problems
    total, names = len(requests), {request["name"]: request for request in requests}
    going = {id: names.get(name) for id, name in unfinished(organizations).items()}  # anybody's count
    followed = [request["name"] for request in going.values() if request]
    left = [request for request in requests if request["name"] not in followed]
    with Progress("accounts made", total) as progress:
        while left or any(going.values()):
            while left and len(going) < MOST_AT_ONCE:
                request = left.pop(0)
                tell(f"asking for the account {request['name']}", total)
                try:
                    made = write(organizations.create_account, AccountName=request["name"], Email=request["email"])
                    going[made["CreateAccountStatus"]["Id"]] = request
                except ClientError as error:
                    problems.append(f"{over_quota(error)}: {len(left) + 1} of new_accounts are not made. {THEN}")
                    left.clear()
            if not going:
                break
            names_now = (request["name"] if request else "of another request" for request in going.values())
            what = f"the account {some(names_now)}"
            for status in until(what, partial(ended, organizations, going), CREATION, lambda: progress_of(total)):
                if asked_for := going.pop(str(status["Id"])):
                    settings = arrive(organizations, settings, units, asked_for, status, problems, total)
            progress(total - len(left) - sum(map(bool, going.values())))
    return settings, problems


def tell(line: str, total: int) -> None:
    """A separate line for an account, where there are few."""
    if total <= FEW:
        say(f"  … {line}")


def progress_of(total: int) -> str:
    return "being made" if total <= FEW else ""


def unfinished(organizations: OrganizationsClient) -> dict[str, str]:
    """The requests for accounts that are under way, with the accounts' names."""
    listed = pages(organizations, "list_create_account_status", "CreateAccountStatuses", States=["IN_PROGRESS"])
    return {str(status["Id"]): str(status.get("AccountName", "")) for status in listed}


def ended(organizations: OrganizationsClient, going: Iterable[str]) -> list[CreateAccountStatusTypeDef] | None:
    """The requests that have ended; None while none has. A new one may not be listed yet."""
    working = unfinished(organizations)
    asked = (
        organizations.describe_create_account_status(CreateAccountRequestId=id)["CreateAccountStatus"]
        for id in going
        if id not in working
    )
    return [status for status in asked if status["State"] != "IN_PROGRESS"] or None


def arrive(
    organizations: OrganizationsClient,
    settings: Settings,
    units: Mapping[str, str],
    request: Mapping[str, str],
    status: Mapping[str, Any],
    problems: list[str],
    total: int,
) -> Settings:
    """Handle a request that has ended: move the account into its unit, or keep the reason of the failure."""
    name, email, stage = request["name"], request["email"], request["stage"]
    if status.get("FailureReason") == "EMAIL_ALREADY_EXISTS":  # of ours, where the answer to a request was lost
        ours = next((member["Id"] for member in all_members(organizations) if member["Email"] == email), "")
        status = {"State": "SUCCEEDED", "AccountId": ours} if ours else status
    if status["State"] != "SUCCEEDED":
        problems.append(
            f"the account {name} ({email}) could not be made: {status.get('FailureReason')}. "
            "Put it right in new_accounts, and run this command again"
        )
        return settings
    account = str(status["AccountId"])
    tell(f"{name} is account {account}", total)
    if unit := unit_of(settings, stage):
        move(organizations, account, members.parents(organizations, account)[0], units[unit])
    if stage != "data_science":
        return settings
    say(f"  note: write `data_science: '{account}'` beneath accounts in the environment file")
    return replace(settings, accounts=replace(settings.accounts, data_science=account))


def invite(organizations: OrganizationsClient, accounts: Sequence[str]) -> list[str]:
    """Invite accounts that are outside the organization; what went wrong."""
    problems: list[str] = []
    for number, account in enumerate(with_progress("accounts invited", accounts, len(accounts))):
        target: HandshakePartyTypeDef = {"Id": account, "Type": "ACCOUNT"}
        try:
            answer = write_unless(
                "DuplicateHandshakeException", organizations.invite_account_to_organization, Target=target
            )
        except ClientError as error:
            if reason(error) == TAKEN:
                problems.append(
                    f"the account {account} of invited_accounts is in an organization already. If it is another one, "
                    "it has to leave that first (`aws organizations leave-organization`, with its own credentials); "
                    "then run this command again"
                )
                continue
            problems.append(
                f"{over_quota(error)}: {len(accounts) - number} of invited_accounts are not invited. {THEN}"
            )
            break
        if answer and len(accounts) <= FEW:
            say(
                f"  note: account {account} has to accept: "
                f"aws organizations accept-handshake --handshake-id {answer['Handshake']['Id']}"
            )
    if len(accounts) > FEW:
        say("  note: the accounts have to accept; with --all, this command lists the command for each")
    return problems


def over_quota(error: ClientError) -> str:
    """Which quota is met, in words; any other error is raised."""
    if reason(error) not in QUOTAS:
        raise error
    return QUOTAS[reason(error)]


def move(organizations: OrganizationsClient, account: str, source: str, target: str) -> None:
    if source != target:
        write_unless(
            "DuplicateAccountException",
            organizations.move_account,
            AccountId=account,
            SourceParentId=source,
            DestinationParentId=target,
        )
