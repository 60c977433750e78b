"""The Resource Groups Tagging API over every service that it lists (API Reference, the page of each operation)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.authorization.tags import tags_of
from localaws.cloud import Cloud
from localaws.services.resourcegroupstaggingapi.listed import SERVICES
from scripts.rehearsal.embedded import embedded_aws
from tests.support.authorization import allow, session
from tests.support.roles import EVERYTHING, make_role

ACCOUNT, REGION = "111111111111", "us-east-1"
PLACE = f"{REGION}:{ACCOUNT}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One resource of each service, made without tags."""
    with embedded_aws(tmp_path_factory.mktemp("tagging")) as cloud:
        for make in (storage, messages, code, models):
            make(cloud)
        yield cloud


def client(cloud: Cloud, service: str, region: str = REGION) -> Any:
    return cloud.root(ACCOUNT, region).client(service)


def storage(cloud: Cloud) -> None:
    client(cloud, "s3").create_bucket(Bucket="tagged-bucket")
    client(cloud, "dynamodb").create_table(
        TableName="table", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    client(cloud, "kms").create_key()
    client(cloud, "secretsmanager").create_secret(Name="secret", SecretString="x")
    client(cloud, "ssm").put_parameter(Name="/a/parameter", Value="x", Type="String")
    client(cloud, "ecr").create_repository(repositoryName="images")
    client(cloud, "logs").create_log_group(logGroupName="/logs/group")


def messages(cloud: Cloud) -> None:
    client(cloud, "sns").create_topic(Name="topic")
    client(cloud, "sqs").create_queue(QueueName="queue")
    client(cloud, "events").put_rule(Name="rule", EventPattern=json.dumps({"source": ["aws.s3"]}))
    client(cloud, "cloudwatch").put_metric_alarm(
        AlarmName="alarm", Namespace="A", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1.0, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip


def code(cloud: Cloud) -> None:
    role = make_role(cloud, "build", "codebuild", EVERYTHING)
    client(cloud, "codecommit").create_repository(repositoryName="repository")
    client(cloud, "codebuild").create_project(
        name="project", source={"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: [ls]}}"},
        artifacts={"type": "NO_ARTIFACTS"}, serviceRole=role,
        environment={
            "type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL",
        },
    )  # fmt: skip
    states = make_role(cloud, "states", "states", EVERYTHING)
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    client(cloud, "stepfunctions").create_state_machine(name="machine", roleArn=states, definition=definition)
    client(cloud, "servicecatalog").create_portfolio(DisplayName="portfolio", ProviderName="us")


def models(cloud: Cloud) -> None:
    client(cloud, "sagemaker").create_model_package_group(ModelPackageGroupName="iris")


def arns(cloud: Cloud) -> list[str]:
    secret = client(cloud, "secretsmanager").list_secrets()["SecretList"][0]["ARN"]
    key = client(cloud, "kms").list_keys()["Keys"][0]["KeyArn"]
    portfolio = client(cloud, "servicecatalog").list_portfolios()["PortfolioDetails"][0]["ARN"]
    return [
        "arn:aws:s3:::tagged-bucket", key, secret, portfolio, f"arn:aws:dynamodb:{PLACE}:table/table",
        f"arn:aws:ssm:{PLACE}:parameter/a/parameter", f"arn:aws:ecr:{PLACE}:repository/images",
        f"arn:aws:logs:{PLACE}:log-group:/logs/group", f"arn:aws:sns:{PLACE}:topic", f"arn:aws:sqs:{PLACE}:queue",
        f"arn:aws:events:{PLACE}:rule/rule", f"arn:aws:cloudwatch:{PLACE}:alarm:alarm",
        f"arn:aws:codecommit:{PLACE}:repository", f"arn:aws:codebuild:{PLACE}:project/project",
        f"arn:aws:states:{PLACE}:stateMachine:machine", f"arn:aws:sagemaker:{PLACE}:model-package-group/iris",
    ]  # fmt: skip


def found(cloud: Cloud, **asked: Any) -> list[str]:
    pages = client(cloud, "resourcegroupstaggingapi").get_paginator("get_resources").paginate(**asked)
    return [item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"]]


def test_each_service_is_tagged_listed_and_untagged_by_its_own_operations(world: Cloud) -> None:
    tagging, all_arns = client(world, "resourcegroupstaggingapi"), arns(world)
    assert found(world) == []
    answer = tagging.tag_resources(ResourceARNList=all_arns, Tags={"team": "a", "cost": "12"})
    assert answer["FailedResourcesMap"] == {}
    assert found(world) == sorted(all_arns)
    assert all(tags_of(world, arn, REGION) == {"team": "a", "cost": "12"} for arn in all_arns[1:])
    assert found(world, ResourcesPerPage=3) == sorted(all_arns)
    assert tagging.get_tag_keys()["TagKeys"] == ["cost", "team"]
    assert tagging.get_tag_values(Key="cost")["TagValues"] == ["12"]
    assert tagging.untag_resources(ResourceARNList=all_arns, TagKeys=["cost", "none"])["FailedResourcesMap"] == {}
    assert [one["Tags"] for one in tagging.get_resources()["ResourceTagMappingList"]] == [
        [{"Key": "team", "Value": "a"}]
    ] * len(all_arns)
    assert {arn.split(":")[2] for arn in all_arns} == SERVICES - {"cloudformation", "codepipeline", "lambda"}


def test_filters_by_tags_and_by_the_type_in_the_arn(world: Cloud) -> None:
    tagging = client(world, "resourcegroupstaggingapi")
    table, topic = f"arn:aws:dynamodb:{PLACE}:table/table", f"arn:aws:sns:{PLACE}:topic"
    tagging.tag_resources(ResourceARNList=[table, topic], Tags={"stage": "dev"})
    tagging.tag_resources(ResourceARNList=[topic], Tags={"stage": "prod"})
    assert found(world, TagFilters=[{"Key": "stage"}]) == [table, topic]
    assert found(world, TagFilters=[{"Key": "stage", "Values": ["prod", "test"]}]) == [topic]
    assert found(world, TagFilters=[{"Key": "stage"}], ResourceTypeFilters=["dynamodb:table"]) == [table]
    assert found(world, TagFilters=[{"Key": "stage"}], ResourceTypeFilters=["dynamodb:index", "sns"]) == [topic]
    assert tagging.get_resources(ResourceARNList=[table])["ResourceTagMappingList"][0]["ResourceARN"] == table
    assert client(world, "resourcegroupstaggingapi", "eu-west-1").get_resources()["ResourceTagMappingList"] == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"ResourceARNList": ["arn:aws:s3:::a"], "TagFilters": [{"Key": "a"}]}, "together with TagFilters"),
        ({"ResourcesPerPage": 101}, "between 1 and 100"),
        ({"TagsPerPage": 150}, "multiple of 100"),
        ({"ExcludeCompliantResources": True}, "only if IncludeComplianceDetails"),
        ({"PaginationToken": "bogus"}, "PaginationToken is not valid"),
        ({"TagFilters": [{"Values": ["a"]}]}, "needs a key"),
        ({"ResourceARNList": ["topic"]}, "not a valid ARN"),
    ],
)
def test_what_cannot_be_asked_for(world: Cloud, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        client(world, "resourcegroupstaggingapi").get_resources(**asked)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_tagging_needs_the_permission_of_the_resources_service_too(world: Cloud) -> None:
    """API Reference, TagResources: "you must also have the tagging permission defined by the service"."""
    topic, table = f"arn:aws:sns:{PLACE}:topic", f"arn:aws:dynamodb:{PLACE}:table/table"
    some = session(world, "tagger", allow("tag:*"), allow("sns:TagResource", topic)).client("resourcegroupstaggingapi")
    elsewhere = f"arn:aws:sns:eu-west-1:{ACCOUNT}:topic"
    failed = some.tag_resources(ResourceARNList=[topic, table, elsewhere], Tags={"x": "y"})["FailedResourcesMap"]
    assert {arn: failure["ErrorCode"] for arn, failure in failed.items()} == {
        table: "AccessDeniedException", elsewhere: "InvalidParameterException",
    }  # fmt: skip
    assert tags_of(world, topic, REGION)["x"] == "y"
    without = session(world, "other", allow("sns:*")).client("resourcegroupstaggingapi")
    with pytest.raises(ClientError, match="tag:GetResources"):
        without.get_resources()
