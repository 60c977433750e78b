"""The differences between the properties that a template sets and those that a service shows.

CloudFormation API Reference, PropertyDifference: ADD, REMOVE, NOT_EQUAL. Only what is set explicitly is compared (User
Guide, "Detect unmanaged configuration changes …", Note). The order of a list says nothing here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Difference = dict[str, str]


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def difference(kind: str, path: str, expected: Any, actual: Any) -> Difference:
    values = {"ExpectedValue": shown(expected), "ActualValue": shown(actual)}
    return {"PropertyPath": path, **values, "DifferenceType": kind}


def plain(value: Any) -> Any:
    """A document in place of its text, and a scalar's text: a template may write either."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, dict | list) else str(value)


def member(values: Mapping[str, Any], name: str) -> Any:
    """A member of what a service shows, whose name may differ in its case."""
    return next((value for key, value in values.items() if key.lower() == name.lower()), None)


def projected(expected: Any, actual: Any) -> Any:
    """What is, in the form and with the names of what is expected."""
    expected, actual = plain(expected), actual if actual is None else plain(actual)
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = {name: projected(value, member(actual, name)) for name, value in expected.items()}
        return {name: value for name, value in found.items() if value is not None}
    if isinstance(expected, list) and isinstance(actual, list):
        forms = expected + expected[-1:] * len(actual)
        return [projected(form, value) for form, value in zip(forms, actual, strict=False)] if expected else actual
    return actual


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[Difference]:
    """Each difference, at the innermost path."""
    expected = plain(expected)
    if actual is None:
        yield difference("REMOVE", path, expected, None)
        return
    actual = plain(actual)
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name, value in expected.items():
            yield from differences(value, member(actual, name), f"{path}/{name}")
    elif isinstance(expected, list) and isinstance(actual, list):
        yield from _of_lists(expected, actual, path)
    elif expected != actual:
        yield difference("NOT_EQUAL", path, expected, actual)


def _of_lists(expected: list[Any], actual: list[Any], path: str) -> Iterator[Difference]:
    left, missing = list(actual), []
    for place, value in enumerate(expected):
        same = next((one for one in left if not list(differences(value, one))), None)
        if same is None:
            missing.append((place, value))
        else:
            left.remove(same)
    for place, value in missing:
        if left and isinstance(value, dict):
            yield from differences(value, left.pop(0), f"{path}/{place}")
        else:
            yield difference("REMOVE", f"{path}/{place}", value, None)
    for value in left:
        yield difference("ADD", f"{path}/{actual.index(value)}", None, value)
