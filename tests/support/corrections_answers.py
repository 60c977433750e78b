"""Probes of the corrections: what people ask of KMS, Secrets Manager, IAM, S3, SNS, SQS and Organizations."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from tests.support.authorization import allow, session
from tests.support.corrections_world import A, World, allowing, identifier, probe, refusal, trusting_role

SCALING = "sagemaker.application-autoscaling.amazonaws.com"


@probe("linked-role", ["AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint", "InvalidInput"])
def _(world: World) -> Any:
    iam = world.client("iam", world.number_as_account)
    made = iam.create_service_linked_role(AWSServiceName=SCALING)["Role"]["RoleName"]
    return [made, refusal(lambda: iam.create_service_linked_role(AWSServiceName=SCALING))]


@probe("protected-role", ["UnmodifiableEntity"] * 2)
def _(world: World) -> Any:
    iam = world.client("iam", world.number_as_account)
    role = iam.create_service_linked_role(AWSServiceName=SCALING)["Role"]["RoleName"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:*")]})
    return [
        refusal(lambda: iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=document)),
        refusal(lambda: iam.delete_role(RoleName=role)),
    ]


@probe("policy-of-aws", ["AccessDenied"] * 2)
def _(world: World) -> Any:
    iam, policy = world.client("iam", world.number_as_account), "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:*")]})
    return [
        refusal(lambda: iam.create_policy_version(PolicyArn=policy, PolicyDocument=document)),
        refusal(lambda: iam.delete_policy(PolicyArn=policy)),
    ]


@probe("user-of-a-role", "ValidationError")
def _(world: World) -> Any:
    return refusal(session(world.cloud, world.name("reader"), allow("iam:GetUser", "*")).client("iam").get_user)


@probe("boundary", "NoSuchEntity")
def _(world: World) -> Any:
    role, policy = trusting_role(world, world.name("role")), f"arn:aws:iam::{A}:policy/none"
    iam = world.client("iam")
    return refusal(lambda: iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=policy))


@probe("alias-pattern", "ValidationError")
def _(world: World) -> Any:
    return refusal(lambda: world.client("iam").create_account_alias(AccountAlias="Shop_1"))


@probe("key-deletion", [True, "PendingDeletion", 7, True, "NotFoundException"])
def _(world: World) -> Any:
    kms, key = world.client("kms"), world.key()
    kms.create_alias(AliasName=f"alias/{world.name('key')}", TargetKeyId=key)
    given = kms.schedule_key_deletion(KeyId=identifier(key), PendingWindowInDays=7)
    kept = kms.cancel_key_deletion(KeyId=identifier(key))["KeyId"]
    by_alias = refusal(lambda: kms.schedule_key_deletion(KeyId=f"alias/{world.name('key')}"))
    return [given["KeyId"] == key, given.get("KeyState"), given.get("PendingWindowInDays"), kept == key, by_alias]


@probe("key-rotation", [True, 90, 90])
def _(world: World) -> Any:
    kms, key = world.client("kms"), world.key()
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    shown = kms.get_key_rotation_status(KeyId=identifier(key))
    made = kms.describe_key(KeyId=key)["KeyMetadata"]["CreationDate"]
    later = (shown["NextRotationDate"] - made).days if "NextRotationDate" in shown else 0
    return [shown.get("KeyId") == key, shown.get("RotationPeriodInDays"), later]


@probe("wrong-key", "IncorrectKeyException")
def _(world: World) -> Any:
    kms = world.client("kms")
    cipher = kms.encrypt(KeyId=world.key(), Plaintext=b"x")["CiphertextBlob"]
    return refusal(lambda: kms.decrypt(CiphertextBlob=cipher, KeyId=world.key()))


@probe("secret-name", "ValidationException")
def _(world: World) -> Any:
    return refusal(lambda: world.client("secretsmanager").create_secret(Name=world.name("a b"), SecretString="x"))


@probe("secret-values", "InvalidParameterException")
def _(world: World) -> Any:
    both = {"SecretString": "x", "SecretBinary": b"x"}
    return refusal(lambda: world.client("secretsmanager").create_secret(Name=world.name("both"), **both))


def secret(world: World) -> tuple[Any, str]:
    client = world.client("secretsmanager")
    return client, client.create_secret(Name=world.name("secret"), SecretString="x")["ARN"]


@probe("rotation", "InvalidRequestException")
def _(world: World) -> Any:
    client, arn = secret(world)
    return refusal(lambda: client.rotate_secret(SecretId=arn))


@probe("secret-versions", [True, False])
def _(world: World) -> Any:
    client, arn = secret(world)
    shown = client.list_secret_version_ids(SecretId=world.name("secret"))
    return [shown["ARN"] == arn, "NextToken" in shown]


@probe("public-secret", ["PublicPolicyException", ""])
def _(world: World) -> Any:
    client, arn = secret(world)
    policy = {"SecretId": arn, "ResourcePolicy": allowing("*", action="secretsmanager:GetSecretValue")}
    put = partial(client.put_resource_policy, **policy)
    return [refusal(partial(put, BlockPublicPolicy=block)) for block in (True, False)]


@probe("lifecycle-tags", ["InvalidParameterException", ""])
def _(world: World) -> Any:
    ecr, name = world.client("ecr"), world.name("images")
    ecr.create_repository(repositoryName=name)
    rule = {"rulePriority": 1, "action": {"type": "expire"}}
    selection = {"tagStatus": "tagged", "countType": "imageCountMoreThan", "countNumber": 1}

    def put(**more: Any) -> str:
        text = json.dumps({"rules": [{**rule, "selection": {**selection, **more}}]})
        return refusal(lambda: ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text))

    return [put(), put(tagPrefixList=["v"])]


@probe("json-status", 400)
def _(world: World) -> Any:
    try:
        world.client("secretsmanager").get_secret_value(SecretId="none")
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


@probe("empty-text", "MissingParameter")
def _(world: World) -> Any:
    sqs = world.client("sqs")
    url = sqs.create_queue(QueueName=world.name("queue"))["QueueUrl"]
    return refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody=""))


@probe("structure", ["InvalidParameter"] * 2)
def _(world: World) -> Any:
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("topic"))["TopicArn"]
    given = ("no JSON", json.dumps({"email": "x"}))
    publish = partial(sns.publish, TopicArn=topic, MessageStructure="json")
    return [refusal(partial(publish, Message=message)) for message in given]


@probe("upload-of-parts", ["NoSuchUpload", "InvalidArgument"])
def _(world: World) -> Any:
    s3, named = world.client("s3"), {"Bucket": world.bucket(), "Key": "a"}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    return [
        refusal(lambda: s3.upload_part(**named, UploadId="none", PartNumber=1, Body=b"x")),
        refusal(lambda: s3.upload_part(**named, UploadId=upload, PartNumber=10_001, Body=b"x")),
    ]


@probe("tag-twice", "InvalidTag")
def _(world: World) -> Any:
    s3, bucket = world.client("s3"), world.bucket()
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    tags = [{"Key": "team", "Value": value} for value in "ab"]
    return refusal(lambda: s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": tags}))


@probe("early-transition", "InvalidArgument")
def _(world: World) -> Any:
    move = {"Days": 1, "StorageClass": "STANDARD_IA"}
    rules = {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, "Transitions": [move]}]}
    s3, bucket = world.client("s3"), world.bucket()
    return refusal(lambda: s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=rules))


@probe("parent-of-a-unit", "ParentNotFoundException")
def _(world: World) -> Any:
    organizations, _ = world.organization()
    return refusal(lambda: organizations.create_organizational_unit(ParentId="r-zzzz", Name="a"))


@probe("created-accounts", [])
def _(world: World) -> Any:
    organizations, _ = world.organization()
    return organizations.list_create_account_status()["CreateAccountStatuses"]


@probe("delegated-member", "ConstraintViolationException")
def _(world: World) -> Any:
    organizations, _ = world.organization()
    made = organizations.create_account(Email=f"{world.name('a')}@example.com", AccountName="a")
    account = made["CreateAccountStatus"]["AccountId"]
    organizations.register_delegated_administrator(AccountId=account, ServicePrincipal="guardduty.amazonaws.com")
    return refusal(lambda: organizations.remove_account_from_organization(AccountId=account))
