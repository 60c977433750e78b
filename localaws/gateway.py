"""The front door: every request to the embedded AWS comes in here.

It recognises the request (who, which operation, where), asks authorization, has it answered by
a service module of ours or by moto, and writes it to requests.jsonl.
"""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote

from moto.core.model import OperationModel
from moto.core.utils import get_service_model
from moto.iam.models import iam_backends

from awslang.errors import AwsError
from awslang.principals import ANONYMOUS, Credentials, Principal
from localaws import registry, wire
from localaws.calls import Call, HttpRequest
from localaws.cloud import Cloud, Fault, new_id

RAW_HEADERS = "rehearsal.headers"  # server.py puts the headers here as sent
CREDENTIAL = re.compile(r"Credential=([^/]+)/([0-9]{8})/([^/]+)/([^/]+)/aws4_request")

warnings.filterwarnings("ignore", message=".*does not match an error shape.*")


def read_request(environ: dict[str, Any]) -> HttpRequest:
    """The request, with its path as it was sent (percent-encoded)."""
    headers = {name.lower(): value for name, value in environ[RAW_HEADERS]}
    if headers.get("transfer-encoding") == "chunked":
        body = environ["wsgi.input"].read()
        headers.pop("transfer-encoding")
    else:
        body = environ["wsgi.input"].read(int(headers.get("content-length") or 0))
    path = (environ.get("RAW_URI") or quote(environ.get("PATH_INFO", "/"))).split("?", 1)[0]
    return HttpRequest(environ["REQUEST_METHOD"], path or "/", environ.get("QUERY_STRING", ""), headers, body)


EXPIRED = Principal("anonymous", "", "?")  # whose credentials have had their time


def expired(service: str) -> AwsError:
    """As the API references have it, in "Common Error Types" and, for S3, in "Error responses"."""
    if service == "s3":
        return AwsError("ExpiredToken", "The provided token has expired.", status=400)
    return AwsError("ExpiredTokenException", "The security token included in the request is expired", status=403)


@dataclass(frozen=True)
class Place:
    """A recognised request: service, operation, Region and caller (None: an unknown key; EXPIRED)."""

    service: str
    operation: str
    region: str
    principal: Principal | None
    request_id: str
    http: HttpRequest


@dataclass(frozen=True)
class Done:
    """How a request was answered: status, headers, and the body; in its place the output itself, for a good answer
    to ask() that did not come from moto."""

    good: bool
    request_id: str
    answer: tuple[int, dict[str, str], Any]


class Gateway:
    """A WSGI application that is an AWS endpoint for every service, account and region."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, headers, body = self.respond(read_request(environ))
        start_response(f"{status} {'OK' if status < 400 else 'Error'}", list(headers.items()))
        return [body] if body else []

    def respond(self, request: HttpRequest) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body as they go over the wire."""
        status, headers, body = self.answer(request)
        given = {name.lower(): value for name, value in headers.items()}
        headers = {k: v for k, v in headers.items() if k.lower() not in {"content-length", "connection", "date"}}
        if request.method == "HEAD" and "content-length" in given:
            headers["Content-Length"] = given["content-length"]
        else:
            headers["Content-Length"] = str(len(body))
        return status, headers, b"" if request.method == "HEAD" else body

    def answer(self, request: HttpRequest) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for one request."""
        request_id = new_id()
        try:
            service, region, principal = self.signature(request)
            model, operation = wire.operation(service, request)
            place = Place(service, operation.name, region, principal, request_id, request)
            found = self.carry_out(
                place,
                lambda: wire.parse(model, operation, request),
                lambda call: self.perform(call, operation),
                lambda error: wire.refusal(model, operation, request, error, request_id),
            )
            status, headers, body = found.answer
        except AwsError as error:  # not even recognised
            status, headers, body = error.status, {"Content-Type": "text/plain"}, f"{error}\n".encode()
            self.cloud.record({"service": "?", "operation": "?", "path": request.path, "error": error.code})
        headers.setdefault("x-amzn-RequestId", request_id)
        return status, headers, body

    def reads_text(self, service: str, operation: str) -> bool:
        """Whether the operation is answered by moto, which takes a request as text, and not from its values alone."""
        found = registry.find(service)
        return found is None or operation not in found.handlers or found.by_text

    def ask(
        self,
        service: str,
        operation_name: str,
        region: str,
        by: Credentials,
        params: dict[str, Any],
        http: HttpRequest,
        text: Callable[[], HttpRequest] | None = None,
    ) -> Done:
        """A request from within this process (clients.py): recognised already, and read.

        http: its text for moto, or what stands for it; text: writes it, where moto may do without
        """
        model = get_service_model(service)
        operation = model.operation_model(operation_name)
        principal = by.principal if self.cloud.credentials(by.access_key_id) is by else None
        principal = EXPIRED if principal and by.expired else principal
        place = Place(service, operation_name, region, principal, new_id(), http)

        def perform(call: Call) -> tuple[int, dict[str, str], Any]:
            handler = registry.handler_of(call)
            if handler is None:
                return registry.answer_of_moto(call, text)
            return 200, {}, registry.output(call, handler)

        return self.carry_out(
            place,
            lambda: params,
            perform,
            lambda error: wire.refusal(model, operation, place.http, error, place.request_id),
        )

    def carry_out(
        self,
        place: Place,
        read: Callable[[], dict[str, Any]],
        perform: Callable[[Call], tuple[int, dict[str, str], Any]],
        refuse: Callable[[AwsError], tuple[int, dict[str, str], bytes]],
    ) -> Done:
        """One request: read, authorized, performed or refused, and written down."""
        principal, outcome, decided = place.principal, "", None
        good = False
        try:
            if principal is EXPIRED:
                raise expired(place.service)
            if principal is None:
                raise AwsError(
                    "InvalidAccessKeyId" if place.service == "s3" else "UnrecognizedClientException",
                    "The security token included in the request is invalid.",
                    status=403,
                )
            call = Call(
                cloud=self.cloud,
                principal=principal,
                service=place.service,
                operation=place.operation,
                params=read(),
                account=principal.account,
                region=place.region,
                request_id=place.request_id,
                http=place.http,
            )
            registry.handler_of(call)  # what is not supported is refused by name, to every caller
            decided = self.cloud.authorizer.authorize(call)
            answer = perform(call)
            good = answer[0] < 400
            outcome = "" if good else wire.error_code(answer[2], answer[1])
        except AwsError as error:
            outcome = error.code
            decided = getattr(error, "decision", decided)
            answer = refuse(error)
        except Exception as error:
            where = f"{place.service}:{place.operation}"
            self.cloud.faults.append(Fault(where, traceback.format_exc()))
            outcome = "InternalFailure"
            answer = refuse(AwsError("InternalFailure", f"{where} broke: {error!r}", status=500))
        self.cloud.record(
            {
                "service": place.service,
                "operation": place.operation,
                "principal": principal.arn if principal else "?",
                "account": principal.account if principal else "?",
                "region": place.region,
                "status": answer[0],
                "error": outcome,
                **(decided or {}),
            }
        )
        return Done(good, place.request_id, answer)

    def signature(self, request: HttpRequest) -> tuple[str, str, Principal | None]:
        """Service, region and principal from the request's signature (None: an unknown key; EXPIRED)."""
        query = parse_qs(request.query)
        text = request.headers.get("authorization", "")
        if "X-Amz-Credential" in query:  # a presigned URL
            text = f"Credential={query['X-Amz-Credential'][0]}"
        elif "AWSAccessKeyId" in query:  # one presigned in the older way, as boto3 still does for S3
            text = f"Credential={query['AWSAccessKeyId'][0]}/00000000/us-east-1/s3/aws4_request"
        found = CREDENTIAL.search(text)
        if not found:
            return "s3", "us-east-1", ANONYMOUS
        key, _, region, signing_name = found.groups()
        service = registry.OTHER_NAMES.get(signing_name, signing_name)
        if service == "sagemaker" and request.path.startswith("/endpoints/"):
            service = "sagemaker-runtime"
        credentials = self.cloud.credentials(key)
        if credentials is None:
            return service, region, self.iam_user(key)
        sent = {name.lower(): values[0] for name, values in query.items()}
        token = request.headers.get("x-amz-security-token") or sent.get("x-amz-security-token", "")
        if (credentials.session_token or "") != token:
            return service, region, None
        return service, region, EXPIRED if credentials.expired else credentials.principal

    def iam_user(self, access_key_id: str) -> Principal | None:
        """The IAM user whose access key this is (moto keeps the keys that CreateAccessKey made)."""
        for account, by_partition in list(iam_backends.items()):
            for user in by_partition["aws"].users.values():
                for key in user.access_keys:
                    if key.access_key_id == access_key_id and key.status == "Active":
                        return Principal("user", account, user.arn)
        return None

    def perform(self, call: Call, operation: OperationModel) -> tuple[int, dict[str, str], bytes]:
        """The answer as text: moto's, or the handler's output."""
        handler = registry.handler_of(call)
        if handler is None:
            return registry.answer_of_moto(call)
        return wire.answer_text(call, operation, registry.output(call, handler))
