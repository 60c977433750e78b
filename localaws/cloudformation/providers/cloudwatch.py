"""CloudWatch's resource types (CloudFormation Template Reference)."""

from __future__ import annotations

from typing import Any

from localaws.cloudformation.provider import Context, Made, ResourceFailed, provides
from localaws.cloudformation.providers.shapes import (
    document,
    fill,
    only,
    retag_resource,
    tagging,
    unless,
    without,
)

ABSENT = {"ResourceNotFoundException", "ResourceNotFound", "ObjectNotFoundException"}


@provides("AWS::CloudWatch::Alarm")
class Alarm:
    """AWS::CloudWatch::Alarm: PutMetricAlarm makes and replaces it."""

    carried = frozenset(
        {
            "ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName", "ComparisonOperator",
            "DatapointsToAlarm", "Dimensions", "EvaluateLowSampleCountPercentile", "EvaluationPeriods",
            "ExtendedStatistic", "InsufficientDataActions", "MetricName", "Metrics", "Namespace", "OKActions", "Period",
            "Statistic", "Tags", "Threshold", "TreatMissingData", "Unit",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        cloudwatch = context.client("cloudwatch")
        name = str(properties.get("AlarmName") or context.generated_name(255))
        if cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
            raise ResourceFailed(f"{name} already exists")
        return self._put(context, name, {**properties, **tagging(context, properties)})

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        cloudwatch = context.client("cloudwatch")
        made = self._put(context, physical_id, without(new, "Tags"))
        arn = made.attributes["Arn"]
        retag_resource(context, old, new, cloudwatch, ResourceARN=arn)
        return made

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(ABSENT, context.client("cloudwatch").delete_alarms, AlarmNames=[physical_id])

    def _put(self, context: Context, name: str, properties: dict[str, Any]) -> Made:
        only("AWS::CloudWatch::Alarm", properties, self.carried)
        cloudwatch = context.client("cloudwatch")
        arguments = {**properties, "AlarmName": name}
        cloudwatch.put_metric_alarm(**fill(cloudwatch, "PutMetricAlarm", arguments, "AWS::CloudWatch::Alarm"))
        return Made(name, {"Arn": f"arn:aws:cloudwatch:{context.region}:{context.account}:alarm:{name}"})


@provides("AWS::CloudWatch::Dashboard")
class Dashboard:
    """AWS::CloudWatch::Dashboard. Its tags are not supported."""

    carried = frozenset({"DashboardBody", "DashboardName"})

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        name = str(properties.get("DashboardName") or context.generated_name(255))
        return self.update(context, name, {}, properties)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only("AWS::CloudWatch::Dashboard", new, self.carried)
        body = document(new["DashboardBody"])
        context.client("cloudwatch").put_dashboard(DashboardName=physical_id, DashboardBody=body)
        return Made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless(ABSENT, context.client("cloudwatch").delete_dashboards, DashboardNames=[physical_id])
