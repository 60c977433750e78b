"""Log groups."""

from __future__ import annotations

from localaws.cloud import Cloud
from tests.support.providers import ACCOUNT, REGION, create_resource, delete_resource, update_resource


def test_a_log_group_keeps_its_retention(cloud: Cloud) -> None:
    old = {"LogGroupName": "/aws/x", "RetentionInDays": 30}
    made = create_resource(cloud, "AWS::Logs::LogGroup", old)
    assert made.attributes["Arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/x:*"
    logs = cloud.root(ACCOUNT, REGION).client("logs")
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 30
    update_resource(cloud, "AWS::Logs::LogGroup", "/aws/x", old, {"LogGroupName": "/aws/x"})
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
    delete_resource(cloud, "AWS::Logs::LogGroup", "/aws/x", old)
