"""The clients of the embedded AWS's own sessions: one for each service and Region, for every caller.

Making a botocore client costs more than most requests, and a stack set acts in thousands of accounts. So
the credentials are chosen for each request, and the request is handed to the gateway in this process: it is
authorized, answered and recorded as one that came in at the port. To a service that we play it goes as values
(inside.py), to moto as text, with the caller's name in place of a signature.
"""

from __future__ import annotations

import inspect
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from functools import partial
from types import MethodType
from typing import Any
from urllib.parse import urlencode, urlsplit

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ParamValidationError
from botocore.response import StreamingBody
from botocore.utils import percent_encode_sequence
from botocore.validate import ParamValidator

from awslang.principals import Credentials
from localaws import inside, moto_bridge
from localaws.calls import HttpRequest

CONFIG = Config(
    retries={"max_attempts": 1, "mode": "standard"},
    connect_timeout=5,
    read_timeout=300,
    user_agent="rehearsal",
    s3={"addressing_style": "path"},
)
INSIDE = {  # what stands for the text of a request that has none
    "json": HttpRequest("POST", "/", "", {"content-type": "application/x-amz-json-1.1"}, b""),
    "query": HttpRequest("POST", "/", "", {"content-type": "application/x-www-form-urlencoded"}, b""),
}
OBJECTS = frozenset({"GetObject", "HeadObject"})  # what is asked of S3 most, and needs none of S3's own ways
VALIDATOR = ParamValidator()
_acting: ContextVar[Credentials] = ContextVar("acting")


class Acting(BotocoreCredentials):
    """The credentials of the session that makes the present request."""

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
        gateway: Any,
    ) -> Client:
        key = (service, region)
        with nullcontext() if key in self._shared else self._lock:
            if key not in self._shared:
                made = self._botocore.create_client(service, region_name=region, endpoint_url=endpoint, config=CONFIG)
                send_inside(made, service, region, gateway)
                self._shared[key] = made
        return Client(self._shared[key], credentials)


class Body(io.BytesIO):
    """An answer's body, as botocore reads it."""

    def stream(self, size: int = 65536) -> Iterator[bytes]:
        while part := self.read(size):
            yield part


def send_inside(client: Any, service: str, region: str, gateway: Any) -> None:
    """Have the client's requests answered in this process."""
    handler: Any = partial(answered, lambda request: gateway.respond_inside(request, _acting.get()))
    client.meta.events.register("before-send", handler)
    signer = client._request_signer
    request_created = f"request-created.{client.meta.service_model.service_id.hyphenize()}"
    client.meta.events.unregister(request_created, signer.handler)  # within this process none is checked
    client.meta.events.register(request_created, partial(name_caller, f"{region}/{signer.signing_name}"))
    if client.meta.service_model.resolved_protocol in inside.PROTOCOLS or service == "s3":
        ask = partial(asked, by_text=client._make_api_call, service=service, gateway=gateway)
        client._make_api_call = MethodType(ask, client)


def name_caller(scope: str, request: Any, **_: Any) -> None:
    """What the gateway reads of a signature: whose it is."""
    acting = _acting.get()
    request.headers["Authorization"] = named(scope)
    if acting.session_token:
        request.headers["X-Amz-Security-Token"] = acting.session_token


def named(scope: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential={_acting.get().access_key_id}/00000000/{scope}/aws4_request"


def asked(
    client: Any, operation_name: str, given: dict[str, Any], *, by_text: Callable[..., Any], service: str, gateway: Any
) -> Any:
    """The answer to a request, as botocore gives it; ClientError where it is refused."""
    if service == "s3" and operation_name not in OBJECTS:
        return by_text(operation_name, given)
    model = client.meta.service_model.operation_model(operation_name)
    protocol = client.meta.service_model.resolved_protocol
    context = {"client_config": client.meta.config}
    params = client._emit_api_params(api_params=given, operation_model=model, context=context)
    if model.input_shape is not None:
        report = VALIDATOR.validate(params, model.input_shape)
        if report.has_errors():
            raise ParamValidationError(report=report.generate_report())
    acting, region = _acting.get(), client.meta.region_name
    often, write = (service, operation_name) in moto_bridge.OFTEN, partial(text, client, model, params)
    http = write() if gateway.reads_text(service, operation_name) and not often else INSIDE[protocol]
    params = inside.received(model.input_shape, params, protocol)
    done = gateway.ask(service, operation_name, region, acting, params, http, write if often else None)
    status, headers, answer = done.answer
    headers = {name.lower(): value for name, value in headers.items()}
    headers.setdefault("x-amzn-requestid", done.request_id)
    if isinstance(answer, bytes):
        answer = b"" if http.method == "HEAD" else answer
    if status >= 300:
        raise refused(client, model, status, headers, answer)
    if isinstance(answer, bytes):
        parsed = read(client, model, status, headers, answer)
    else:
        parsed = inside.output_of(model.output_shape, answer, protocol)
        parsed["ResponseMetadata"] = {"RequestId": done.request_id, "HTTPStatusCode": status, "HTTPHeaders": headers}
    parsed["ResponseMetadata"]["RetryAttempts"] = 0
    event = f"after-call.{client.meta.service_model.service_id.hyphenize()}.{operation_name}"
    client.meta.events.emit(event, http_response=None, parsed=parsed, model=model, context=context)
    return parsed


def text(client: Any, model: Any, params: dict[str, Any]) -> HttpRequest:
    """The request as botocore writes it, for moto."""
    written = client._serializer._serializer.serialize_to_request(params, model)
    body = written["body"]
    content = urlencode(body, doseq=True).encode() if isinstance(body, dict) else body
    headers = {name.lower(): str(value) for name, value in written["headers"].items()}
    headers["content-length"] = str(len(content))
    headers["authorization"] = named(f"{client.meta.region_name}/{client._request_signer.signing_name}")
    bucket = f"/{params['Bucket']}" if "Bucket" in params and "{Bucket}" not in model.http["requestUri"] else ""
    query = percent_encode_sequence(written["query_string"])
    return HttpRequest(written["method"], bucket + written["url_path"], query, headers, content)


def read(client: Any, model: Any, status: int, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """The answer's text as botocore reads it."""
    parser = client._endpoint._response_parser_factory.create_parser(client.meta.service_model.resolved_protocol)
    response: dict[str, Any] = {"status_code": status, "headers": HeadersDict(headers), "body": body}
    if model.has_streaming_output and status < 300:
        response["body"] = StreamingBody(Body(body), len(body))
    parsed: dict[str, Any] = parser.parse(response, model.output_shape)
    return parsed


def refused(client: Any, model: Any, status: int, headers: dict[str, str], body: bytes) -> Exception:
    """The exception that botocore raises for an error answer."""
    parsed = read(client, model, status, headers, body)
    parser = client._endpoint._response_parser_factory.create_parser(client.meta.service_model.resolved_protocol)
    response = {"status_code": status, "headers": HeadersDict(headers), "body": body}
    client._endpoint._add_modeled_error_fields(response, parsed, model, parser)
    parsed["ResponseMetadata"]["RetryAttempts"] = 0
    error = client.exceptions.from_code(parsed.get("Error", {}).get("Code"))
    return error(parsed, model.name)  # type: ignore[no-any-return]


def answered(answer: Callable[[HttpRequest], Any], request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    """The answer in the place of sending the request."""
    url = urlsplit(request.url)
    headers = {k.lower(): v.decode() if isinstance(v, bytes) else str(v) for k, v in request.headers.items()}
    headers.setdefault("host", url.netloc)
    headers.pop("transfer-encoding", None)
    body = request.body or b""
    content = body.read() if hasattr(body, "read") else body
    content = content.encode() if isinstance(content, str) else bytes(content)
    headers["content-length"] = str(len(content))
    headers_back: Any  # botocore's own stubs ask for another kind of mapping
    status, headers_back, text = answer(HttpRequest(request.method, url.path or "/", url.query, headers, content))
    return AWSResponse(request.url, status, headers_back, Body(text))
