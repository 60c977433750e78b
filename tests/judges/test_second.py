"""The judge of what happens the second time finds its places, and makes each see one alone. Its command runs it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.judges.second import TESTS, of_the_steps, places
from tests.support import ROOT

STEP = """
def share(client, accounts):
    for account in accounts:
        client.put_permission(account)
    return [client.describe_permission(account) for account in accounts]
"""


class Client:
    def __init__(self) -> None:
        self.given: list[str] = []

    def put_permission(self, account: str) -> None:
        self.given.append(account)

    def describe_permission(self, account: str) -> bool:
        return account in self.given


@pytest.mark.parametrize(
    ("what", "given", "answer"),
    [
        ("put_permission once", ["1"], [True, False]),
        ("the first of accounts", ["1"], [True, False]),  # of the loop
        ("the first of accounts", ["1", "2"], [True]),  # of what is answered
    ],
)
def test_a_request_that_writes_and_each_loop_see_one_alone(what: str, given: list[str], answer: list[bool]) -> None:
    made = [run(place.text) for place in places("share.py", STEP) if place.what == what]
    assert (given, answer) in made
    assert run(STEP) == (["1", "2"], [True, True])


def run(text: str) -> tuple[list[str], list[bool]]:
    """What a step gives two accounts, and answers."""
    names: dict[str, Any] = {}
    exec(text.replace("_signal.alarm(120)", ""), names)  # what the judge itself made
    client = Client()
    answer = names["share"](client, ["1", "2"])
    return client.given, answer


def test_every_step_has_such_places_and_tests_that_are_there() -> None:
    found = of_the_steps()
    assert {"pipeline/sharing.py", "pipeline/record.py", "pipeline/endpoints.py"} <= {one.file for one in found}
    assert sum(one.what.endswith(" once") for one in found) == 11
    for names in TESTS.values():
        assert all((ROOT / "tests/pipeline" / name).is_file() for name in names.split())
