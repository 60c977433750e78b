"""The pages in docs/generated/ are what their commands write today, and each names its command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.kit.doctor import report
from scripts.rehearsal import permissions_page
from scripts.rehearsal.permissions import reasons
from tests import mistakes
from tests.mistakes import document
from tests.support import ROOT

PAGES = sorted((ROOT / "docs/generated").glob("*.md"))
TESTED_ELSEWHERE = {
    "notebook-01.md": "tests/rehearsal/test_notebooks.py"
}  # its outputs need the notebooks' environment


def test_the_permissions_are_those_of_the_templates() -> None:
    assert permissions_page.PAGE.read_text(encoding="utf-8") == permissions_page.page()


def test_every_reason_in_the_templates_stands_beside_its_statement() -> None:
    sections = dict(re.findall(r"^### (\w+) \(.*\n((?:(?!#).*\n?)*)", permissions_page.page(), re.MULTILINE))
    for path in sorted((ROOT / "templates").glob("*.yaml")):
        for holder, statements in reasons(path.read_text(encoding="utf-8")).items():
            for sid, written in statements.items():
                row = next(line for line in sections[holder].splitlines() if line.startswith(f"| {sid} | "))
                assert all(reason.text.split(":")[0] in row for reason in written), row


def test_the_checks_are_those_of_the_code() -> None:
    assert report.table() in report.PAGE.read_text(encoding="utf-8")


def test_the_mistakes_are_those_of_the_table() -> None:
    assert document.PLACE.read_text(encoding="utf-8") == document.document(mistakes.load())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_page_says_which_command_writes_it(page: Path) -> None:
    head = " ".join(page.read_text(encoding="utf-8")[:1500].split())
    assert re.search(
        r"([Ww]ritten|[Mm]ade|generated) (from the templates )?by `(python -m (scripts|tests)\.|make )", head
    )
    assert page.name not in TESTED_ELSEWHERE or (ROOT / TESTED_ELSEWHERE[page.name]).is_file()
