"""Checks the signature of every request that comes in at the port, and says whose it is.

IAM User Guide, "Create a signed AWS API request" and "Authentication methods" (the Authorization header and the query
string); Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)"; Amazon S3 User Guide,
"Signing and authenticating REST requests" (Signature Version 2, with which boto3 still signs S3's presigned URLs).
botocore's own signers compute what the signature must be, from the request as it was sent.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote

import botocore.auth
from botocore.compat import HTTPHeaders
from botocore.credentials import ReadOnlyCredentials
from moto.iam.models import iam_backends

from awslang.errors import AwsError
from awslang.principals import ANONYMOUS, Credentials, Principal
from localaws import chunked_upload, registry, unsigned
from localaws.calls import HttpRequest
from localaws.chunked_upload import Signing
from localaws.cloud import Cloud
from localaws.refusals import refusal

CREDENTIAL = re.compile(r"([^/\s,]+)/([0-9]{8})/([^/\s,]+)/([^/\s,]+)/aws4_request")
SECONDS = re.compile("[0-9]{1,12}")
PLAIN = re.compile("[A-Za-z0-9]*")  # what needs no escape in a path
FORM = "%Y%m%dT%H%M%SZ"
SKEW = timedelta(minutes=15)
LONGEST = 604_800  # seconds that a presigned URL may be valid
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SigV4: Any = botocore.auth.SigV4Auth  # the stubs leave out what is overridden
HmacV1Query: Any = botocore.auth.HmacV1QueryAuth


@dataclass(frozen=True)
class Signed:
    """Whose a request is: the service and Region that it is signed for, and the caller, or why it is refused.

    key: the access key's id, where the signature holds
    """

    service: str
    region: str
    caller: Principal | AwsError
    request: HttpRequest
    key: str = ""


@dataclass(frozen=True)
class Claim:
    """What a request says of its signature, not checked yet.

    version: 4, or 2 for a presigned URL of S3 in the older way
    expires: how long a presigned URL is valid: seconds, for version 2 the second in which it ends; None for a header
    """

    version: int
    key: str
    scope: str
    region: str
    signing_name: str
    service: str
    names: tuple[str, ...]
    signature: str
    moment: str
    token: str
    expires: str | None = None


def scope_of(request: HttpRequest) -> tuple[str, str]:
    """Service and Region that the header names, for a request from within this process, whose caller is known."""
    found = CREDENTIAL.search(request.headers["authorization"])
    assert found is not None  # clients.py writes it
    return service_named(found[4], request.path), found[3]


def service_named(signing_name: str, path: str) -> str:
    """botocore's name of a service by the one in signatures, which two services may share."""
    if signing_name == "sagemaker" and path.startswith("/endpoints/"):
        return "sagemaker-runtime"
    return registry.OTHER_NAMES.get(signing_name, signing_name)


def same(wanted: str, given: str) -> bool:
    """Whether two texts are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace"))


@lru_cache(maxsize=1024)
def time_of(moment: str) -> datetime:
    """The time that a signature states; ValueError for another form."""
    return datetime.strptime(moment, FORM).replace(tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


def claim_of(request: HttpRequest) -> Claim | None:
    """The claim in the request's header or query; None without one. AwsError for one that cannot be read."""
    text = request.headers.get("authorization", "")
    if text.startswith("AWS4-"):
        return _in_header(request, text)
    if "X-Amz-" in request.query and (values := _values(request)).keys() & {"X-Amz-Signature", "X-Amz-Credential"}:
        return _in_query(request, values)
    if "AWSAccessKeyId=" in request.query:
        values = _values(request)
        token = request.headers.get("x-amz-security-token") or values.get("x-amz-security-token", "")
        key, signature, expires = (values.get(name, "") for name in ("AWSAccessKeyId", "Signature", "Expires"))
        return Claim(2, key, "", "us-east-1", "s3", "s3", (), signature, "", token, expires)
    if text.startswith("AWS "):
        raise AwsError(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        )
    return None


def _values(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(request.query, keep_blank_values=True))


def _in_header(request: HttpRequest, text: str) -> Claim:
    algorithm, _, rest = text.partition(" ")
    date = request.headers.get("x-amz-date") or _iso(request.headers.get("date", ""))
    token = request.headers.get("x-amz-security-token", "")
    return _claim(request.path, {**dict(_fields(rest)), "Algorithm": algorithm, "Date": date}, token, None)


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for field in text.split(","):
        name, _, value = field.strip().partition("=")
        yield name, value


def _iso(date: str) -> str:
    """An HTTP date as a signature writes it."""
    try:
        return parsedate_to_datetime(date).astimezone(UTC).strftime(FORM)
    except (ValueError, OverflowError):
        return date


def _in_query(request: HttpRequest, values: Mapping[str, str]) -> Claim:
    token = request.headers.get("x-amz-security-token") or values.get("X-Amz-Security-Token", "")
    stated = {name.removeprefix("X-Amz-"): value for name, value in values.items()}
    return _claim(request.path, stated, token, stated.get("Expires", ""))


def _claim(path: str, stated: Mapping[str, str], token: str, expires: str | None) -> Claim:
    """The claim from its fields, as both ways to sign call them."""
    credential, algorithm, moment = (stated.get(name, "") for name in ("Credential", "Algorithm", "Date"))
    found = CREDENTIAL.fullmatch(credential)
    service = service_named(found[4] if found else (["s3", *credential.split("/")])[-2], path)
    if algorithm != "AWS4-HMAC-SHA256":
        raise _Unreadable(service, f"Signature algorithm {algorithm} is not supported: use AWS4-HMAC-SHA256.")
    if not found:
        raise _Unreadable(service, f"Credential {credential!r} must be KEY/YYYYMMDD/REGION/SERVICE/aws4_request.")
    try:
        time_of(moment)
    except ValueError:
        raise _Unreadable(service, "X-Amz-Date must be in the form YYYYMMDDTHHMMSSZ.") from None
    names = tuple(stated.get("SignedHeaders", "").split(";"))
    if "host" not in names:
        raise _Unreadable(service, "'Host' must be a 'SignedHeader'.")
    if not moment.startswith(found[2]):
        raise _Unreadable(service, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date.")
    scope, signature = credential.partition("/")[2], stated.get("Signature", "")
    return Claim(4, found[1], scope, found[3], found[4], service, names, signature, moment, token, expires)


class _Unreadable(AwsError):
    """A claim that cannot be read: the service's error, with what is wrong."""

    def __init__(self, service: str, detail: str) -> None:
        made = refusal(service, "malformed", detail)
        super().__init__(made.code, made.message, made.status)
        self.service = service


class Signatures:
    """Reads and checks the signatures of requests to one embedded AWS."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def credentials(self, key: str) -> Credentials | None:
        """What the access key stands for: a session, or an IAM user, whose keys moto keeps (CreateAccessKey)."""
        found = self.cloud.credentials(key)
        if found is not None:
            return found
        for account, by_partition in list(iam_backends.items()):
            for user in list(by_partition["aws"].users.values()):
                for one in user.access_keys:
                    if one.access_key_id == key and one.status == "Active":
                        return Credentials(key, one.secret_access_key, None, None, Principal("user", account, user.arn))
        return None

    def of(self, request: HttpRequest) -> Signed:
        """Whose the request is. Its body is what was signed: the chunks of an upload are put together."""
        try:
            claim = claim_of(request)
        except AwsError as error:
            return Signed(getattr(error, "service", "s3"), "us-east-1", error, request)
        if claim is None:
            return Signed(unsigned.service_of(request), "us-east-1", ANONYMOUS, request)
        try:
            known = self._known(claim)
            request = (_check_version_2 if claim.version == 2 else _check)(request, claim, known)
        except AwsError as error:
            return Signed(claim.service, claim.region, error, request)
        return Signed(claim.service, claim.region, known.principal, request, claim.key)

    def _known(self, claim: Claim) -> Credentials:
        known = self.credentials(claim.key)
        if known is None:
            raise refusal(claim.service, "unknown key")
        if not same(known.session_token or "", claim.token):
            raise refusal(claim.service, "token")
        if known.expired:
            raise refusal(claim.service, "expired")
        return known


# -- Signature Version 4 -----------------------------------------------------------------------------


class _Sent:
    """A request as botocore's signer looks at it: only the signed headers, by their names in lower case."""

    params = None

    def __init__(self, request: HttpRequest, claim: Claim) -> None:
        self.method = request.method
        self.url = f"http://host{request.path}?{request.query}"
        self.headers = {name: request.headers.get(name, "") for name in claim.names}
        self.context = {"timestamp": claim.moment}


class _Names(dict[str, str]):
    def get_all(self, name: str) -> list[str]:
        return [self[name]]


class _Signer(SigV4):  # type: ignore[misc]  # Any, see above
    """botocore's signer, for a request that was signed elsewhere: which headers, and the payload, are given."""

    def __init__(self, claim: Claim, payload: str) -> None:
        super().__init__(None, claim.signing_name, claim.region)
        self.payload_of_claim = payload

    def headers_to_sign(self, request: _Sent) -> _Names:
        return _Names(request.headers)

    def canonical_query_string(self, request: _Sent) -> str:
        query = request.url.partition("?")[2]
        pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
        written = [(_encoded(name), _encoded(value)) for name, value in pairs if name != "X-Amz-Signature"]
        return "&".join(f"{name}={value}" for name, value in sorted(written))

    def payload(self, request: _Sent) -> str:
        return self.payload_of_claim

    def _normalize_url_path(self, path: str) -> str:
        return path if self._service_name == "s3" else str(super()._normalize_url_path(path))


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="-_.~") if not PLAIN.fullmatch(text) else text


@lru_cache(maxsize=4096)
def signing_key(secret: str, scope: str) -> bytes:
    """The key of a secret, date, Region and service: computed once."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signature(request: HttpRequest, claim: Claim, secret: str, payload: str) -> str:
    """What the signature must be."""
    signer, sent = _Signer(claim, payload), _Sent(request, claim)
    text = signer.string_to_sign(sent, signer.canonical_request(sent))
    return hmac.digest(signing_key(secret, claim.scope), text.encode(), "sha256").hex()


def _check(request: HttpRequest, claim: Claim, known: Credentials) -> HttpRequest:
    """The request, once its signature holds."""
    _check_time(claim)
    if claim.service == "s3":
        _check_headers(request, claim)
    payload = _payload(request, claim)
    made = signature(request, claim, known.secret_access_key, payload)
    if not same(made, claim.signature):
        raise refusal(claim.service, "mismatch")
    if claim.service == "s3" and payload in chunked_upload.KINDS:
        key = signing_key(known.secret_access_key, claim.scope)
        return chunked_upload.put_together(request, Signing(key, claim.moment, claim.scope, made))
    return request


def _check_headers(request: HttpRequest, claim: Claim) -> None:
    loose = [n for n in request.headers if n.startswith("x-amz-") and n not in claim.names]
    if loose:
        message = f"There were headers present in the request which were not signed ({', '.join(loose)})"
        raise AwsError("AccessDenied", message, 403)


def _payload(request: HttpRequest, claim: Claim) -> str:
    """What stands for the body in the canonical request. S3 takes the header's word, once it is seen to be true."""
    if claim.service != "s3":
        return hashlib.sha256(request.body).hexdigest()
    stated = request.headers.get("x-amz-content-sha256", "")
    if claim.expires is not None:
        return stated or UNSIGNED_PAYLOAD
    if not stated:
        raise AwsError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    if stated == UNSIGNED_PAYLOAD or stated in chunked_upload.KINDS:
        return stated
    if not re.fullmatch("[0-9a-f]{64}", stated):
        message = (
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
            f"{', '.join(sorted(chunked_upload.KINDS))}, or a valid sha256 value."
        )
        raise AwsError("InvalidArgument", message)
    if stated != hashlib.sha256(request.body).hexdigest():
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise AwsError("XAmzContentSHA256Mismatch", message)
    return stated


def _check_time(claim: Claim) -> None:
    present = now()
    age, expires = present - time_of(claim.moment), claim.expires or ""
    seconds = int(expires) if SECONDS.fullmatch(expires) else 0
    if claim.expires is not None and claim.service == "s3":
        _check_presigned(age, seconds)
        return
    valid = max(SKEW, timedelta(seconds=min(seconds, LONGEST)))
    if age > valid:
        earliest = f"{claim.moment} is now earlier than {present - valid:{FORM}} ({present:{FORM}} - "
        raise refusal(claim.service, "late", f"{earliest}{valid.total_seconds() // 60:.0f} min.)")
    if age < -SKEW:
        latest = f"{claim.moment} is still later than {present + SKEW:{FORM}} ({present:{FORM}} + 15 min.)"
        raise refusal(claim.service, "early", latest)


def _check_presigned(age: timedelta, seconds: int) -> None:
    """A presigned URL of S3 is valid for as long as it says, at most a week."""
    if not 1 <= seconds <= LONGEST:
        message = f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST} (a week)"
        raise AwsError("AuthorizationQueryParametersError", message)
    if age > timedelta(seconds=seconds):
        raise AwsError("AccessDenied", "Request has expired", 403)
    if age < -SKEW:
        raise AwsError("AccessDenied", "Request is not yet valid", 403)


# -- Signature Version 2: presigned URLs of S3 -------------------------------------------------------


def _check_version_2(request: HttpRequest, claim: Claim, known: Credentials) -> HttpRequest:
    expires = claim.expires or ""
    if not SECONDS.fullmatch(expires):
        raise AwsError("AccessDenied", "Invalid date (should be seconds since epoch): " + expires, 403)
    if now().timestamp() > int(expires):
        raise AwsError("AccessDenied", "Request has expired", 403)
    headers: Any = HTTPHeaders()
    for name, value in (_values(request) | dict(request.headers)).items():
        if name.startswith("x-amz-") or name in {"content-type", "content-md5"}:
            headers[name] = value
    signer = _Version2(ReadOnlyCredentials(known.access_key_id, known.secret_access_key, known.session_token), expires)
    split = SplitResult("http", "host", request.path, request.query, "")
    if not same(signer.get_signature(request.method, split, headers), claim.signature):
        raise refusal("s3", "mismatch")
    return request


class _Version2(HmacV1Query):  # type: ignore[misc]  # Any, see above
    """botocore's signer, for a moment of expiry that is given."""

    def _get_date(self) -> Any:
        return self._expires
