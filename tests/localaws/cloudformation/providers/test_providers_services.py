"""Resource providers whose services the embedded AWS plays itself: pipelines, builds, rules, models."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation.provider import Context, ResourceFailed
from localaws.cloudformation.providers import PROVIDERS
from tests.support.cloud_state import state_of
from tests.support.providers import ACCOUNT, REGION, create_resource, delete_resource, stack_context, update_resource
from tests.support.zips import zip_of


def root(cloud: Cloud, service: str) -> Any:
    return cloud.root(ACCOUNT, REGION).client(service)


def role(cloud: Cloud, name: str, service: str, actions: str = "*") -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    given = {
        "RoleName": name,
        "AssumeRolePolicyDocument": trust,
        "Policies": [{"PolicyName": "all", "PolicyDocument": allow}],
    }
    return str(create_resource(cloud, "AWS::IAM::Role", given).attributes["Arn"])


def seed(cloud: Cloud, files: dict[str, bytes]) -> dict[str, Any]:
    create_resource(cloud, "AWS::S3::Bucket", {"BucketName": "sagemaker-seeds"})
    root(cloud, "s3").put_object(Bucket="sagemaker-seeds", Key="seed.zip", Body=zip_of(files))
    return {"S3": {"Bucket": "sagemaker-seeds", "Key": "seed.zip"}, "BranchName": "main"}


# -- CodeCommit --------------------------------------------------------------------------------------


def test_a_repository_begins_with_its_seed_code(cloud: Cloud) -> None:
    files = {f"src/{number}.txt": str(number).encode() for number in range(120)} | {"buildspec.yml": b"version: 0.2\n"}
    given = {"RepositoryName": "sagemaker-r", "Code": seed(cloud, files), "RepositoryDescription": "d"}
    made = create_resource(cloud, "AWS::CodeCommit::Repository", given)
    codecommit = root(cloud, "codecommit")
    assert made.attributes["Name"] == "sagemaker-r"
    assert made.attributes["Arn"] == f"arn:aws:codecommit:{REGION}:{ACCOUNT}:sagemaker-r"
    for path in ("buildspec.yml", "src/119.txt"):
        got = codecommit.get_file(repositoryName="sagemaker-r", filePath=path, commitSpecifier="main")["fileContent"]
        assert got == files[path]
    delete_resource(cloud, "AWS::CodeCommit::Repository", made.physical_id, given)
    with pytest.raises(ClientError, match="RepositoryDoesNotExist"):
        codecommit.get_repository(repositoryName="sagemaker-r")


def test_seed_code_that_is_no_zip_fails_and_leaves_no_repository(cloud: Cloud) -> None:
    code = seed(cloud, {"a": b"1"})
    root(cloud, "s3").put_object(Bucket="sagemaker-seeds", Key="seed.zip", Body=b"not a zip")
    with pytest.raises(ResourceFailed, match="is not a zip file"):
        create_resource(cloud, "AWS::CodeCommit::Repository", {"RepositoryName": "r", "Code": code})
    assert root(cloud, "codecommit").list_repositories()["repositories"] == []


# -- CodeBuild, CodePipeline -------------------------------------------------------------------------


def build_project(role_arn: str) -> dict[str, Any]:
    return {
        "Name": "sagemaker-p-build",
        "ServiceRole": role_arn,
        "Artifacts": {"Type": "CODEPIPELINE"},
        "Environment": {
            "Type": "LINUX_CONTAINER",
            "ComputeType": "BUILD_GENERAL1_SMALL",
            "Image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
            "EnvironmentVariables": [{"Name": "STAGE", "Value": "staging"}],
        },
        "Source": {"Type": "CODEPIPELINE", "BuildSpec": "buildspec.yml"},
        "TimeoutInMinutes": "30",
    }


def test_a_build_project_is_made_changed_and_deleted(cloud: Cloud) -> None:
    old = build_project(role(cloud, "build", "codebuild.amazonaws.com"))
    made = create_resource(cloud, "AWS::CodeBuild::Project", old)
    assert made.physical_id == "sagemaker-p-build"
    codebuild = root(cloud, "codebuild")
    project = codebuild.batch_get_projects(names=["sagemaker-p-build"])["projects"][0]
    assert (project["timeoutInMinutes"], project["source"]["buildspec"]) == (30, "buildspec.yml")
    assert {tag["key"] for tag in project["tags"]} == {"project"}
    new = {**old, "TimeoutInMinutes": 45, "Description": "d"}
    update_resource(cloud, "AWS::CodeBuild::Project", made.physical_id, old, new)
    project = codebuild.batch_get_projects(names=["sagemaker-p-build"])["projects"][0]
    assert (project["timeoutInMinutes"], project["description"]) == (45, "d")
    delete_resource(cloud, "AWS::CodeBuild::Project", made.physical_id, new)
    assert codebuild.list_projects()["projects"] == []


def test_a_pipeline_is_made_changed_and_deleted(cloud: Cloud) -> None:
    role_arn = role(cloud, "pipeline", "codepipeline.amazonaws.com")
    create_resource(cloud, "AWS::S3::Bucket", {"BucketName": "sagemaker-store"})
    create_resource(cloud, "AWS::CodeCommit::Repository", {"RepositoryName": "r"})
    create_resource(cloud, "AWS::CodeBuild::Project", build_project(role(cloud, "build", "codebuild.amazonaws.com")))

    def action(name: str, category: str, provider: str, configuration: dict[str, Any], **more: Any) -> dict[str, Any]:
        kind = {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
        return {"Name": name, "ActionTypeId": kind, "Configuration": configuration, **more}

    where = {"RepositoryName": "r", "BranchName": "main", "PollForSourceChanges": False}
    source = action("Source", "Source", "CodeCommit", where, OutputArtifacts=[{"Name": "Code"}], RunOrder="1")
    build = action(
        "Build", "Build", "CodeBuild", {"ProjectName": "sagemaker-p-build"}, InputArtifacts=[{"Name": "Code"}]
    )
    old: dict[str, Any] = {
        "Name": "sagemaker-p",
        "RoleArn": role_arn,
        "PipelineType": "V2",
        "ArtifactStore": {"Type": "S3", "Location": "sagemaker-store"},
        "Stages": [{"Name": "Source", "Actions": [source]}, {"Name": "Build", "Actions": [build]}],
        "Variables": [{"Name": "Version", "DefaultValue": "last"}],
    }
    made = create_resource(cloud, "AWS::CodePipeline::Pipeline", old)
    client = root(cloud, "codepipeline")
    assert made.attributes["Arn"] == f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:sagemaker-p"
    pipeline = client.get_pipeline(name="sagemaker-p")["pipeline"]
    assert pipeline["stages"][0]["actions"][0]["configuration"]["PollForSourceChanges"] == "false"
    assert pipeline["variables"] == [{"name": "Version", "defaultValue": "last"}]
    stages = [*old["Stages"][:1], {"Name": "Compile", "Actions": [build]}]
    changed = update_resource(cloud, "AWS::CodePipeline::Pipeline", "sagemaker-p", old, {**old, "Stages": stages})
    assert changed.attributes["Version"] == "2"
    assert client.get_pipeline(name="sagemaker-p")["pipeline"]["stages"][1]["name"] == "Compile"
    delete_resource(cloud, "AWS::CodePipeline::Pipeline", "sagemaker-p", old)
    with pytest.raises(ClientError, match="PipelineNotFound"):
        client.get_pipeline(name="sagemaker-p")


# -- EventBridge, Step Functions ---------------------------------------------------------------------


def test_a_rule_is_made_changed_and_deleted_without_tags(cloud: Cloud) -> None:
    topic = create_resource(cloud, "AWS::SNS::Topic", {"TopicName": "t"}).physical_id
    other = create_resource(cloud, "AWS::SNS::Topic", {"TopicName": "u"}).physical_id
    old = {
        "Name": "sagemaker-rule",
        "EventPattern": {"source": ["aws.sagemaker"]},
        "Targets": [{"Id": "one", "Arn": topic}],
    }
    made = create_resource(cloud, "AWS::Events::Rule", old)
    events = root(cloud, "events")
    assert made.physical_id == "sagemaker-rule"
    assert events.list_tags_for_resource(ResourceARN=made.attributes["Arn"])["Tags"] == []
    new = {**old, "Targets": [{"Id": "two", "Arn": other}], "State": "DISABLED"}
    update_resource(cloud, "AWS::Events::Rule", made.physical_id, old, new)
    assert [t["Id"] for t in events.list_targets_by_rule(Rule="sagemaker-rule")["Targets"]] == ["two"]
    assert events.describe_rule(Name="sagemaker-rule")["State"] == "DISABLED"
    delete_resource(cloud, "AWS::Events::Rule", made.physical_id, new)
    assert events.list_rules()["Rules"] == []


def test_a_rule_whose_pattern_is_wrong_is_not_left_behind(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="InvalidEventPattern"):
        create_resource(cloud, "AWS::Events::Rule", {"Name": "r", "EventPattern": {"source": "aws.sagemaker"}})
    assert root(cloud, "events").list_rules()["Rules"] == []


def test_a_state_machine_takes_its_definition_with_substitutions(cloud: Cloud) -> None:
    role_arn = role(cloud, "starter", "states.amazonaws.com")
    definition = {
        "StartAt": "Start",
        "States": {
            "Start": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:codepipeline:startPipelineExecution",
                "Parameters": {"Name": "${Pipeline}"},
                "End": True,
            }
        },
    }
    old = {
        "StateMachineName": "sagemaker-starter",
        "RoleArn": role_arn,
        "Definition": definition,
        "DefinitionSubstitutions": {"Pipeline": 'with "quotes"'},
    }
    made = create_resource(cloud, "AWS::StepFunctions::StateMachine", old)
    states = root(cloud, "stepfunctions")
    seen = json.loads(states.describe_state_machine(stateMachineArn=made.physical_id)["definition"])
    assert seen["States"]["Start"]["Parameters"]["Name"] == 'with "quotes"'
    new = {**old, "DefinitionSubstitutions": {"Pipeline": "p"}}
    update_resource(cloud, "AWS::StepFunctions::StateMachine", made.physical_id, old, new)
    seen = json.loads(states.describe_state_machine(stateMachineArn=made.physical_id)["definition"])
    assert seen["States"]["Start"]["Parameters"]["Name"] == "p"
    delete_resource(cloud, "AWS::StepFunctions::StateMachine", made.physical_id, new)
    assert states.list_state_machines()["stateMachines"] == []
    with pytest.raises(ResourceFailed, match="Exactly one of"):
        create_resource(cloud, "AWS::StepFunctions::StateMachine", {"RoleArn": role_arn})


# -- SageMaker ---------------------------------------------------------------------------------------


def test_a_model_package_group_has_its_policy(cloud: Cloud) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Targets",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sagemaker:DescribeModelPackage",
                "Resource": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/shop/*",
            }
        ],
    }
    old = {"ModelPackageGroupName": "shop", "ModelPackageGroupPolicy": policy}
    made = create_resource(cloud, "AWS::SageMaker::ModelPackageGroup", old)
    sagemaker = root(cloud, "sagemaker")
    assert made.physical_id.endswith("model-package-group/shop")
    got = sagemaker.get_model_package_group_policy(ModelPackageGroupName="shop")["ResourcePolicy"]
    assert json.loads(got) == policy
    update_resource(
        cloud, "AWS::SageMaker::ModelPackageGroup", made.physical_id, old, {"ModelPackageGroupName": "shop"}
    )
    with pytest.raises(ClientError, match="Cannot find"):
        sagemaker.get_model_package_group_policy(ModelPackageGroupName="shop")
    delete_resource(cloud, "AWS::SageMaker::ModelPackageGroup", made.physical_id, old)
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_a_target_may_be_scaled_and_its_policy_deleted(cloud: Cloud) -> None:
    """The endpoint need not exist for moto; what counts is that target and policy come and go."""
    create_table = root(cloud, "dynamodb").create_table
    create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    names = {
        "ResourceId": "table/t",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
        "ServiceNamespace": "dynamodb",
    }
    old = {**names, "MinCapacity": 1, "MaxCapacity": "3"}
    target = create_resource(cloud, "AWS::ApplicationAutoScaling::ScalableTarget", old)
    assert target.physical_id == "table/t|dynamodb:table:ReadCapacityUnits|dynamodb"
    update_resource(
        cloud, "AWS::ApplicationAutoScaling::ScalableTarget", target.physical_id, old, {**old, "MaxCapacity": 5}
    )
    scaling = root(cloud, "application-autoscaling")
    found = scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"][0]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 5)
    given = {
        "PolicyName": "p",
        "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": target.physical_id,
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": "70",
            "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
        },
    }
    policy = create_resource(cloud, "AWS::ApplicationAutoScaling::ScalingPolicy", given)
    assert policy.physical_id.startswith("arn:aws:autoscaling:")
    delete_resource(cloud, "AWS::ApplicationAutoScaling::ScalingPolicy", policy.physical_id, given)
    delete_resource(cloud, "AWS::ApplicationAutoScaling::ScalableTarget", target.physical_id, old)
    assert scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"] == []


def test_every_provider_is_of_a_type_that_the_registry_knows() -> None:
    from awslang.template import schemas

    assert [name for name in PROVIDERS if not schemas.known(name, REGION) and "Custom" not in name] == []


def test_what_is_made_answers_every_attribute_of_the_schema(cloud: Cloud) -> None:
    """GetAtt of what the schema calls read-only must not come to nothing."""
    from awslang.template import schemas

    simple: dict[str, dict[str, Any]] = {
        "AWS::SNS::Topic": {},
        "AWS::SQS::Queue": {},
        "AWS::Logs::LogGroup": {},
        "AWS::KMS::Key": {},
        "AWS::S3::Bucket": {},
        "AWS::SSM::Parameter": {"Type": "String", "Value": "v"},
    }
    for number, (name, properties) in enumerate(simple.items()):
        made = PROVIDERS[name].create(Context(**{**vars(stack_context(cloud)), "logical_id": f"L{number}"}), properties)
        missing = set(schemas.schema(name, REGION).read_only) - set(made.attributes)
        assert not {attribute for attribute in missing if "." not in attribute and "Configuration" not in attribute}, (
            name
        )


# -- what names a Git repository, and what the CDK writes ---------------------------------------------


def test_a_code_repository_is_known_by_name_and_its_secret_can_be_changed(cloud: Cloud) -> None:
    kind, git = "AWS::SageMaker::CodeRepository", {"RepositoryUrl": "https://example.com/a.git", "Branch": "main"}
    made = create_resource(cloud, kind, {"CodeRepositoryName": "code", "GitConfig": git})
    assert made.attributes == {"CodeRepositoryName": "code"}
    sagemaker = root(cloud, "sagemaker")
    assert sagemaker.describe_code_repository(CodeRepositoryName="code")["GitConfig"] == git
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:AmazonSageMaker-git-AbCdEf"
    new = {"CodeRepositoryName": "code", "GitConfig": {**git, "SecretArn": secret}}
    update_resource(cloud, kind, made.physical_id, {"CodeRepositoryName": "code", "GitConfig": git}, new)
    (listed,) = sagemaker.list_code_repositories()["CodeRepositorySummaryList"]
    assert listed["GitConfig"]["SecretArn"] == secret
    delete_resource(cloud, kind, made.physical_id, new)
    delete_resource(cloud, kind, made.physical_id, new)
    assert sagemaker.list_code_repositories()["CodeRepositorySummaryList"] == []


def test_the_cdks_metadata_makes_nothing(cloud: Cloud) -> None:
    before = state_of(cloud)
    made = create_resource(cloud, "AWS::CDK::Metadata", {"Analytics": "v2:deflate64:x"})
    assert made.attributes == {}
    assert state_of(cloud) == before
    delete_resource(cloud, "AWS::CDK::Metadata", made.physical_id, {})
    assert state_of(cloud) == before
