"""The event history (CloudTrail API Reference, "LookupEvents")."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.services.cloudtrail.service import named_in
from tests.support.authorization import REGION, A, B, allow, check_refused, session


def test_who_did_what_newest_first_without_data_events(cloud: Cloud) -> None:
    """ "Working with CloudTrail event history": the management events of the account, in the Region of each."""
    person = session(cloud, "person", allow("s3:*"), allow("sns:CreateTopic"))
    person.client("s3").create_bucket(Bucket="files")
    person.client("s3").put_object(Bucket="files", Key="a", Body=b"1")
    person.client("sns").create_topic(Name="topic")
    check_refused(lambda: person.client("sns").list_topics())
    cloud.root(B, REGION).client("sns").create_topic(Name="theirs")
    cloud.root(A, "eu-west-1").client("sns").create_topic(Name="there")
    trail = cloud.root(A, REGION).client("cloudtrail")

    def found(**asked: Any) -> list[dict[str, Any]]:
        return list(trail.lookup_events(**asked)["Events"])

    def by(key: str, value: str) -> dict[str, Any]:
        return {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}

    mine = found(**by("Username", "work"))
    assert [event["EventName"] for event in mine] == ["ListTopics", "CreateTopic", "CreateBucket"]
    assert [event["ReadOnly"] for event in mine] == ["true", "false", "false"]
    assert json.loads(mine[0]["CloudTrailEvent"])["errorCode"] == "AuthorizationError"
    assert [event["EventName"] for event in found(**by("ResourceName", "files"))] == ["CreateBucket"]
    assert [event["EventName"] for event in found(**by("AccessKeyId", person.credentials.access_key_id))] == [
        "ListTopics", "CreateTopic", "CreateBucket",
    ]  # fmt: skip
    assert [event["EventName"] for event in found(**by("ResourceType", "AWS::S3::Bucket"))] == ["CreateBucket"]
    role = found(**by("EventName", "CreateRole"))[0]["Resources"]
    assert role == [{"ResourceType": "AWS::IAM::Role", "ResourceName": "person"}]
    assert {event["EventName"] for event in found(**by("EventSource", "iam.amazonaws.com"))} >= {"CreateRole"}
    assert found(**by("EventId", mine[1]["EventId"]))[0]["EventName"] == "CreateTopic"
    assert len(found(**by("EventName", "CreateTopic"))) == 1
    assert found(EndTime=mine[-1]["EventTime"].replace(year=2020)) == []
    pages = trail.get_paginator("lookup_events").paginate(**by("Username", "work"), PaginationConfig={"PageSize": 2})
    assert [len(page["Events"]) for page in pages] == [2, 1]
    there = cloud.root(A, "eu-west-1").client("cloudtrail").lookup_events(**by("EventName", "CreateTopic"))["Events"]
    assert len(there) == 1
    check_refused(lambda: person.client("cloudtrail").lookup_events())


@pytest.mark.parametrize(
    ("arn", "type"),
    [
        ("arn:aws:states:us-east-1:1:stateMachine:one", "AWS::StepFunctions::StateMachine"),
        ("arn:aws:sagemaker:us-east-1:1:model-package-group/one", "AWS::SageMaker::ModelPackageGroup"),
        ("arn:aws:sqs:us-east-1:1:one", "AWS::SQS::Queue"),
        ("arn:aws:logs:us-east-1:1:log-group:one", "AWS::Logs::LogGroup"),
        ("arn:aws:sagemaker:us-east-1:1:training-job/one", None),
    ],
)
def test_a_resource_is_named_by_its_type(arn: str, type: str | None) -> None:
    assert named_in(arn) == {"ResourceName": "one"} | ({"ResourceType": type} if type else {})


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "a"}] * 2}, "InvalidLookupAttributes"),
        ({"StartTime": 2_000_000_000, "EndTime": 1_000_000_000}, "InvalidTimeRange"),
        ({"MaxResults": 51}, "Invalid"),
        ({"NextToken": "bogus"}, "InvalidNextToken"),
    ],
)
def test_what_cannot_be_looked_up(cloud: Cloud, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        cloud.root(A, REGION).client("cloudtrail").lookup_events(**asked)
    assert caught.value.response["Error"]["Code"].startswith(code)
