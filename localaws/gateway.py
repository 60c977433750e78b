"""The front door: every request to the embedded AWS comes in here.

It recognises the request (who, which operation, where), asks authorization, has it answered by
a service module of ours or by moto, and writes it to requests.jsonl.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from moto.core.model import OperationModel
from moto.core.utils import get_service_model

from awslang.errors import AwsError
from awslang.principals import ANONYMOUS, Credentials, Principal
from localaws import intake, registry, wire
from localaws.calls import UNSEEN, Call, HttpRequest
from localaws.cloud import Cloud, Fault, new_id
from localaws.refusals import protocol_of, refusal
from localaws.services.account import service as account
from localaws.services.codecommit import http as git_over_http
from localaws.services.s3.state import bucket_state
from localaws.signatures import Signatures, Signed, claim_of, scope_of

RAW_HEADERS = "rehearsal.headers"  # server.py puts the headers here as sent
GO_AHEAD = "rehearsal.go_ahead"  # and here what lets a client send the body that it asked about
OBJECT_LIMIT = 1024 * intake.MIB  # S3 itself takes 5 GiB in one request
BODY_LIMIT = 128 * intake.MIB  # above every other service's own, of which Lambda's 70 MB is the largest
STRANGERS_LIMIT = intake.MIB  # without the key of a caller that is known here

warnings.filterwarnings("ignore", message=".*does not match an error shape.*")


def read_head(environ: dict[str, Any]) -> HttpRequest:
    """The request without its body, and with its path as it was sent (percent-encoded)."""
    path = (environ.get("RAW_URI") or quote(environ.get("PATH_INFO", "/"))).split("?", 1)[0]
    headers = intake.joined(environ[RAW_HEADERS])
    return HttpRequest(environ["REQUEST_METHOD"], path or "/", environ.get("QUERY_STRING", ""), headers, b"")


@dataclass(frozen=True)
class Place:
    """A recognised request: service, operation, Region and caller, or why there is none; the access key's id."""

    service: str
    operation: str
    region: str
    caller: Principal | AwsError
    request_id: str
    http: HttpRequest
    key: str


@dataclass(frozen=True)
class Done:
    """How a request was answered: status, headers, and the body; in its place the output itself, for a good answer
    to ask() that did not come from moto."""

    good: bool
    request_id: str
    answer: tuple[int, dict[str, str], Any]


class Gateway:
    """A WSGI application that is an AWS endpoint for every service, account and Region."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.signatures = Signatures(cloud)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        head = read_head(environ)
        try:
            limit = self.limit(head)
            intake.check_length(head.headers, limit)
            environ[GO_AHEAD]()
            read = intake.read_body(head.headers, environ["wsgi.input"], limit)
        except intake.TooLarge as error:
            raise intake.Unread(self.too_large(head, error)) from error
        headers = {name: value for name, value in head.headers.items() if name != "transfer-encoding"}
        status, headers, body = self.respond(replace(head, headers=headers, body=read))
        start_response(f"{status} {'OK' if status < 400 else 'Error'}", list(headers.items()))
        return [body] if body else []

    def limit(self, head: HttpRequest) -> int:
        """How many bytes the body may have: few, where the key is not known here."""
        if git_over_http.is_git(head.path):
            return BODY_LIMIT if git_over_http.known_caller(self.signatures, head) else STRANGERS_LIMIT
        try:
            claim = claim_of(head)
        except AwsError:
            return STRANGERS_LIMIT
        if claim is None or self.signatures.credentials(claim.key) is None:
            return STRANGERS_LIMIT
        return OBJECT_LIMIT if claim.service == "s3" else BODY_LIMIT

    def too_large(self, head: HttpRequest, error: intake.TooLarge) -> intake.Answer:
        """The answer to a request whose body was not read."""
        service = self.signatures.of(head).service
        service = service if protocol_of(service) else "s3"
        if service == "s3":
            refused = AwsError("EntityTooLarge", f"Your proposed upload exceeds the maximum allowed size: {error}")
        else:
            refused = AwsError("RequestEntityTooLargeException", f"The request is too large: {error}", 413)
        self.cloud.record({"service": service, "operation": "?", "path": head.path, "error": refused.code})
        model, operation = wire.any_operation(service)
        return self.completed(head, wire.refusal(model, operation, head, refused, new_id()))

    def respond(self, request: HttpRequest) -> intake.Answer:
        """The answer to a request from outside, as it goes over the wire: its signature is checked."""
        if git_over_http.is_git(request.path):
            return self.completed(request, git_over_http.answer(self.cloud, self.signatures, request))
        signed = self.signatures.of(request)
        origin = intake.foreign_origin(request.headers)
        if origin and not self.allows_page(signed, origin):
            words = f"A page of {origin} may not use the embedded AWS: no rule of a bucket allows its origin"
            signed = replace(signed, caller=AwsError("AccessDenied", words, 403))
        return self.completed(request, self.answer(signed))

    def respond_inside(self, request: HttpRequest, by: Credentials) -> intake.Answer:
        """The answer to a request from within this process: its caller is known."""
        service, region = scope_of(request)
        signed = Signed(service, region, self.caller(service, by), request, by.access_key_id)
        return self.completed(request, self.answer(signed))

    def caller(self, service: str, by: Credentials) -> Principal | AwsError:
        if self.cloud.credentials(by.access_key_id) is not by:
            return refusal(service, "unknown key")
        return refusal(service, "expired") if by.expired else by.principal

    def allows_page(self, signed: Signed, origin: str) -> bool:
        """True where the bucket's own rules let pages of this origin in (Amazon S3 User Guide, "Using CORS")."""
        bucket = bucket_state(signed.request.path.split("/")[1]) if signed.service == "s3" else None
        rules = bucket.cors if bucket is not None else []
        return any(origin in rule.allowed_origins or "*" in rule.allowed_origins for rule in rules)

    def completed(self, request: HttpRequest, answer: intake.Answer) -> intake.Answer:
        """Status, headers and body as they go over the wire."""
        status, headers, body = answer
        given = {name.lower(): value for name, value in headers.items()}
        headers = {k: v for k, v in headers.items() if k.lower() not in {"content-length", "connection", "date"}}
        if request.method == "HEAD" and "content-length" in given:
            headers["Content-Length"] = given["content-length"]
        else:
            headers["Content-Length"] = str(len(body))
        return status, headers, b"" if request.method == "HEAD" else body

    def answer(self, signed: Signed) -> intake.Answer:
        """Status, headers and body for one request."""
        request_id, request, caller = new_id(), signed.request, signed.caller
        try:
            model, operation = wire.operation(signed.service, request)
            if caller is ANONYMOUS and signed.service != "s3" and operation.auth_type != "none":
                caller = refusal(signed.service, "missing")
            place = Place(signed.service, operation.name, signed.region, caller, request_id, request, signed.key)
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
        place = Place(service, operation_name, region, self.caller(service, by), new_id(), http, by.access_key_id)

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
        refuse: Callable[[AwsError], intake.Answer],
    ) -> Done:
        """One request: read, authorized, performed or refused, and written down."""
        principal = place.caller if isinstance(place.caller, Principal) else None
        good, outcome, decided = False, "", None
        try:
            if not isinstance(place.caller, Principal):
                raise place.caller
            if place.caller is not ANONYMOUS and not account.takes(self.cloud, place.caller.account, place.region):
                raise refusal(place.service, "unknown key")
            call = Call(
                cloud=self.cloud,
                principal=place.caller,
                service=place.service,
                operation=place.operation,
                params=read(),
                account=place.caller.account,
                region=place.region,
                request_id=place.request_id,
                http=place.http,
            )
            registry.handler_of(call)  # what is not supported is refused by name, to every caller
            decided = None if UNSEEN.get() else self.cloud.authorizer.authorize(call)
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
        if UNSEEN.get():
            return Done(good, place.request_id, answer)
        self.cloud.record(
            {
                "service": place.service,
                "operation": place.operation,
                "principal": principal.arn if principal else "?",
                "account": principal.account if principal else "?",
                "region": place.region,
                "key": place.key,
                "status": answer[0],
                "error": outcome,
                **(decided or {}),
            }
        )
        return Done(good, place.request_id, answer)

    def perform(self, call: Call, operation: OperationModel) -> intake.Answer:
        """The answer as text: moto's, or the handler's output."""
        handler = registry.handler_of(call)
        if handler is None:
            return registry.answer_of_moto(call)
        return wire.answer_text(call, operation, registry.output(call, handler))
