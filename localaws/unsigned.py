"""Which service a request without a signature is for.

On AWS its host says so. Here every service has the same host, so what its protocol says is looked at: the target
of JSON, the path of CBOR and REST, the action and version of a query. What says nothing is for S3, which also
answers requests that are not signed.
"""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import parse_qs

from moto.core.utils import get_service_model

from localaws import registry
from localaws.calls import HttpRequest

CBOR = re.compile(r"/service/([^/]+)/operation/")
REST = {  # their paths; no bucket can be named so
    "account": re.compile(r"/[a-z]+[A-Z][A-Za-z]*$"),
    "lambda": re.compile(r"/20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]/[a-z-]+"),
    "sagemaker-runtime": re.compile(r"/endpoints/[^/]+/[a-z-]*invocations"),
}
FORM_LIMIT = 64 * 1024  # bytes of a form in which the action is looked for


@cache
def _by_target() -> dict[str, str]:
    """Services by what stands before the operation in X-Amz-Target."""
    models = {name: get_service_model(name) for name in registry.SERVICES}
    return {model.metadata["targetPrefix"]: n for n, model in models.items() if "targetPrefix" in model.metadata}


@cache
def _by_version() -> dict[str, list[str]]:
    """Services with the query protocol, by the version of their API."""
    found: dict[str, list[str]] = {}
    for name in registry.SERVICES:
        model = get_service_model(name)
        if "query" in model.metadata.get("protocols", [model.protocol]):
            found.setdefault(str(model.api_version), []).append(name)
    return found


def service_of(request: HttpRequest) -> str:
    """botocore's name of the service."""
    if target := request.headers.get("x-amz-target"):
        return _by_target().get(target.rpartition(".")[0], "s3")
    if found := CBOR.match(request.path):
        return _by_target().get(found[1], "s3")
    for service, path in REST.items():
        if path.match(request.path):
            return service
    form = request.body[:FORM_LIMIT].decode("utf-8", "replace") if request.path == "/" else ""
    values = parse_qs(f"{request.query}&{form}") if "Action=" in request.query + form else {}
    action = values.get("Action", [""])[0]
    for name in _by_version().get(values.get("Version", [""])[0], []):
        if action in get_service_model(name).operation_names:
            return name
    return "s3"
