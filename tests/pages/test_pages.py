"""Each page that a person reads, in Chromium: on a desk, on a telephone, in the dark and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import MODES, Mode, chromium, faults, paper, paper_faults
from tests.support.page_content import documents

DOCUMENTS = documents()
LIGHT, DARK, PHONE, *_ = MODES
FRAME = "<!doctype html><html lang=en><title>t</title><style>{style}</style><body><main><h1>t</h1>{body}</main>"
FINE = {"style": ":root{background:#fff}body{background:#fff;color:#000}", "body": "<p>text</p>"}
TALL = "<div style='break-inside:avoid;height:2000px'>" + "word " * 200 + "</div>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_page_can_be_read(browser: Browser, name: str) -> None:
    assert faults(browser, DOCUMENTS[name]) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_sheet_of_paper_is_empty(browser: Browser, name: str) -> None:
    assert paper_faults(browser, DOCUMENTS[name]) == []


def test_the_first_sheet_of_paper_says_what_matters(browser: Browser) -> None:
    for name, parts in {
        "report of a success": ("Rehearsal succeeded", "What runs where", "production of the subsidiary"),
        "report of a failure": ("Rehearsal failed", "What failed", "predicts 0.0 2.0 1.0, expected 0.0 2.0 2.0"),
        "card of an update": ("Staging passed: 8 checks", "Production: version 11 → 12", "$167.90", "+2.9%"),
        "card of failed tests": ("Staging failed: 1 of 9 checks", "not authorized to read", "$335.80"),
        "card after a shadow in doubt": ("the shadow ran beside version 10", "1 endpoint could not be read", "500 ms"),
        "card of production alone": ("No staging: nothing was tested before production", "6 golden payloads"),
        "console page": ("Publish 0.2.0-57d0c89e in the console", "1. Amazon S3", "5. The portfolio"),
    }.items():
        text = " ".join(paper(browser, DOCUMENTS[name])[0].split())
        assert [part for part in parts if part not in text] == [], text


def test_a_page_without_a_fault_has_none(browser: Browser) -> None:
    assert faults(browser, FRAME.format(**FINE), [LIGHT, PHONE]) == []


@pytest.mark.parametrize(
    ("change", "mode", "expected"),
    [
        ({"body": "<p style='color:#aaa'>pale</p>"}, LIGHT, "light: color-contrast"),
        ({"body": "<h3>jumps</h3>"}, LIGHT, "light: headings: [1, 3]"),
        ({"body": "<h1>again</h1>"}, LIGHT, "light: headings: [1, 1]"),
        ({"body": "<table><tr><th>a</th><td>b</td></tr></table>"}, LIGHT, "light: scope: <th>a</th>"),
        ({"body": "<table><tr><td>a</td><td>b</td></tr></table>"}, LIGHT, "light: scope: 1 without headers"),
        ({"body": "<div style='width:505px'>wide</div>"}, PHONE, "phone: sideways: 513 pixels in 390"),
        (
            {"body": "<div tabindex=0 style='overflow-x:auto'><div style='width:505px'>wide</div></div>"},
            PHONE,
            "phone: sideways: <div tabindex",
        ),
        ({}, DARK, "dark: background: rgb(255, 255, 255)"),
        ({"body": "<img alt='' src='http://127.0.0.1:9/'>"}, LIGHT, "network: http://127.0.0.1:9/"),
    ],
)
def test_a_broken_page_is_noticed(browser: Browser, change: dict[str, str], mode: Mode, expected: str) -> None:
    assert any(fault.startswith(expected) for fault in faults(browser, FRAME.format(**(FINE | change)), [mode]))


def test_a_nearly_empty_first_sheet_is_noticed(browser: Browser) -> None:
    assert paper_faults(browser, FRAME.format(style="", body=TALL)) != []


def test_without_chromium_the_pages_are_skipped_and_in_continuous_integration_they_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"), chromium():
        pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"), chromium():
        pass
