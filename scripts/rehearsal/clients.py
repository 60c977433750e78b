"""The clients of the embedded AWS's own sessions: one for each service and region, whoever asks.

Making a botocore client costs more than most requests, and a stack set acts in thousands of accounts. So
the credentials are chosen for each request, and the request is handed to the gateway in this process: it is
recognised, authorized, answered and recorded as one that came in at the port, without the socket.
"""

from __future__ import annotations

import inspect
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.credentials import ReadOnlyCredentials

from scripts.rehearsal.calls import HttpRequest
from scripts.rehearsal.principals import Credentials

CONFIG = Config(
    retries={"max_attempts": 1, "mode": "standard"},
    connect_timeout=5,
    read_timeout=300,
    user_agent="rehearsal",
    s3={"addressing_style": "path"},
)
Answer = tuple[int, dict[str, str], bytes]  # status, headers, body
_acting: ContextVar[Credentials] = ContextVar("acting")


class Acting(BotocoreCredentials):
    """The credentials of whoever makes the present request."""

    def __init__(self) -> None:
        super().__init__("", "")

    def load_credentials(self) -> Acting:
        return self

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        found = _acting.get()
        return ReadOnlyCredentials(found.access_key_id, found.secret_access_key, found.session_token)


class Client:
    """A botocore client that acts with one set of credentials."""

    def __init__(self, shared: Any, credentials: Credentials) -> None:
        self._shared, self._credentials = shared, credentials

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._shared, name)
        return self._as_ours(found) if inspect.ismethod(found) else found

    def _as_ours(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **given: Any) -> Any:
            token = _acting.set(self._credentials)
            try:
                return method(*args, **given)
            finally:
                _acting.reset(token)

        return call

    def get_paginator(self, operation_name: str) -> Any:
        return type(self._shared).get_paginator(self, operation_name)  # it asks for its pages through us

    def get_waiter(self, waiter_name: str) -> Any:
        return type(self._shared).get_waiter(self, waiter_name)


class Clients:
    """Makes and keeps the shared clients."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[tuple[str, str], Any] = {}
        self._botocore = botocore.session.Session()
        self._botocore.register_component("credential_provider", Acting())

    def client(
        self,
        service: str,
        region: str,
        credentials: Credentials,
        endpoint: str,
        answer: Callable[[HttpRequest], Answer],
    ) -> Client:
        """answer: who answers a request (the gateway)."""
        key = (service, region)
        with nullcontext() if key in self._shared else self._lock:
            if key not in self._shared:
                made = self._botocore.create_client(service, region_name=region, endpoint_url=endpoint, config=CONFIG)
                handler: Any = partial(answered, answer)  # its result takes the place of sending the request
                made.meta.events.register("before-send", handler)
                self._shared[key] = made
        return Client(self._shared[key], credentials)


class Body(io.BytesIO):
    """An answer's body, as botocore reads it."""

    def stream(self, size: int = 65536) -> Iterator[bytes]:
        while part := self.read(size):
            yield part


def answered(answer: Callable[[HttpRequest], Answer], request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    url = urlsplit(request.url)
    headers = {k.lower(): v.decode() if isinstance(v, bytes) else str(v) for k, v in request.headers.items()}
    headers.setdefault("host", url.netloc)
    headers.pop("transfer-encoding", None)
    body = request.body or b""
    content = body.read() if hasattr(body, "read") else body
    content = content.encode() if isinstance(content, str) else bytes(content)
    headers["content-length"] = str(len(content))
    told: Any  # botocore's own stubs ask for another kind of mapping
    status, told, text = answer(HttpRequest(request.method, url.path or "/", url.query, headers, content))
    return AWSResponse(request.url, status, told, Body(text))
