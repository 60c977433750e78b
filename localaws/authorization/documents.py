"""Policy documents in requests: refused as their service refuses them, before anything is stored.

Each service checks the grammar (awslang/policy/saving.py) and that the principals exist (IAM User Guide, "AWS JSON
policy elements: Principal"); S3 and KMS check more (S3 API Reference, PutBucketPolicy; KMS Developer Guide, "Default
key policy", the lockout safety check).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from awslang.errors import AwsError
from awslang.policy import document
from awslang.policy.document import MalformedPolicy, Policy
from awslang.policy.resource_policies import (
    check_bucket_policy,
    check_lockout,
    check_queue_policy,
    check_repository_policy,
    check_topic_policy,
    known_service,
)
from awslang.policy.saving import READ_AS, Kind, check_saved
from localaws import moto_bridge
from localaws.authorization import state
from localaws.authorization.state import organization_of
from localaws.calls import Call
from localaws.cloud import arn


@dataclass(frozen=True)
class Place:
    """Where a request carries a document, and the service's error for a bad one."""

    parameter: str
    kind: Kind
    code: str

    @property
    def names_principals(self) -> bool:
        return self.kind in ("trust", "topic", "resource", "resource, any Sid")


IAM, KMS, ECR = "MalformedPolicyDocument", "MalformedPolicyDocumentException", "InvalidParameterException"
PLACES: dict[tuple[str, str], Place] = {
    ("iam", "CreateRole"): Place("AssumeRolePolicyDocument", "trust", IAM),
    ("iam", "UpdateAssumeRolePolicy"): Place("PolicyDocument", "trust", IAM),
    ("s3", "PutBucketPolicy"): Place("Policy", "resource, any Sid", "MalformedPolicy"),
    ("kms", "CreateKey"): Place("Policy", "resource", KMS),
    ("kms", "PutKeyPolicy"): Place("Policy", "resource", KMS),
    ("secretsmanager", "PutResourcePolicy"): Place("ResourcePolicy", "resource", KMS),
    ("ecr", "SetRepositoryPolicy"): Place("policyText", "resource, any Sid", ECR),
    ("ecr", "CreateRepositoryCreationTemplate"): Place("repositoryPolicy", "resource, any Sid", ECR),
    ("ecr", "UpdateRepositoryCreationTemplate"): Place("repositoryPolicy", "resource, any Sid", ECR),
    ("events", "PutPermission"): Place("Policy", "resource", "ValidationException"),
    ("sts", "AssumeRole"): Place("Policy", "session", IAM),
}
PLACES |= {
    ("iam", operation): Place("PolicyDocument", "identity", IAM)
    for operation in ("CreatePolicy", "CreatePolicyVersion", "PutRolePolicy", "PutUserPolicy", "PutGroupPolicy")
}
UNIQUE_ID = re.compile("A(IDA|ROA)[A-Z0-9]+")
TOPIC, QUEUE = Place("Policy", "topic", "InvalidParameter"), Place("Policy", "resource", "InvalidAttributeValue")
CONTROL: dict[str, Kind] = {
    "SERVICE_CONTROL_POLICY": "service control",
    "RESOURCE_CONTROL_POLICY": "resource control",
}


def check(call: Call) -> None:
    """AwsError, in the service's words, when the request carries a document that it would not take."""
    place, text = _document(call)
    if place is None or not text:
        return
    try:
        policy = document.parse(text, "the policy", call.account, READ_AS[place.kind])
        check_saved(policy, place.kind)
        if place.names_principals:
            for statement in policy.statements:
                for kind, value in statement.principals or ():
                    check_principal(call.account, kind, value)
        check_of_service(policy, call)
        if call.service == "kms" and not call.params.get("BypassPolicyLockoutSafetyCheck"):
            check_lockout(policy, call.principal, call.account)
    except MalformedPolicy as error:
        raise AwsError(place.code, str(error)) from error


def check_of_service(policy: Policy, call: Call) -> None:
    """MalformedPolicy for what the service does not take in the policy of its resource."""
    if call.service == "s3":
        check_bucket_policy(policy, call.params["Bucket"])
    elif call.service == "sns":
        own = arn("sns", call.region, call.account, call.params.get("Name", ""))
        check_topic_policy(policy, call.params.get("TopicArn", own))
    elif call.service == "sqs":
        check_queue_policy(policy)
    elif call.service == "ecr":
        check_repository_policy(policy)


def _document(call: Call) -> tuple[Place | None, str]:
    params = call.params
    if place := PLACES.get((call.service, call.operation)):
        return place, params.get(place.parameter, "")
    if call.service == "organizations" and call.operation in ("CreatePolicy", "UpdatePolicy"):
        if kind := CONTROL.get(params.get("Type") or state.control_type(call.account, params.get("PolicyId", ""))):
            return Place("Content", kind, KMS), params.get("Content", "")
    elif call.service == "sns" and call.operation == "SetTopicAttributes" and params.get("AttributeName") == "Policy":
        return TOPIC, params.get("AttributeValue", "")
    elif call.service in ("sqs", "sns") and call.operation in ("SetQueueAttributes", "CreateQueue", "CreateTopic"):
        place = QUEUE if call.service == "sqs" else TOPIC
        return place, params.get("Attributes", {}).get("Policy", "")
    return None, ""


def check_principal(account: str, kind: str, value: str) -> None:
    """MalformedPolicy for a role, user or service that does not exist.

    Only accounts that this rehearsal knows can be looked into: the caller's, and its organization's.
    """
    if kind == "Service" and not known_service(value):
        raise MalformedPolicy(f'Invalid principal in policy: "SERVICE":"{value}"')
    if kind == "AWS" and UNIQUE_ID.fullmatch(value) and not state.id_exists(value):
        raise MalformedPolicy(f'Invalid principal in policy: "AWS":"{value}"')
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
