"""Mistakes in what the pipeline deploys and runs (templates 40 and 50, seed code): see test_mistakes.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mistakes import ROOT, SET_UP, Mistake, load
from tests.mistakes.checks import CHECKS, check_mistake
from tests.mistakes.world import World, prepared

PLAYED = [mistake for mistake in load() if mistake.by in CHECKS and mistake.file not in SET_UP]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with prepared(tmp_path_factory.mktemp("mistakes")) as made:
        yield made


@pytest.mark.parametrize("mistake", PLAYED, ids=lambda mistake: mistake.id)
def test_the_rehearsal_finds_the_mistake_and_says_where(world: World, mistake: Mistake) -> None:
    check_mistake(world, mistake)


def test_without_a_mistake_the_unit_tests_still_pass_after_all_of_them(world: World) -> None:
    file = "pipeline/build.py"
    status, printed = world.unit_tests.run(file, (ROOT / file).read_text(encoding="utf-8"), "test_build.py")
    assert status == 0, printed
