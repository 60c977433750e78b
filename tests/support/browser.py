"""What a real browser finds wrong with a page: Debian's Chromium, driven by Playwright, with axe-core in it."""

from __future__ import annotations

import io
import itertools
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader

MISSING = "Chromium is not installed (apt-get install chromium): the pages are not looked at"
PAPER = 688  # CSS pixels between the margins of 14 mm on A4
PATIENCE = 120_000  # milliseconds that a step may take on a machine that does much else
CONTENT = 400  # characters beside which a first page of paper counts as filled


@dataclass(frozen=True)
class Mode:
    """How a page is looked at. width: of the window, in CSS pixels"""

    name: str
    width: int
    scheme: Literal["light", "dark"]
    media: Literal["screen", "print"] = "screen"


MODES = (
    Mode("light", 1280, "light"),
    Mode("dark", 1280, "dark"),
    Mode("phone", 390, "light"),
    Mode("print", PAPER, "dark", "print"),  # even from a dark screen, paper is white
)

HEADINGS = "[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(heading => Number(heading.tagName[1]))"
WITHOUT_SCOPE = "[...document.querySelectorAll('th')].filter(head => !head.scope).map(head => head.outerHTML)"
WITHOUT_HEADERS = "[...document.querySelectorAll('table')].filter(table => !table.querySelector('th')).length"
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
SCROLLERS = """[...document.querySelectorAll('body *')]
    .filter(one => one.scrollWidth > one.clientWidth && /auto|scroll/.test(getComputedStyle(one).overflowX))
    .map(one => one.outerHTML.slice(0, 80))"""
UNFOLD = "document.querySelectorAll('details').forEach(one => { one.open = true })"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; without one the test is skipped, and in continuous integration it fails."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


def opened(browser: Browser) -> Page:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    return page


def faults(browser: Browser, document: str, modes: Iterable[Mode] = MODES) -> list[str]:
    """What is wrong with a page in each mode, everything unfolded; it may ask the network for nothing."""
    page, asked, found = opened(browser), [], []
    page.on("request", lambda request: asked.append(f"network: {request.url}"))
    page.set_content(document)
    page.evaluate(UNFOLD)
    page.evaluate(AXE_SCRIPT)
    for mode in modes:
        page.set_viewport_size({"width": mode.width, "height": 900})
        page.emulate_media(media=mode.media, color_scheme=mode.scheme)
        for fault in (*sizes(page), *structure(page), *accessibility(page), *colours(page, mode)):
            found.append(f"{mode.name}: {fault}")
    page.close()
    return found + asked


def sizes(page: Page) -> Iterator[str]:
    needed, width = page.evaluate(WIDTHS)
    if needed > width:
        yield f"sideways: {needed} pixels in {width}"
    for one in page.evaluate(SCROLLERS):
        yield f"sideways: {one}"


def structure(page: Page) -> Iterator[str]:
    """One h1 at the beginning, no level left out below it, and a scope for every header of a table."""
    levels = page.evaluate(HEADINGS)
    deeper = [below - above for above, below in itertools.pairwise(levels)]
    if levels[:1] != [1] or levels.count(1) != 1 or max(deeper, default=0) > 1:
        yield f"headings: {levels}"
    for head in page.evaluate(WITHOUT_SCOPE):
        yield f"scope: {head}"
    if number := page.evaluate(WITHOUT_HEADERS):
        yield f"scope: {number} without headers"


def accessibility(page: Page) -> Iterator[str]:
    """What axe-core finds, and what it cannot decide; of a plot's text it does not know what is behind."""
    found = page.evaluate("axe.run({resultTypes: ['violations', 'incomplete']})")
    for kind in ("violations", "incomplete"):
        for rule in found[kind]:
            for node in rule["nodes"]:
                if kind == "violations" or not node["html"].startswith("<text"):
                    yield f"{rule['id']}: {node['html'][:200]}: {node.get('failureSummary', '')}"


def colours(page: Page, mode: Mode) -> Iterator[str]:
    """Dark where a screen is dark; paper is white."""
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [int(part) for part in background.removeprefix("rgb(").removesuffix(")").split(",")]
    dark = mode.scheme == "dark" and mode.media == "screen"
    if (max(channels) >= 64) if dark else (min(channels) < 255):
        yield f"background: {background}"


def paper(browser: Browser, document: str) -> list[str]:
    """The text of each page as it is printed."""
    page = opened(browser)
    page.set_content(document)
    made = page.pdf(format="A4", prefer_css_page_size=False)
    page.close()
    return [sheet.extract_text() for sheet in PdfReader(io.BytesIO(made)).pages]


def paper_faults(browser: Browser, document: str) -> list[str]:
    """Pages of paper that are as good as empty, but for the last one."""
    sheets = paper(browser, document)
    return [
        f"page {number} of {len(sheets)} holds {len(text)} characters"
        for number, text in enumerate(sheets, 1)
        if len(text) < CONTENT and number < max(len(sheets), 2)
    ]
