"""Alarms and dashboards."""

from __future__ import annotations

import json

from localaws.cloud import Cloud
from tests.support.providers import ACCOUNT, REGION, create_resource, delete_resource, update_resource


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
