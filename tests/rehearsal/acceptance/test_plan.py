"""What an acceptance says before it makes anything: where, for how much, and what stays open."""

from __future__ import annotations

import pytest

from scripts.kit.stages import Stage
from scripts.rehearsal.acceptance.plan import (
    BUILD_MINUTES,
    BUILD_PRICE,
    BUILDS,
    HOURS,
    MORE_BUILDS,
    MORE_HOURS,
    TRAINING,
    Plan,
)

TWO_REGIONS = {Stage.STAGING: ("us-east-1", "eu-west-1"), Stage.PROD: ("us-east-1",)}
ACCOUNTS = {Stage.STAGING: ("333333333333",), Stage.PROD: ("222222222222", "444444444444")}
BOTH = {"data scientist": "ada", "approver": "grace"}
REST = BUILDS * BUILD_MINUTES * BUILD_PRICE + TRAINING


def test_the_cost_is_that_of_every_endpoint_for_the_time_and_of_the_builds() -> None:
    plan = Plan("kit-acceptance", ACCOUNTS, dict.fromkeys(Stage, ("us-east-1",)), BOTH)
    assert plan.endpoints == {Stage.STAGING: 1, Stage.PROD: 2}
    assert plan.cost == round(HOURS * (0.056 + 2 * 0.115) + REST, 2)  # ml.t2.medium, ml.m5.large: pipeline/prices.json
    assert plan.unproven == []
    assert plan.lines()[-1] == f"  at most about ${plan.cost:.2f}; all of it is removed at the end"


def test_a_stage_between_has_an_endpoint_as_staging_has_and_four_deployments_more() -> None:
    regions = dict.fromkeys(Stage, ("us-east-1",))
    two, five = (Plan("p", accounts, regions, BOTH) for accounts in (ACCOUNTS, dict.fromkeys(Stage, ("333333333333",))))
    assert five.endpoints == dict.fromkeys(Stage, 1)
    hours = HOURS + 3 * MORE_HOURS
    builds = (BUILDS + 3 * MORE_BUILDS) * BUILD_MINUTES * BUILD_PRICE
    assert five.cost == round(hours * (4 * 0.056 + 0.115) + builds + TRAINING, 2) > two.cost
    assert "  1 endpoint of uat (ml.t2.medium): 333333333333 in us-east-1" in five.lines()


def test_more_regions_cost_more_and_a_region_without_known_prices_is_named() -> None:
    one, two = (Plan("p", ACCOUNTS, regions, BOTH) for regions in (dict.fromkeys(Stage, ("us-east-1",)), TWO_REGIONS))
    assert two.endpoints[Stage.STAGING] == 2
    assert two.cost == pytest.approx(one.cost + HOURS * 0.056, abs=0.011)
    assert (one.unknown, two.unknown) == ([], ["eu-west-1"])
    assert "  the prices of eu-west-1 are not known: those of us-east-1 stand for them" in two.lines()


def test_the_chapters_that_one_profile_alone_does_not_prove_are_named() -> None:
    plan = Plan("p", ACCOUNTS, TWO_REGIONS, {"data scientist": "", "approver": ""})
    scientist, approver = plan.unproven
    assert scientist.startswith("project, training, model-approval, ")
    assert approver.startswith("deployment-approval, ")
    assert plan.as_data()["not_proven"] == [scientist, approver]
