"""A connection: an account and a Region, with the clients of their services; and the way into another account."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ParamSpec

from botocore.exceptions import ClientError

from scripts.kit.clients import Clients
from scripts.kit.console import UserError
from scripts.kit.patience import Answer, code, patiently
from scripts.kit.regions import partition
from scripts.kit.session import RoleCredentials, client_config, through_role

if TYPE_CHECKING:
    import boto3
    from botocore.client import BaseClient

ROLE_SESSION = "multi-account-deployment"  # as CloudTrail shows who entered an account
NOT_THERE = {  # as each service says it
    "404", "NoSuchBucket", "NoSuchCORSConfiguration", "NoSuchBucketPolicy", "NoSuchEntity", "NoSuchTagSet",
    "NotFoundException", "PipelineNotFoundException", "ResourceNotFound", "ResourceNotFoundException",
    "StackInstanceNotFoundException", "StackSetNotFoundException",
}  # fmt: skip
Request = ParamSpec("Request")
_making = threading.Lock()  # botocore's sessions, unlike its clients, are not for several threads at once


@dataclass(frozen=True)
class Connection:
    """Credentials and a Region; account is the one that they belong to."""

    session: boto3.Session
    account: str
    region: str
    clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def partition(self) -> str:
        return partition(self.region)

    @property
    def client(self) -> Clients:
        """named_client with the type of each service's client."""
        return self.named_client

    def named_client(self, service: str, region: str | None = None) -> Any:
        """The client of a service, made once: that takes longer than most requests."""
        key = (service, region or self.region)
        with _making:
            if key not in self.clients:
                self.clients[key] = self.session.client(  # type: ignore[call-overload]
                    service, region_name=key[1], config=client_config(self.session, service)
                )
            return self.clients[key]

    def in_region(self, region: str) -> Connection:
        """The same account in another Region."""
        return replace(self, region=region)

    def close(self) -> None:
        """Close every client; each is made again when it is asked for.

        The clients of a thousand accounts would hold a gigabyte, and more connections than a process may have.
        """
        with _making:
            clients = [self.clients.pop(key) for key in [*self.clients]]
        for client in clients:
            client.close()

    def assume(self, account: str, role: str, session_name: str = ROLE_SESSION) -> Connection:
        """The same Region in another account, through a role there; ClientError where it cannot be assumed."""
        arn = f"arn:{self.partition}:iam::{account}:role/{role}"

        def ask() -> dict[str, str]:
            given = self.client("sts").assume_role(RoleArn=arn, RoleSessionName=session_name)["Credentials"]
            return {
                "access_key": given["AccessKeyId"],
                "secret_key": given["SecretAccessKey"],
                "token": given["SessionToken"],
                "expiry_time": given["Expiration"].isoformat(),
            }

        return Connection(through_role(self.session, RoleCredentials(ask)), account, self.region)


def require_account(connection: Connection, account: str, key: str) -> None:
    """UserError unless the credentials belong to this account; key: its place in the environment file."""
    if connection.account != account:
        raise UserError(
            f"these credentials belong to account {connection.account}, but {key} is {account}. "
            "Sign in to that account, or name its profile (--profile NAME)"
        )


def enter(connection: Connection, account: str, role: str, patient: bool = False) -> Connection:
    """A connection to the account: this one if it is in that account already, otherwise through the role.

    UserError where the role is missing or does not trust this account; patient: wait for a new account's role.
    """
    if connection.account == account:
        return connection
    try:
        return patiently(
            f"the role {role} in account {account}",
            lambda: connection.assume(account, role),
            lambda error: patient and code(error) == "AccessDenied",
        )
    except ClientError as error:
        raise UserError(
            f"account {account} cannot be entered through the role {role} (roles.access) from account "
            f"{connection.account}: {error.response['Error'].get('Message', error)}"
        ) from error


def whole_pages(client: BaseClient, operation: str, **request: Any) -> Iterator[dict[str, Any]]:
    """Every page of an operation, asked for as they are read: so errors come then, too."""
    yield from client.get_paginator(operation).paginate(**request)


def pages(client: BaseClient, operation: str, member: str, **request: Any) -> Iterator[Any]:
    """Every item of every page, in the member of the answer that lists them."""
    for page in whole_pages(client, operation, **request):
        yield from page.get(member, [])


def if_there(request: Callable[Request, Answer], *args: Request.args, **kwargs: Request.kwargs) -> Answer | None:
    """What the request answers; None where its error says that there is no such thing."""
    return unless(set(), request, *args, **kwargs)


def unless(
    codes: set[str], request: Callable[Request, Answer], *args: Request.args, **kwargs: Request.kwargs
) -> Answer | None:
    """As if_there; None also where the error has one of these codes."""
    try:
        return request(*args, **kwargs)
    except ClientError as error:
        missing = any(words in str(error) for words in ("does not exist", "not found"))
        if missing or code(error) in NOT_THERE | codes:
            return None
        raise
