"""Samples of the cases of `make fidelity`, with the other evaluators' answers: ours are the same, or settled."""

from __future__ import annotations

import json

import pytest

from tests.fidelity.cases import Case, make, ours
from tests.fidelity.judges import JUDGES

SAMPLES = {
    name: [json.loads(line) for line in judge.sample.read_text(encoding="utf-8").splitlines()]
    for name, judge in JUDGES.items()
}
SETTLED = {
    "iam-simulate": {"arn", "excepted", "excluded", "negated", "root", "type", "version"},
    "principalmapper": {"defaults", "everyone", "exists", "negated", "places", "sessions", "single", "variables"},
}  # fmt: skip


@pytest.mark.parametrize("name", JUDGES)
def test_ours_decides_as_the_other_evaluator_or_as_the_page_says(name: str) -> None:
    reasons = set()
    for kept in SAMPLES[name]:
        case = Case(**kept["case"])
        if ours(case).allowed != (kept["other"] == "Allowed"):
            reasons.add(JUDGES[name].settled(case, kept["other"]))
    assert reasons == SETTLED[name] < set(JUDGES[name].pages)


@pytest.mark.parametrize(("name", "noticed"), [("iam-simulate", 5), ("principalmapper", 6)])
def test_an_evaluator_that_decides_otherwise_is_noticed(name: str, noticed: int) -> None:
    agreeing = [Case(**kept["case"]) for kept in SAMPLES[name] if kept["other"] == "Allowed"]
    wrong = [case for case in agreeing if ours(case).allowed and JUDGES[name].settled(case, "ImplicitlyDenied") == ""]
    assert len(wrong) == noticed


def test_a_case_is_the_same_each_time() -> None:
    assert make(17) == make(17) != make(18)
