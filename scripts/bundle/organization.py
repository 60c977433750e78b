"""The organization's part of the set-up: all features, trusted access, the delegated administrator, units, accounts.

Look, plan, apply. Only the management account may write here; what it would have to do is a step that
waits, with the command for it, where the credentials are another account's. Sources: Organizations API
Reference (each operation: who may call it, and its errors); CloudFormation User Guide, "Activate trusted
access for StackSets with Organizations" and "Register a delegated administrator member account".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from scripts.bundle import members
from scripts.bundle.connect import Connection
from scripts.bundle.console import UserError, say
from scripts.bundle.environment import Environment
from scripts.bundle.patience import code, of, patiently, until
from scripts.bundle.plan import Step

STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"
MOST_ADMINISTRATORS = 5  # for stack sets (CloudFormation User Guide, "Register a delegated administrator…")
CREATION = 900.0  # seconds for an account to be made ("You might need to wait a few minutes", API Reference)
SETTLING = 900.0  # seconds for an organization that is still being finalized
PASSING = of("ConcurrentModificationException", "FinalizingOrganizationException", "TooManyRequestsException")
NO_ORGANIZATION, DENIED = of("AWSOrganizationsNotInUseException"), of("AccessDeniedException")
AGAIN = "make accounts"


@dataclass(frozen=True)
class Asked:
    """What the command line asks for besides."""

    create_organization: bool = False
    create_accounts: bool = False
    invite: bool = False


@dataclass(frozen=True)
class Seen:
    """The organization as these credentials see it.

    id: empty where there is none; readable: whether they may list anything in it
    administrators: of stack sets; joined: whether the data science account is in it (or yet to be made)
    units: environment.yaml's name of a unit to its id, for those that are there; paths: of the stages' units
    """

    id: str = ""
    management: str = ""
    all_features: bool = True
    readable: bool = False
    trusted: bool = False
    administrators: tuple[str, ...] = ()
    joined: bool = True
    units: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = ()

    def unit(self, name: str) -> str:
        return dict(self.units).get(name, "")


# -- look ------------------------------------------------------------------------------------------


def look(connection: Connection, settings: Environment) -> Seen:
    organizations = connection.client("organizations")
    try:
        found = organizations.describe_organization()["Organization"]
    except ClientError as error:
        if NO_ORGANIZATION(error):
            return Seen()
        raise
    management = str(found["MasterAccountId"])
    if management != settings.accounts.management:
        raise UserError(
            f"accounts.management is {settings.accounts.management}, but account {connection.account} belongs to the "
            f"organization {found['Id']}, whose management account is {management}"
        )
    seen = Seen(str(found["Id"]), management, found["FeatureSet"] == "ALL")
    try:
        administrators = stack_set_administrators(organizations)
    except ClientError as error:
        if DENIED(error):
            return seen
        raise
    call_as = "SELF" if connection.account == management else "DELEGATED_ADMIN"
    trusted = False
    if call_as == "SELF" or connection.account in administrators:
        access = connection.client("cloudformation").describe_organizations_access(CallAs=call_as)
        trusted = access["Status"] == "ENABLED"
    names = {name for stage in stages(settings) for name in prefixes(stage)}
    units = members.find_units(organizations, sorted(names))
    return replace(
        seen,
        readable=True,
        trusted=trusted,
        administrators=administrators,
        joined=settings.accounts.data_science in {"", *administrators}
        or is_member(organizations, settings.accounts.data_science),
        units=tuple(units.items()),
        paths=tuple(
            members.unit_path(organizations, units[unit], key)
            for key, unit in zip(("units.staging", "units.production"), stages(settings), strict=True)
            if unit in units
        ),
    )


def is_member(organizations: Any, account: str) -> bool:
    try:
        return bool(organizations.describe_account(AccountId=account)["Account"]["Status"] == "ACTIVE")
    except ClientError as error:
        if code(error) == "AccountNotFoundException":
            return False
        raise


def stack_set_administrators(organizations: Any) -> tuple[str, ...]:
    pages = organizations.get_paginator("list_delegated_administrators").paginate(ServicePrincipal=STACK_SETS)
    return tuple(str(found["Id"]) for page in pages for found in page["DelegatedAdministrators"])


def stages(settings: Environment) -> tuple[str, str]:
    return settings.units.staging, settings.units.production


def prefixes(unit: str) -> list[str]:
    """A unit's path and those above it, the upper first: a, a/b; an id stands alone."""
    parts = unit.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def all_members(organizations: Any) -> list[dict[str, Any]]:
    pages = organizations.get_paginator("list_accounts").paginate()
    return [account for page in pages for account in page["Accounts"]]


def with_data_science(connection: Connection, settings: Environment) -> Environment:
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


# -- plan ------------------------------------------------------------------------------------------


def make_plan(connection: Connection, settings: Environment, seen: Seen, asked: Asked) -> list[Step]:
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
        steps += account_steps(connection, settings, seen, asked)
    else:
        detail = "cannot be seen from here before this account is an administrator"
        steps.append(Step("wait", "units", "and their accounts", detail))
    steps += [] if known else administrator
    return steps if manages else [to_another(step, management) if step.writes else step for step in steps]


def to_another(step: Step, account: str) -> Step:
    """A step for somebody with credentials of that account."""
    return replace(step, action="wait", account=account)


def organization_step(connection: Connection, settings: Environment, seen: Seen, asked: Asked) -> Step:
    management = settings.accounts.management
    if not seen.id and connection.account != management:
        detail = f"account {connection.account} is in no organization: it has to be invited, or made there"
        command = f"aws organizations invite-account-to-organization --target Id={connection.account},Type=ACCOUNT"
        return Step("wait", "organization", f"of {management}", detail, account=management, command=command)
    if not seen.id:
        name = f"of {management}"
        if asked.create_organization and (ids := [unit for unit in stages(settings) if unit.startswith("ou-")]):
            raise UserError(
                f"units: there is no organization yet that could have {' or '.join(ids)}. "
                "Name the units from the root down instead, such as multi-account-deployment/staging"
            )
        if asked.create_organization:
            return Step("create", "organization", name, "with all features")
        return Step(
            "wait",
            "organization",
            name,
            "there is none yet: ask for it",
            account=management,
            command=f'{AGAIN} ARGS="--create-organization --profile PROFILE"',
        )
    if not seen.all_features:
        return Step(
            "wait",
            "organization",
            seen.id,
            "it has only consolidated billing: every invited account has to agree to all features",
            account=management,
            command="aws organizations enable-all-features",
        )
    return Step("keep", "organization", seen.id)


def trust_step(seen: Seen) -> Step:
    command = "aws cloudformation activate-organizations-access"
    return Step("keep" if seen.trusted else "create", "trusted access", "of CloudFormation stack sets", command=command)


def administrator_step(settings: Environment, seen: Seen) -> Step:
    account = settings.accounts.data_science
    kind, name = "administrator", f"{account or 'the new data science account'} of stack sets"
    if account and account in seen.administrators:
        return Step("keep", kind, name)
    if not seen.joined and account not in {invited.id for invited in settings.invited_accounts}:
        detail = "is not in the organization yet. Name it in invited_accounts (stage: data_science)"
        command = f'{AGAIN} ARGS="--invite --profile PROFILE"'
        return Step("wait", kind, name, detail, account=settings.accounts.management, command=command)
    if len(seen.administrators) >= MOST_ADMINISTRATORS:
        return Step(
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
    return Step("create", kind, name, command=command)


def unit_steps(settings: Environment, seen: Seen) -> Iterator[Step]:
    done: set[str] = set()
    for stage, unit in zip(("staging", "production"), stages(settings), strict=True):
        for name in prefixes(unit):
            if name in done:
                continue
            done.add(name)
            parent, _, last = name.rpartition("/")
            if id := seen.unit(name):
                yield Step("keep", "unit", name, id if id != name else stage)
            else:
                above = seen.unit(parent) or f"ID-OF-{parent.upper() or 'THE-ROOT'}"
                command = f"aws organizations create-organizational-unit --parent-id {above} --name {last}"
                yield Step("create", "unit", name, request={"parent": parent}, command=command)


def account_steps(connection: Connection, settings: Environment, seen: Seen, asked: Asked) -> Iterator[Step]:
    """The accounts to make or invite, and the moves into their units."""
    if not (settings.new_accounts or settings.invited_accounts):
        return
    organizations = connection.client("organizations")
    known = all_members(organizations) if seen.readable else []
    made = {member["Email"]: str(member["Id"]) for member in known}
    here = {str(member["Id"]) for member in known}
    for new in settings.new_accounts:
        request = {"name": new.name, "email": new.email, "stage": new.stage}
        if new.email in made:
            step = move_step(organizations, settings, seen, made[new.email], new.stage)
        else:
            command = f"aws organizations create-account --account-name '{new.name}' --email {new.email}"
            step = Step("create", "account", new.name, f"for {new.stage}", request, command=command)
        yield step if asked.create_accounts or not step.writes else when_asked(step, settings, "--create-accounts")
    open_invitations = invitations(organizations) if settings.invited_accounts and seen.readable else {}
    for invited in settings.invited_accounts:
        if invited.id in here:
            step = move_step(organizations, settings, seen, invited.id, invited.stage)
        elif handshake := open_invitations.get(invited.id):
            command = f"aws organizations accept-handshake --handshake-id {handshake}"
            detail = "invited: it has to accept"
            step = Step("wait", "account", invited.id, detail, account=invited.id, command=command)
        else:
            command = f"aws organizations invite-account-to-organization --target Id={invited.id},Type=ACCOUNT"
            request = {"id": invited.id, "stage": invited.stage}
            step = Step("create", "invitation", invited.id, f"for {invited.stage}", request, command=command)
        yield step if asked.invite or not step.writes else when_asked(step, settings, "--invite")


def when_asked(step: Step, settings: Environment, option: str) -> Step:
    account, command = settings.accounts.management, f'{AGAIN} ARGS="{option} --profile PROFILE"'
    return replace(step, action="wait", detail=f"{step.detail}, when asked", account=account, command=command)


def invitations(organizations: Any) -> dict[str, str]:
    """Account id to handshake id, of the invitations that nobody has answered."""
    pages = organizations.get_paginator("list_handshakes_for_organization").paginate(Filter={"ActionType": "INVITE"})
    asked = [h for page in pages for h in page["Handshakes"] if h["State"] in {"OPEN", "REQUESTED"}]
    return {party["Id"]: str(h["Id"]) for h in asked for party in h["Parties"] if party["Type"] == "ACCOUNT"}


def move_step(organizations: Any, settings: Environment, seen: Seen, account: str, stage: str) -> Step:
    """Into the unit of its stage, unless it is there or beneath it. A data science account stays where it is."""
    if stage == "data_science":
        return Step("keep", "account", account, "data_science")
    unit = settings.units.staging if stage == "staging" else settings.units.production
    above, first = account, ""
    while not above.startswith("r-"):
        above = str(organizations.list_parents(ChildId=above)["Parents"][0]["Id"])
        first = first or above
        if above == seen.unit(unit):
            return Step("keep", "account", account, f"in {unit}")
    request = {"account": account, "unit": unit, "from": first}
    target = seen.unit(unit) or f"ID-OF-{unit.upper()}"
    command = (
        f"aws organizations move-account --account-id {account} --source-parent-id {first} "
        f"--destination-parent-id {target}"
    )
    return Step("change", "account", account, f"move to {unit}", request, command=command)


# -- apply -----------------------------------------------------------------------------------------


def apply(connection: Connection, settings: Environment, seen: Seen, steps: list[Step]) -> Environment:
    """Carry the steps out, in order; the settings with the data science account's id, where it was just made."""
    organizations, units = connection.client("organizations"), dict(seen.units)
    for step in steps:
        if not step.writes:
            continue
        request = step.request
        if step.kind == "organization":
            write(organizations.create_organization, "AlreadyInOrganizationException", FeatureSet="ALL")
        elif step.kind == "trusted access":
            write(connection.client("cloudformation").activate_organizations_access)
        elif step.kind == "administrator":
            register(organizations, settings.accounts.data_science)
        elif step.kind == "unit":
            units[step.name] = make_unit(organizations, step.name, units.get(request["parent"], ""))
        elif step.kind == "invitation":
            invite(organizations, request["id"])
        elif "account" in request:
            move(organizations, request["account"], request["from"], units[request["unit"]])
        else:
            settings = make_account(organizations, settings, units, request)
    return settings


def write(operation: Any, done: str = "", **parameters: Any) -> Any:
    """One request, asked again while the organization is being finalized or changed; an error `done` says: it is so."""
    try:
        return patiently("the organization", lambda: operation(**parameters), PASSING, SETTLING)
    except ClientError as error:
        if done and code(error) in done.split():
            return None
        raise


def make_unit(organizations: Any, path: str, parent: str) -> str:
    """The id of the new unit; parent: the id of the one above it, "" for the root."""
    parent = parent or organizations.list_roots()["Roots"][0]["Id"]
    name, make = path.rsplit("/", 1)[-1], organizations.create_organizational_unit
    made = write(make, "DuplicateOrganizationalUnitException", ParentId=parent, Name=name)
    return str(made["OrganizationalUnit"]["Id"]) if made else members.unit_id(organizations, path, "units")


def register(organizations: Any, account: str) -> None:
    known = "AccountAlreadyRegisteredException"
    write(organizations.register_delegated_administrator, known, AccountId=account, ServicePrincipal=STACK_SETS)
    until(
        f"{account} to be seen as an administrator of stack sets",
        lambda: True if account in stack_set_administrators(organizations) else None,
        SETTLING,
        lambda: "not yet",
    )


def make_account(organizations: Any, settings: Environment, units: dict[str, str], request: Any) -> Environment:
    """One new account, in its unit; a request that an interrupted run left is followed to its end."""
    name, email, stage = request["name"], request["email"], request["stage"]
    status = creation(organizations, name)
    if status is None:
        say(f"  … asking for the account {name}")
        status = write(organizations.create_account, AccountName=name, Email=email)["CreateAccountStatus"]
    id = str(status["Id"])

    def ended() -> dict[str, Any] | None:
        shown: dict[str, Any] = organizations.describe_create_account_status(CreateAccountRequestId=id)
        return None if shown["CreateAccountStatus"]["State"] == "IN_PROGRESS" else shown["CreateAccountStatus"]

    status = until(f"the account {name}", ended, CREATION, lambda: "being made")
    if status.get("FailureReason") == "EMAIL_ALREADY_EXISTS":  # of ours, where the answer to a request was lost
        ours = next((member["Id"] for member in all_members(organizations) if member["Email"] == email), "")
        status = {"State": "SUCCEEDED", "AccountId": ours} if ours else status
    if status["State"] != "SUCCEEDED":
        raise UserError(
            f"the account {name} ({email}) could not be made: {status.get('FailureReason')}. "
            "Put it right in new_accounts, and run this command again"
        )
    account = str(status["AccountId"])
    say(f"  … {name} is account {account}")
    if stage == "data_science":
        say(f"  note: write `data_science: '{account}'` beneath accounts in the environment file")
        return replace(settings, accounts=replace(settings.accounts, data_science=account))
    parent = str(organizations.list_parents(ChildId=account)["Parents"][0]["Id"])
    unit = settings.units.staging if stage == "staging" else settings.units.production
    move(organizations, account, parent, units[unit])
    return settings


def creation(organizations: Any, name: str) -> dict[str, Any] | None:
    """The request for an account of this name that is still under way."""
    pages = organizations.get_paginator("list_create_account_status").paginate(States=["IN_PROGRESS"])
    found = (status for page in pages for status in page["CreateAccountStatuses"])
    return next((status for status in found if status.get("AccountName") == name), None)


def invite(organizations: Any, account: str) -> None:
    known = "DuplicateHandshakeException AlreadyInOrganizationException"
    target = {"Id": account, "Type": "ACCOUNT"}
    answer = write(organizations.invite_account_to_organization, known, Target=target)
    if answer:
        say(
            f"  note: account {account} has to accept: "
            f"aws organizations accept-handshake --handshake-id {answer['Handshake']['Id']}"
        )


def move(organizations: Any, account: str, source: str, target: str) -> None:
    if source != target:
        moving = {"AccountId": account, "SourceParentId": source, "DestinationParentId": target}
        write(organizations.move_account, "DuplicateAccountException", **moving)
