"""One request to the embedded AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from awslang.principals import Principal

if TYPE_CHECKING:
    from localaws.cloud import Cloud, Session


UNSEEN: ContextVar[bool] = ContextVar("unseen", default=False)


@contextmanager
def unseen() -> Iterator[None]:
    """Requests in this block are the embedded AWS's own look at its state: not decided, and not recorded."""
    token = UNSEEN.set(True)
    try:
        yield
    finally:
        UNSEEN.reset(token)


@dataclass(frozen=True)
class HttpRequest:
    """The request as it came in; headers by lower-case name."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Call:
    """One request, recognised.

    service: botocore's name (sagemaker-runtime); operation: the API's name (InvokeEndpoint)
    params: the input, parsed with botocore's model, keyed as in the API reference;
        timestamps are naive datetimes in UTC, blobs are bytes
    account, region: where the request acts (the caller's account)
    """

    cloud: Cloud
    principal: Principal
    service: str
    operation: str
    params: dict[str, Any]
    account: str
    region: str
    request_id: str
    http: HttpRequest

    def forward(self, service: str) -> Session:
        """The caller's own permissions, used by a service on its behalf (a forward access session)."""
        return self.cloud.session_for(self.principal.through(service), self.region)
