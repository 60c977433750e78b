"""`make doctor` without Organizations: the targets' roles of stack sets, and nothing of an organization."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localaws.server import EmbeddedAws
from tests.kit.doctor.cases import cases
from tests.support.doctor_examination import check_broken
from tests.support.doctor_world import World, make_alone

CASES = cases()
UNPUBLISHED = {"portfolio-missing", "product-missing"}  # what this installation still lacks


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("alone")
    with EmbeddedAws(folder) as cloud:
        yield make_alone(cloud, folder)
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def test_the_targets_are_checked_and_nothing_of_an_organization(alone: World) -> None:
    reader = alone.reader()
    assert {one.check.id for one in alone.look(reader)} == UNPUBLISHED
    assert list(reader.notes) == []


@pytest.mark.parametrize("id", sorted(id for id in CASES if CASES[id].alone))
def test_what_is_broken_is_found_with_how_to_fix_it(alone: World, id: str) -> None:
    check_broken(alone, id)


def test_everything_was_fixed_again(alone: World) -> None:
    assert {one.check.id for one in alone.look(alone.reader())} == UNPUBLISHED
