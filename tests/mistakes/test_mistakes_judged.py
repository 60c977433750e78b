"""Mistakes that the judges find without a rehearsal: those of the templates, and those of the build image."""

from __future__ import annotations

import pytest

from tests.mistakes import Mistake, load
from tests.mistakes.judged import JUDGES, judged

JUDGED = [mistake for mistake in load() if mistake.by in JUDGES]


@pytest.mark.parametrize("mistake", JUDGED, ids=lambda mistake: mistake.id)
def test_the_judges_find_the_mistake_and_say_what_it_does(mistake: Mistake) -> None:
    said = judged(mistake)
    assert mistake.unsaid(said) == [], said
