"""Resource types as the CloudFormation registry describes them (the schemas that cfn-lint ships).

AWS pages: "Resource type schema" (CloudFormation CLI User Guide: what each keyword means), "Fn::GetAtt".
Each schema is a JSON file that is read when it is first asked for: cfn-lint itself takes seconds to import.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from awslang.bounded import is_number
from awslang.template import schema_rules
from awslang.template.values import texts

CUSTOM = "AWS::CloudFormation::CustomResource"
NESTED = "AWS::CloudFormation::Stack"
MOST_SERVICE_SECONDS = 3600  # Template Reference, "AWS::CloudFormation::CustomResource": ServiceTimeout
PREFIX = "/properties/"
PARSING = threading.Lock()


@dataclass(frozen=True, eq=False)
class ResourceSchema:
    """One resource type. Property paths are written as in "BucketName" and "Tags/*/Key".

    document: the schema itself
    tag_property: the name of the property that holds tags; "" for types that take none
    """

    type: str
    document: Mapping[str, Any]
    properties: frozenset[str]
    required: frozenset[str]
    create_only: frozenset[str]
    read_only: frozenset[str]
    primary_identifier: tuple[str, ...]
    taggable: bool
    tag_property: str

    def handler_permissions(self, handler: str) -> list[str]:
        """The IAM actions that a handler (create, read, update, delete, list) needs; [] when not stated."""
        return list(self.document.get("handlers", {}).get(handler, {}).get("permissions", []))

    def replaced_by(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
        """The create-only paths that differ: when there are any, the update replaces the resource."""
        if self.type == CUSTOM:
            return []  # its provider says whether it was replaced; a new ServiceToken is refused
        return [
            path
            for path in sorted(self.create_only)
            if texts(list(at(old, path.split("/")))) != texts(list(at(new, path.split("/"))))
        ]


def at(value: Any, path: list[str]) -> Iterator[Any]:
    """The values at a property path; * stands for every item."""
    if not path:
        yield value
    elif path[0] == "*":
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from at(part, path[1:])
    elif isinstance(value, list):
        for part in value:
            yield from at(part, path)
    elif isinstance(value, Mapping) and path[0] in value:
        yield from at(value[path[0]], path[1:])


@lru_cache(maxsize=1)
def package() -> Path:
    """The folder of cfn-lint, found without importing it."""
    found = importlib.util.find_spec("cfnlint")
    if found is None or found.origin is None:
        raise RuntimeError("cfn-lint, which ships the registry's schemas, is not installed")
    return Path(found.origin).parent


@lru_cache(maxsize=32)
def types(region: str) -> Mapping[str, str]:
    """The types that a Region has, each with the name of its schema's file."""
    folder = package() / "data" / "schemas" / "providers"
    file = folder / f"{region}.json"
    if not file.exists():  # a Region that the registry's copy does not know has what the first Region has
        file = folder / "us-east-1.json"
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def registered(type: str) -> str:
    return CUSTOM if type.startswith("Custom::") else type


def known(type: str, region: str = "us-east-1") -> bool:
    """Whether the registry has this type in this Region."""
    return registered(type) in types(region)


def schema(type: str, region: str = "us-east-1") -> ResourceSchema:
    """The schema of a type (Custom::X too). KeyError when the registry has none in this Region."""
    return load(registered(type), types(region)[registered(type)])


@cache
def load(type: str, file: str) -> ResourceSchema:
    path = package() / "data" / "schemas" / "resources" / f"{file}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    tagging = document.get("tagging", {})
    taggable = bool(tagging.get("taggable", document.get("taggable", "Tags" in document["properties"])))
    tag_property = str(tagging.get("tagProperty", PREFIX + "Tags")).removeprefix(PREFIX)
    return ResourceSchema(
        type=type,
        document=document,
        properties=frozenset(document["properties"]),
        required=frozenset(document.get("required", [])),
        create_only=paths(document, "createOnlyProperties"),
        read_only=paths(document, "readOnlyProperties"),
        primary_identifier=tuple(path.removeprefix(PREFIX) for path in document.get("primaryIdentifier", [])),
        taggable=taggable and tag_property.split("/")[0] in document["properties"],
        tag_property=tag_property if tag_property.split("/")[0] in document["properties"] else "",
    )


def paths(document: Mapping[str, Any], name: str) -> frozenset[str]:
    return frozenset(path.removeprefix(PREFIX).replace("/items/properties/", "/*/") for path in document.get(name, []))


def coerce(type: str, properties: Mapping[str, Any], region: str = "us-east-1") -> dict[str, Any]:
    """Properties with the scalars that AWS converts itself ("true" → true, "5" → 5, 5 → "5")."""
    found = schema(type, region)
    if found.type == CUSTOM:
        return {name: texts(value) for name, value in properties.items()}  # a function's event holds strings only
    coerced: dict[str, Any] = schema_rules.coerce(found.document, found.document, dict(properties))
    return coerced


def problems(type: str, properties: Mapping[str, Any], logical_id: str, region: str = "us-east-1") -> list[str]:
    """What the registry's schema refuses, one full sentence each, in AWS's form; [] when nothing.

    "Properties validation failed for resource Bucket with message: #/Tags/0: required key [Value] not found"
    properties: as coerce gives them; UNKNOWN values pass
    """
    found = schema(type, region)
    prefix = f"Properties validation failed for resource {logical_id} with message: "
    coerced = dict(properties)
    seconds = int(coerced["ServiceTimeout"]) if is_number(str(coerced.get("ServiceTimeout", ""))) else None
    if found.type == CUSTOM and seconds is not None:
        coerced |= {"ServiceTimeout": seconds}  # the only number that is CloudFormation's own
    violations = [f"{prefix}{path}: {message}" for path, message in schema_rules.problems(found.document, coerced)]
    if found.type == CUSTOM and seconds is not None and not 1 <= seconds <= MOST_SERVICE_SECONDS:
        violations.append(f"{prefix}#/ServiceTimeout: {seconds} is not from 1 to {MOST_SERVICE_SECONDS}")
    read_only = [path for path in sorted(found.read_only) if "*" not in path and list(at(coerced, path.split("/")))]
    if found.type == CUSTOM:
        read_only = []  # its properties are its provider's, whatever they are called
    violations += [
        f"{prefix}#/{path}: is read-only and cannot be specified" for path in read_only if settable(found, path)
    ]
    return violations


def settable(found: ResourceSchema, path: str) -> bool:
    """Whether a read-only path is refused: some schemas name one read-only that is also create-only or required."""
    return path not in found.create_only and path not in found.required


def attributes(type: str, region: str = "us-east-1") -> set[str]:
    """What Fn::GetAtt can ask of a type ("Arn", "Endpoint.Address")."""
    found = schema(type, region)
    every, further = attribute_tables()
    if found.type in every:
        return set(leaves(found.document, found.document["properties"], ""))
    return {path.replace("/", ".") for path in found.read_only} | set(further.get(found.type, ()))


def has_attribute(type: str, attribute: str, region: str = "us-east-1") -> bool:
    """Whether Fn::GetAtt can ask for attribute (custom resources and nested stacks' Outputs.X included)."""
    if registered(type) == CUSTOM:
        return True
    if type in (NESTED, "AWS::ServiceCatalog::CloudFormationProvisionedProduct") and attribute.startswith("Outputs."):
        return True
    return attribute in attributes(type, region)


def attribute_tables() -> tuple[frozenset[str], Mapping[str, list[str]]]:
    """Types of which every property is an attribute, and the attributes of types beyond their read-only properties.

    One thread reads them: CPython may answer "AST constructor recursion depth mismatch" to two that parse at once.
    """
    with PARSING:
        return read_attribute_tables()


@lru_cache(maxsize=1)
def read_attribute_tables() -> tuple[frozenset[str], Mapping[str, list[str]]]:
    """The registry does not tell; cfn-lint keeps both as constants, read here from its source."""
    source = ast.parse((package() / "schema" / "_getatts.py").read_text(encoding="utf-8"))
    wanted = {"_all_property_types", "_exceptions"}
    tables = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in wanted
    }
    return frozenset(tables["_all_property_types"]), tables["_exceptions"]


def leaves(document: Mapping[str, Any], properties: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """The dotted names of the properties that hold no further object."""
    for name, declared in properties.items():
        node = schema_rules.followed(document, declared)
        if "properties" in node:
            yield from leaves(document, node["properties"], f"{prefix}{name}.")
        else:
            yield prefix + name
