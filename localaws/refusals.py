"""How AWS refuses a request whose signature does not hold, in each service's own code and words.

Amazon S3 API Reference, "Error responses"; IAM User Guide, "Troubleshoot Signature Version 4 signing for AWS API
requests"; STS and IAM API References, "Common Errors" (services with the query protocol); DynamoDB Developer Guide,
"Error handling with DynamoDB" (services with JSON, which answer 400).
"""

from __future__ import annotations

from typing import Literal

from moto.core.utils import get_service_model

from awslang.errors import AwsError

Reason = Literal["missing", "malformed", "unknown key", "token", "expired", "mismatch", "late", "early"]
Words = tuple[str, int, str]

NO_MATCH = "The request signature we calculated does not match the signature you provided. "
NOT_VALID = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"
SKEWED = ("RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large.")

S3: dict[Reason, Words] = {
    "missing": ("AccessDenied", 403, "Access Denied"),
    "malformed": ("AuthorizationHeaderMalformed", 400, "The authorization header that you provided is not valid."),
    "unknown key": (
        "InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."),
    "token": ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
    "expired": ("ExpiredToken", 400, "The provided token has expired."),
    "mismatch": ("SignatureDoesNotMatch", 403, f"{NO_MATCH}Check your key and signing method."),
    "late": SKEWED,
    "early": SKEWED,
}  # fmt: skip
QUERY: dict[Reason, Words] = {
    "missing": ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
    "malformed": ("IncompleteSignature", 400, "The request signature does not conform to AWS standards."),
    "unknown key": ("InvalidClientTokenId", 403, NOT_VALID),
    "token": ("InvalidClientTokenId", 403, NOT_VALID),
    "expired": ("ExpiredTokenException", 403, EXPIRED),
    "mismatch": (
        "SignatureDoesNotMatch", 403, f"{NO_MATCH}Check your AWS Secret Access Key and signing method. "
        "Consult the service documentation for details."),
    "late": ("SignatureDoesNotMatch", 403, "Signature expired"),
    "early": ("SignatureDoesNotMatch", 403, "Signature not yet current"),
}  # fmt: skip
NOT_VALIDATED: Words = ("AuthFailure", 401, "AWS was not able to validate the provided access credentials")
EC2: dict[Reason, Words] = {  # "Error codes for the Amazon EC2 API"
    **QUERY, "unknown key": NOT_VALIDATED, "token": NOT_VALIDATED, "mismatch": NOT_VALIDATED,
}  # fmt: skip
JSON: dict[Reason, Words] = {
    "missing": ("MissingAuthenticationTokenException", 400, "Missing Authentication Token"),
    "malformed": ("IncompleteSignatureException", 400, QUERY["malformed"][2]),
    "unknown key": ("UnrecognizedClientException", 400, NOT_VALID),
    "token": ("UnrecognizedClientException", 400, NOT_VALID),
    "expired": ("ExpiredTokenException", 403, EXPIRED),
    "mismatch": ("InvalidSignatureException", 400, QUERY["mismatch"][2]),
    "late": ("InvalidSignatureException", 400, QUERY["late"][2]),
    "early": ("InvalidSignatureException", 400, QUERY["early"][2]),
}
WORDS = {"s3": S3, "ec2": EC2}


def refusal(service: str, reason: Reason, detail: str = "") -> AwsError:
    """The service's error. detail: what its message adds; S3's messages stand alone, but for a malformed header."""
    protocol = protocol_of(service)
    code, status, message = WORDS.get(service, QUERY if protocol == "query" else JSON)[reason]
    if protocol.startswith("rest"):
        status = 403 if service != "s3" else status
    if detail and (service != "s3" or reason == "malformed"):
        message = f"{message}{': ' if reason in ('late', 'early') else ' '}{detail}"
    return AwsError(code, message, status)


def protocol_of(service: str) -> str:
    """The service's protocol in botocore's model; "" for a service that botocore does not know."""
    try:
        return str(get_service_model(service).protocol)
    except Exception:  # moto's loader has no error of its own
        return ""
