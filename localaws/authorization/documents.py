"""Policy documents in requests: refused as their service refuses them, before anything is stored.

IAM checks grammar and that the principals of a trust policy exist; S3 and KMS do the same for
theirs (IAM User Guide, "AWS JSON policy elements: Principal"; S3 API Reference, PutBucketPolicy;
KMS Developer Guide, "Default key policy", the lockout safety check).
"""

from __future__ import annotations

from dataclasses import dataclass

from awslang.errors import AwsError
from awslang.policy.document import Kind, MalformedPolicy, parse
from awslang.policy.resource_policies import check_bucket_policy, check_lockout, known_service
from localaws import moto_bridge
from localaws.authorization.state import organization_of
from localaws.calls import Call


@dataclass(frozen=True)
class Place:
    """Where a request carries a document, and the service's error for a bad one."""

    parameter: str
    kind: Kind
    code: str
    checks_principals: bool = False


IAM, KMS = "MalformedPolicyDocument", "MalformedPolicyDocumentException"
PLACES: dict[tuple[str, str], Place] = {
    ("iam", "CreateRole"): Place("AssumeRolePolicyDocument", "trust", IAM, True),
    ("iam", "UpdateAssumeRolePolicy"): Place("PolicyDocument", "trust", IAM, True),
    ("s3", "PutBucketPolicy"): Place("Policy", "resource", "MalformedPolicy", True),
    ("kms", "CreateKey"): Place("Policy", "resource", KMS, True),
    ("kms", "PutKeyPolicy"): Place("Policy", "resource", KMS, True),
    ("secretsmanager", "PutResourcePolicy"): Place("ResourcePolicy", "resource", KMS, True),
    ("ecr", "SetRepositoryPolicy"): Place("policyText", "resource", "InvalidParameterException", True),
    ("ecr", "CreateRepositoryCreationTemplate"): Place(
        "repositoryPolicy", "resource", "InvalidParameterException", True
    ),
    ("ecr", "UpdateRepositoryCreationTemplate"): Place(
        "repositoryPolicy", "resource", "InvalidParameterException", True
    ),
    ("events", "PutPermission"): Place("Policy", "resource", "ValidationException", True),
    ("sts", "AssumeRole"): Place("Policy", "identity", IAM),
}
PLACES |= {
    ("iam", operation): Place("PolicyDocument", "identity", IAM)
    for operation in ("CreatePolicy", "CreatePolicyVersion", "PutRolePolicy", "PutUserPolicy", "PutGroupPolicy")
}


def check(call: Call) -> None:
    """AwsError, in the service's words, when the request carries a document that it would not take."""
    place, text = _document(call)
    if place is None or not text:
        return
    try:
        policy = parse(text, "the policy", call.account, place.kind)
        if place.checks_principals:
            for statement in policy.statements:
                for kind, value in statement.principals or ():
                    check_principal(call.account, kind, value)
        if call.service == "s3":
            check_bucket_policy(policy, call.params["Bucket"])
        if call.service == "kms" and not call.params.get("BypassPolicyLockoutSafetyCheck"):
            check_lockout(policy, call.principal, call.account)
    except MalformedPolicy as error:
        raise AwsError(place.code, str(error)) from error


def _document(call: Call) -> tuple[Place | None, str]:
    params = call.params
    if place := PLACES.get((call.service, call.operation)):
        return place, params.get(place.parameter, "")
    if call.service == "organizations" and call.operation in ("CreatePolicy", "UpdatePolicy"):
        if params.get("Type", "SERVICE_CONTROL_POLICY") == "SERVICE_CONTROL_POLICY":
            return Place("Content", "control", KMS), params.get("Content", "")
    elif call.service == "sns" and call.operation == "SetTopicAttributes" and params.get("AttributeName") == "Policy":
        return Place("AttributeValue", "resource", "InvalidParameter", True), params.get("AttributeValue", "")
    elif call.service in ("sqs", "sns") and call.operation in ("SetQueueAttributes", "CreateQueue", "CreateTopic"):
        code = "InvalidAttributeValue" if call.service == "sqs" else "InvalidParameter"
        return Place("Policy", "resource", code, True), params.get("Attributes", {}).get("Policy", "")
    return None, ""


def check_principal(account: str, kind: str, value: str) -> None:
    """MalformedPolicy for a role, user or service that does not exist.

    Only accounts that this rehearsal knows can be looked into: the caller's, and its organization's.
    """
    if kind == "Service" and not known_service(value):
        raise MalformedPolicy(f'Invalid principal in policy: "SERVICE":"{value}"')
    if kind != "AWS" or ":iam::" not in value or value.endswith(":root"):
        return
    owner, name = value.split(":")[4], value.split(":", 5)[5]
    organization = organization_of(account)
    if owner != account and not (organization and organization.path_to(owner)):
        return
    backend = moto_bridge.backend("iam", owner, "aws")
    known = backend.roles.values() if name.startswith("role/") else backend.users.values()
    if all(item.arn != value for item in known):
        raise MalformedPolicy(f'Invalid principal in policy: "AWS":"{value}"')
