"""Text that anybody may have written is read within bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from awslang.bounded import BoundedYaml, OutOfBounds, is_number, read_json


class Safe(BoundedYaml, yaml.SafeLoader):
    """PyYAML's own reader."""


class Fast(BoundedYaml, yaml.CSafeLoader):
    """libyaml's, which ends the process where a document is too deep."""


@pytest.mark.parametrize("loader", [Safe, Fast])
@pytest.mark.parametrize(
    "text", ["[" * 20_000, "- " * 20_000 + "x", "{a: " * 20_000, "? " * 20_000, "[" * 65 + "]" * 65]
)
def test_yaml_that_is_too_deep_is_refused(loader: Any, text: str) -> None:
    with pytest.raises(OutOfBounds, match="nested deeper than 64 levels"):
        yaml.compose(text, Loader=loader)


@pytest.mark.parametrize("loader", [Safe, Fast])
def test_yaml_within_bounds_is_read(loader: Any) -> None:
    deep = "[" * 60 + "]" * 60
    assert yaml.load(deep, Loader=loader) == json.loads(deep)
    assert yaml.load("a: &x [1]\nb: *x\n", Loader=loader) == {"a": [1], "b": [1]}


def test_yaml_with_too_many_values_is_refused() -> None:
    with pytest.raises(OutOfBounds, match="more than 200,000 keys and values"):
        yaml.compose(f"[{'1,' * 200_001}]", Loader=Fast)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested deeper than 64 levels"),
        ("[" * 66 + "]" * 66, "nested deeper than 64 levels"),
        (" " * 2_000_001, "more than 2,000,000 characters"),
        ("9" * 5000, "a number of 5000 digits"),
        ("1." + "9" * 5000, "a number of 5002 characters"),
        ("1e999", "1e999 is too large a number"),
        ("NaN", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("{", "Expecting property name"),
    ],
)
def test_json_that_is_out_of_bounds_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_json(text)


def test_json_within_bounds_is_read() -> None:
    assert read_json('{"a": [1, 2.5, null, "x"]}') == {"a": [1, 2.5, None, "x"]}


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", True), ("012", True), ("9" * 18, True), ("9" * 19, False), ("", False), ("²", False), ("٣", False),
     ("１", False), ("-1", False), ("1.0", False), ("1\n", False)],
)  # fmt: skip
def test_a_number_is_one_of_ascii_digits(text: str, number: bool) -> None:
    assert is_number(text) is number
