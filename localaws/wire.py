"""A request and its answer as text, in the protocol of its service: read and written with moto's parsers.

moto's parsers and serializers follow botocore's models, as AWS's own do; cbor.py adds the protocol that moto lacks.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

from awslang.errors import AwsError, NotSupported
from localaws import cbor
from localaws.calls import Call, HttpRequest


def operation(service: str, request: HttpRequest) -> tuple[ServiceModel, OperationModel]:
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


def any_operation(service: str) -> tuple[ServiceModel, OperationModel]:
    """An operation of the service, whichever: for an error that comes before the operation is known."""
    model = get_service_model(service)
    return model, model.operation_model(model.operation_names[0])


def parse(model: ServiceModel, operation: OperationModel, request: HttpRequest) -> dict[str, Any]:
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


def answer_text(call: Call, operation: OperationModel, result: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """An operation's output in the service's protocol: status, headers, body."""
    if cbor.spoken(call.http):
        return cbor.answer(result)
    model = operation.service_model
    protocol = determine_request_protocol(model, call.http.headers.get("content-type", ""))
    serializer = get_serializer_class(call.service, protocol)(operation, context=SerializationContext(call.request_id))
    response = serializer.serialize(result)
    headers = {**response["headers"], **content_type(operation, result)}
    return status_of(operation, result) or response["status_code"], headers, as_bytes(response["body"])


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
