"""DynamoDB's Service object: a scan goes on after a key that the table can have."""

from __future__ import annotations

from awslang.errors import AwsError
from localaws import moto_bridge
from localaws.calls import Call
from localaws.service import EVERY, Service

dynamodb = Service("dynamodb", moto=EVERY)


@dynamodb.before("Query", "Scan")
def starting_key(call: Call) -> None:
    """DynamoDB API Reference, Scan, ExclusiveStartKey: the key of an item, with that of the index that is read."""
    table = moto_bridge.backend("dynamodb", call.account, call.region).tables.get(call.params["TableName"])
    key = call.params.get("ExclusiveStartKey")
    if table is None or not key:
        return
    types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table.attr}
    schemas = [table.schema, *(one.schema for one in table.all_indexes() if one.name == call.params.get("IndexName"))]
    names = {part["AttributeName"] for schema in schemas for part in schema}
    if {name: next(iter(value)) for name, value in key.items()} != {name: types.get(name) for name in names}:
        raise AwsError("ValidationException", "The provided starting key is invalid")
