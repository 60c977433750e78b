"""Tables."""

from __future__ import annotations

import pytest

from awslang.errors import NotSupported
from localaws.cloud import Cloud
from tests.support.providers import ACCOUNT, REGION, client_of, create_resource, delete_resource, update_resource

TYPE = "AWS::DynamoDB::Table"
KEYS = {
    "TableName": "orders",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}


def throughput(units: str) -> dict[str, dict[str, str]]:
    return {"ProvisionedThroughput": {"ReadCapacityUnits": units, "WriteCapacityUnits": "5"}}


def test_a_table_changes_its_settings(cloud: Cloud) -> None:
    old = {
        **KEYS,
        **throughput("5"),
        "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": "true"},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True},
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
    }
    made = create_resource(cloud, TYPE, old)
    dynamodb = client_of(cloud, "dynamodb")
    assert made.attributes["Arn"] == f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"
    assert made.attributes["StreamArn"].startswith(f"{made.attributes['Arn']}/stream/")
    live = dynamodb.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
    assert live["TimeToLiveStatus"] == "ENABLED"
    kept = {name: old[name] for name in ("SSESpecification", "StreamSpecification")}
    update_resource(cloud, TYPE, "orders", old, {**KEYS, **throughput("6"), **kept})
    table = dynamodb.describe_table(TableName="orders")["Table"]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 6
    live = dynamodb.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
    assert live["TimeToLiveStatus"] == "DISABLED"
    backups = dynamodb.describe_continuous_backups(TableName="orders")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    delete_resource(cloud, TYPE, "orders", old)
    assert dynamodb.list_tables()["TableNames"] == []


def test_a_change_that_is_not_supported_is_named(cloud: Cloud) -> None:
    old = {**KEYS, **throughput("5")}
    create_resource(cloud, TYPE, old)
    with pytest.raises(NotSupported, match="a change of StreamSpecification"):
        update_resource(cloud, TYPE, "orders", old, {**old, "StreamSpecification": {"StreamViewType": "KEYS_ONLY"}})
