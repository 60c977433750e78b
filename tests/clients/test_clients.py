"""The page and the environments of `make clients` fit its table; `make clients` itself runs them."""

from __future__ import annotations

import re

import pytest

from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UsageError
from tests.clients.__main__ import main
from tests.clients.table import CLIENTS, HEAD, PAGE, Client, rows, shown


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.play.__name__)
def test_the_page_shows_each_client_at_the_version_that_is_pinned(client: Client) -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page.partition(HEAD)[2].partition("\n\n")[0].splitlines()
    assert rows(shown(page)) == HEAD + "".join(f"{line}\n" for line in table)
    (row,) = (line for line in table if line.startswith(f"| {client.name} |"))
    _, version, what, outcome = (cell.strip() for cell in row.strip("|").split(" | "))
    assert (version, what) == (client.version, client.what)
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", version)
    assert outcome not in ("", "–"), f"{client.name}: run `make clients ARGS=--write`"


def test_the_target_makes_the_environment_of_every_client() -> None:
    rule = re.search(r"^clients: (.+?) ##", (ROOT / "develop.mk").read_text(encoding="utf-8"), re.MULTILINE)
    assert rule is not None
    made = {word.removeprefix(".venv-").removesuffix("/.ready") for word in rule[1].split()}
    assert made == {client.lock.split("/")[0].removesuffix(".txt") for client in CLIENTS}


def test_a_client_that_is_none_is_refused_with_the_names() -> None:
    with pytest.raises(UsageError, match="the clients are aws_cli, git"):
        main(["--only", "cdk,terraform"])
