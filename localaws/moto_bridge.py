"""Hands a request to moto, which holds the state of the services that it does well.

The only module, beside the services that read moto's backends, that knows how moto is called.
moto is pinned exactly: tests/localaws/test_moto_bridge.py has one test per private symbol used.
"""

from __future__ import annotations

import copy
import html
import importlib
import io
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cache
from string import ascii_letters, digits
from typing import Any

from botocore import xform_name
from moto import backends
from moto.backend_index import backend_url_patterns
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core import DEFAULT_ACCOUNT_ID, responses
from moto.core.base_backend import BackendDict
from moto.core.config import default_user_config
from moto.core.exceptions import HTTPException, ServiceException
from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY, Request, environ_key_for_header
from moto.core.utils import get_service_model
from moto.iam.access_control import PermissionResult
from moto.iam.models import AWSManagedPolicy, IAMBackend
from moto.iam.policy_validation import (
    BaseIAMPolicyValidator,
    IAMPolicyDocumentValidator,
    IAMTrustPolicyDocumentValidator,
)
from moto.logs.responses import LogsResponse
from moto.moto_api._internal.moto_random import MotoRandom
from moto.organizations.models import organizations_backends
from moto.s3.models import FakeBucket, FakeKey

from awslang.errors import AwsError, NotSupported
from localaws.calls import Call

default_user_config["iam"] = {"load_aws_managed_policies": True}  # as AWS ships them
# Bucket policies are the authorizer's: moto would apply a Deny without looking at its conditions.
FakeBucket.get_permission = lambda bucket, action, resource: PermissionResult.PERMITTED

_parse_aws_policies = IAMBackend._init_aws_policies
_attach_to = AWSManagedPolicy.attach_to
_aws_policies: list[Any] = []


def _init_aws_policies(self: Any) -> list[Any]:
    """AWS's managed policies: moto would parse all 1,582 of them again for every account."""
    if not _aws_policies:
        _aws_policies.extend(_parse_aws_policies(self))
        for policy in _aws_policies:
            policy.account_id, policy.id = "aws", f"ANPA{policy.id[4:]}"  # IAM User Guide, "IAM identifiers"
    return _aws_policies


def _attach_own(self: Any, holder: Any) -> None:
    """An account has AWS's policies in common with all others until it attaches one: that is counted per account."""
    known = backend("iam", holder.account_id, "aws").managed_policies
    if known[self.arn].account_id == "aws":
        known[self.arn] = own = copy.copy(self)
        own.account_id, own.attachment_count = holder.account_id, 0
    _attach_to(known[self.arn], holder)


def _random_string(self: Any, length: int = 20, include_digits: bool = True, lower_case: bool = False) -> str:
    """moto draws the 52 letters of every answer's request id one by one."""
    drawn = "".join(self.choices(ascii_letters + (digits if include_digits else ""), k=length))
    return drawn.lower() if lower_case else drawn


MotoRandom.get_random_string = _random_string
IAMBackend._init_aws_policies = _init_aws_policies
AWSManagedPolicy.attach_to = _attach_own
BaseIAMPolicyValidator.validate = IAMPolicyDocumentValidator.validate = IAMTrustPolicyDocumentValidator.validate = (
    lambda self: None  # authorization/documents.py checks every document, and takes some that moto refuses
)
for _each_request in ("method_names_from_class", "camelcase_to_underscores"):  # computed again for each one
    setattr(responses, _each_request, cache(getattr(responses, _each_request)))

# moto walks an account's policies while another request changes them, and reads the file that holds an object's content
# while another request replaces and closes it.
ONE_AT_A_TIME = {"iam": threading.RLock(), "s3": threading.RLock()}

OFTEN: dict[tuple[str, str], Any] = {
    ("cloudwatch", "DescribeAlarms"): CloudWatchResponse,
    ("cloudwatch", "PutMetricAlarm"): CloudWatchResponse,
    ("logs", "CreateLogGroup"): LogsResponse,
    ("logs", "CreateLogStream"): LogsResponse,
    ("logs", "DescribeLogStreams"): LogsResponse,
    ("logs", "PutLogEvents"): LogsResponse,
}

HOSTS = {  # by botocore's service name, where it is not NAME.REGION.amazonaws.com
    "s3": "s3.{region}.amazonaws.com",
    "sagemaker": "api.sagemaker.{region}.amazonaws.com",
    "sagemaker-runtime": "runtime.sagemaker.{region}.amazonaws.com",
    "cloudwatch": "monitoring.{region}.amazonaws.com",
    "stepfunctions": "states.{region}.amazonaws.com",
    "ecr": "api.ecr.{region}.amazonaws.com",
}


def make_once(backends_of_service: Any, account: str) -> None:
    """Make moto's state of a service in an account where there is none.

    moto lists all accounts under one lock, and compares whole services, for every look at a state.
    """
    if account not in backends_of_service:
        _make_backend(backends_of_service, account)


_make_backend = BackendDict._create_account_specific_backend
BackendDict._create_account_specific_backend = make_once


def backend(service: str, account: str, region: str) -> Any:
    """moto's state of one service in one account and Region, for example backend("iam", "111111111111", "aws")."""
    return backends.get_backend(service)[account][region]


def begun(service: str) -> bool:
    """Whether moto has any state of a service: it loads the service's code with the first, which may take a second."""
    name = service.replace("-", "")
    return f"moto.{backends.ALT_SERVICE_NAMES.get(name, name)}.models" in sys.modules


def every(service: str) -> Iterator[Any]:
    """moto's states of one service, in all accounts and Regions that have one."""
    for by_region in list(backends.get_backend(service).values()):
        yield from list(by_region.values())


@cache
def implemented(service: str) -> frozenset[str]:
    """The operations of a service that moto has code for: in its responses or, as most of S3's, in its state."""
    by_account = backends.get_backend(service)[DEFAULT_ACCOUNT_ID]
    state = by_account["us-east-1" if "us-east-1" in by_account else "aws"]
    module = importlib.import_module(f"{type(state).__module__.rpartition('.')[0]}.responses")
    holders = [type(state), *(item for item in vars(module).values() if isinstance(item, type))]
    names = get_service_model(service).operation_names
    found = {name for name in names if any(hasattr(holder, xform_name(name)) for holder in holders)}
    return frozenset(found | (FORMS if service == "s3" else set()))


# Requests of browsers to S3, which are no operations of its API: moto names them, and answers by their method alone.
FORMS = {"BucketCORSPreflightCheck", "ObjectCORSPreflightCheck", "PostObject"}


def member(organization: Any, account: str) -> Any:
    """The account in moto's state of an organization; None for one that is not in it."""
    accounts = organization.accounts
    state = (len(accounts), id(accounts[-1]) if accounts else 0)
    if getattr(organization, "_rehearsal_state", None) != state:
        organization._rehearsal_members = {one.id: one for one in accounts}
        organization._rehearsal_state = state
    return organization._rehearsal_members.get(account)


def reset() -> None:
    """Forget everything that moto holds (its state is global to the process)."""
    BackendDict.reset()
    organizations_backends.master_accounts.clear()  # which reset() forgets


@cache
def _routes(host: str) -> list[tuple[re.Pattern[str], Any]]:
    for service, pattern in backend_url_patterns:
        if pattern.match(f"https://{host}"):
            by_account: Any = backends.get_backend(service)
            if not isinstance(by_account, BackendDict):
                some = by_account["global"]
            else:
                regions = by_account[DEFAULT_ACCOUNT_ID]
                some = regions["us-east-1" if "us-east-1" in regions else "aws"]
            return [(re.compile(url), handler) for url, handler in some.urls.items()]
    raise NotSupported(f"a request to {host}")


def check_bucket_owner(call: Call) -> None:
    """AccessDenied where the caller expects another owner of the bucket, which moto does not check.

    S3 User Guide, "Verifying bucket ownership with bucket owner condition".
    """
    expected, bucket = call.http.headers.get("x-amz-expected-bucket-owner"), call.params.get("Bucket")
    if expected and bucket:
        _, owner = backends.get_backend("s3").bucket_accounts.get(bucket, ("", expected))
        if owner != expected:
            raise AwsError("AccessDenied", "Access Denied", 403)


def by_values(call: Call) -> dict[str, Any] | None:
    """moto's output for an operation that thousands of endpoints ask for, from the input's values alone.

    No text is written and read for it. None for every other operation, and where moto refuses or has more to
    tell than values: it is asked by text then (answer), which is safe, as these refuse before they change anything.
    """
    kind = OFTEN.get((call.service, call.operation))
    if kind is None:
        return None
    response = kind()
    response.automated_parameter_parsing, response.params, response.uri_match = True, call.params, {}
    response.current_account, response.region, response.partition = call.account, call.region, "aws"
    try:
        result = getattr(response, xform_name(call.operation))()
    except (ServiceException, HTTPException):
        return None
    output = result.result or {} if isinstance(result, responses.ActionResult) else json.loads(result or "{}")
    objects = [item for value in output.values() if isinstance(value, list) for item in value]
    return dict(output) if all(isinstance(item, dict) for item in objects) else None


PLAIN = {"Bucket", "Key", "ChecksumMode", "ExpectedBucketOwner"}


def plain_object(call: Call) -> tuple[int, dict[str, str], bytes] | None:
    """The answer to GetObject or HeadObject as moto gives it, for an object and a request with nothing special."""
    if call.operation not in {"GetObject", "HeadObject"} or not call.params.keys() <= PLAIN:
        return None
    if "origin" in call.http.headers:  # a browser's, which wants to know of the bucket's CORS rules
        return None
    _, owner = backends.get_backend("s3").bucket_accounts.get(call.params["Bucket"], ("", ""))
    found = backend("s3", owner, "aws").buckets[call.params["Bucket"]].keys.get(call.params["Key"]) if owner else None
    if not isinstance(found, FakeKey) or found.storage_class != "STANDARD" or found.multipart:
        return None
    headers = {**found.response_dict, **found.metadata, "Accept-Ranges": "bytes"}
    if "ChecksumMode" in call.params and found.checksum_algorithm:
        headers[f"x-amz-checksum-{found.checksum_algorithm.lower()}"] = found.checksum_value
        if call.operation == "GetObject" and found.checksum_type:
            headers["x-amz-checksum-type"] = found.checksum_type
    return 200, {str(k): str(v) for k, v in headers.items()}, b"" if call.operation == "HeadObject" else found.value


def at_the_root(method: str, host: str, headers: dict[str, str], body: bytes) -> Request:
    """What Request.from_primitives makes of a request without path and query, by a shorter way."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "", "REQUEST_URI": "/",
        "RAW_URI": "/", "SERVER_NAME": host, "SERVER_PORT": "443", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "https", "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
        "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False,
        PRESERVED_HEADER_NAMES_ENVIRON_KEY: {},
    }  # fmt: skip
    environ |= {environ_key(name): value for name, value in headers.items() if name != "transfer-encoding"}
    made = Request(environ | {"CONTENT_LENGTH": str(len(body))})
    made.__dict__["root_url"] = f"https://{host}/"  # what it would compute from all that
    if "form" not in headers.get("content-type", ""):
        made.__dict__["data"] = body
    return made


environ_key = cache(environ_key_for_header)
# What an AWS client writes in front of a service's message; some of moto's messages begin with it themselves.
INDENTED = re.compile(rb"\s{2,}")  # how some of moto's messages go on, which are written over several lines
OF_CLIENTS = re.compile(rb"(?:\w+: )?An error occurred \(\w+\)\s+when calling\s+the \w+ operation(?::\s*)?")


def answer(call: Call) -> tuple[int, dict[str, str], bytes]:
    """moto's answer to the call: status, headers, body."""
    if call.service == "s3":
        check_bucket_owner(call)
        with ONE_AT_A_TIME["s3"]:
            plain = plain_object(call)
        if plain is not None:
            return plain
    host = HOSTS.get(call.service, "{service}.{region}.amazonaws.com").format(service=call.service, region=call.region)
    url = f"https://{host}{call.http.path}"
    headers = {
        **call.http.headers,
        "host": host,
        "x-moto-account-id": call.account,
    }
    if call.service == "s3" and headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        headers["content-type"] = "binary/octet-stream"  # else moto reads an object's content as a form and loses it
    if call.http.path == "/" and not call.http.query:
        request = at_the_root(call.http.method, host, headers, call.http.body)
    else:
        request = Request.from_primitives(
            call.http.method, url + (f"?{call.http.query}" if call.http.query else ""), headers, call.http.body
        )
    for pattern, handler in _routes(host):
        if pattern.match(url):
            try:
                with ONE_AT_A_TIME.get(call.service, nullcontext()):
                    result = handler(request, request.raw_url, request.headers)
            except HTTPException as error:
                result = error.code, dict(error.get_headers()), error.get_body()
            except NotImplementedError as error:
                raise NotSupported(f"{call.service}:{call.operation}: {error}") from error
            break
    else:
        raise NotSupported(f"{call.service}:{call.operation} at {call.http.path}")
    status, out_headers, body = result if len(result) == 3 else (200, {}, result)
    if isinstance(body, str):
        body = body.encode()
    status, body = error_of(call, int(status), body) if int(status) >= 400 else (status, body)
    return int(status), {str(k): str(v) for k, v in out_headers.items()}, body


def error_of(call: Call, status: int, body: bytes) -> tuple[int, bytes]:
    """An error as AWS sends it: in one line, and over JSON as text, with the status 400 where the client is at fault.

    The "Errors" of the API References of KMS, Secrets Manager, SQS, DynamoDB; moto sends some with 403 and 404.
    """
    body = INDENTED.sub(b" ", OF_CLIENTS.sub(b"", body))
    if get_service_model(call.service).metadata["protocol"] != "json":
        return status, body
    return 400 if status < 500 else status, html.unescape(body.decode()).encode()
