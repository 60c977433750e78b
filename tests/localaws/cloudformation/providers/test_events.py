"""Event rules."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localaws.cloud import Cloud
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
