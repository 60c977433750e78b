"""The environment file's YAML: types of YAML 1.2, and the line of everything in it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml

from scripts.kit.settings import yaml_lines


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"), ("On", "On"), ("true", True), ("FALSE", False), ("~", None), ("", None), ("null", None),
        ("012345678901", 12345678901), ("0o17", 15), ("0x1F", 31), ("1_000", 1000), ("-7", -7), ("1e3", 1000.0),
        (".5", 0.5), ("-.INF", -math.inf), ("2026-11-29", "2026-11-29"), ("12:30:45", "12:30:45"), ("'7'", "7"),
        ("=", "="), ("<<", "<<"), ("!!str 7", "7"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_a_scalar_has_the_type_of_yaml_1_2(written: str, value: Any) -> None:
    found = yaml_lines.load(f"key: {written}")["key"]
    assert (found, type(found)) == (value, type(value))


def test_mappings_and_lists_know_their_lines() -> None:
    found = yaml_lines.load("a: 1\n\nb:\n  - x\n  # why\n  - {c: 2}\nd: [y,\n  z]\n")
    assert found.lines == {"a": 1, "b": 3, "d": 7}
    assert (found["b"].lines, found["b"][1].lines, found["d"].lines) == ([4, 6], {"c": 6}, [7, 8])


def test_an_alias_is_what_it_stands_for() -> None:
    found = yaml_lines.load("a: &all [1, 2]\nb: *all\nc: &empty\nd: *empty\n")
    assert (found["b"], found["d"]) == ([1, 2], None)


def test_an_empty_text_is_none() -> None:
    assert yaml_lines.load("# nothing\n") is None


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("a: 1\nb: 2\na: 3", "the key a is given twice", 3),
        ("a: 1\n? [b]\n: 2", "a key is not text", 2),
        ("a:\n  b: !secret x", "the tag !secret is not supported", 2),
        ("a: 1\nb: !!set {x}", "the tag tag:yaml.org,2002:set is not supported", 2),
        ("a: 1\nb: &b [1, *b]", "an alias stands inside what it stands for", 2),
        ("a: 1\nb: [2", "did not find expected ',' or ']'", 2),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, problem: str, line: int) -> None:
    with pytest.raises(yaml.MarkedYAMLError) as error:
        yaml_lines.load(text)
    assert problem in str(error.value.problem)
    assert error.value.problem_mark is not None
    assert error.value.problem_mark.line + 1 in (line, line + 1)
