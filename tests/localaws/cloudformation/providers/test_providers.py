"""Resource providers: what is created, updated in place and deleted is really there, changed and gone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.errors import NotSupported
from localaws.cloud import Cloud
from localaws.cloudformation.provider import Made, ResourceFailed
from localaws.cloudformation.providers import PROVIDERS
from localaws.cloudformation.providers.shapes import fill
from tests.support.providers import ACCOUNT, REGION, create_resource, delete_resource, stack_context, update_resource

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ALLOW: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}],
}
LIST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"}],
}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


# -- names and shapes ------------------------------------------------------------------------------


def test_a_generated_name_is_stable_and_holds_the_limit(cloud: Cloud) -> None:
    made = stack_context(cloud, "Bucket")
    assert made.generated_name(63) == made.generated_name(63)
    assert made.generated_name(63).startswith("shop-Bucket-")
    long = stack_context(cloud, "ALogicalIdThatGoesOnAndOn", stack_name="a-stack-whose-name-has-many-letters-" * 3)
    for limit in (63, 64, 128):
        assert len(long.generated_name(limit)) <= limit
    assert long.generated_name(63, lower=True).islower()
    assert made.generated_name(63) != stack_context(cloud, "Bucket", token="t2").generated_name(63)


def test_values_take_the_type_that_the_api_asks_for(cloud: Cloud) -> None:
    client = cloud.root(ACCOUNT, REGION).client("codebuild")
    given = {
        "Name": "n",
        "TimeoutInMinutes": "5",
        "Source": {"Type": "CODEPIPELINE", "BuildSpec": "buildspec.yml"},
        "BadgeEnabled": "false",
        "Tags": [{"Key": "a", "Value": 1}],
    }
    assert fill(client, "CreateProject", given, "T") == {
        "name": "n",
        "timeoutInMinutes": 5,
        "source": {"type": "CODEPIPELINE", "buildspec": "buildspec.yml"},
        "badgeEnabled": False,
        "tags": [{"key": "a", "value": "1"}],
    }


def test_an_unknown_property_is_refused_by_type_and_name(cloud: Cloud) -> None:
    client = cloud.root(ACCOUNT, REGION).client("codebuild")
    with pytest.raises(NotSupported, match=r"AWS::CodeBuild::Project\.Source: the property Bildspec"):
        fill(client, "CreateProject", {"Source": {"Bildspec": "x"}}, "AWS::CodeBuild::Project")
    with pytest.raises(NotSupported, match="AWS::S3::Bucket: the property ReplicationConfiguration"):
        create_resource(cloud, "AWS::S3::Bucket", {"ReplicationConfiguration": {}})


# -- S3 --------------------------------------------------------------------------------------------

BUCKET: dict[str, Any] = {
    "BucketName": "shop-models",
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [
            {
                "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/x"},
                "BucketKeyEnabled": True,
            }
        ]
    },
    "VersioningConfiguration": {"Status": "Enabled"},
    "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": "true",
    },
    "LifecycleConfiguration": {
        "Rules": [
            {
                "Id": "old",
                "Status": "Enabled",
                "ExpirationInDays": 30,
                "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": "3"},
            }
        ]
    },
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "CorsConfiguration": {
        "CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://*.sagemaker.aws"], "MaxAge": 60}]
    },
    "Tags": [{"Key": "team", "Value": "ml"}],
}


def test_a_bucket_has_every_setting_that_its_template_gives(cloud: Cloud) -> None:
    made = create_resource(cloud, "AWS::S3::Bucket", BUCKET)
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    assert made.attributes["Arn"] == "arn:aws:s3:::shop-models"
    rule = s3.get_bucket_encryption(Bucket="shop-models")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert s3.get_bucket_versioning(Bucket="shop-models")["Status"] == "Enabled"
    block = s3.get_public_access_block(Bucket="shop-models")["PublicAccessBlockConfiguration"]
    assert all(block.values())
    lifecycle = s3.get_bucket_lifecycle_configuration(Bucket="shop-models")["Rules"][0]
    assert lifecycle["Expiration"]["Days"] == 30
    assert lifecycle["NoncurrentVersionExpiration"]["NoncurrentDays"] == 7
    assert s3.get_bucket_cors(Bucket="shop-models")["CORSRules"][0]["MaxAgeSeconds"] == 60
    tags = {t["Key"]: t["Value"] for t in s3.get_bucket_tagging(Bucket="shop-models")["TagSet"]}
    assert tags == {"project": "shop", "team": "ml"}
    assert s3.get_bucket_location(Bucket="shop-models")["LocationConstraint"] == REGION


def test_a_bucket_changes_in_place_and_loses_what_its_template_lost(cloud: Cloud) -> None:
    create_resource(cloud, "AWS::S3::Bucket", BUCKET)
    new = {"BucketName": "shop-models", "PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}
    update_resource(cloud, "AWS::S3::Bucket", "shop-models", BUCKET, new)
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    assert s3.get_bucket_versioning(Bucket="shop-models")["Status"] == "Suspended"
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket="shop-models")
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        s3.get_bucket_cors(Bucket="shop-models")
    tags = {t["Key"]: t["Value"] for t in s3.get_bucket_tagging(Bucket="shop-models")["TagSet"]}
    assert tags == {"project": "shop"}


def test_a_bucket_with_objects_is_not_deleted(cloud: Cloud) -> None:
    given = {"BucketName": "shop-models", "VersioningConfiguration": {"Status": "Enabled"}}
    made = create_resource(cloud, "AWS::S3::Bucket", given)
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    s3.put_object(Bucket="shop-models", Key="a", Body=b"1")
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        PROVIDERS["AWS::S3::Bucket"].delete(stack_context(cloud), made.physical_id, given)
    s3.delete_object(Bucket="shop-models", Key="a")  # leaves a version and a delete marker
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        PROVIDERS["AWS::S3::Bucket"].delete(stack_context(cloud), made.physical_id, given)
    for kind in ("Versions", "DeleteMarkers"):
        for found in s3.list_object_versions(Bucket="shop-models").get(kind, []):
            s3.delete_object(Bucket="shop-models", Key=found["Key"], VersionId=found["VersionId"])
    delete_resource(cloud, "AWS::S3::Bucket", made.physical_id, given)
    assert s3.list_buckets()["Buckets"] == []


def test_a_bucket_that_exists_is_not_taken_over(cloud: Cloud) -> None:
    east = stack_context(cloud, region="us-east-1", session=cloud.root(ACCOUNT, "us-east-1"))
    east.client("s3").create_bucket(Bucket="mine")
    with pytest.raises(ResourceFailed, match="mine already exists"):
        PROVIDERS["AWS::S3::Bucket"].create(east, {"BucketName": "mine"})


def test_a_bucket_that_cannot_be_finished_is_taken_away(cloud: Cloud) -> None:
    wrong = {"BucketName": "shop-x", "LoggingConfiguration": {"DestinationBucketName": "nowhere"}}
    with pytest.raises(ClientError, match="target bucket for logging does not exist"):
        create_resource(cloud, "AWS::S3::Bucket", wrong)
    assert cloud.root(ACCOUNT, REGION).client("s3").list_buckets()["Buckets"] == []


def test_a_bucket_has_one_policy_resource(cloud: Cloud) -> None:
    create_resource(cloud, "AWS::S3::Bucket", {"BucketName": "shop-b"})
    policy = {
        "Bucket": "shop-b",
        "PolicyDocument": {
            **ALLOW,
            "Statement": [
                {**ALLOW["Statement"][0], "Principal": {"AWS": ACCOUNT}, "Resource": "arn:aws:s3:::shop-b/*"}
            ],
        },
    }
    made = create_resource(cloud, "AWS::S3::BucketPolicy", policy)
    with pytest.raises(ResourceFailed, match="already exists on bucket shop-b"):
        create_resource(cloud, "AWS::S3::BucketPolicy", policy)
    s3 = cloud.root(ACCOUNT, REGION).client("s3")
    assert json.loads(s3.get_bucket_policy(Bucket="shop-b")["Policy"]) == policy["PolicyDocument"]
    delete_resource(cloud, "AWS::S3::BucketPolicy", made.physical_id, policy)
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="shop-b")


# -- IAM, KMS --------------------------------------------------------------------------------------


def test_a_role_gets_its_policies_and_loses_them(cloud: Cloud) -> None:
    old = {
        "RoleName": "builder",
        "Path": "/service-role/",
        "AssumeRolePolicyDocument": TRUST,
        "ManagedPolicyArns": [READ_ONLY],
        "Policies": [{"PolicyName": "read", "PolicyDocument": ALLOW}],
        "MaxSessionDuration": "7200",
    }
    made = create_resource(cloud, "AWS::IAM::Role", old)
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    assert made.attributes["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/service-role/builder"
    assert [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName="builder")["AttachedPolicies"]] == [
        READ_ONLY
    ]
    assert iam.get_role_policy(RoleName="builder", PolicyName="read")["PolicyDocument"] == ALLOW
    role = iam.get_role(RoleName="builder")["Role"]
    assert (role["MaxSessionDuration"], role["Tags"]) == (7200, [{"Key": "project", "Value": "shop"}])
    new = {"RoleName": "builder", "Path": "/service-role/", "AssumeRolePolicyDocument": TRUST, "Description": "d"}
    update_resource(cloud, "AWS::IAM::Role", "builder", old, new)
    assert iam.list_attached_role_policies(RoleName="builder")["AttachedPolicies"] == []
    assert iam.list_role_policies(RoleName="builder")["PolicyNames"] == []
    role = iam.get_role(RoleName="builder")["Role"]
    assert (role["MaxSessionDuration"], role["Description"]) == (3600, "d")
    delete_resource(cloud, "AWS::IAM::Role", "builder", new)
    assert iam.list_roles()["Roles"] == []


def test_a_role_with_a_policy_from_elsewhere_is_not_deleted(cloud: Cloud) -> None:
    properties = {"AssumeRolePolicyDocument": TRUST}
    made = create_resource(cloud, "AWS::IAM::Role", properties)
    assert made.physical_id.startswith("shop-Thing-")
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    iam.attach_role_policy(RoleName=made.physical_id, PolicyArn=READ_ONLY)
    with pytest.raises(ClientError, match="DeleteConflict"):
        PROVIDERS["AWS::IAM::Role"].delete(stack_context(cloud), made.physical_id, properties)


def test_a_role_whose_policy_does_not_exist_leaves_nothing_behind(cloud: Cloud) -> None:
    wrong = {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": ["arn:aws:iam::aws:policy/Nonesuch"]}
    with pytest.raises(ClientError, match="Nonesuch"):
        create_resource(cloud, "AWS::IAM::Role", wrong)
    assert cloud.root(ACCOUNT, REGION).client("iam").list_roles()["Roles"] == []


def test_a_managed_policy_keeps_at_most_five_versions(cloud: Cloud) -> None:
    create_resource(cloud, "AWS::IAM::Role", {"RoleName": "builder", "AssumeRolePolicyDocument": TRUST})
    old: dict[str, Any] = {"ManagedPolicyName": "p", "PolicyDocument": ALLOW, "Roles": ["builder"]}
    arn = create_resource(cloud, "AWS::IAM::ManagedPolicy", old).physical_id
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    for number in range(6):
        statement = {**ALLOW["Statement"][0], "Sid": f"S{number}"}
        new = {**old, "PolicyDocument": {**ALLOW, "Statement": [statement]}}
        update_resource(cloud, "AWS::IAM::ManagedPolicy", arn, old, new)
        old = new
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert len(versions) == 5
    current = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=current)["PolicyVersion"]["Document"]
    assert document["Statement"][0]["Sid"] == "S5"
    assert iam.list_attached_role_policies(RoleName="builder")["AttachedPolicies"][0]["PolicyArn"] == arn
    delete_resource(cloud, "AWS::IAM::ManagedPolicy", arn, old)
    assert iam.list_attached_role_policies(RoleName="builder")["AttachedPolicies"] == []


@pytest.mark.parametrize("type_name", ["AWS::IAM::Policy", "AWS::IAM::RolePolicy"])
def test_an_inline_policy_is_put_changed_and_deleted(cloud: Cloud, type_name: str) -> None:
    create_resource(cloud, "AWS::IAM::Role", {"RoleName": "builder", "AssumeRolePolicyDocument": TRUST})
    where = {"Roles": ["builder"]} if type_name == "AWS::IAM::Policy" else {"RoleName": "builder"}
    old = {"PolicyName": "p", "PolicyDocument": ALLOW, **where}
    made = create_resource(cloud, type_name, old)
    iam = cloud.root(ACCOUNT, REGION).client("iam")
    assert iam.get_role_policy(RoleName="builder", PolicyName="p")["PolicyDocument"] == ALLOW
    new = {**old, "PolicyDocument": LIST}
    assert update_resource(cloud, type_name, made.physical_id, old, new).physical_id == made.physical_id
    assert iam.get_role_policy(RoleName="builder", PolicyName="p")["PolicyDocument"] == LIST
    delete_resource(cloud, type_name, made.physical_id, new)
    assert iam.list_role_policies(RoleName="builder")["PolicyNames"] == []


def test_a_key_rotates_and_its_deletion_is_scheduled(cloud: Cloud) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
    old = {"KeyPolicy": policy, "EnableKeyRotation": True, "PendingWindowInDays": 7, "Description": "models"}
    made = create_resource(cloud, "AWS::KMS::Key", old)
    kms = cloud.root(ACCOUNT, REGION).client("kms")
    assert made.attributes["Arn"].endswith(f"key/{made.physical_id}")
    assert kms.get_key_rotation_status(KeyId=made.physical_id)["KeyRotationEnabled"]
    assert json.loads(kms.get_key_policy(KeyId=made.physical_id, PolicyName="default")["Policy"]) == policy
    alias = create_resource(cloud, "AWS::KMS::Alias", {"AliasName": "alias/models", "TargetKeyId": made.physical_id})
    assert kms.describe_key(KeyId="alias/models")["KeyMetadata"]["KeyId"] == made.physical_id
    update_resource(
        cloud, "AWS::KMS::Key", made.physical_id, old, {**old, "EnableKeyRotation": False, "Enabled": False}
    )
    assert not kms.get_key_rotation_status(KeyId=made.physical_id)["KeyRotationEnabled"]
    delete_resource(cloud, "AWS::KMS::Alias", alias.physical_id, {})
    delete_resource(cloud, "AWS::KMS::Key", made.physical_id, old)
    assert kms.describe_key(KeyId=made.physical_id)["KeyMetadata"]["KeyState"] == "PendingDeletion"


# -- SNS, SQS, SSM, Logs ---------------------------------------------------------------------------


def test_a_topic_with_policy_and_subscription(cloud: Cloud) -> None:
    old = {"TopicName": "approvals", "KmsMasterKeyId": "alias/aws/sns", "DisplayName": "Approvals"}
    made = create_resource(cloud, "AWS::SNS::Topic", old)
    sns = cloud.root(ACCOUNT, REGION).client("sns")
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:approvals"
    assert made == Made(arn, {"TopicArn": arn, "TopicName": "approvals"})
    with pytest.raises(ResourceFailed, match="already exists"):
        create_resource(cloud, "AWS::SNS::Topic", old)
    update_resource(cloud, "AWS::SNS::Topic", arn, old, {**old, "DisplayName": "Other"})
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"] == "Other"
    who = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": arn}
    policy = {"Topics": [arn], "PolicyDocument": {"Version": "2012-10-17", "Statement": [who]}}
    held = create_resource(cloud, "AWS::SNS::TopicPolicy", policy)
    assert json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]) == policy["PolicyDocument"]
    delete_resource(cloud, "AWS::SNS::TopicPolicy", held.physical_id, policy)
    restored = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    assert restored["Statement"][0]["Sid"] == "__default_statement_ID"
    queue = create_resource(cloud, "AWS::SQS::Queue", {"QueueName": "q", "VisibilityTimeout": 60})
    subscription = {"TopicArn": arn, "Protocol": "sqs", "Endpoint": queue.attributes["Arn"], "RawMessageDelivery": True}
    subscribed = create_resource(cloud, "AWS::SNS::Subscription", subscription)
    found = sns.get_subscription_attributes(SubscriptionArn=subscribed.physical_id)["Attributes"]
    assert found["RawMessageDelivery"] == "true"
    delete_resource(cloud, "AWS::SNS::Subscription", subscribed.physical_id, subscription)
    delete_resource(cloud, "AWS::SQS::Queue", queue.physical_id, {})
    delete_resource(cloud, "AWS::SNS::Topic", arn, {})


def test_a_queue_changes_its_attributes_and_tags(cloud: Cloud) -> None:
    old = {"VisibilityTimeout": "60", "Tags": [{"Key": "a", "Value": "b"}]}
    made = create_resource(cloud, "AWS::SQS::Queue", old)
    sqs = cloud.root(ACCOUNT, REGION).client("sqs")
    assert sqs.list_queue_tags(QueueUrl=made.physical_id)["Tags"] == {"a": "b", "project": "shop"}
    update_resource(cloud, "AWS::SQS::Queue", made.physical_id, old, {"VisibilityTimeout": 90})
    got = sqs.get_queue_attributes(QueueUrl=made.physical_id, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert got == {"VisibilityTimeout": "90"}
    assert sqs.list_queue_tags(QueueUrl=made.physical_id)["Tags"] == {"project": "shop"}


def test_a_parameter_is_created_updated_and_deleted(cloud: Cloud) -> None:
    old = {"Name": "/kit/version", "Type": "String", "Value": "1", "Tags": {"a": "b"}}
    made = create_resource(cloud, "AWS::SSM::Parameter", old)
    assert made.attributes["Value"] == "1"
    with pytest.raises(ClientError, match="ParameterAlreadyExists"):
        create_resource(cloud, "AWS::SSM::Parameter", old)
    update_resource(cloud, "AWS::SSM::Parameter", "/kit/version", old, {**old, "Value": "2"})
    ssm = cloud.root(ACCOUNT, REGION).client("ssm")
    assert ssm.get_parameter(Name="/kit/version")["Parameter"]["Value"] == "2"
    delete_resource(cloud, "AWS::SSM::Parameter", "/kit/version", old)


def test_a_log_group_keeps_its_retention(cloud: Cloud) -> None:
    old = {"LogGroupName": "/aws/x", "RetentionInDays": 30}
    made = create_resource(cloud, "AWS::Logs::LogGroup", old)
    assert made.attributes["Arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/x:*"
    logs = cloud.root(ACCOUNT, REGION).client("logs")
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 30
    update_resource(cloud, "AWS::Logs::LogGroup", "/aws/x", old, {"LogGroupName": "/aws/x"})
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
    delete_resource(cloud, "AWS::Logs::LogGroup", "/aws/x", old)


# -- CloudWatch, Application Auto Scaling ------------------------------------------------------------


def test_an_alarm_and_a_dashboard(cloud: Cloud) -> None:
    old = {
        "AlarmName": "errors",
        "Namespace": "AWS/SageMaker",
        "MetricName": "Invocation5XXErrors",
        "Dimensions": [{"Name": "EndpointName", "Value": "e"}],
        "Statistic": "Sum",
        "Period": "60",
        "EvaluationPeriods": 1,
        "Threshold": "1",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
    made = create_resource(cloud, "AWS::CloudWatch::Alarm", old)
    cloudwatch = cloud.root(ACCOUNT, REGION).client("cloudwatch")
    assert made.attributes["Arn"] == f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:errors"
    update_resource(cloud, "AWS::CloudWatch::Alarm", "errors", old, {**old, "Threshold": 5})
    assert cloudwatch.describe_alarms(AlarmNames=["errors"])["MetricAlarms"][0]["Threshold"] == 5
    delete_resource(cloud, "AWS::CloudWatch::Alarm", "errors", old)
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []
    board = {"DashboardName": "d", "DashboardBody": json.dumps({"widgets": []})}
    create_resource(cloud, "AWS::CloudWatch::Dashboard", board)
    assert cloudwatch.get_dashboard(DashboardName="d")["DashboardBody"] == board["DashboardBody"]
    delete_resource(cloud, "AWS::CloudWatch::Dashboard", "d", board)


# -- ECR ---------------------------------------------------------------------------------------------


def test_an_image_repository_is_made_changed_and_deleted(cloud: Cloud) -> None:
    pull = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "ecr:BatchGetImage"}
    rule = {"rulePriority": 1, "action": {"type": "expire"},
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5}}  # fmt: skip
    old = {
        "RepositoryName": "shop/model",
        "ImageTagMutability": "IMMUTABLE",
        "RepositoryPolicyText": {"Version": "2012-10-17", "Statement": [pull]},
        "LifecyclePolicy": {"LifecyclePolicyText": json.dumps({"rules": [rule]})},
    }
    made = create_resource(cloud, "AWS::ECR::Repository", old)
    assert made.attributes["RepositoryUri"] == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop/model"
    ecr = cloud.root(ACCOUNT, REGION).client("ecr")
    [shown] = ecr.describe_repositories(repositoryNames=["shop/model"])["repositories"]
    assert (shown["imageTagMutability"], shown["repositoryArn"]) == ("IMMUTABLE", made.attributes["Arn"])
    assert "BatchGetImage" in ecr.get_repository_policy(repositoryName="shop/model")["policyText"]
    new = {"RepositoryName": "shop/model", "ImageScanningConfiguration": {"ScanOnPush": "true"}}
    update_resource(cloud, "AWS::ECR::Repository", made.physical_id, old, new)
    [shown] = ecr.describe_repositories(repositoryNames=["shop/model"])["repositories"]
    assert (shown["imageTagMutability"], shown["imageScanningConfiguration"]["scanOnPush"]) == ("MUTABLE", True)
    with pytest.raises(ClientError, match="LifecyclePolicyNotFound"):
        ecr.get_lifecycle_policy(repositoryName="shop/model")
    delete_resource(cloud, "AWS::ECR::Repository", made.physical_id, new)
