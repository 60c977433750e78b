"""docs/developing: the steps of pages that can be performed, followed on a copy of the tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.exercises import Copy, steps_of

FOLDER = ROOT / "docs/developing"
# Each page that is performed, and what the first test run of its steps says before the code is there.
PERFORMED = {
    "add-an-operation.md": "Not supported by the embedded AWS: service-quotas:GetAWSDefaultServiceQuota",
    "add-a-resource-type.md": "AWS::Logs::LogStream is not supported",
    "add-a-service.md": "Not supported by the embedded AWS: acm:RequestCertificate",
}


@pytest.mark.parametrize("page", PERFORMED)
def test_the_steps_of_the_page_work(page: str, tmp_path: Path) -> None:
    """The first pytest of a page fails, because the code is not written yet; every other command succeeds."""
    copy = Copy.of_the_tree(tmp_path)
    ran = [done for step in steps_of((FOLDER / page).read_text(encoding="utf-8")) for done in copy.follow(step)]
    first = next(done for done in ran if "pytest" in done.args)
    assert first.returncode == 1
    assert PERFORMED[page] in first.stdout
    for done in ran:
        assert done is first or done.returncode == 0, f"{done.args}\n{done.stdout}{done.stderr}"
    assert len([done for done in ran if "pytest" in done.args]) == 3


def test_the_index_says_which_pages_are_performed() -> None:
    rows = [line for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| a")]
    marked = {page for page in PERFORMED if any(f"({page})" in row and row.endswith("| yes |") for row in rows)}
    assert marked == set(PERFORMED)
    assert sum(row.endswith("| yes |") for row in rows) == len(PERFORMED) + 1  # and CONTRIBUTING
    listed = {path.name for path in FOLDER.glob("add-*.md") if any(f"({path.name})" in row for row in rows)}
    assert listed == {path.name for path in FOLDER.glob("add-*.md")}


def test_the_embedded_aws_has_none_of_what_the_pages_add() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "localaws").rglob("*.py"))
    for name in ("GetAWSDefaultServiceQuota", "AWS::Logs::LogStream", '"acm":'):
        assert name not in code
