"""What the story looks for on the evidence card, as the approver reads it."""

from __future__ import annotations

from scripts.kit.console import say

LISTED = b"price list of"  # pipeline/prices.py
UNKNOWN = (  # pipeline/card.py
    b"no price of", b"a serverless endpoint costs by its requests", b"transform jobs cost by their minutes",
)  # fmt: skip


def says_cost(card: bytes) -> bool:
    """Whether a card has a cost with its source, or says why it has none, which is repeated."""
    for words in UNKNOWN:
        if words in card:
            rest = card[card.index(words) :].split(b".</p>")[0].split(b"<")[0]
            say(f"    the monthly cost is not known: {rest.decode()}")
            return True
    return LISTED in card


def says_nothing_tested(card: bytes) -> bool:
    """Whether a card says that no stage before production has tested the version (pipeline/production_alone.py)."""
    return b"No staging: nothing was tested before production" in card
