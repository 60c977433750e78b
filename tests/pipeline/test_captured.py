"""What is read of captured data, within bounds: a candidate's answers are its own, whatever they say."""

from __future__ import annotations

import io
import json
import math

import pytest

from pipeline import captured
from pipeline.captured import LIVE, Variant
from tests.support.shadowed import BEGAN, LATER, PREFIX, Endless, line, two_of_three


def test_a_request_is_known_by_its_callers_id_where_it_has_one() -> None:
    """Else two answers to requests of the same text, in another order, would be exchanged."""
    live, new = Variant(), Variant()
    for variant, answers in ((live, (("a", "1"), ("b", "2"))), (new, (("b", "2"), ("a", "1")))):
        for id, answer in answers:
            captured.take(variant, line("same", answer, id=id).encode(), BEGAN, LATER)
    assert captured.compared(live, new) == {"compared": 2, "agree": 2}


HOSTILE = ["{}", "[]", "null", "not JSON", '{"captureData": 3, "eventMetadata": {}}', "[" * 100_000,
           line("1", "2").replace("2026", "never"), line("1", "2").replace("2026", "2099"),
           "x" * captured.LONGEST + "yz", '{"captureData": [], "eventMetadata": []}']  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_a_line_of_another_form_is_left_out_and_counted(text: str) -> None:
    """A candidate that writes it hides an answer so: the card says how many are left out. Also of a time to come."""
    variant = Variant()
    for one in captured.lines(io.BytesIO(f"\n{text}\n{line('1', '2')}".encode())):
        captured.take(variant, one, BEGAN, LATER)
    assert (variant.left, variant.count) == (1, 1)


def test_reading_ends_where_there_is_enough() -> None:
    kept, variant = two_of_three(), Variant()
    captured.read(kept.client(), "b", f"{PREFIX}/{LIVE}/", BEGAN, variant, 2)  # type: ignore[arg-type]
    assert variant.count == 2
    assert not variant.unread


@pytest.mark.parametrize(("most", "ends", "read"), [(10, math.inf, 40), (10, 0.0, 0)])
def test_files_without_a_record_are_read_neither_without_number_nor_without_end(
    most: int, ends: float, read: int
) -> None:
    variant = Variant()
    captured.read(Endless().client(), "b", "f/", BEGAN, variant, most, ends)  # type: ignore[arg-type]
    assert (variant.left, variant.unread) == (read, True)


def test_a_large_answer_is_kept_as_a_hash() -> None:
    """6 MB of empty objects became 140 MB of memory for each answer, and the step ended by that."""
    large = "[" + ",".join(["{}"] * 500_000) + "]"
    other = large.replace("{", "[1", 1)
    kept = [captured.kept("application/json", text.encode()) for text in (large, f" {large}", other)]
    assert [len(one) < 100 for one in kept] == [True] * 3
    assert (captured.differs(kept[0], kept[1]), captured.differs(kept[0], kept[2])) == (False, True)


OTHERS = [
    (("text/csv", "1,2\n3,4"), ("text/csv", "1\n2\n3\n4")),
    (("text/csv", "1"), ("text/csv", "1\n1")),
    (("text/csv", "1"), ("application/json", "1")),
    (("application/json", "NaN"), ("application/json", "NaN")),
    (("application/json", "1" * 400), ("application/json", "1.5")),
    (("application/json", "[" * 100_000), ("application/json", "[]")),
    (("application/json", "1"), ("application/json", json.dumps("x" * 2_000))),
]


@pytest.mark.parametrize(("live", "new"), OTHERS)
def test_answers_of_another_form_are_other_answers(live: tuple[str, str], new: tuple[str, str]) -> None:
    was, is_now = (captured.kept(kind, text.encode()) for kind, text in (live, new))
    assert captured.differs(was, is_now)


def test_a_later_look_reads_what_is_new_alone() -> None:
    kept, variant = two_of_three(), Variant()
    for _ in range(2):
        captured.read(kept.client(), "b", f"{PREFIX}/{LIVE}/", BEGAN, variant)  # type: ignore[arg-type]
    assert variant.count == 4


def test_a_file_that_comes_late_with_an_earlier_name_is_read() -> None:
    kept, variant = two_of_three(), Variant()
    for count in (4, 5):
        captured.read(kept.client(), "b", f"{PREFIX}/{LIVE}/", BEGAN, variant)  # type: ignore[arg-type]
        assert variant.count == count
        kept.put(LIVE, "Z", line("7,8", "1"))  # before "a"
