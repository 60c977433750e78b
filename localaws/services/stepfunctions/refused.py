"""How CreateStateMachine refuses a definition."""

from __future__ import annotations

from awslang.errors import AwsError


def invalid(message: str) -> AwsError:
    return AwsError("InvalidDefinition", f"Invalid State Machine Definition: '{message}'")


def schema(message: str, place: str) -> AwsError:
    return invalid(f"SCHEMA_VALIDATION_FAILED: {message} at {place}")
