"""Which accounts of an OU a stage deploys to: the active ones, and none silently left out."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.accounts import is_active
from pipeline.console import UserError


@pytest.mark.parametrize(
    ("account", "active"),
    [
        ({"State": "ACTIVE"}, True),
        ({"State": "CLOSED", "Status": "ACTIVE"}, False),
        ({"Status": "ACTIVE"}, True),
        ({"Status": "SUSPENDED"}, False),
    ],
)
def test_the_state_of_an_account_decides_and_its_former_status_where_there_is_none(account: Any, active: bool) -> None:
    assert is_active(account | {"Id": "1"}) is active


def test_an_account_that_shows_neither_is_an_error() -> None:
    with pytest.raises(UserError, match="account 1: the build image's boto3 does not show the State"):
        is_active({"Id": "1"})
