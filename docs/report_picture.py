"""The README's picture of a report: the demo's, with one run selected.

    make demo check tools && mgsweep report quickstart && python docs/report_picture.py report/quickstart.html

Writes `report.png` beside this file. The run is the first of those that gain the most EPG.
"""

import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

COLOURS = 128  # a third of the bytes, and nobody sees it
SIZE = {"width": 1440, "height": 1000}


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.goto(Path(sys.argv[1]).resolve().as_uri())
        page.wait_for_selector("html[data-ready]")
        page.locator("[data-key=gain_epg]").get_by_role("button").click()
        page.locator("#table .body .row").first.click()
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(1000)  # for the plots to have been drawn anew
        page.mouse.move(0, 0)  # off the plots, which show their buttons under it
        page.wait_for_timeout(500)
        taken = page.screenshot()
        browser.close()
    Image.open(BytesIO(taken)).quantize(COLOURS).save(Path(__file__).with_name("report.png"), optimize=True)


if __name__ == "__main__":
    main()
