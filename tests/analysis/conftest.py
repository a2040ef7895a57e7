"""A browser for the tests of the report's page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import synthetic
from playwright.sync_api import Browser, Page, sync_playwright
from reading import CHROMIUM, QUIET, Reader, settled
from stored import results

START = {
    **{"filters": {}, "ranges": {}, "search": "", "selected": [], "epoch": None, "sort": []},
    **{"x": "f1", "y": "epg", "color": "loss", "panels": "depth"},
}
"""What is chosen in a page of `synthetic.small` as it comes up."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium here: `make tools` installs it, as root")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[f"--{flag}" for flag in QUIET])
        yield browser
        browser.close()


@pytest.fixture
def reader(browser: Browser, tmp_path: Path) -> Iterator[Reader]:
    """For pages of one test."""
    reader = Reader(browser, tmp_path)
    yield reader
    reader.close()
    assert reader.heard == []


@pytest.fixture(scope="module")
def shared(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Reader, Page]:
    reader = Reader(browser, tmp_path_factory.mktemp("shared"))
    return reader, reader.open(results(synthetic.small()))


@pytest.fixture
def page(shared: tuple[Reader, Page]) -> Iterator[Page]:
    """The page of a small sweep, as it comes up."""
    reader, page = shared
    page.mouse.move(5, 5)
    page.evaluate("(chosen) => mg.choose(chosen)", START)
    page.evaluate("scrollTo(0, 0)")
    settled(page)
    yield page
    assert reader.heard == []
