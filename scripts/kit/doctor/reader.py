"""How `make doctor` asks AWS: what may not be read is noted, what is not there is None.

Nothing here writes. Every answer is a fact: a value, None for what AWS says is not there, or UNREAD for what
these credentials may not read.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError

from scripts.kit.connect import Connection

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
class NotChecked:
    """Something that these credentials may not read, what is needed for it, and who has that."""

    account: str
    what: str
    needs: str
    who: str

    def as_data(self) -> dict[str, str]:
        return {"account": self.account, "what": self.what, "needs": self.needs, "who": self.who}


class Reader:
    """Reads in every account that these credentials reach. connections: by account; notes: what could not be read."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.notes: dict[NotChecked, None] = {}
        self.connections = {connection.account: connection}
        self._lock = threading.Lock()

    @property
    def account(self) -> str:
        return self.connection.account

    @property
    def region(self) -> str:
        return self.connection.region

    def reaches(self, account: str) -> bool:
        return account in self.connections

    def enter(self, account: str, role: str) -> str:
        """Assume the role in an account; why it is not possible, or "" where it was."""
        if self.reaches(account):
            return ""
        try:
            entered = self.connection.assume(account, role, ROLE_SESSION)
        except ClientError as error:
            if error.response["Error"]["Code"] in STALE:
                raise
            return str(error.response["Error"].get("Message", error)).splitlines()[0]
        with self._lock:
            self.connections[account] = entered
        return ""

    def client(self, account: str, service: str, region: str = "") -> Any:
        """Not typed: the checks ask by the names of a service and an operation, as findings and fixes carry them."""
        return self.connections[account].named_client(service, region or None)

    def forget(self, account: str) -> None:
        """Close an account's clients; they are made again when they are asked for.

        Those of a thousand accounts would hold a gigabyte, and more connections than a process may have.
        """
        if self.reaches(account):
            self.connections[account].close()

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
        """The answer of a function of the kit that sends its own requests; as ask(). operation: its request."""
        return self._ask(account, service, operation, "", lambda *_: work())

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
        self.leave_out(NotChecked(account, what, needs, f"an administrator of account {account}"))

    def leave_out(self, note: NotChecked) -> None:
        with self._lock:
            self.notes[note] = None
