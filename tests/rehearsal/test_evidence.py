"""What the story accepts of the evidence card: a cost with its source, or why it is not known, which it repeats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pipeline import card, page
from scripts.rehearsal.embedded import published
from scripts.rehearsal.evidence import says_cost


class Prices:
    """The price list of the rehearsal, which has us-east-1 alone."""

    known = published().prices["regions"]

    def hourly(self, region: str, instance: str) -> float | None:
        found: float | None = self.known.get(region, {}).get(instance)
        return found


def shown(region: str, **found: str) -> bytes:
    """The part of the page that says the cost of a stage with these settings in one account."""
    prices: Any = Prices()
    cost = card.costs({}, set(), found, {("222222222222", region)}, prices)
    sources = "US dollars for 730 hours a month on demand, by the table of the deploy repository"
    return (page.costs({"prod": {"cost": cost}}) + sources).encode()


@pytest.mark.parametrize(
    ("region", "found", "said"),
    [
        ("eu-west-1", {"InstanceType": "ml.t2.medium"}, "no price of ml.t2.medium in eu-west-1"),
        ("us-east-1", {"InstanceType": "ml.c6i.large"}, "no price of ml.c6i.large in us-east-1"),
        ("us-east-1", {"EndpointKind": "serverless"}, "a serverless endpoint costs by its requests"),
    ],
)
def test_an_unknown_price_is_said_and_ends_no_story(
    region: str, found: Mapping[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says_cost(shown(region, **found))
    assert f"the monthly cost is not known: {said}" in capsys.readouterr().err


def test_a_card_with_neither_a_source_nor_a_reason_is_none() -> None:
    known = shown("us-east-1", InstanceType="ml.m5.large")
    assert not says_cost(known)
    assert says_cost(known + b"by AWS's price list of 2026-11-26")
