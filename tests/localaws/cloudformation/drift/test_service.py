"""Drift of one stack with every type that is read: in sync as it is deployed, then changed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from awslang.template import template
from localaws.cloud import Cloud
from localaws.cloudformation.drift.readers import READERS
from scripts.rehearsal.embedded import embedded_aws
from tests.support.authorization import allow, session
from tests.support.waiting import until

ACCOUNT, REGION = "111111111111", "us-east-1"
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:*", "Resource": "*"}]}
TEMPLATE = """
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: drift-of-a-bucket
      VersioningConfiguration: {Status: Enabled}
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, RestrictPublicBuckets: true}
      OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}
      BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}}]}
      LifecycleConfiguration: {Rules: [{Id: old, Status: Enabled, ExpirationInDays: 30}]}
      Tags: [{Key: team, Value: one}]
  BucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Deny, Principal: '*', Action: s3:*, Resource: !Sub '${Bucket.Arn}/*',
                     Condition: {Bool: {aws:SecureTransport: 'false'}}}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: drift
      Path: /teams/
      MaxSessionDuration: 7200
      ManagedPolicyArns: [!Sub 'arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess']
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {Service: [lambda.amazonaws.com, sagemaker.amazonaws.com]},
                     Action: sts:AssumeRole}]
      Policies:
        - PolicyName: own
          PolicyDocument: POLICY
  Attached:
    Type: AWS::IAM::Policy
    Properties: {PolicyName: attached, Roles: [!Ref Role], PolicyDocument: POLICY}
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties: {Description: all may read, Roles: [!Ref Role], PolicyDocument: POLICY}
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: drift, DelaySeconds: 20, MessageRetentionPeriod: '345600'}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {TopicName: drift, DisplayName: news, Subscription: [{Protocol: sqs, Endpoint: !GetAtt Queue.Arn}]}
  Function:
    Type: AWS::Lambda::Function
    DependsOn: Attached
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      MemorySize: 256
      Environment: {Variables: {STAGE: one}}
      Code: {ZipFile: 'def handler(event, context): return {}'}
  Group:
    Type: AWS::SageMaker::ModelPackageGroup
    Properties:
      ModelPackageGroupName: drift
      ModelPackageGroupDescription: of a test
  Parameter:
    Type: AWS::SSM::Parameter
    Properties: {Name: /drift, Type: String, Value: one, Tags: {team: one}}
  Log:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: drift, RetentionInDays: 30}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: drift
      ComparisonOperator: GreaterThanThreshold
      EvaluationPeriods: 1
      MetricName: m
      Namespace: n
      Period: 60
      Statistic: Sum
      Threshold: 1
      Dimensions: [{Name: a, Value: b}]
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Name: drift
      EventPattern: {source: [aws.sagemaker]}
      Targets: [{Id: queue, Arn: !GetAtt Queue.Arn}]
  Key:
    Type: AWS::KMS::Key
    Properties:
      Description: of a test
      EnableKeyRotation: true
      KeyPolicy:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:root'}, Action: kms:*,
                     Resource: '*'}]
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: drift
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Repository:
    Type: AWS::CodeCommit::Repository
    Properties: {RepositoryName: drift, RepositoryDescription: of a test}
  Wait:
    Type: AWS::CloudFormation::WaitConditionHandle
  Alias:
    Type: AWS::KMS::Alias
    Properties: {AliasName: alias/drift, TargetKeyId: !Ref Key}
""".replace("POLICY", "{Version: '2012-10-17', Statement: [{Effect: Allow, Action: s3:GetObject, Resource: '*'}]}")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with embedded_aws(tmp_path_factory.mktemp("drift")) as running:
        cloudformation = running.root(ACCOUNT, REGION).client("cloudformation")
        cloudformation.create_stack(
            StackName="drift", TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_NAMED_IAM"],
            Tags=[{"Key": "stack", "Value": "all"}],
        )  # fmt: skip
        until(lambda: cloudformation.describe_stacks()["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE")
        yield running
    assert not running.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in running.faults)


def detected(cloudformation: Any, **given: Any) -> dict[str, Any]:
    """The ended detection."""
    id = cloudformation.detect_stack_drift(StackName="drift", **given)["StackDriftDetectionId"]
    ask = cloudformation.describe_stack_drift_detection_status
    until(lambda: ask(StackDriftDetectionId=id)["DetectionStatus"] != "DETECTION_IN_PROGRESS")
    return dict(ask(StackDriftDetectionId=id))


def drifts(cloudformation: Any) -> dict[str, dict[str, Any]]:
    found = cloudformation.describe_stack_resource_drifts(StackName="drift")["StackResourceDrifts"]
    return {one["LogicalResourceId"]: one for one in found}


def paths(drift: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """By path: how it differs, what is expected, and what is."""
    return {
        one["PropertyPath"]: (one["DifferenceType"], one["ExpectedValue"], one["ActualValue"])
        for one in drift["PropertyDifferences"]
    }


def test_a_stack_as_it_was_deployed_has_no_drift_and_one_that_was_changed_has(cloud: Cloud) -> None:
    by = cloud.root(ACCOUNT, REGION)
    cloudformation = by.client("cloudformation")
    assert cloudformation.describe_stacks()["Stacks"][0]["DriftInformation"] == {"StackDriftStatus": "NOT_CHECKED"}
    found = detected(cloudformation)
    assert {name: paths(one) for name, one in drifts(cloudformation).items() if one.get("PropertyDifferences")} == {}
    unread = {name for name, one in drifts(cloudformation).items() if one["StackResourceDriftStatus"] == "UNKNOWN"}
    types = {name: one["Type"] for name, one in template.parse(TEMPLATE).resources.items()}
    assert unread == {name for name, type_ in types.items() if type_ not in READERS} - {"Wait", "Attached"}
    assert (found["DetectionStatus"], found["DriftedStackResourceCount"]) == ("DETECTION_FAILED", 0)
    assert "Wait" not in drifts(cloudformation)

    s3, iam, sqs, ssm = (by.client(service) for service in ("s3", "iam", "sqs", "ssm"))
    s3.put_bucket_versioning(Bucket="drift-of-a-bucket", VersioningConfiguration={"Status": "Suspended"})
    s3.delete_bucket_lifecycle(Bucket="drift-of-a-bucket")
    s3.put_bucket_tagging(Bucket="drift-of-a-bucket", Tagging={"TagSet": [{"Key": "team", "Value": "two"}]})
    iam.attach_role_policy(RoleName="drift", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.delete_role_policy(RoleName="drift", PolicyName="own")
    sqs.set_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName="drift")["QueueUrl"], Attributes={"DelaySeconds": "9"}
    )
    ssm.delete_parameter(Name="/drift")
    by.client("lambda").delete_function(
        FunctionName=cloudformation.describe_stack_resource(StackName="drift", LogicalResourceId="Function")[
            "StackResourceDetail"
        ]["PhysicalResourceId"]
    )
    found = detected(cloudformation)
    assert (found["StackDriftStatus"], found["DriftedStackResourceCount"]) == ("DRIFTED", 5)
    now = drifts(cloudformation)
    assert {name for name, one in now.items() if one["StackResourceDriftStatus"] == "DELETED"} == {
        "Parameter",
        "Function",
    }
    assert paths(now["Queue"]) == {"/DelaySeconds": ("NOT_EQUAL", "20", "9")}
    assert paths(now["Bucket"])["/VersioningConfiguration/Status"] == ("NOT_EQUAL", "Enabled", "Suspended")
    assert paths(now["Bucket"])["/Tags/0/Value"] == ("NOT_EQUAL", "one", "two")
    assert any(path.startswith("/LifecycleConfiguration") for path in paths(now["Bucket"]))
    changed = {path.split("/")[1]: kind for path, (kind, _, _) in paths(now["Role"]).items()}
    assert changed == {"ManagedPolicyArns": "ADD", "Policies": "REMOVE"}
    assert json.loads(now["Queue"]["ActualProperties"])["DelaySeconds"] == "9"
    shown = cloudformation.describe_stacks()["Stacks"][0]["DriftInformation"]
    assert shown == {"StackDriftStatus": "DRIFTED", "LastCheckTimestamp": found["Timestamp"]}
    resources = cloudformation.list_stack_resources(StackName="drift")["StackResourceSummaries"]
    by_id = {one["LogicalResourceId"]: one["DriftInformation"]["StackResourceDriftStatus"] for one in resources}
    assert (by_id["Queue"], by_id["Key"], by_id["Wait"]) == ("MODIFIED", "IN_SYNC", "NOT_CHECKED")
    only = cloudformation.describe_stack_resource_drifts(StackName="drift", StackResourceDriftStatusFilters=["DELETED"])
    assert len(only["StackResourceDrifts"]) == 2
    pages: list[dict[str, Any]] = []
    while not pages or "NextToken" in pages[-1]:  # (API Reference, DescribeStackResourceDrifts: MaxResults)
        token = {"NextToken": pages[-1]["NextToken"]} if pages else {}
        pages.append(cloudformation.describe_stack_resource_drifts(StackName="drift", MaxResults=10, **token))
    assert [len(one["StackResourceDrifts"]) for one in pages] == [10, len(now) - 10]


def test_a_role_policy_that_was_added_is_shown_as_a_template_writes_it(cloud: Cloud) -> None:
    """CloudFormation API Reference, PropertyDifference: ActualValue is the property's."""
    by, own = (
        cloud.root(ACCOUNT, REGION),
        template.parse(TEMPLATE).resources["Attached"]["Properties"]["PolicyDocument"],
    )
    for name, document in (("own", own), ("further", DOCUMENT)):
        by.client("iam").put_role_policy(RoleName="drift", PolicyName=name, PolicyDocument=json.dumps(document))
    asked = {"StackName": "drift", "LogicalResourceId": "Role"}
    found = by.client("cloudformation").detect_stack_resource_drift(**asked)["StackResourceDrift"]
    added = [one for one in found["PropertyDifferences"] if one["PropertyPath"].startswith("/Policies")]
    assert [one["DifferenceType"] for one in added] == ["ADD"]
    assert json.loads(added[0]["ActualValue"]) == {"PolicyName": "further", "PolicyDocument": DOCUMENT}


def test_drift_is_read_with_the_callers_rights_and_refused_where_it_cannot_be(cloud: Cloud) -> None:
    actions = ["DetectStackDrift", "DetectStackResourceDrift", "BatchDescribeTypeConfigurations"]
    may = session(cloud, "may", allow([f"cloudformation:{one}" for one in actions])).client("cloudformation")
    alone = session(cloud, "alone", allow([f"cloudformation:{actions[1]}"])).client("cloudformation")
    asked = {"StackName": "drift", "LogicalResourceId": "Queue"}
    with pytest.raises(ClientError, match="BatchDescribeTypeConfigurations"):
        alone.detect_stack_resource_drift(**asked)
    found = may.detect_stack_resource_drift(**asked)["StackResourceDrift"]
    assert found["StackResourceDriftStatus"] == "UNKNOWN"
    assert "sqs:getqueueattributes" in found["DriftStatusReason"].lower()
    root = cloud.root(ACCOUNT, REGION).client("cloudformation")
    for logical_id, words in (("Wait", "not supported for"), ("Nothing", "does not exist")):
        with pytest.raises(ClientError, match=words):
            root.detect_stack_resource_drift(StackName="drift", LogicalResourceId=logical_id)
    with pytest.raises(ClientError, match="does not exist"):
        root.describe_stack_drift_detection_status(StackDriftDetectionId="0" * 36)
    with pytest.raises(ClientError, match="Not supported by the embedded AWS"):
        root.detect_stack_set_drift(StackSetName="x")
