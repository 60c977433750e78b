"""Where the lines of an acceptance and of a rehearsal differ."""

from __future__ import annotations

from typing import Any

from scripts.rehearsal.observing import differences


def chapter(name: str, outcome: str = "succeeded", **observed: str) -> dict[str, Any]:
    return {"name": name, "outcome": outcome, "observed": observed}


def test_equal_chapters_differ_in_nothing() -> None:
    played = [chapter("project", status="CreateCompleted"), chapter("training")]
    assert differences(played, [chapter("organization"), *played]) == []


def test_each_unequal_line_stands_with_both_sides_and_a_missing_one_as_a_hyphen() -> None:
    aws = [chapter("staging", status="Succeeded", code="Throttled", new="1")]
    embedded = [chapter("staging", status="Succeeded", code="", old="2")]
    assert differences(aws, embedded) == [
        {"chapter": "staging", "what": "code", "aws": "Throttled", "embedded": ""},
        {"chapter": "staging", "what": "new", "aws": "1", "embedded": "-"},
        {"chapter": "staging", "what": "old", "aws": "-", "embedded": "2"},
    ]


def test_a_chapter_that_failed_or_was_not_rehearsed_is_one_line() -> None:
    aws = [chapter("push", "failed", status="Failed"), chapter("rejection", status="Succeeded")]
    assert differences(aws, [chapter("push", status="Succeeded")]) == [
        {"chapter": "push", "what": "outcome", "aws": "failed", "embedded": "succeeded"},
        {"chapter": "rejection", "what": "outcome", "aws": "succeeded", "embedded": "not run"},
    ]
