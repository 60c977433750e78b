"""Values that the template language adds to JSON's own, and how it writes scalars as text."""

from __future__ import annotations

from typing import Any


class Unknown:
    """A value that only exists once its resource does. Functions of it are UNKNOWN; schemas accept it."""

    def __repr__(self) -> str:
        return "(known after creation)"


class NoValue:
    """AWS::NoValue: whatever holds it leaves it out."""


UNKNOWN = Unknown()
NO_VALUE = NoValue()
Scalar = str | int | float | bool


def text(value: Scalar) -> str:
    """A scalar as CloudFormation writes it: true, 5, 1.5."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def texts(value: Any) -> Any:
    """The same value with every scalar as text, so that 5 and "5" are equal."""
    if isinstance(value, dict):
        return {key: texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [texts(item) for item in value]
    return text(value) if isinstance(value, str | int | float) else value


def has_unknown(value: Any) -> bool:
    """Whether UNKNOWN stands anywhere in a value."""
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    if isinstance(value, list):
        return any(map(has_unknown, value))
    return value is UNKNOWN
