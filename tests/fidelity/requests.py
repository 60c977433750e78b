"""Requests as the kit's roles, people and services make them, for the comparison with another evaluator."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

HOME, OTHER, THIRD = "111111111111", "222222222222", "333333333333"
ORGANIZATION, ROOT_UNIT = "o-a1b2c3d4e5", "r-ab12"
UNITS = {HOME: "ou-ab12-11111111", OTHER: "ou-ab12-22222222", THIRD: "ou-ab12-33333333"}
Context = dict[str, str | list[str]]


@dataclass(frozen=True)
class Subject:
    """An action with a resource of each account, and the condition keys of its own service that AWS has for it.

    kind: how the resource's policy counts; "" for one that has none
    """

    action: str
    resource: str
    kind: str = ""
    keys: tuple[str, ...] = ()


TAGGED = ("aws:ResourceTag/team", "aws:ResourceTag/sagemaker:project-name")
TAGGING = ("aws:RequestTag/team", "aws:TagKeys")
SUBJECTS = (
    Subject("s3:GetObject", "arn:aws:s3:::models-{account}/project/model.tar.gz",
            "resource", ("s3:ExistingObjectTag/stage",)),
    Subject("s3:PutObject", "arn:aws:s3:::models-{account}/project/model.tar.gz",
            "resource", ("s3:x-amz-server-side-encryption",)),
    Subject("s3:ListBucket", "arn:aws:s3:::models-{account}", "resource", ("s3:prefix", "s3:max-keys")),
    Subject("s3:DeleteObject", "arn:aws:s3:::models-{account}/evidence/card.json", "resource"),
    Subject("kms:Decrypt", "arn:aws:kms:us-east-1:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab", "key",
            ("kms:ViaService", "kms:CallerAccount", "kms:EncryptionContextKeys")),
    Subject("kms:GenerateDataKey", "arn:aws:kms:us-east-1:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab", "key",
            ("kms:ViaService", "kms:CallerAccount")),
    Subject("kms:CreateGrant", "arn:aws:kms:us-east-1:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab", "key",
            ("kms:GrantOperations", "kms:GrantIsForAWSResource")),
    Subject("sts:AssumeRole", "arn:aws:iam::{account}:role/deploy", "trust", ("sts:ExternalId", "sts:RoleSessionName")),
    Subject("sns:Publish", "arn:aws:sns:us-east-1:{account}:alarms", "resource", TAGGED),
    Subject("sqs:SendMessage", "arn:aws:sqs:us-east-1:{account}:events", "resource", TAGGED),
    Subject("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:{account}:secret:token-AbCdEf",
            "resource",
            ("secretsmanager:SecretId", *TAGGED)),
    Subject("ecr:BatchGetImage", "arn:aws:ecr:us-east-1:{account}:repository/inference", "resource", TAGGED),
    Subject("ecr:GetAuthorizationToken", "*"),
    Subject("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:{account}:function:checks", "resource", TAGGED),
    Subject("events:PutEvents", "arn:aws:events:us-east-1:{account}:event-bus/default", "resource"),
    Subject("sagemaker:CreateEndpoint", "arn:aws:sagemaker:us-east-1:{account}:endpoint/project-staging", "", TAGGING),
    Subject("sagemaker:InvokeEndpoint", "arn:aws:sagemaker:us-east-1:{account}:endpoint/project-staging", "", TAGGED),
    Subject("sagemaker:UpdateModelPackage", "arn:aws:sagemaker:us-east-1:{account}:model-package/project/3", "",
            ("sagemaker:ModelApprovalStatus", *TAGGED)),
    Subject("sagemaker:CreateTrainingJob", "arn:aws:sagemaker:us-east-1:{account}:training-job/train-1", "",
            ("sagemaker:InstanceTypes", "sagemaker:VpcSubnets", "sagemaker:NetworkIsolation", *TAGGING)),
    Subject("codebuild:StartBuild", "arn:aws:codebuild:us-east-1:{account}:project/sagemaker-project-build",
            "", TAGGED),
    Subject("codepipeline:StartPipelineExecution", "arn:aws:codepipeline:us-east-1:{account}:sagemaker-project",
            "", TAGGED),
    Subject("codecommit:GitPush", "arn:aws:codecommit:us-east-1:{account}:sagemaker-project-deploy", "",
            ("codecommit:References", *TAGGED)),
    Subject("cloudformation:CreateStack", "arn:aws:cloudformation:us-east-1:{account}:stack/project/8c1", "",
            ("cloudformation:RoleArn", "cloudformation:ResourceTypes", *TAGGING)),
    Subject("cloudformation:DescribeStacks", "arn:aws:cloudformation:us-east-1:{account}:stack/project/8c1",
            "", TAGGED),
    Subject("iam:PassRole", "arn:aws:iam::{account}:role/endpoint",
            "", ("iam:PassedToService", "iam:AssociatedResourceArn")),
    Subject("iam:CreateRole", "arn:aws:iam::{account}:role/sagemaker-role-staging", "",
            ("iam:PermissionsBoundary", *TAGGING)),
    Subject("iam:AttachRolePolicy", "arn:aws:iam::{account}:role/sagemaker-role-staging", "", ("iam:PolicyARN",)),
    Subject("ssm:GetParameter", "arn:aws:ssm:us-east-1:{account}:parameter/kit/version", "", TAGGED),
    Subject("logs:PutLogEvents", "arn:aws:logs:us-east-1:{account}:log-group:/aws/codebuild/x:log-stream:s", ""),
    Subject("states:StartExecution", "arn:aws:states:us-east-1:{account}:stateMachine:starter", "", TAGGED),
    Subject("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:{account}:table/records", "resource",
            ("dynamodb:LeadingKeys", "dynamodb:Attributes")),
    Subject("events:PutRule", "arn:aws:events:us-east-1:{account}:rule/sagemaker-approved", "", TAGGING),
    Subject("servicecatalog:ProvisionProduct", "arn:aws:catalog:us-east-1:{account}:product/prod-abcdefghijklm", ""),
    Subject("codebuild:ListProjects", "*"),
    Subject("organizations:ListAccounts", "*"),
)  # fmt: skip
# Values that a key of a service has in requests; of others, of a tag.
VALUES: dict[str, tuple[str, ...]] = {
    "cloudformation:ResourceTypes": ("AWS::SageMaker::Model", "AWS::SageMaker::Endpoint", "AWS::IAM::Role"),
    "cloudformation:RoleArn": (f"arn:aws:iam::{HOME}:role/launch", f"arn:aws:iam::{HOME}:role/admin"),
    "codecommit:References": ("refs/heads/main", "refs/heads/feature/x"),
    "dynamodb:Attributes": ("id", "model", "version"),
    "dynamodb:LeadingKeys": ("staging", "prod"),
    "iam:AssociatedResourceArn": (f"arn:aws:sagemaker:us-east-1:{HOME}:model/x",),
    "iam:PassedToService": ("sagemaker.amazonaws.com", "codebuild.amazonaws.com"),
    "iam:PermissionsBoundary": (f"arn:aws:iam::{HOME}:policy/boundary", f"arn:aws:iam::{HOME}:policy/other"),
    "iam:PolicyARN": ("arn:aws:iam::aws:policy/AdministratorAccess", f"arn:aws:iam::{HOME}:policy/boundary"),
    "kms:CallerAccount": (HOME, OTHER),
    "kms:EncryptionContextKeys": ("aws:s3:arn", "app"),
    "kms:GrantIsForAWSResource": ("true", "false"),
    "kms:GrantOperations": ("Decrypt", "GenerateDataKey", "CreateGrant"),
    "kms:ViaService": ("s3.us-east-1.amazonaws.com", "s3.eu-west-1.amazonaws.com", "sagemaker.us-east-1.amazonaws.com"),
    "s3:max-keys": ("10", "1000"),
    "s3:prefix": ("project/", "evidence/", ""),
    "s3:x-amz-server-side-encryption": ("aws:kms", "AES256"),
    "sagemaker:InstanceTypes": ("ml.m5.large", "ml.t2.medium", "ml.p4d.24xlarge"),
    "sagemaker:ModelApprovalStatus": ("Approved", "Rejected", "PendingManualApproval"),
    "sagemaker:NetworkIsolation": ("true", "false"),
    "sagemaker:VpcSubnets": ("subnet-1", "subnet-2"),
    "secretsmanager:SecretId": (f"arn:aws:secretsmanager:us-east-1:{HOME}:secret:token-AbCdEf", "token"),
    "sts:ExternalId": ("kit", "x"),
    "sts:RoleSessionName": ("deploy", "me"),
}
TAGS = ("team", "sagemaker:project-name", "stage")
TAG_VALUES = ("red", "blue", "project")


@dataclass(frozen=True)
class Caller:
    """arn, account; role: of a session; keys: the condition keys that tell of it."""

    arn: str
    account: str
    role: str
    kind: str
    keys: Context


def caller(random: Random) -> Caller:
    account = random.choice((HOME, HOME, HOME, OTHER, OTHER, THIRD))
    kind = random.choice(("role",) * 24 + ("user",) * 10 + ("service",) * 4 + ("root",))
    if kind == "service":
        name = random.choice(("sagemaker", "codepipeline", "events", "cloudformation", "s3"))
        source = {"aws:SourceAccount": HOME, "aws:SourceArn": f"arn:aws:{name}:us-east-1:{HOME}:thing/x"}
        known: Context = {"aws:PrincipalIsAWSService": "true", "aws:PrincipalServiceName": f"{name}.amazonaws.com"}
        return Caller(f"{name}.amazonaws.com", "", "", kind, {**known, **(source if random.random() < 0.7 else {})})
    name = random.choice(("deploy", "build", "ann", "starter"))
    arns = {
        "role": f"arn:aws:sts::{account}:assumed-role/{name}/session",
        "user": f"arn:aws:iam::{account}:user/{name}",
        "root": f"arn:aws:iam::{account}:root",
    }
    role = f"arn:aws:iam::{account}:role/{name}" if kind == "role" else ""
    keys: Context = {
        "aws:PrincipalArn": role or arns[kind],
        "aws:PrincipalAccount": account,
        "aws:PrincipalIsAWSService": "false",
        "aws:PrincipalType": {"role": "AssumedRole", "user": "User", "root": "Account"}[kind],
    }
    if account != THIRD:  # which is outside the organization
        keys["aws:PrincipalOrgID"] = ORGANIZATION
        keys["aws:PrincipalOrgPaths"] = [f"{ORGANIZATION}/{ROOT_UNIT}/{UNITS[account]}/"]
    if kind == "user":
        keys["aws:username"] = name
    if kind in ("role", "user"):
        keys |= {f"aws:PrincipalTag/{tag}": random.choice(TAG_VALUES) for tag in TAGS if random.random() < 0.4}
    return Caller(arns[kind], account, role, kind, keys)


def context(random: Random, subject: Subject, by: Caller, owner: str) -> Context:
    """The condition keys of a request."""
    found: Context = {
        **by.keys,
        "aws:SecureTransport": random.choice(("true", "true", "false")),
        "aws:RequestedRegion": random.choice(("us-east-1", "us-east-1", "eu-west-1")),
        "aws:CurrentTime": "2026-11-30T06:00:00Z",
        "aws:EpochTime": "1796018400",
        "aws:ResourceAccount": owner,
    }
    if owner != THIRD:
        found["aws:ResourceOrgID"] = ORGANIZATION
        found["aws:ResourceOrgPaths"] = [f"{ORGANIZATION}/{ROOT_UNIT}/{UNITS[owner]}/"]
    if by.kind != "service":
        found["aws:SourceIp"] = random.choice(("203.0.113.7", "10.1.2.3"))
        if random.random() < 0.3:
            services = random.sample(
                ["cloudformation.amazonaws.com", "servicecatalog.amazonaws.com"], random.choice((1, 2))
            )
            found |= {"aws:CalledVia": services, "aws:CalledViaFirst": services[0], "aws:CalledViaLast": services[-1]}
        found["aws:ViaAWSService"] = "true" if "aws:CalledVia" in found else "false"
    for key in subject.keys:
        if random.random() < 0.75:
            found[key] = value_of(random, key)
    return found


def value_of(random: Random, key: str) -> str | list[str]:
    if key == "aws:TagKeys":
        return random.sample(list(TAGS), random.choice((1, 1, 2)))
    values = VALUES.get(key, TAG_VALUES)
    return random.sample(list(values), random.randint(1, len(values))) if key in SEVERAL else random.choice(values)


SEVERAL = {
    "cloudformation:ResourceTypes", "dynamodb:Attributes", "dynamodb:LeadingKeys", "kms:EncryptionContextKeys",
    "kms:GrantOperations", "sagemaker:InstanceTypes", "sagemaker:VpcSubnets",
}  # fmt: skip
