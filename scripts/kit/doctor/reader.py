"""How the examination asks AWS: what may not be read is noted, what is not there is None.

Nothing here writes. Every answer is a fact: a value, None for what AWS says is not there, or UNREAD for what
these credentials may not read.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from scripts.kit.connect import Connection
from scripts.kit.session import client_config

READS = ("Get", "List", "Describe", "Search", "Head", "Batch")
REFUSED = re.compile(r"AccessDenied|Unauthorized|AuthorizationError|NotAuthorized|Forbidden|^403$")
ABSENT = re.compile(r"NoSuch|NotFound|DoesNotExist|DoesntExist|NotInUse|^404$")
ABSENT_MESSAGE = re.compile("does not exist|doesn't exist|Cannot find|not a delegated administrator")
STALE = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
ROLE_SESSION = "multi-account-doctor"
Answer = TypeVar("Answer")


class Unread:
    """The fact is not known."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNREAD"


UNREAD: Final = Unread()


def known(fact: Any) -> bool:
    return not isinstance(fact, Unread)


@dataclass(frozen=True)
class NotExamined:
    """Something that these credentials may not read, what is needed for it, and who has that."""

    account: str
    what: str
    needs: str
    who: str

    def as_data(self) -> dict[str, str]:
        return {"account": self.account, "what": self.what, "needs": self.needs, "who": self.who}


class Reader:
    """Reads in every account that these credentials reach; entered: credentials by account."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.notes: dict[NotExamined, None] = {}
        profile, there = connection.session.profile_name, connection.session.available_profiles
        self._core = botocore.session.Session(profile=profile if profile in there else None)  # its other settings too
        self._entered: dict[str, dict[str, Any]] = {connection.account: own_keys(connection)}
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.Lock()

    @property
    def account(self) -> str:
        return self.connection.account

    @property
    def region(self) -> str:
        return self.connection.region

    def reaches(self, account: str) -> bool:
        return account in self._entered

    def enter(self, account: str, role: str) -> str:
        """Become the role in an account; why not, or "" when it went well."""
        if self.reaches(account):
            return ""
        arn = f"arn:{self.connection.partition}:iam::{account}:role/{role}"
        try:
            answer = self.client(self.account, "sts").assume_role(RoleArn=arn, RoleSessionName=ROLE_SESSION)
        except ClientError as error:
            if error.response["Error"]["Code"] in STALE:
                raise
            return str(error.response["Error"].get("Message", error)).splitlines()[0]
        keys = answer["Credentials"]
        with self._lock:
            self._entered[account] = {
                "aws_access_key_id": keys["AccessKeyId"],
                "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys["SessionToken"],
            }
        return ""

    def client(self, account: str, service: str, region: str = "") -> Any:
        """A client of one account, kept: to read an API's model anew for each account would take long."""
        key = (account, service, region or self.region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._core.create_client(
                    service,
                    region_name=key[2],
                    config=client_config(self.connection.session, service),
                    **self._entered[account],
                )
            return self._clients[key]

    def forget(self, account: str) -> None:
        """Close an account's clients; they are made anew when they are asked for.

        Those of a thousand accounts would hold a gigabyte, and more connections than a process may have.
        """
        with self._lock:
            clients = [self._clients.pop(key) for key in [*self._clients] if key[0] == account]
        for client in clients:
            client.close()

    def ask(self, account: str, service: str, operation: str, region: str = "", **parameters: Any) -> Any:
        """The answer to one read request; None where AWS says that there is no such thing, UNREAD where not known."""
        return self._ask(account, service, operation, region, lambda call, _: call(**parameters))

    def pages(
        self, account: str, service: str, operation: str, member: str, region: str = "", **parameters: Any
    ) -> Any:
        """Every item of a list over all its pages; as ask()."""

        def all_pages(call: Any, client: Any) -> list[Any]:
            name = xform_name(operation)
            if not client.can_paginate(name):
                return list(call(**parameters).get(member, []))
            return [item for page in client.get_paginator(name).paginate(**parameters) for item in page.get(member, [])]

        return self._ask(account, service, operation, region, all_pages)

    def through(self, account: str, service: str, operation: str, work: Callable[[], Answer]) -> Answer | Unread | None:
        """What a function of the kit's answers that reads by itself; as ask(). operation: of it, for the note."""
        return self._ask(account, service, operation, "", lambda *_: work())

    def connection_to(self, account: str, *services: str) -> Connection:
        """An account as such functions take it; services: those that they use."""
        clients = {(service, self.region): self.client(account, service) for service in services}
        return Connection(self.connection.session, account, self.region, clients)

    def _ask(
        self, account: str, service: str, operation: str, region: str, work: Callable[[Any, Any], Answer]
    ) -> Answer | Unread | None:
        if not operation.startswith(READS):
            raise ValueError(f"{service}:{operation} writes")
        if not self.reaches(account):
            return UNREAD
        client = self.client(account, service, region)
        try:
            return work(getattr(client, xform_name(operation)), client)
        except ClientError as error:
            code, message = error.response["Error"]["Code"], str(error.response["Error"].get("Message", ""))
            if code in STALE and not region:
                raise
            if REFUSED.search(code):
                self.note(account, f"{service}:{operation}", operation, message.splitlines()[0] if message else code)
                return UNREAD
            if ABSENT.search(code) or ABSENT_MESSAGE.search(message):
                return None
            self.note(account, f"{service}:{operation}", operation, f"{code}: {message}")
            return UNREAD
        except EndpointConnectionError as error:
            self.note(account, f"{service}:{operation}", operation, str(error))
            return UNREAD

    def note(self, account: str, what: str, operation: str, why: str) -> None:
        needed = re.search(r"perform: (\S+)", why)
        needs = f"the permission {needed.group(1)}" if needed else f"another answer than {why or operation}"
        self.leave_out(NotExamined(account, what, needs, f"an administrator of account {account}"))

    def leave_out(self, note: NotExamined) -> None:
        with self._lock:
            self.notes[note] = None


def own_keys(connection: Connection) -> dict[str, Any]:
    """The connection's credentials as a client takes them."""
    credentials = connection.session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    found = credentials.get_frozen_credentials()
    keys = {"aws_access_key_id": found.access_key, "aws_secret_access_key": found.secret_key}
    return keys | ({"aws_session_token": found.token} if found.token else {})
