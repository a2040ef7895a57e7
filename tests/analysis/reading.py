"""What a reader of the report's page has: a browser window, a pointer, and an ear for what goes wrong."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from analysis.report import html
from analysis.report.content import content
from analysis.report.results import Results

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ("no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update")
PATIENCE = 60_000  # milliseconds: a busy machine is slow, not wrong
expect.set_options(timeout=PATIENCE)
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


class Reader:
    """Opens pages from disk, and hears what goes wrong in them: errors, dialogs, requests."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.file, self.heard = browser, folder / "page.html", list[str]()
        self.windows: list[BrowserContext] = []

    def open(self, told: Results, viewport: dict[str, int] = DESK, live: bool = False, **options: Any) -> Page:
        self.write(told, live)
        self.windows.append(self.browser.new_context(viewport=viewport, **options))
        page = self.windows[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: self.hear(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.hear(str(error)))
        page.on("dialog", lambda dialog: self.hear(dialog.message))
        page.on("request", lambda asked: None if asked.url.startswith(self.file.as_uri()) else self.hear(asked.url))
        page.goto(self.file.as_uri())
        ready(page)
        return page

    def write(self, told: Results, live: bool = False) -> None:
        self.file.write_bytes(html.page(content(told, "mgsweep run made_up.yaml", live)))

    def hear(self, what: str) -> None:
        self.heard.append(what)

    def close(self) -> None:
        for window in self.windows:
            window.close()


def ready(page: Page) -> None:
    page.wait_for_selector("html[data-ready]")


def settled(page: Page) -> None:
    """After what was chosen has been drawn."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def row(page: Page, trial: str) -> Locator:
    return page.locator(f"#table .row[data-id='{trial}']")


def left_by(page: Page) -> set[str]:
    """The runs that pass the filters."""
    return set(page.evaluate("mg.trials.id.filter((_, trial) => mg.shown()[trial])"))


def place_of(page: Page, trial: str, epoch: int) -> tuple[float, float]:
    """Where the pointer meets an epoch of the trial on its front, in the plane of fronts."""
    found: list[float] | None = page.evaluate(
        """([id, epoch]) => {
            const plot = document.getElementById("plot");
            const box = plot.getBoundingClientRect();
            const { points: { trial, epoch: epochs } } = mg.data;
            for (const { x, y, points, marker, xaxis, yaxis } of plot.data) {
                const wanted = (point) => mg.trials.id[trial[point]] === id && epochs[point] === epoch;
                const found = (points ?? []).findIndex(wanted);
                if (marker?.size !== 9 || found < 0) continue;
                const across = plot._fullLayout[xaxis.replace("x", "xaxis")];
                const up = plot._fullLayout[yaxis.replace("y", "yaxis")];
                const [left, top] = [across._offset + across.c2p(x[found]), up._offset + up.c2p(y[found])];
                return [box.left + left, box.top + top];
            }
        }""",
        [trial, epoch],
    )
    assert found, f"epoch {epoch} of {trial} is on no front"
    return found[0], found[1]
