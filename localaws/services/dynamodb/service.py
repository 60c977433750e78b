"""DynamoDB's Service object: what a request needs beside its model, where a scan goes on, and the list of exports."""

from __future__ import annotations

from typing import Any

from moto.dynamodb.comparisons import get_filter_expression

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.service import EVERY, Service

PARTIQL = ("BatchExecuteStatement", "ExecuteStatement", "ExecuteTransaction")  # their rights are in the statement
dynamodb = Service("dynamodb", moto=EVERY, refused=PARTIQL, invalid="ValidationException")

PAGE = 25  # exports of one answer


NEEDED = ("AttributeDefinitions", "KeySchema")  # of a table
REPLICA = ("GlobalTableSourceArn", "GlobalTableSettingsReplicationMode", "VectorIndexes")


@dynamodb.before("CreateTable")
def new_table(call: Call) -> None:
    """Its key, which the model requires no longer: a table may be the copy of another account's (API Reference,
    CreateTable, GlobalTableSourceArn)."""
    if asked := [name for name in REPLICA if call.params.get(name)]:
        raise NotSupported(f"a table with {', '.join(asked)}")
    if missing := [name for name in NEEDED if not call.params.get(name)]:
        raise AwsError("ValidationException", f"A table needs {' and '.join(missing)}")


@dynamodb.before("TransactWriteItems")
def single_actions(call: Call) -> None:
    """Each with one action (API Reference, TransactWriteItems: "an invalid request", such as one without)."""
    if any(len(item) != 1 for item in call.params["TransactItems"]):
        what = "TransactItems can only contain one of Check, Put, Update or Delete"
        raise AwsError("ValidationException", what)


CONDITIONS = ("ConditionExpression", "FilterExpression")


@dynamodb.before("DeleteItem", "PutItem", "UpdateItem")
def conditions(call: Call) -> None:
    """An expression that is one (API Reference, Common Errors: ValidationException); moto breaks at some others."""
    params = call.params
    for name in CONDITIONS:
        try:
            named, given = params.get("ExpressionAttributeNames", {}), params.get("ExpressionAttributeValues", {})
            get_filter_expression(params.get(name), named, given)
        except (KeyError, ValueError) as error:
            what = f"{error.args[0]} is not defined" if isinstance(error, KeyError) else error
            raise AwsError("ValidationException", f"Invalid {name}: {what}") from error


@dynamodb.before("Query", "Scan")
def starting_key(call: Call) -> None:
    """DynamoDB API Reference, Scan, ExclusiveStartKey: the key of an item, with that of the index that is read."""
    conditions(call)
    table = moto_bridge.backend("dynamodb", call.account, call.region).tables.get(call.params["TableName"])
    key = call.params.get("ExclusiveStartKey")
    if table is None or not key:
        return
    types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table.attr}
    schemas = [table.schema, *(one.schema for one in table.all_indexes() if one.name == call.params.get("IndexName"))]
    names = {part["AttributeName"] for schema in schemas for part in schema}
    if {name: next(iter(value)) for name, value in key.items()} != {name: types.get(name) for name in names}:
        raise AwsError("ValidationException", "The provided starting key is invalid")


@dynamodb.before("DescribeExport", "DescribeImport")
def known(call: Call) -> None:
    """API Reference, DescribeExport (ExportNotFoundException), DescribeImport (ImportNotFoundException)."""
    tables, kind = moto_bridge.backend("dynamodb", call.account, call.region), call.operation.removeprefix("Describe")
    if call.params[f"{kind}Arn"] not in (tables.table_exports if kind == "Export" else tables.table_imports):
        raise AwsError(f"{kind}NotFoundException", f"{kind} not found: {call.params[f'{kind}Arn']}")


@dynamodb.operation("ListExports")
def list_exports(call: Call) -> dict[str, Any]:
    """Of one table or of all (API Reference, ListExports: TableArn is optional); moto lists those of a table alone."""
    found = [
        {"ExportArn": one.arn, "ExportStatus": one.status, "ExportType": one.export_type}
        for one in list(moto_bridge.backend("dynamodb", call.account, call.region).table_exports.values())
        if call.params.get("TableArn") in (None, one.table.table_arn)
    ]
    first = int(call.params.get("NextToken") or 0)
    last = first + call.params.get("MaxResults", PAGE)
    return {"ExportSummaries": found[first:last]} | ({"NextToken": str(last)} if last < len(found) else {})
