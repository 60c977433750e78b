"""Mistakes that the judges of the templates find (tests/support/judges, tests/support/who_may)."""

from __future__ import annotations

import pytest

from tests.mistakes import Mistake, load
from tests.mistakes.judged import judged

JUDGED = [mistake for mistake in load() if mistake.by == "template-judges"]


@pytest.mark.parametrize("mistake", JUDGED, ids=lambda mistake: mistake.id)
def test_the_judges_find_the_mistake_and_say_what_it_does(mistake: Mistake) -> None:
    said = judged(mistake)
    assert mistake.unsaid(said) == [], said
