"""What AWS refuses and moto alone would take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.s3 import bucket_policy
from scripts.rehearsal.embedded import embedded_aws

ACCOUNT, REGION = "111111111111", "us-east-1"
B = {"Bucket": "sagemaker-strict"}
OBJECT = {**B, "Key": "k", "Body": b""}
TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
})  # fmt: skip


def policy(**statement: Any) -> dict[str, Any]:
    whole = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:GetObject",
             "Resource": "arn:aws:s3:::sagemaker-strict/*", **statement}  # fmt: skip
    return {**B, "Policy": json.dumps({"Version": "2012-10-17", "Statement": [whole]})}


def long_policy(statements: int) -> str:
    resources = [f"arn:aws:s3:::b/{number:050d}" for number in range(statements)]
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resources}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


def encryption(**default: str) -> dict[str, Any]:
    rules = [{"ApplyServerSideEncryptionByDefault": default}]
    return {**B, "ServerSideEncryptionConfiguration": {"Rules": rules}}


def lifecycle(**rule: Any) -> dict[str, Any]:
    return {**B, "LifecycleConfiguration": {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {}, **rule}]}}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with embedded_aws(tmp_path_factory.mktemp("strict")) as running:
        root = running.root(ACCOUNT, REGION)
        root.client("s3").create_bucket(**B)
        root.client("sns").create_topic(Name="t")
        root.client("logs").create_log_group(logGroupName="g")
        root.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
        yield running
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
NO_KEY = "11111111-1111-1111-1111-111111111111"
REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("s3", "create_bucket", {"Bucket": "Upper-Case"}, "InvalidBucketName"),
    ("s3", "create_bucket", {"Bucket": "192.168.1.1"}, "InvalidBucketName"),
    ("s3", "create_bucket", {"Bucket": "a..b"}, "InvalidBucketName"),
    ("s3", "create_bucket", {"Bucket": "xn--bucket"}, "InvalidBucketName"),
    ("s3", "create_bucket", {"Bucket": "bucket-s3alias"}, "InvalidBucketName"),
    ("s3", "put_object", {**OBJECT, "ServerSideEncryption": "SSE-KMS"}, "InvalidArgument.*not supported"),
    ("s3", "put_object", {**OBJECT, "SSEKMSKeyId": NO_KEY}, "InvalidArgument.*aws:kms"),
    ("s3", "put_object", {**OBJECT, "ServerSideEncryption": "AES256", "SSEKMSKeyId": NO_KEY}, "InvalidArgument"),
    ("s3", "put_object", {**OBJECT, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": NO_KEY}, "KMS.NotFoundException"),
    ("s3", "put_object", {**OBJECT, "ACL": "everybody"}, "InvalidArgument"),
    ("s3", "put_object", {**OBJECT, "Key": "k" * 1025}, "KeyTooLongError"),
    ("s3", "put_bucket_encryption", encryption(SSEAlgorithm="SSE-KMS"), "MalformedXML"),
    ("s3", "put_bucket_encryption", encryption(SSEAlgorithm="AES256", KMSMasterKeyID="x"), "KMSMasterKeyID"),
    ("s3", "put_bucket_versioning", {**B, "VersioningConfiguration": {"Status": "On"}}, "MalformedXML"),
    ("s3", "put_bucket_ownership_controls", {**B, "OwnershipControls": {"Rules": [{"ObjectOwnership": "Me"}]}},
     "MalformedXML"),
    ("s3", "put_bucket_lifecycle_configuration", lifecycle(), "At least one action"),
    ("s3", "put_bucket_lifecycle_configuration", lifecycle(Status="On", Expiration={"Days": 1}), "MalformedXML"),
    ("s3", "put_bucket_lifecycle_configuration", lifecycle(Expiration={"Days": 0}), "positive integer"),
    ("s3", "put_bucket_policy", policy(Action="s3:GetObjekt"), "invalid action"),
    ("s3", "put_bucket_policy", policy(Resource="arn:aws:s3:::sagemaker-strict"), "does not apply to any resource"),
    ("s3", "put_bucket_policy", policy(Action="s3:ListBucket"), "does not apply to any resource"),
    ("s3", "put_bucket_policy", policy(Principal="*"), "BlockPublicPolicy"),
    ("sqs", "create_queue", {"QueueName": "q", "Attributes": {"Speed": "1"}}, "Unknown Attribute Speed"),
    ("sqs", "create_queue", {"QueueName": "q", "Attributes": {"VisibilityTimeout": "43201"}}, "VisibilityTimeout"),
    ("sqs", "create_queue", {"QueueName": "q", "Attributes": {"DelaySeconds": "901"}}, "DelaySeconds"),
    ("sns", "create_topic", {"Name": "u", "Attributes": {"Speed": "1"}}, r"AttributeName \(Speed\)"),
    ("sns", "set_topic_attributes", {"TopicArn": TOPIC, "AttributeName": "Speed", "AttributeValue": "1"},
     "AttributeName"),
    ("sns", "subscribe", {"TopicArn": TOPIC, "Protocol": "smoke", "Endpoint": "x"}, "protocol string: smoke"),
    ("sns", "subscribe", {"TopicArn": TOPIC, "Protocol": "email", "Endpoint": "me"}, "Email address"),
    ("sns", "subscribe", {"TopicArn": TOPIC, "Protocol": "lambda", "Endpoint": "x"}, "Lambda endpoint ARN"),
    ("logs", "put_retention_policy", {"logGroupName": "g", "retentionInDays": 4}, "'retentionInDays'"),
    ("logs", "create_log_group", {"logGroupName": "a b*"}, "regular expression"),
    ("iam", "create_role", {"RoleName": "a b", "AssumeRolePolicyDocument": TRUST}, "ValidationError"),
    ("iam", "create_role", {"RoleName": "x", "Path": "none", "AssumeRolePolicyDocument": TRUST}, "ValidationError"),
    ("iam", "put_role_policy", {"RoleName": "r", "PolicyName": "p", "PolicyDocument": long_policy(150)}, "10240 bytes"),
    ("iam", "create_policy", {"PolicyName": "p", "PolicyDocument": long_policy(90)}, "PolicySize: 6144"),
    ("cloudwatch", "get_metric_data", {"MetricDataQueries": [{"Id": "M1", "Expression": "1"}], "StartTime": 1,
                                       "EndTime": 2}, "ValidationError.*lowercase"),
    ("cloudwatch", "put_metric_alarm", {"AlarmName": "a", "ComparisonOperator": "GreaterThanThreshold", "MetricName":
     "m", "Namespace": "n", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1, "Statistic": "Total"}, "'statistic'"),
    ("ecr", "create_repository", {"repositoryName": "Upper"}, "InvalidParameterException.*repositoryName"),
    ("kms", "create_key", {"KeyUsage": "EVERYTHING"}, "'keyUsage'"),
    ("secretsmanager", "create_secret", {"Name": "s" * 600}, "'name'"),
    ("application-autoscaling", "register_scalable_target", {"ServiceNamespace": "me", "ResourceId": "r",
     "ScalableDimension": "d"}, "'serviceNamespace'"),
    ("kms", "create_alias", {"AliasName": "alias/aws/own", "TargetKeyId": NO_KEY}, "NotAuthorizedException|NotFound"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "message"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_aws_refuses_is_refused(
    cloud: Cloud, service: str, operation: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        getattr(cloud.root(ACCOUNT, REGION).client(service), operation)(**arguments)


def test_a_role_takes_ten_managed_policies(cloud: Cloud) -> None:
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    services = ["S3", "SQS", "SNS", "EC2", "DynamoDB", "Athena", "RDS", "SSM", "SES", "VPC", "SageMaker"]
    names = [f"Amazon{service}FullAccess" for service in services]
    for name in names[:10]:
        iam.attach_role_policy(RoleName="r", PolicyArn=f"arn:aws:iam::aws:policy/{name}")
    with pytest.raises(ClientError, match="PoliciesPerRole: 10"):
        iam.attach_role_policy(RoleName="r", PolicyArn=f"arn:aws:iam::aws:policy/{names[10]}")


def test_an_object_names_its_key_by_arn_however_it_was_asked_for(cloud: Cloud) -> None:
    root = cloud.root(ACCOUNT, REGION)
    key = root.client("kms").create_key()["KeyMetadata"]
    root.client("kms").create_alias(AliasName="alias/models", TargetKeyId=key["KeyId"])
    for name in ("alias/models", key["KeyId"], key["Arn"], key["Arn"].split(":key/")[0] + ":alias/models"):
        root.client("s3").put_object(**OBJECT, ServerSideEncryption="aws:kms", SSEKMSKeyId=name)
        found = root.client("s3").head_object(Bucket=OBJECT["Bucket"], Key=OBJECT["Key"])
        assert found["SSEKMSKeyId"] == key["Arn"]


def test_a_key_on_its_way_out_encrypts_nothing_more(cloud: Cloud) -> None:
    root = cloud.root(ACCOUNT, REGION)
    key = root.client("kms").create_key()["KeyMetadata"]["KeyId"]
    given = {**OBJECT, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    root.client("s3").put_object(**given)
    with pytest.raises(ClientError, match="from 7 to 30"):
        root.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=3)
    root.client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    with pytest.raises(ClientError, match="pending deletion"):
        root.client("s3").put_object(**given)


@pytest.mark.parametrize(
    ("statement", "public"),
    [
        ({}, True),
        ({"Effect": "Deny"}, False),
        ({"Principal": {"AWS": "arn:aws:iam::111111111111:root"}}, False),
        ({"Principal": {"AWS": ["111111111111", "*"]}}, True),
        ({"Principal": {"Service": "cloudtrail.amazonaws.com"}}, False),
        ({"Condition": {"StringLike": {"aws:SourceVpc": "vpc-*"}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-91237329"}}}, False),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abc"}}}, False),
        ({"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-abc"}}}, True),
        ({"Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-abc/r-1/ou-1/*"}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
        ({"Condition": {"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-west-2:123456789012:accesspoint/*"}}},
         False),
    ],
)  # fmt: skip
def test_a_public_statement_is_what_s3_calls_public(statement: dict[str, Any], public: bool) -> None:
    """S3 User Guide, "Blocking public access to your Amazon S3 storage", The meaning of "public"."""
    whole = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*", **statement}
    assert bucket_policy.public(whole) is public
