"""The environment file's YAML: types of YAML 1.2, and the line of everything in it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml

from scripts.kit.settings import yaml_lines


def load(text: str) -> Any:
    def never(*given: object) -> None:
        raise AssertionError(given)

    return yaml_lines.load(text, never)


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
    found = load(f"key: {written}")["key"]
    assert (found, type(found)) == (value, type(value))


def test_mappings_and_lists_know_their_lines() -> None:
    found = load("a: 1\n\nb:\n  - x\n  # why\n  - {c: 2}\nd: [y,\n  z]\n")
    assert found.lines == {"a": 1, "b": 3, "d": 7}
    assert (found["b"].lines, found["b"][1].lines, found["d"].lines) == ([4, 6], {"c": 6}, [7, 8])


def test_an_alias_is_what_it_stands_for() -> None:
    found = load("a: &all [1, 2]\nb: *all\nc: &empty\nd: *empty\n")
    assert (found["b"], found["d"]) == ([1, 2], None)


def test_an_empty_text_is_none() -> None:
    assert load("# nothing\n") is None


@pytest.mark.parametrize(
    ("text", "path", "line", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "a", 3, "is given twice, first in line 1"),
        ("a: 1\n? [b]\n: 2", "the file", 2, "a key is not text"),
        ("a: 1\n!!binary b: 2", "the file", 2, "a key is not text"),
        ("a:\n  b: !secret x", "a.b", 2, "the tag !secret is not supported"),
        ("a: 1\nb: !!set {x}", "b", 2, "the tag tag:yaml.org,2002:set is not supported"),
        ("b: !!timestamp 2026-13-45", "b", 1, "the tag tag:yaml.org,2002:timestamp is not supported"),
        ("b: !!binary aGk=", "b", 1, "the tag tag:yaml.org,2002:binary is not supported"),
        ("a: [!!int abc]", "a[0]", 1, "the tag !!int does not fit 'abc'"),
        ("a: !!float abc", "a", 1, "the tag !!float does not fit 'abc'"),
        ("a: !!bool x", "a", 1, "the tag !!bool does not fit 'x'"),
        ("a: !!python/object/apply:os.system [id]", "a", 1,
         "the tag tag:yaml.org,2002:python/object/apply:os.system is not supported"),
        ("a: 1\nb: &b [1, *b]", "b[1]", 2, "an alias stands inside what it stands for"),
        (f"a: {'1' * 5000}", "a", 1, "a number of 5000 characters. Write text in quotes"),
    ],
)  # fmt: skip
def test_what_is_refused_is_reported_with_its_place_and_the_rest_is_read(
    text: str, path: str, line: int, problem: str
) -> None:
    found: list[tuple[str, int, str]] = []
    document = yaml_lines.load(f"{text}\nend: 7\n", lambda *given: found.append(given))
    assert found == [(path, line, problem)]
    assert document["end"] == 7


def test_what_is_not_yaml_has_its_line() -> None:
    with pytest.raises(yaml.MarkedYAMLError, match="did not find expected ',' or ']'") as error:
        load("a: 1\nb: [2")
    assert error.value.problem_mark is not None
    assert error.value.problem_mark.line in (1, 2)


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 50_000, "? " * 50_000])
def test_a_document_that_is_too_deep_is_refused_before_the_stack_ends(text: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError, match="nested deeper than 64 levels"):
        load(text)


def test_aliases_count_as_what_they_stand_for() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(yaml.MarkedYAMLError, match="more than 200,000 keys and values, with what the aliases stand"):
        load("\n".join(lines))
