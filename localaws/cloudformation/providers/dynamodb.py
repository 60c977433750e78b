"""DynamoDB's resource types (CloudFormation Template Reference, "AWS::DynamoDB::Table")."""

from __future__ import annotations

from typing import Any

from awslang.errors import NotSupported
from localaws.cloudformation.provider import Context, Made, provides
from localaws.cloudformation.providers.shapes import (
    fill,
    only,
    retag_resource,
    tagging,
    truth,
    undone_by,
    unless,
    without,
)

TYPE = "AWS::DynamoDB::Table"
APART = ("PointInTimeRecoverySpecification", "TimeToLiveSpecification")  # operations of their own
CHANGED = ("BillingMode", "DeletionProtectionEnabled", "ProvisionedThroughput", "TableClass")


@provides("AWS::DynamoDB::Table")
class Table:
    """Ref gives the table's name."""

    carried = frozenset(
        {
            *APART, *CHANGED, "AttributeDefinitions", "GlobalSecondaryIndexes", "KeySchema", "LocalSecondaryIndexes",
            "SSESpecification", "StreamSpecification", "TableName", "Tags",
        }
    )  # fmt: skip

    def create(self, context: Context, properties: dict[str, Any]) -> Made:
        only(TYPE, properties, self.carried)
        dynamodb = context.client("dynamodb")
        name = str(properties.get("TableName") or context.generated_name(255))
        given = without(properties, *APART) | {"TableName": name} | tagging(context, properties)
        if encryption := properties.get("SSESpecification"):
            given["SSESpecification"] = without(encryption, "SSEEnabled") | {"Enabled": encryption["SSEEnabled"]}
        if stream := properties.get("StreamSpecification"):
            given["StreamSpecification"] = {**stream, "StreamEnabled": True}
        made = dynamodb.create_table(**fill(dynamodb, "CreateTable", given, TYPE))["TableDescription"]
        with undone_by(lambda: dynamodb.delete_table(TableName=name)):
            self._settings(dynamodb, name, {}, properties)
        return self._made(made)

    def update(self, context: Context, physical_id: str, old: dict[str, Any], new: dict[str, Any]) -> Made:
        only(TYPE, new, self.carried)
        dynamodb = context.client("dynamodb")
        for name in sorted(self.carried - {*APART, *CHANGED, "Tags"}):
            if old.get(name) != new.get(name):
                raise NotSupported(f"{TYPE}: a change of {name}")
        changed = {name: new[name] for name in CHANGED if name in new and old.get(name) != new[name]}
        if changed:
            given = {"TableName": physical_id, **changed}
            dynamodb.update_table(**fill(dynamodb, "UpdateTable", given, TYPE))
        self._settings(dynamodb, physical_id, old, new)
        described = dynamodb.describe_table(TableName=physical_id)["Table"]
        arn = described["TableArn"]
        retag_resource(context, old, new, dynamodb, ResourceArn=arn)
        return self._made(described)

    def delete(self, context: Context, physical_id: str, properties: dict[str, Any]) -> None:
        unless({"ResourceNotFoundException"}, context.client("dynamodb").delete_table, TableName=physical_id)

    def _settings(self, dynamodb: Any, name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        """Recovery and time to live, each where it differs; one that is no longer given is turned off."""
        recovery, live = APART
        if old.get(recovery) != new.get(recovery):
            enabled = truth((new.get(recovery) or {}).get("PointInTimeRecoveryEnabled"))
            wanted = {"PointInTimeRecoveryEnabled": enabled}
            dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=wanted)
        if old.get(live) != new.get(live):
            wanted = new.get(live) or {**old[live], "Enabled": False}
            given = {"TableName": name, "TimeToLiveSpecification": wanted}
            dynamodb.update_time_to_live(**fill(dynamodb, "UpdateTimeToLive", given, TYPE))

    def _made(self, table: dict[str, Any]) -> Made:
        stream = {"StreamArn": table["LatestStreamArn"]} if "LatestStreamArn" in table else {}
        return Made(table["TableName"], {"Arn": table["TableArn"], **stream})
