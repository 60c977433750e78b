"""What the training repository lets through is what the container of SageMaker's XGBoost takes."""

from __future__ import annotations

import sys

import pytest

from localaws.containers import xgboost_hyperparameters as container
from localaws.containers.content_types import CustomerError
from tests.support import ROOT

sys.path.insert(0, str(ROOT / "seed-code" / "model-build"))

import hyperparameters
from steps.metrics import NAMES

EDGES = [-(2**31), -1, -0.5, 0, 0.03, 0.5, 1, 1.5, 2, 3, 4, 1000, 2**31 - 1, "many", "nan"]


def taken(name: str, value: object) -> bool:
    """Whether the container takes one hyperparameter."""
    try:
        container.check_kind(container.ALIASES.get(name, name), str(value))
        container.check_range(container.ALIASES.get(name, name), str(value))
    except CustomerError:
        return False
    return True


def test_the_same_names_exist() -> None:
    known = {*container.WHOLE, *container.REAL, *container.ONE_OF, *container.LISTS, *container.NESTED}
    given = {*hyperparameters.WHOLE, *hyperparameters.REAL, *hyperparameters.TEXTS, *hyperparameters.UNCHECKED}
    assert given | {"eval_metric"} == {name for name in known if name[0] != "_"}  # those of cross-validation
    assert container.ALIASES == hyperparameters.ALIASES
    assert set(container.METRICS) == hyperparameters.MEASURES
    assert {*hyperparameters.TEXTS["objective"]} < {*container.ONE_OF["objective"]}


@pytest.mark.parametrize("name", [*hyperparameters.WHOLE, *hyperparameters.REAL, *hyperparameters.ALIASES])
def test_the_same_numbers_are_taken(name: str) -> None:
    let_through = [value for value in EDGES if not [*hyperparameters.of_xgboost({name: value})]]
    assert let_through == [value for value in EDGES if taken(name, value) and value != "nan"]


@pytest.mark.parametrize("name", sorted(set(hyperparameters.TEXTS) - {"objective"}))
def test_the_same_texts_are_taken(name: str) -> None:
    assert [*hyperparameters.TEXTS[name]] == container.ONE_OF[name]


def test_every_direction_is_known_and_is_that_of_the_container() -> None:
    assert set().union(*NAMES.values()) <= hyperparameters.LESS_IS_BETTER | hyperparameters.MORE_IS_BETTER
    assert set(container.HIGHER_IS_BETTER) == hyperparameters.MORE_IS_BETTER & hyperparameters.MEASURES
    assert not hyperparameters.LESS_IS_BETTER & hyperparameters.MORE_IS_BETTER
