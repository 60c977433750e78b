"""The keywords of a payload's schema, each with an answer that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.answer_schema import problems_of, violation

SCORE: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}


@pytest.mark.parametrize(
    ("schema", "right", "wrong", "said"),
    [
        ({"type": "number"}, 1, True, "the answer: expected number, got true"),
        ({"type": "boolean"}, False, 0, "the answer: expected boolean, got 0"),
        ({"type": "null"}, None, 0, "the answer: expected null, got 0"),
        (SCORE, 0.5, 1.5, "the answer: expected at least 0 and at most 1, got 1.5"),
        (SCORE, 0, float("nan"), "the answer: expected at least 0 and at most 1, got nan"),
        ({"type": "number"}, 1, float("nan"), "the answer: expected a number, got nan"),
        ({"enum": ["yes", 1]}, 1, "no", 'the answer: expected one of "yes", 1, got "no"'),
        ({"enum": [1]}, 1, True, "the answer: expected one of 1, got true"),
        ({"type": "array", "minItems": 2}, [1, 2], [1], "the answer: expected at least 2 items, got 1"),
        ({"type": "array", "items": SCORE}, [0, 1], [0, 2], "the answer[1]: expected at least 0 and at most 1, got 2"),
        ({"type": "object", "required": ["p"]}, {"p": 1}, {"q": 1}, "the answer: expected p in it, got q"),
        (
            {"type": "object", "properties": {"p": SCORE}},
            {"p": 1, "q": "x"},
            {"p": "1"},
            'the answer.p: expected number, got "1"',
        ),
    ],
)
def test_a_schema_holds_and_breaks(schema: dict[str, Any], right: Any, wrong: Any, said: str) -> None:
    assert problems_of(schema, "s") == []
    assert violation(schema, right) == ""
    assert violation(schema, wrong) == said


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({}, "s is empty"),
        ({"type": "integer"}, 's.type is "integer": write one of number, string'),
        ({"pattern": "a"}, 's.pattern is "a": no such key is known. Write one of type'),
        ({"type": "array", "items": {"minimun": 1}}, "s.items.minimun is 1: no such key is known. Write one of type"),
        ({"type": "object", "properties": {"p": {"enum": []}}}, "s.properties.p.enum is a list: write a list"),
        ({"type": "number", "minimum": 2, "maximum": 1}, "s: minimum 2 is above maximum 1"),
        ({"required": ["p"]}, 's.required holds for "type": "object" alone'),
        ({"type": "array", "maxItems": -1}, "s.maxItems is -1: write a whole number from 0"),
    ],
)
def test_a_mistake_in_a_schema_is_named_with_its_place(schema: dict[str, Any], problem: str) -> None:
    assert any(one.startswith(problem) for one in problems_of(schema, "s")), problems_of(schema, "s")
