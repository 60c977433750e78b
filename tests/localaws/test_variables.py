"""No variable of its user's environment that moto reads reaches the embedded AWS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import moto
import pytest

from localaws.variables import is_motos, take_away
from tests.support import ROOT

READ = re.compile(r"""(?:environ(?:\.get\(|\.pop\(|\[)|getenv\()\s*f?["']([A-Za-z0-9_]+)["']""")
NOT_OURS = re.compile(  # of a request, not of the process; of AWS's clients, which apart.py takes away; of a person
    r"(HTTP_\w+|CONTENT_\w+|PATH_INFO|RAW_URI|wsgi\w*|AWS_\w+|USERNAME|USER|TZ|HOME|PATH)"
)


def read_by_moto() -> set[str]:
    """Every variable that moto's code names."""
    folder = Path(moto.__file__).parent
    return {name for path in folder.rglob("*.py") for name in READ.findall(path.read_text(encoding="utf-8"))}


def test_every_variable_that_moto_reads_is_taken_away() -> None:
    found = read_by_moto()
    assert len(found) == 63, "all of the pinned moto's code is read"
    assert sorted(name for name in found if not is_motos(name) and not NOT_OURS.fullmatch(name)) == []


def test_what_is_taken_away_is_handed_back_and_all_else_stays() -> None:
    environment = {"MOTO_ACCOUNT_ID": "1", "TEST_SERVER_MODE": "true", "HOME": "/home"}
    assert take_away(environment) == {"MOTO_ACCOUNT_ID": "1", "TEST_SERVER_MODE": "true"}
    assert environment == {"HOME": "/home"}


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("MOTO_ACCOUNT_ID", "999988887777", "os.environ.get('MOTO_ACCOUNT_ID')"),  # moto looks at it for each request
        ("INITIAL_NO_AUTH_ACTION_COUNT", "0", "moto.settings.INITIAL_NO_AUTH_ACTION_COUNT"),
        ("TEST_SERVER_MODE", "true", "moto.settings.TEST_SERVER_MODE"),
    ],
)
def test_moto_sees_none_of_them_where_the_embedded_aws_loads_it(name: str, value: str, read: str) -> None:
    def seen(first: str, variables: dict[str, str]) -> str:
        line = [sys.executable, "-c", f"{first}; import os, moto.settings; print({read})"]
        done = subprocess.run(line, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=True)
        return done.stdout

    without = seen("pass", {})
    assert seen("import localaws", {name: value}) == without
    assert seen("pass", {name: value}) != without  # so the variable does change what moto sees
