"""Hundreds of accounts: what is asked side by side, how often, and how it reads."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from scripts.bundle import plan, stacksets
from scripts.bundle.console import some
from scripts.bundle.plan import Step
from scripts.bundle.together import together

IDS = [f"4{number:011}" for number in range(1, 301)]

# -- how it reads ------------------------------------------------------------------------------


def test_accounts_that_are_alike_are_shown_by_their_number() -> None:
    steps = [Step("keep", "account", id, "in models/staging") for id in IDS[:290]]
    steps += [Step("change", "account", id, "move to models/staging") for id in IDS[290:]]
    steps += [Step("create", "stack", f"target in {id}") for id in IDS]
    assert plan.lines(steps)[0] == "  = keep   account       290 accounts (in models/staging)"
    assert len(plan.lines(steps)) == 1 + 10 + plan.SHOWN + 1
    assert plan.lines(steps)[-1] == "  + create stack         target in 297 more accounts"
    assert plan.lines(steps, every=True) == [plan.line(step) for step in steps]


def test_what_is_said_of_one_account_alone_is_not_lost_among_many() -> None:
    steps = [Step("keep", "stack", f"target in {id}") for id in IDS]
    steps.insert(150, Step("change", "stack", f"target in {IDS[0]}", "ExternalId"))
    assert plan.line(steps[150]) in plan.lines(steps)


def test_a_long_list_is_told_by_its_beginning() -> None:
    assert some(IDS[:3]) == ", ".join(IDS[:3])
    assert some(IDS) == f"{', '.join(IDS[:3])} and 297 more"


# -- side by side ------------------------------------------------------------------------------


def test_jobs_run_side_by_side_and_answer_in_their_order() -> None:
    meet = threading.Barrier(4, timeout=30)

    def job(number: int) -> int:
        meet.wait()
        return number

    assert together([partial(job, number) for number in range(4)], workers=4) == [0, 1, 2, 3]


def test_after_an_error_no_further_job_is_begun() -> None:
    begun: list[int] = []

    def job(number: int) -> None:
        begun.append(number)
        raise ValueError(str(number))

    with pytest.raises(ValueError, match="0"):
        together([partial(job, number) for number in range(100)], workers=1)
    assert len(begun) < 100


@pytest.mark.parametrize(("accounts", "share"), [(0, 100), (1_000, 100), (10_000, 100), (25_000, 40), (50_000, 20)])
def test_a_stack_set_works_on_no_more_accounts_at_once_than_aws_allows(accounts: int, share: int) -> None:
    assert stacksets.preferences(accounts)["MaxConcurrentPercentage"] == share
