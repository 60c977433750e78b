"""JSONata expressions: their values, and that none of them can hold the embedded AWS up."""

from __future__ import annotations

import re
from typing import Any

import pytest

from localaws.services.stepfunctions import expressions

INPUT = {"nothing": None, "list": [5], "products": [{"calories": 140}, {"calories": 0, "name": "Lime"}], "half": 0.5}


def evaluated(expression: str, **variables: Any) -> Any:
    return expressions.evaluate(expression, {"states": {"input": INPUT}, **variables})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$states.input.nothing", None),
        ("$states.input.nothing = null", True),
        ("$states.input.missing", expressions.UNDEFINED),
        ("$states.input.list", [5]),
        ("$states.input.products[calories=0]", {"calories": 0, "name": "Lime"}),
        ("$states.input.half * 4", 2),
        ("$none", None),
        ("$one + 1", 2),
        ("{'kept': 1, 'left out': $states.input.missing}", {"kept": 1}),
        ("[1..3]", [1, 2, 3]),
        ("$contains('model-3', /^model-[0-9]+$/)", True),
        ("($f := function($n){ $n = 0 ? 0 : 1 + $f($n - 1) }; $f(50))", 50),
        ("$partition([1,2,3,4,5], 2.9)", [[1, 2], [3, 4], [5]]),
        ("$range(0, 10, 2)", [0, 2, 4, 6, 8, 10]),
        ("$range(5, 1, -2)", [5, 3, 1]),
        ("$hash('a', 'SHA-1')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ("$random(5) = $random(5) and $random() < 1", True),
        ("$parse('{\"a\": [1, null]}').a", [1, None]),
    ],
)  # fmt: skip
def test_an_expression_has_a_value(expression: str, value: Any) -> None:
    assert evaluated(expression, none=None, one=1) == value


def test_a_uuid_is_of_version_4_and_another_each_time() -> None:
    first, second = evaluated("[$uuid(), $uuid()]")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first)
    assert first != second


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("$states.input.products + 1", "T2001: The left side"),
        ("1 / 0", "D1001: Number out of range"),
        ("$missing(1)", "T1006: Attempted to invoke a non-function"),
        ("$eval('1')", "T1006: Attempted to invoke a non-function"),
        ("$sum", "returned a function"),
        ("$partition([1], 0)", "a positive number"),
        ("$range(1, 2, 0)", "must not be 0"),
        ("$range('a', 2, 1)", "must be a number"),
        ("$hash('a', 'CRC')", "one of MD5, SHA-1"),
        ("$parse('{')", "Expecting property name"),
        ("$error('my own')", "my own"),
    ],
)
def test_an_expression_fails(expression: str, problem: str) -> None:
    with pytest.raises(expressions.ExpressionFailed, match=re.escape(problem)):
        evaluated(expression)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("($f := function(){ $f() }; $f())", "timeout"),
        ("$match($pad('', 40, 'a') & 'b', /(a+)+c/)", "timeout"),
        ("($f := function(){ 1 + $f() }; $f())", "Stack overflow error"),
        ("(" * 3000 + "1" + ")" * 3000, "Stack overflow error"),
        ("$pad('', 2000000000)", "memory limit exceeded"),
        ("$count($range(0, 1000000000, 1))", "memory limit exceeded"),
        ("($f := function($x, $n){ $n = 0 ? $x : $f($x & $x, $n - 1) }; $length($f('a', 40)))", "memory limit|timeout"),
    ],
)
def test_a_hostile_expression_is_ended_and_the_next_one_is_answered(expression: str, problem: str) -> None:
    with pytest.raises(expressions.ExpressionFailed, match=problem):
        evaluated(expression)
    assert evaluated("1 + 1") == 2


def test_a_worker_that_does_not_answer_is_ended_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated("1")
    first = expressions._worker._process
    monkeypatch.setattr(expressions, "ANSWER_SECONDS", 0.2)
    with pytest.raises(expressions.ExpressionFailed, match="timeout"):
        evaluated("($f := function(){ $f() }; $f())")
    monkeypatch.undo()
    assert first is not None
    assert first.returncode == -9
    assert evaluated("1 + 1") == 2


@pytest.mark.parametrize(
    ("expression", "states", "document"),
    [
        ("$states.result.Payload & $states.context.Execution.Id", ["context", "result"], False),
        ("$states.`result`", ["result"], False),
        ("$order[$.total > 10 and total < 20].{'k': v}", [], False),
        ("$states.input ~> |products|{'seen': calories}|", ["input"], False),
        ("$states.input.products^(>calories){name: $sum(calories)}", ["input"], False),
        ("total", [], True),
        ("$.total", [], True),
        ("$x + total", [], True),
        ("$order[$$.total > 10]", [], True),
        ("*", [], True),
    ],
)
def test_what_an_expression_refers_to_is_found(expression: str, states: list[str], document: bool) -> None:
    found = expressions.references(expression)
    assert (found["states"], found["document"]) == (states, document)


@pytest.mark.parametrize(
    ("text", "source", "unclosed"),
    [
        ("{% $x %}", "$x", False),
        ("{%$x%}", "$x", False),
        ("plain", None, False),
        ("{%}", None, True),
        (" {% $x %}", None, True),
        ("{% $x", None, True),
        ("$x %}", None, True),
        ("100% {sure}", None, False),
    ],
)
def test_an_expression_opens_and_closes_its_string(text: str, source: str | None, unclosed: bool) -> None:
    assert (expressions.source(text), expressions.unclosed(text)) == (source, unclosed)
