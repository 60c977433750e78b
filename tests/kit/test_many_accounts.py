"""Hundreds of accounts: what is asked side by side, how often, and how it reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from scripts.kit import plan
from scripts.kit.console import SHOWN, UserError, some
from scripts.kit.organization import joining
from scripts.kit.organization import state as organization
from scripts.kit.plan import PlanStep
from scripts.kit.projects import rollback, status_view
from scripts.kit.projects.status import EndpointPlace, ProjectStatus, StageStatus
from scripts.kit.settings import reading
from scripts.kit.stacks import stack as stacks
from scripts.kit.stacks import stackset as stacksets
from scripts.kit.stages import Stage
from scripts.kit.together import together
from tests.support import EXAMPLE_SETTINGS

IDS = [f"4{number:011}" for number in range(1, 301)]

# -- how it reads ------------------------------------------------------------------------------


def test_accounts_that_are_alike_are_shown_by_their_number() -> None:
    steps = [PlanStep("keep", "account", id, "in models/staging") for id in IDS[:290]]
    steps += [PlanStep("change", "account", id, "move to models/staging") for id in IDS[290:]]
    steps += [PlanStep("create", "stack", f"target in {id}") for id in IDS]
    assert plan.lines(steps)[0] == "  = keep   account       290 accounts (in models/staging)"
    assert len(plan.lines(steps)) == 1 + 10 + SHOWN + 1
    assert plan.lines(steps)[-1] == "  + create stack         target in 297 more accounts"
    assert plan.lines(steps, every=True) == [plan.line(step) for step in steps]


def test_what_is_said_of_one_account_alone_is_not_lost_among_many() -> None:
    steps = [PlanStep("keep", "stack", f"target in {id}") for id in IDS]
    steps.insert(150, PlanStep("change", "stack", f"target in {IDS[0]}", "ExternalId"))
    assert plan.line(steps[150]) in plan.lines(steps)


def test_a_long_list_is_shortened_to_its_beginning() -> None:
    assert some(IDS[:3]) == ", ".join(IDS[:3])
    assert some(IDS) == f"{', '.join(IDS[:3])} and 297 more"


REASON = "Endpoint: The account-level service limit 'ml.m5.large for endpoint usage' is 0 (account {}, Request ID: {})"


def places(failed: int) -> tuple[EndpointPlace, ...]:
    """A thousand accounts in two Regions, of which the last ones failed in the first Region."""
    return tuple(
        EndpointPlace(f"4{number:011}", region, "?", "failed", "", REASON.format(f"4{number:011}", uuid4()))
        if number >= 1_000 - failed and region == "us-east-1"
        else EndpointPlace(f"4{number:011}", region, "3", "in service", f"2026-11-26 11:{number % 60:02}")
        for number in range(1_000)
        for region in ("us-east-1", "eu-west-1")
    )


def shown(failed: int, every: bool = False) -> list[tuple[str, ...]]:
    stage = StageStatus("staging", "3", "Approved", "UPDATE_COMPLETE", "2026-11-26 11:59", "", places(failed))
    return list(status_view.rows(ProjectStatus("iris", "p-1", "CreateCompleted", (), (stage,)), every))


def test_the_status_of_two_thousand_endpoints_says_what_failed_and_where_first_and_counts_the_rest() -> None:
    assert [(row[1], row[2], row[4]) for row in shown(2)] == [
        ("400000000998", "us-east-1", "failed"),
        ("400000000999", "us-east-1", "failed"),
        ("998 accounts", "us-east-1", "in service"),
        ("1,000 accounts", "eu-west-1", "in service"),
    ]
    assert shown(2)[-1][5] == "2026-11-26 11:59"
    assert REASON.format("400000000998", "")[:80] in shown(2)[0][7]
    assert len(shown(2, every=True)) == 2_000


def test_what_failed_for_one_reason_in_many_accounts_is_reported_once_with_their_number() -> None:
    line = shown(500)
    assert [row[1] for row in line] == [
        "400000000500", "400000000501", "400000000502", "497 more accounts", "500 accounts", "1,000 accounts",
    ]  # fmt: skip
    assert [row[7] for row in line[1:4]] == [status_view.SAME] * 3
    assert line[0][7] == REASON.format("400000000500", line[0][7].split("Request ID: ")[1][:-1])


def test_a_rollback_names_a_few_of_the_accounts_that_have_joined() -> None:
    line = rollback.difference(((), ()), (tuple(IDS), ()))
    assert line == f"{', '.join(IDS[:3])} and 297 more joined"


def test_more_accounts_in_a_list_than_a_parameter_holds_are_reported_before_anything_is_sent() -> None:
    room = [f"4{number:011}" for number in range(315)]
    assert stacks.make_plan(stacks.WantedStack("1", "s", "", {"TargetAccountIds": ",".join(room)}), stacks.FoundStack())
    want = stacks.WantedStack("1", "s", "", {"TargetAccountIds": ",".join([*room, "222222222222"])})
    with pytest.raises(UserError, match="the parameter TargetAccountIds of s in 1 has 4,107 bytes"):
        stacks.make_plan(want, stacks.FoundStack())


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

    with pytest.raises(ValueError, match=r"^\d+$"):
        together([partial(job, number) for number in range(100)], workers=1)
    assert len(begun) < 100


@pytest.mark.parametrize(("accounts", "share"), [(0, 100), (1_000, 100), (10_000, 100), (25_000, 40), (50_000, 20)])
def test_a_stack_set_works_on_no_more_accounts_at_once_than_aws_allows(accounts: int, share: int) -> None:
    assert stacksets.preferences(accounts)["MaxConcurrentPercentage"] == share


# -- accounts that are made --------------------------------------------------------------------


class Slow:
    """Organizations that takes a while for each account: a request is done when it is listed for the second time.

    most: how many were under way at once; quota: how many it makes
    busy: how often it refuses, because others have as many under way as it takes
    """

    def __init__(self, quota: int = 1_000, busy: int = 0) -> None:
        self.busy = busy
        self.working: dict[str, dict[str, Any]] = {}
        self.done: dict[str, dict[str, Any]] = {}
        self.most, self.quota, self.moved = 0, quota, dict[str, str]()
        self.seen: set[str] = set()

    def create_account(self, **given: str) -> Any:
        if len(self.done) + len(self.working) == self.quota:
            error = {"Error": {"Code": "ConstraintViolationException"}, "Reason": "ACCOUNT_NUMBER_LIMIT_EXCEEDED"}
            raise ClientError(error, "CreateAccount")  # type: ignore[arg-type]
        if self.busy:
            self.busy -= 1
            error = {"Error": {"Code": "ConstraintViolationException"}, "Reason": organization.AT_ONCE}
            raise ClientError(error, "CreateAccount")  # type: ignore[arg-type]
        number = len(self.done) + len(self.working)
        status = {"Id": f"car-{number}", "AccountName": given["AccountName"], "State": "IN_PROGRESS"}
        self.working[status["Id"]] = status
        self.most = max(self.most, len(self.working))
        return {"CreateAccountStatus": status}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_create_account_status"
        return self

    def paginate(self, **given: list[str]) -> Iterator[Any]:
        assert given == {"States": ["IN_PROGRESS"]}
        for id in self.seen & self.working.keys():
            self.done[id] = self.working.pop(id) | {"State": "SUCCEEDED", "AccountId": f"{int(id[4:]):012}"}
        self.seen |= self.working.keys()
        yield {"CreateAccountStatuses": list(self.working.values())}

    def describe_create_account_status(self, **given: str) -> Any:
        return {"CreateAccountStatus": (self.done | self.working)[given["CreateAccountRequestId"]]}

    def list_parents(self, **_: str) -> Any:
        return {"Parents": [{"Id": "r-ab12"}]}

    def move_account(self, **given: str) -> None:
        self.moved[given["AccountId"]] = given["DestinationParentId"]


SETTINGS = reading.parse(EXAMPLE_SETTINGS, "example")
UNITS = {SETTINGS.units.of(Stage.STAGING): "ou-ab12-stag1111"}
NEW = [{"name": f"models-{n}", "email": f"models-{n}@example.com", "stage": "staging"} for n in range(23)]


def test_five_accounts_are_made_at_a_time_and_each_goes_into_its_unit() -> None:
    organizations: Any = Slow()
    assert joining.make(organizations, SETTINGS, UNITS, NEW) == (SETTINGS, [])
    assert organizations.most == joining.MOST_AT_ONCE == 5
    assert list(organizations.moved.values()) == ["ou-ab12-stag1111"] * len(NEW)


def test_requests_that_an_interrupted_run_left_are_followed_and_count() -> None:
    organizations: Any = Slow()
    for number in (0, 1):
        organizations.create_account(AccountName=NEW[number]["name"], Email=NEW[number]["email"])
    organizations.create_account(AccountName="another-teams", Email="other@example.com")
    assert joining.make(organizations, SETTINGS, UNITS, NEW)[1] == []
    assert organizations.most == 5
    assert (len(organizations.done), len(organizations.moved)) == (len(NEW) + 1, len(NEW))


def test_at_the_quota_those_that_were_asked_for_are_finished_and_the_rest_is_reported() -> None:
    organizations: Any = Slow(quota=7)
    _, problems = joining.make(organizations, SETTINGS, UNITS, NEW)
    assert len(organizations.moved) == 7
    assert problems == [
        "the organization has as many accounts as its quota allows: 16 of new_accounts are not made. " + joining.THEN
    ]


def test_where_others_have_as_many_under_way_as_aws_takes_it_is_asked_again() -> None:
    organizations: Any = Slow(busy=2)
    assert joining.make(organizations, SETTINGS, UNITS, NEW[:1]) == (SETTINGS, [])
    assert (organizations.busy, len(organizations.moved)) == (0, 1)


def test_an_account_of_another_organization_is_reported_and_the_others_are_invited() -> None:
    invited = []

    class Organizations:
        def invite_account_to_organization(self, Target: dict[str, str]) -> Any:  # noqa: N803
            if Target["Id"] == "222222222222":
                error = {"Error": {"Code": "HandshakeConstraintViolationException"}, "Reason": joining.TAKEN}
                raise ClientError(error, "InviteAccountToOrganization")  # type: ignore[arg-type]
            invited.append(Target["Id"])
            return {"Handshake": {"Id": "h-1"}}

    organizations: Any = Organizations()
    [problem] = joining.invite(organizations, ["111111111111", "222222222222", "333333333333"])
    assert invited == ["111111111111", "333333333333"]
    assert problem.startswith("the account 222222222222 of invited_accounts is in an organization already")
