"""The front door: every request to the embedded AWS comes in here.

It recognises the request (who, which operation, where), asks authorization, has it answered by
a service module of ours or by moto, and writes it to requests.jsonl.
"""

from __future__ import annotations

import importlib
import re
import traceback
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote

from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

from awslang.errors import AwsError, NotSupported
from awslang.principals import ANONYMOUS, Credentials, Principal
from localaws import beside_moto, cbor, moto_bridge
from localaws.calls import Call, Handler, HttpRequest, Service
from localaws.cloud import Cloud, Fault, new_id

# One entry per service that we play: the module under services/ and its Service object.
PLAYED: dict[str, str] = {
    "sts": "localaws.services.sts.service:sts",
    "iam": "localaws.services.iam.service:iam",
    "cloudformation": "localaws.cloudformation.service:cloudformation",
    "servicecatalog": "localaws.services.servicecatalog.service:servicecatalog",
    "codecommit": "localaws.services.codecommit.service:codecommit",
    "codebuild": "localaws.services.codebuild.service:codebuild",
    "codepipeline": "localaws.services.codepipeline.service:codepipeline",
    "events": "localaws.services.events.service:events",
    "stepfunctions": "localaws.services.stepfunctions.service:stepfunctions",
    "sagemaker": "localaws.services.sagemaker:sagemaker",
    "sagemaker-runtime": "localaws.services.sagemaker:runtime",
    "ssm": "localaws.services.ssm.service:ssm",
    "organizations": "localaws.services.organizations.service:organizations",
    "codeconnections": "localaws.services.codeconnections.service:codeconnections",
    "codestar-connections": "localaws.services.codeconnections.service:codestar_connections",
    "service-quotas": "localaws.services.servicequotas.service:servicequotas",
    "lambda": "localaws.services.awslambda.service:aws_lambda",
    "pricing": "localaws.services.pricing.service:pricing",
    "ecr": "localaws.services.ecr.service:ecr",
}

SIGNING_NAMES = {
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
}  # where they differ from botocore's
RAW_HEADERS = "rehearsal.headers"  # server.py puts the headers here as they were sent
CREDENTIAL = re.compile(r"Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")

warnings.filterwarnings("ignore", message=".*does not match an error shape.*")


@cache
def played(service: str) -> Service | None:
    """The Service object for a service that we play; None where moto answers alone."""
    if service not in PLAYED:
        return None
    module, name = PLAYED[service].split(":")
    found: Service = getattr(importlib.import_module(module), name)
    return found


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
    """A request that is recognised: what is asked of whom, where and by whom (None: an unknown key; EXPIRED)."""

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
            model, operation = self.operation(service, request)
            place = Place(service, operation.name, region, principal, request_id, request)
            found = self.carry_out(
                place,
                lambda: self.parse(model, operation, request),
                lambda call: self.perform(call, model, operation),
                lambda error: refusal(model, operation, request, error, request_id),
            )
            status, headers, body = found.answer
        except AwsError as error:  # not even recognised
            status, headers, body = error.status, {"Content-Type": "text/plain"}, f"{error}\n".encode()
            self.cloud.record({"service": "?", "operation": "?", "path": request.path, "error": error.code})
        headers.setdefault("x-amzn-RequestId", request_id)
        return status, headers, body

    def reads_text(self, service: str, operation: str) -> bool:
        """Whether the operation is answered by moto, which takes a request as text, and not from its values alone."""
        found = played(service)
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
            handler = handler_of(call)
            return beside_moto.answer(call, text) if handler is None else (200, {}, handler(call) or {})

        return self.carry_out(
            place,
            lambda: params,
            perform,
            lambda error: refusal(model, operation, place.http, error, place.request_id),
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
            handler_of(call)  # what nobody plays is refused by name, whoever asks for it
            decided = self.cloud.authorizer.authorize(call)
            answer = perform(call)
            good = answer[0] < 400
            outcome = "" if good else error_code(answer[2], answer[1])
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
        service = SIGNING_NAMES.get(signing_name, signing_name)
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
        from moto.iam.models import iam_backends

        for account, by_partition in list(iam_backends.items()):
            for user in by_partition["aws"].users.values():
                for key in user.access_keys:
                    if key.access_key_id == access_key_id and key.status == "Active":
                        return Principal("user", account, user.arn)
        return None

    def operation(self, service: str, request: HttpRequest) -> tuple[ServiceModel, OperationModel]:
        """The API operation that the request asks for."""
        try:
            model = get_service_model(service)
        except Exception as error:
            raise NotSupported(f"the service {service}") from error
        name = cbor.operation(request) if cbor.spoken(request) else ""
        if name:
            pass
        elif target := request.headers.get("x-amz-target"):
            name = target.rsplit(".", 1)[-1]
        elif model.protocol in {"query", "ec2"}:
            values = parse_qs(request.body.decode("utf-8", "replace") or request.query)
            name = values.get("Action", [""])[0]
        else:
            try:
                found, _ = get_service_router(service).match(as_moto(request))
                name = found.name
            except NotFound:
                name = ""
        if name not in model.operation_names:
            raise AwsError("UnknownOperationException", f"{service} has no operation at {request.path} ({name})", 404)
        return model, model.operation_model(name)

    def parse(self, model: ServiceModel, operation: OperationModel, request: HttpRequest) -> dict[str, Any]:
        """The operation's input."""
        if cbor.spoken(request):
            return dict(cbor.decoded(request.body))
        moto_request = as_moto(request)
        uri: dict[str, Any] = {}
        if model.protocol.startswith("rest"):
            _, uri = get_service_router(model.service_name).match(moto_request)
        protocol = determine_request_protocol(model, request.headers.get("content-type", ""))
        parsed = PROTOCOL_PARSERS[protocol](operation).parse(
            {
                "method": request.method,
                "values": moto_request.values,
                "headers": moto_request.headers,
                "body": request.body,
                "url_path": request.path,
                "url_params": uri,
            }
        )
        return dict(parsed or {})

    def perform(self, call: Call, model: ServiceModel, operation: OperationModel) -> tuple[int, dict[str, str], bytes]:
        """Have the call answered by whoever plays it."""
        handler = handler_of(call)
        if handler is None:
            return beside_moto.answer(call)
        result = handler(call) or {}
        if cbor.spoken(call.http):
            return cbor.answer(result)
        protocol = determine_request_protocol(model, call.http.headers.get("content-type", ""))
        serializer = get_serializer_class(call.service, protocol)(
            operation, context=SerializationContext(call.request_id)
        )
        response = serializer.serialize(result)
        headers = {**response["headers"], **content_type(operation, result)}
        return status_of(operation, result) or response["status_code"], headers, as_bytes(response["body"])


def handler_of(call: Call) -> Handler | None:
    """The handler that plays the call, None where moto answers it; NotSupported where nobody does."""
    service = played(call.service)
    if service is not None and call.operation in service.handlers:
        return service.handlers[call.operation]
    by_moto = call.service in moto_bridge.WHOLE_SERVICES if service is None else call.operation in service.also_moto
    if by_moto:
        return None
    raise NotSupported(f"{call.service}:{call.operation}")


def status_of(operation: OperationModel, result: dict[str, Any]) -> int:
    """The HTTP status, where it is part of the output (Lambda's Invoke); moto's serializer leaves it out."""
    members = operation.output_shape.members if operation.output_shape else {}
    stated = [name for name, shape in members.items() if shape.serialization.get("location") == "statusCode"]
    return int(result.get(stated[0], 0)) if stated else 0


def content_type(operation: OperationModel, result: dict[str, Any]) -> dict[str, str]:
    """The Content-Type header, where it is part of the output (moto's serializer puts its own in its place)."""
    members = operation.output_shape.members if operation.output_shape else {}
    for name, shape in members.items():
        if name in result and shape.serialization.get("name", "").lower() == "content-type":
            return {"Content-Type": str(result[name])}
    return {}


def as_moto(request: HttpRequest) -> Request:
    """The request in moto's own form, for its parsers and routers."""
    url = f"https://aws.local{request.path}" + (f"?{request.query}" if request.query else "")
    return Request.from_primitives(request.method, url, dict(request.headers), request.body)


def as_bytes(body: str | bytes | None) -> bytes:
    """moto's serializer gives None for an answer without a body."""
    return body.encode() if isinstance(body, str) else body or b""


def error_code(body: bytes, headers: dict[str, str]) -> str:
    """The error code in an answer of moto's, JSON or XML."""
    text = body.decode("utf-8", "replace")
    for pattern in (r'"__type"\s*:\s*"(?:[^"]*#)?([^"]+)"', r"<Code>([^<]+)</Code>"):
        if found := re.search(pattern, text):
            return found.group(1)
    return headers.get("x-amzn-ErrorType", "Error")


def refusal(
    model: ServiceModel, operation: OperationModel, request: HttpRequest, error: AwsError, request_id: str
) -> tuple[int, dict[str, str], bytes]:
    """The error in the service's own protocol."""
    if cbor.spoken(request):
        return cbor.refusal(error)
    protocol = determine_request_protocol(model, request.headers.get("content-type", ""))
    serializer = get_serializer_class(str(model.service_name), protocol)(
        operation, context=SerializationContext(request_id)
    )
    response = serializer.serialize(error)
    status = error.status if error.status != 400 else response["status_code"]
    return status if status >= 400 else 400, dict(response["headers"]), as_bytes(response["body"])
