"""Resource types as the CloudFormation registry describes them (the schemas that cfn-lint ships)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
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
    conditional_create_only: frozenset[str]
    read_only: frozenset[str]
    write_only: frozenset[str]
    primary_identifier: tuple[str, ...]
    taggable: bool
    tag_property: str

    def handler_permissions(self, handler: str) -> list[str]:
        """The IAM actions that a handler (create, read, update, delete, list) needs; [] when not stated."""
        raise NotImplementedError

    def replaced_by(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
        """The create-only paths that differ: when there are any, the update replaces the resource."""
        raise NotImplementedError


def known(type: str, region: str = "us-east-1") -> bool:
    """Whether the registry has this type in this region."""
    raise NotImplementedError


def schema(type: str, region: str = "us-east-1") -> ResourceSchema:
    """The schema of a type (Custom::X too). KeyError when the registry has none in this region."""
    raise NotImplementedError


def coerce(type: str, properties: Mapping[str, Any], region: str = "us-east-1") -> dict[str, Any]:
    """Properties with the scalars that AWS converts itself ("true" → true, "5" → 5, 5 → "5")."""
    raise NotImplementedError


def problems(type: str, properties: Mapping[str, Any], logical_id: str, region: str = "us-east-1") -> list[str]:
    """What the registry's schema refuses, one full sentence each, in AWS's form; [] when nothing.

    "Properties validation failed for resource Bucket with message: #/Tags/0: required key [Value] not found"
    Coercion (see coerce) happens first. UNKNOWN values pass.
    """
    raise NotImplementedError


def attributes(type: str, region: str = "us-east-1") -> set[str]:
    """What Fn::GetAtt can ask of a type ("Arn", "Endpoint.Address")."""
    raise NotImplementedError


def has_attribute(type: str, attribute: str, region: str = "us-east-1") -> bool:
    """Whether Fn::GetAtt can ask for attribute (custom resources and nested stacks' Outputs.X included)."""
    raise NotImplementedError
