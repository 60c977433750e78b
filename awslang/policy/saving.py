"""What a service refuses when a policy is saved, beside what makes no policy at all (document.py).

IAM User Guide, "Grammar of the IAM JSON policy language" and "AWS JSON policy elements: Sid"; AWS Organizations User
Guide, "SCP syntax" and "RCP syntax"; SNS Developer Guide, "Special information for Amazon SNS policies". What IAM says
of resources and trusted actions is as moto recorded it from IAM (moto.iam.policy_validation).
"""

from __future__ import annotations

from typing import Literal

from awslang.policy import document
from awslang.policy.document import NOT_UNIQUE, MalformedPolicy, Policy, Statement

Kind = Literal[
    "identity", "session", "trust", "service control", "resource control", "topic", "resource", "resource, any Sid"
]
# What a document of each kind is read as.
READ_AS: dict[Kind, document.Kind] = {
    "identity": "identity", "session": "session", "trust": "trust", "service control": "control",
    "resource control": "resource", "topic": "resource", "resource": "resource", "resource, any Sid": "resource",
}  # fmt: skip

PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc")
IAM_PATHS = (
    "user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/",
    "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/", "root", "role-template/",
)  # fmt: skip
S3_WITH_REGION = ("accesspoint/", "access-grants/", "async-request/", "job/", "storage-lens/", "storage-lens-group/")
TRUSTED_ACTIONS = {
    "sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:DecodeAuthorizationMessage",
    "sts:GetAccessKeyInfo", "sts:GetCallerIdentity", "sts:GetFederationToken", "sts:GetServiceBearerToken",
    "sts:GetSessionToken", "sts:SetContext", "sts:SetSourceIdentity", "sts:TagSession",
}  # fmt: skip
# Organizations User Guide, "Resource control policies (RCPs)", the services that support them.
RESOURCE_CONTROLLED = {
    "aoss", "appconfig", "appstream", "autoscaling", "codebuild", "codecommit", "cognito-identity", "cognito-idp",
    "comprehend", "comprehendmedical", "dax", "dynamodb", "ecr", "health", "kinesisvideo", "kms", "logs", "s3",
    "secretsmanager", "signin", "sqs", "sts", "support", "textract", "transcribe", "translate",
}  # fmt: skip


def check_saved(policy: Policy, kind: Kind) -> None:
    """MalformedPolicy, in the service's words, for a policy that it would not save."""
    check_sids(policy, kind)
    for statement in policy.statements:
        if kind in ("identity", "session"):
            check_version(statement)
            for resource in statement.resources or ():
                check_resource(resource)
        elif kind == "trust":
            check_trusted_actions(statement)
        elif kind == "resource control":
            check_version(statement)
            check_resource_control(statement)


def check_sids(policy: Policy, kind: Kind) -> None:
    """Each statement's own; S3 and ECR do not look, a topic's with several statements need one each."""
    labels = [statement.label for statement in policy.statements]
    if kind == "topic" and len(labels) > 1 and any(label.startswith("[") for label in labels):
        raise MalformedPolicy("Every policy statement must have a unique ID")
    if kind != "resource, any Sid" and len(labels) != len(set(labels)):
        unique = "Every policy statement must have a unique ID" if kind == "topic" else NOT_UNIQUE
        raise MalformedPolicy(unique)


def check_version(statement: Statement) -> None:
    if not statement.variables:  # an older version of the language
        raise MalformedPolicy("Policy document must be version 2012-10-17 or greater.")


def check_trusted_actions(statement: Statement) -> None:
    if statement.not_actions or set(statement.actions) - TRUSTED_ACTIONS:
        raise MalformedPolicy(
            "Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML,  and "
            "sts:AssumeRoleWithWebIdentity"
        )


def check_resource(resource: str) -> None:
    """An ARN of an identity-based or session policy: partition, Region and path as IAM asks for them."""
    if resource == "*":
        return
    _, partition, service, region, account, name = resource.split(":", 5)
    if partition != "*" and partition not in PARTITIONS:
        arn = f"arn:{partition}:{service}:{region}:{account}:{name}"
        raise MalformedPolicy(f'Partition "{partition}" is not valid for resource "{arn}".')
    if not service:
        raise MalformedPolicy("The policy failed legacy parsing")
    if service == "iam" and region:
        raise MalformedPolicy(f"IAM resource {resource} cannot contain region information.")
    if service == "s3" and region and not name.startswith(("*", *S3_WITH_REGION)):
        raise MalformedPolicy(f"Resource {resource} can not contain region information.")  # english: quoted
    if service == "iam" and name != "*" and not name.startswith(IAM_PATHS):
        raise MalformedPolicy(f'IAM resource path must either be "*" or start with {", ".join(IAM_PATHS)}.')


def check_resource_control(statement: Statement) -> None:
    """A resource control policy of a customer's: it denies every principal actions of the services that support it."""
    services = {action.partition(":")[0].lower() for action in statement.actions}
    principals = statement.principals == (("AWS", "*"),) and not statement.not_principals
    if statement.effect != "Deny" or statement.not_actions or not principals or services - RESOURCE_CONTROLLED:
        raise MalformedPolicy(
            "The provided policy document does not meet the requirements of the specified policy type."
        )
