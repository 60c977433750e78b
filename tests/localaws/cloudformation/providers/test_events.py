"""Event rules."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from localaws.cloudformation.provider import ResourceFailed
from tests.support.providers import client_of, create_resource, delete_resource, update_resource


def test_a_rule_is_made_changed_and_deleted_without_tags(cloud: Cloud) -> None:
    topic = create_resource(cloud, "AWS::SNS::Topic", {"TopicName": "t"}).physical_id
    other = create_resource(cloud, "AWS::SNS::Topic", {"TopicName": "u"}).physical_id
    old = {
        "Name": "sagemaker-rule",
        "EventPattern": {"source": ["aws.sagemaker"]},
        "Targets": [{"Id": "one", "Arn": topic}],
    }
    made = create_resource(cloud, "AWS::Events::Rule", old)
    events = client_of(cloud, "events")
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
    assert client_of(cloud, "events").list_rules()["Rules"] == []


def test_a_statement_of_a_buss_policy_is_made_changed_and_deleted_beside_others(cloud: Cloud) -> None:
    events = client_of(cloud, "events")

    def sids() -> list[str]:
        policy = json.loads(events.describe_event_bus(Name="default").get("Policy", "{}"))
        return [one["Sid"] for one in policy.get("Statement", [])]

    events.put_permission(StatementId="theirs", Action="events:PutEvents", Principal="222222222222")
    bus = events.describe_event_bus(Name="default")["Arn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": bus}
    org = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    old = {"StatementId": "ours", "Statement": {**statement, "Condition": org}}
    made = create_resource(cloud, "AWS::Events::EventBusPolicy", old)
    assert sids() == ["theirs", "ours"]
    with pytest.raises(ResourceFailed, match="ours already exists"):
        create_resource(cloud, "AWS::Events::EventBusPolicy", old)
    new = {**old, "Statement": {**statement, "Principal": {"AWS": ["333333333333"]}}}
    update_resource(cloud, "AWS::Events::EventBusPolicy", made.physical_id, old, new)
    assert "333333333333" in events.describe_event_bus(Name="default")["Policy"]
    delete_resource(cloud, "AWS::Events::EventBusPolicy", made.physical_id, new)
    delete_resource(cloud, "AWS::Events::EventBusPolicy", made.physical_id, new)
    assert sids() == ["theirs"]
