"""Checks an input against the limits that the API model states: lengths, patterns, ranges, enumerations."""

from __future__ import annotations

from typing import Any

from moto.core.utils import get_service_model

from awslang.errors import AwsError
from awslang.template.patterns import compiled
from localaws.calls import Call


def check(call: Call, code: str = "ValidationException") -> None:
    """AwsError(code) with AWS's usual wording where the input breaks the API model.

    Common Errors, "ValidationError: The input fails to satisfy the constraints specified by an AWS service".
    """
    shape = get_service_model(call.service).operation_model(call.operation).input_shape
    found = violations(shape, call.params, "") if shape else []
    if found:
        count = "1 validation error" if len(found) == 1 else f"{len(found)} validation errors"
        raise AwsError(code, f"{count} detected: {'; '.join(found)}")


def violations(shape: Any, value: Any, path: str) -> list[str]:
    """What is wrong with a value, in AWS's words; path: where it stands, as projectName or tags.1.member.key."""
    if shape.type_name == "structure":
        found = []
        for name, member in shape.members.items():
            inner = f"{path}.{lower(name)}".lstrip(".")
            if name in value and value[name] is not None:
                found += violations(member, value[name], inner)
            elif name in shape.required_members and not member.metadata.get("idempotencyToken"):
                found.append(f"Value null at '{inner}' failed to satisfy constraint: Member must not be null")
        return found
    if shape.type_name == "list":
        found = size(shape, len(value), value, path)
        for number, item in enumerate(value, 1):
            found += violations(shape.member, item, f"{path}.{number}.member")
        return found
    if shape.type_name == "string":
        return size(shape, len(value), value, path) + text(shape, value, path)
    if shape.type_name in {"integer", "long"}:
        return size(shape, value, value, path)
    return []


def lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def size(shape: Any, number: int, value: Any, path: str) -> list[str]:
    what = "value" if shape.type_name in {"integer", "long"} else "length"
    found = []
    if "min" in shape.metadata and number < shape.metadata["min"]:
        found.append(f"Member must have {what} greater than or equal to {shape.metadata['min']}")
    if "max" in shape.metadata and number > shape.metadata["max"]:
        found.append(f"Member must have {what} less than or equal to {shape.metadata['max']}")
    return [f"Value '{value}' at '{path}' failed to satisfy constraint: {message}" for message in found]


def text(shape: Any, value: str, path: str) -> list[str]:
    found = []
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        found.append(f"Member must satisfy enum value set: [{', '.join(enum)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not compiled(pattern).fullmatch(value):
        found.append(f"Member must satisfy regular expression pattern: {pattern}")
    return [f"Value '{value}' at '{path}' failed to satisfy constraint: {message}" for message in found]
