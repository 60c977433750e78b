"""A sample of the cases of `make fidelity`, with the other evaluator's answers: ours are still the same, or settled."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fidelity.cases import Case, make, ours
from tests.fidelity.settled import PAGES, settled

SAMPLE = [
    json.loads(line) for line in (Path(__file__).parent / "sample.jsonl").read_text(encoding="utf-8").splitlines()
]


def test_ours_decides_as_the_other_evaluator_or_as_the_page_says() -> None:
    reasons = set()
    for kept in SAMPLE:
        case = Case(**kept["case"])
        if ours(case).allowed != (kept["other"] == "Allowed"):
            reasons.add(settled(case, kept["other"]))
    assert reasons == {"arn", "excepted", "excluded", "negated", "root", "type", "version"} < set(PAGES)


def test_an_evaluator_that_decides_otherwise_is_noticed() -> None:
    agreeing = [Case(**kept["case"]) for kept in SAMPLE if kept["other"] == "Allowed"]
    wrong = [case for case in agreeing if ours(case).allowed and settled(case, "ImplicitlyDenied") == ""]
    assert len(wrong) == 5


def test_a_case_is_the_same_each_time() -> None:
    assert make(17) == make(17) != make(18)
