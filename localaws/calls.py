"""One request to the embedded AWS, and how a service module takes part in answering it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from awslang.principals import Principal

if TYPE_CHECKING:
    from localaws.cloud import Cloud, Session


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


Handler = Callable[[Call], dict[str, Any] | None]


class Service:
    """The operations of one AWS service that a module plays.

    codepipeline = Service("codepipeline")

    @codepipeline.operation("CreatePipeline")
    def create_pipeline(call: Call) -> dict[str, Any]: ...

    The answer is the operation's output, keyed as in the API reference; refuse with AwsError.
    also_moto names the operations of the same service that moto answers: every other one is
    refused by name (NotSupported).
    by_text: handlers hand the request's text on to moto, so that a request must have one (Call.http)
    """

    def __init__(self, name: str, also_moto: tuple[str, ...] = (), by_text: bool = False) -> None:
        self.name = name
        self.by_text = by_text
        self.also_moto = frozenset(also_moto)
        self.handlers: dict[str, Handler] = {}

    def operation(self, *names: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            for name in names:
                if name in self.handlers:
                    raise ValueError(f"{self.name}:{name} is played twice")
                self.handlers[name] = handler
            return handler

        return register
