"""How the commands reach AWS: the options they share, the session, whose account it is, and how it is asked again.

What AWS throttles is asked again up to seven times, with growing pauses (mode "standard"). Organizations has the
lowest rates, for a whole account: 5 requests a second of ListParents, ListAccountsForParent and
ListOrganizationalUnitsForParent, 8 of ListAccounts, 2 of MoveAccount and DescribeOrganizationalUnit, 3 invitations,
one CreateAccount in 10 seconds (AWS Organizations User Guide, "Quotas and service limits for AWS Organizations",
Throttling limits). So its clients have the mode "adaptive", which also slows down what is asked for the first
time: it is meant for one resource whose rate is known to be met (AWS SDKs and Tools Reference Guide, "Retry behavior").
"""

from __future__ import annotations

import argparse
import shlex
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError

from scripts.kit.console import UsageError, UserError
from scripts.kit.patience import code, patiently
from scripts.kit.settings.environment import DEFAULT_FILE, Environment
from scripts.kit.settings.sections import check_region, partition

CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 8}, connect_timeout=10, read_timeout=60)
ADAPTIVE = Config(retries={"mode": "adaptive", "total_max_attempts": 8})
_making = threading.Lock()  # botocore's sessions, unlike its clients, are not for several threads at once


def config(service: str) -> Config:
    """How a service is asked."""
    return CONFIG.merge(ADAPTIVE) if service == "organizations" else CONFIG


def add_options(parser: argparse.ArgumentParser, writes: bool = True) -> None:
    """The options that the commands share; writes: False for a command that changes nothing."""
    parser.add_argument(
        "--environment", type=Path, default=DEFAULT_FILE, metavar="FILE", help=f"default {DEFAULT_FILE}"
    )
    parser.add_argument("--profile", metavar="NAME", help="AWS profile to sign in with (default: as the AWS CLI does)")
    parser.add_argument("--region", metavar="REGION", help="instead of the region in the environment file")
    if writes:
        parser.add_argument("--dry-run", action="store_true", help="show the plan and change nothing")
    parser.add_argument("--json", action="store_true", help="print the plan or the result as JSON on stdout")


def elsewhere(args: argparse.Namespace) -> str:
    """The file and the region as they were typed, for a command that is told: " --environment eu.yaml", or ""."""
    file = f" --environment {shlex.quote(str(args.environment))}" if args.environment != DEFAULT_FILE else ""
    return file + (f" --region {args.region}" if args.region else "")


@dataclass(frozen=True)
class Connection:
    """Credentials and a region; account is whose they are."""

    session: boto3.Session
    account: str
    region: str
    clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def partition(self) -> str:
        return partition(self.region)

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service, made once: that takes longer than most requests."""
        key = (service, region or self.region)
        with _making:
            if key not in self.clients:
                self.clients[key] = self.session.client(  # type: ignore[call-overload]
                    service, region_name=key[1], config=config(service)
                )
            return self.clients[key]


def choose_region(environment: Environment, region: str | None) -> str:
    """The region of the command line or of the environment file; one that does not exist is a usage error."""
    if region and (message := check_region(region)):
        raise UsageError(f"--region: {message}")
    return region or environment.region


def connect(environment: Environment, profile: str | None, region: str | None) -> Connection:
    """Sign in as the command line says."""
    chosen = choose_region(environment, region)
    session = boto3.Session(profile_name=profile, region_name=chosen)
    account = session.client("sts", config=config("sts")).get_caller_identity()["Account"]
    return Connection(session, account, chosen)


def require_account(connection: Connection, account: str, key: str) -> None:
    """UserError unless the credentials are of this account; key: where it stands in the environment file."""
    if connection.account != account:
        raise UserError(
            f"these credentials are of account {connection.account}, but {key} is {account}. "
            "Sign in to that account, or name its profile (--profile NAME)"
        )


def enter(connection: Connection, account: str, role: str, patient: bool = False) -> Connection:
    """A connection to the account: this one where it is of that account already, otherwise through the role.

    UserError where the role is missing or does not trust this account; patient: wait for a new account's role.
    """
    if connection.account == account:
        return connection
    try:
        return patiently(
            f"the role {role} in account {account}",
            lambda: assume(connection, account, role, "multi-account-deployment"),
            lambda error: patient and code(error) == "AccessDenied",
        )
    except ClientError as error:
        raise UserError(
            f"account {account} cannot be entered through the role {role} (roles.access) from account "
            f"{connection.account}: {error.response['Error'].get('Message', error)}"
        ) from error


@cache
def models() -> Any:
    """What reads the APIs' models, for all entered accounts: one of them takes 9 MB and a tenth of a second."""
    return botocore.session.Session().get_component("data_loader")


@dataclass(frozen=True)
class Entered:
    """Where a session finds its credentials: those of a role, asked for anew before their hour is over.

    An hour is the longest that a role entered from another role lasts (STS API Reference, AssumeRole), and a stage
    of a thousand accounts takes longer.
    """

    ask: Callable[[], dict[str, str]]

    def load_credentials(self) -> RefreshableCredentials:
        return RefreshableCredentials.create_from_metadata(self.ask(), self.ask, "sts-assume-role")


def assume(connection: Connection, account: str, role: str, session_name: str) -> Connection:
    """The same region in another account, through a role there."""
    arn = f"arn:{connection.partition}:iam::{account}:role/{role}"

    def ask() -> dict[str, str]:
        given = connection.client("sts").assume_role(RoleArn=arn, RoleSessionName=session_name)["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    session = botocore.session.Session()
    session.register_component("data_loader", models())
    session.register_component("credential_provider", Entered(ask))
    session.get_credentials()  # a role that cannot be assumed is told now
    return Connection(boto3.Session(botocore_session=session), account, connection.region)


def pages(client: Any, operation: str, member: str, **request: Any) -> Iterator[Any]:
    """Every item of every page of an operation, asked for as they are read: so errors come then, too."""
    for page in client.get_paginator(operation).paginate(**request):
        yield from page.get(member, [])
