"""The report in a real browser: what a reader sees and does, with no error, request, or name taken for markup."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic
from playwright.sync_api import Browser, Page, expect, sync_playwright
from stored import HOSTILE, hung, planned, renamed, results

from analysis.report import html
from analysis.report.content import content
from analysis.report.pictures import pictures
from analysis.report.results import Results
from analysis.selection import fronts, measurements

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: `make tools` installs it, as root")

QUIET = ("no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update")
SMALL = synthetic.small()
STRONG = "energy-0.005-input"
PATIENCE = 60_000  # milliseconds: a busy machine is slow, not wrong
expect.set_options(timeout=PATIENCE)
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[f"--{flag}" for flag in QUIET])
        yield browser
        browser.close()


class Reader:
    """Opens pages from disk, and hears what goes wrong in them: errors, dialogs, requests."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.file, self.heard = browser, folder / "page.html", list[str]()

    def open(self, told: Results, viewport: dict[str, int] = DESK, live: bool = False, **options: Any) -> Page:
        self.write(told, live)
        page = self.browser.new_context(viewport=viewport, **options).new_page()
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


@pytest.fixture
def reader(browser: Browser, tmp_path: Path) -> Iterator[Reader]:
    """For pages of one test."""
    reader = Reader(browser, tmp_path)
    yield reader
    for context in browser.contexts[1:]:  # the first is the shared one
        context.close()
    assert reader.heard == []


@pytest.fixture(scope="module")
def shared(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Reader, Page]:
    reader = Reader(browser, tmp_path_factory.mktemp("shared"))
    return reader, reader.open(results(SMALL))


@pytest.fixture
def page(shared: tuple[Reader, Page]) -> Iterator[Page]:
    """The page of a small sweep, as it comes up."""
    reader, page = shared
    page.mouse.move(5, 5)
    page.evaluate("mg.choose({filters: {}, ranges: {}, search: '', selected: [], epoch: null, sort: null})")
    page.evaluate("scrollTo(0, 0)")
    settled(page)
    yield page
    assert reader.heard == []


def ready(page: Page) -> None:
    page.wait_for_selector("html[data-ready]")


def settled(page: Page) -> None:
    """After what was chosen has been drawn."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def row(page: Page, trial: str) -> Any:
    return page.locator(f"#table .row[data-id='{trial}']")


def place_of(page: Page, trial: str) -> dict[str, float]:
    """Where the pointer meets the trial's last front member, in its panel."""
    place: dict[str, float] = page.evaluate(
        """(id) => {
            const plot = document.getElementById("plot");
            const box = plot.getBoundingClientRect();
            for (const { x, y, points, marker, xaxis, yaxis } of plot.data) {
                const found = (points ?? []).findIndex((point) => mg.trials.id[mg.data.points.trial[point]] === id);
                if (marker?.size !== 9 || found < 0) continue;
                const across = plot._fullLayout[xaxis.replace("x", "xaxis")];
                const up = plot._fullLayout[yaxis.replace("y", "yaxis")];
                const [left, top] = [across._offset + across.c2p(x[found]), up._offset + up.c2p(y[found])];
                return { x: box.left + left, y: box.top + top };
            }
        }""",
        trial,
    )
    assert place, f"{trial} is on no front"
    return place


# What a reader does


def test_filters_leave_what_was_asked_for(page: Page) -> None:
    expect(page.locator("#shown")).to_have_text(f"{SMALL['id'].nunique()} runs")
    page.get_by_role("button", name="Energy", exact=True).click()
    left = SMALL[SMALL["loss"].isin(["none", "energy"])]["id"].nunique()
    expect(page.locator("#shown")).to_have_text(f"{left} of {SMALL['id'].nunique()} runs")
    assert {name for name, *_ in page.evaluate("mg.members()")} <= set(SMALL[SMALL["loss"] == "energy"]["id"])
    expect(page.locator("#table .body")).not_to_contain_text("L1")
    page.reload()
    ready(page)
    expect(page.get_by_role("button", name="Energy", exact=True)).to_have_attribute("aria-pressed", "true")
    page.locator("#search").fill("base")
    expect(page.locator("#shown")).to_have_text(f"{len(left_by(page))} of {SMALL['id'].nunique()} runs")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#shown")).to_have_text(f"{SMALL['id'].nunique()} runs")


def left_by(page: Page) -> list[str]:
    found: list[str] = page.evaluate("mg.trials.id.filter((_, trial) => mg.shown()[trial])")
    return found


def test_hover_tells_and_click_shows_a_run(page: Page) -> None:
    place = place_of(page, STRONG)
    page.mouse.move(place["x"] + 1, place["y"])
    expect(page.locator("#tip")).to_be_visible()
    expect(page.locator("#tip code")).to_contain_text("mgsweep run made_up.yaml --only")
    expect(page.locator("#tip")).to_contain_text("λ 0.005")
    page.mouse.down()
    page.mouse.up()
    expect(page.locator("#detail")).to_contain_text(STRONG)
    expect(page.locator("#detail .command code")).to_contain_text("--only lambda_loc=0.005")
    expect(page.locator("#curves .scatterlayer path.js-line").first).to_be_attached()
    expect(row(page, STRONG)).to_have_attribute("aria-selected", "true")
    page.mouse.move(5, 5)
    expect(page.locator("#tip")).to_be_hidden()


def test_a_row_selects_in_the_fronts_and_two_are_compared(page: Page) -> None:
    row(page, STRONG).click()
    count = "document.getElementById('plot').layout.shapes.filter(({ type }) => type === 'circle').length"

    def rings() -> int:
        settled(page)
        return int(page.evaluate(count))

    assert rings() == 3  # its three epochs
    row(page, "l1-0.005-input").click(modifiers=["Control"])
    assert rings() == 6
    expect(page.locator(".compared li")).to_have_count(2)
    page.keyboard.press("Escape")
    assert rings() == 0


def test_a_run_shows_its_maps_beside_its_baselines(reader: Reader) -> None:
    page = reader.open(results(SMALL, pictures=hung(SMALL)))
    row(page, STRONG).click()
    columns, pictures = page.locator(".map-grid b"), page.locator(".map-grid img")
    expect(columns).to_have_text(["Image", "Baseline", "This run"])
    expect(pictures).to_have_count(6)
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("naturalWidth", 8)
    drawn = page.locator(".map-grid .picture").last.bounding_box()
    box = page.locator(".map-grid .box").last.bounding_box()
    assert drawn
    assert box
    assert (box["x"] - drawn["x"], box["y"] - drawn["y"]) == pytest.approx([drawn["width"] / 4] * 2, abs=1)
    assert (box["width"], box["height"]) == pytest.approx([drawn["width"] / 2, drawn["width"] / 4], abs=1)
    assert "epoch 3 · B-cos at Input · EPG 40.0 %" in (pictures.last.get_attribute("title") or "")
    row(page, "l1-0.005-input").click(modifiers=["Control"])
    expect(columns).to_have_count(4)
    expect(page.locator(".map-grid b .dot")).to_have_count(2)
    row(page, "base").click()
    expect(columns).to_have_text(["Image", "B-cos at Input", "B-cos at Mid2", "B-cos at Final"])


def test_maps_for_which_there_is_no_room_are_said(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = hung(SMALL)
    maps = pictures(["base"], stored.__getitem__, {}, {"base": 0}, 1_000_000)["maps"]
    first = sum(len(shown["src"]) for shown in maps if shown["image"] == 0)
    monkeypatch.setattr("analysis.report.content.MOST_OF_MAPS", first)
    page = reader.open(results(SMALL, pictures=stored))
    row(page, STRONG).click()
    expect(page.locator(".maps")).to_contain_text(f"maps of 1 of {len(stored)} runs")
    expect(page.locator(".map-grid img")).to_have_count(0)
    row(page, "base").click()
    expect(page.locator(".map-grid img")).to_have_count(4)  # the first image and its maps at three probes


def test_progress_and_slices_are_of_runs(page: Page) -> None:
    found = "document.getElementById('{}').data.filter(({{ trials }}) => trials).map(({{ trials }}) => trials.length)"
    guided = SMALL[SMALL["loss"] != "none"]["id"].nunique()
    assert page.evaluate(found.format("course")) == [guided, 0, 0] * 2
    assert set(page.evaluate(found.format("slices"))) == {guided}
    page.evaluate("document.getElementById('course').scrollIntoView({block: 'center', behavior: 'instant'})")
    settled(page)
    first = page.evaluate("mg.data.courses[0].trial[0]")
    place = page.evaluate(
        """() => {
            const plot = document.getElementById("course");
            const [box, { xaxis, yaxis }] = [plot.getBoundingClientRect(), plot._fullLayout];
            const up = yaxis._offset + yaxis.c2p(plot.data[0].y[0]);
            return { x: box.left + xaxis._offset + xaxis.c2p(1), y: box.top + up };
        }"""
    )
    page.mouse.move(place["x"] + 1, place["y"])
    expect(page.locator("#tip")).to_be_visible()
    page.mouse.down()
    page.mouse.up()
    expect(row(page, page.evaluate(f"mg.trials.id[{first}]"))).to_have_attribute("aria-selected", "true")
    settled(page)
    assert page.evaluate(found.format("course")) == [guided, 0, 1] * 2
    page.mouse.move(5, 5)
    page.evaluate("mg.choose({filters: {loss: ['energy']}})")
    settled(page)
    left = SMALL[SMALL["loss"] == "energy"]["id"].nunique()
    assert set(page.evaluate(found.format("slices"))) == {left}


def test_importances_are_those_of_the_metrics_in_view(reader: Reader) -> None:
    page = reader.open(results(synthetic.store()))
    bars = page.locator("#shares .share").first
    loss = page.evaluate("mg.data.importances.epg[mg.axes.findIndex(({ key }) => key === 'loss')]")
    expect(bars.locator(".name")).to_have_text("loss")
    expect(bars.locator("b").first).to_have_text(f"{round(loss / 100)} %")
    expect(page.locator("#shares")).to_contain_text("F1")
    page.evaluate("mg.choose({x: 'iou', y: 'iou'})")
    expect(page.locator("#shares")).not_to_contain_text("F1")
    expect(bars.locator("b")).to_have_count(1)
    alone = reader.open(results(SMALL.query("loss == 'none'")))
    expect(alone.locator("#importance")).to_be_hidden()
    expect(alone.locator("#progress")).to_be_hidden()


def test_columns_sort_with_missing_values_last(page: Page) -> None:
    header = page.locator("[data-key=gain_epg]")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    first = page.locator("#table .body .row")
    gained = page.evaluate("Object.fromEntries(mg.trials.id.map((id, trial) => [id, mg.gained(trial, 'epg')]))")
    best = max((gain, trial) for trial, gain in gained.items() if gain is not None)[1]
    expect(first.first).to_have_attribute("data-id", best)
    expect(first.last).to_have_attribute("data-id", "base")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(first.last).to_have_attribute("data-id", "base")


def test_it_goes_by_keyboard(page: Page) -> None:
    page.locator("#table").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    second = page.evaluate("mg.trials.id[1]")
    expect(row(page, second)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()


def test_brushing_an_axis_filters_and_a_click_lets_go(page: Page) -> None:
    canvas = page.locator("#lines canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    names = page.evaluate("[...mg.axes.map((axis) => axis.key), 'at_f1_val']")
    scores = 5  # F1, and EPG and IoU with their gains
    x = box["x"] + 56 + (len(names) - 1) * (box["width"] - 112) / (len(names) - 2 + scores)
    page.mouse.move(x, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(x, box["y"] + 120)
    page.mouse.up()
    expect(page.locator("#shown")).to_contain_text(" of ")
    low, high = page.evaluate("mg.chosen('ranges').at_f1_val")
    best = pd.Series(page.evaluate("mg.trials.at_f1_val"), index=page.evaluate("mg.trials.id"))
    span = best.max() - best.min()
    # The axis reaches from 34 pixels below the top of the 300 to 18 above the bottom.
    assert [low, high] == pytest.approx([best.min() + (1 - (y - 34) / 248) * span for y in (120, 40)], abs=0.02 * span)
    assert set(left_by(page)) == set(best[best.between(low, high)].index)
    page.mouse.click(x, box["y"] + 200)
    expect(page.locator("#shown")).to_have_text(f"{SMALL['id'].nunique()} runs")


def test_the_theme_follows_the_system_until_it_is_chosen(reader: Reader) -> None:
    page = reader.open(results(SMALL), color_scheme="dark")
    dark = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(dark) == "rgb(16, 19, 23)"
    page.locator("#theme").click()
    assert page.evaluate(dark) == "rgb(244, 245, 247)"
    page.reload()
    ready(page)
    assert page.evaluate(dark) == "rgb(244, 245, 247)"
    page.emulate_media(media="print")
    expect(page.locator("#filters")).to_be_hidden()


def test_a_phone_shows_all_of_it(reader: Reader) -> None:
    page = reader.open(results(SMALL), PHONE, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    expect(page.locator("#chips")).to_be_hidden()
    page.locator("#fold").tap()
    expect(page.locator("#chips")).to_be_visible()
    row(page, STRONG).tap()
    expect(page.locator("#peek")).to_be_in_viewport()
    page.locator("#peek").tap()
    expect(page.locator("#detail")).to_be_in_viewport()


# What it shows


def test_its_fronts_are_those_of_the_analysis(reader: Reader) -> None:
    def same(frame: pd.DataFrame, x: str, y: str, probe: str) -> None:
        expected = fronts(frame, (x, y))
        if probe == "own":
            expected = expected[expected["probe_depth"] == expected["depth"]]
        page.evaluate("(chosen) => mg.choose(chosen)", {"x": x, "y": y, "probe": probe})
        settled(page)
        members = page.evaluate("mg.members()")
        found = sorted((name, epoch, at.split(" at ")[1].lower()) for name, epoch, at in members)
        assert found == sorted(expected[["id", "epoch", "probe_depth"]].itertuples(index=False, name=None))

    outside = synthetic.store(losses=("energy",), dataset="waterbirds", guidance_region="outside")
    ties = synthetic.store(seed=2, dataset="coco2014").round({"f1": 2, "epg": 2, "iou": 2})
    rows = pd.concat([SMALL, synthetic.store(seed=1), ties, outside])
    page = reader.open(results(rows))
    same(rows, "f1", "epg", "own")
    same(rows, "f1", "epg", "all")
    same(rows, "iou", "f1", "all")
    page.evaluate("mg.choose({filters: {lambda_loc: [0.001]}})")
    same(rows[(rows["lambda_loc"] == 0.001) | (rows["loss"] == "none")], "f1", "epg", "all")


def test_names_are_text_everywhere(reader: Reader) -> None:
    rows = renamed(SMALL)
    plan = planned(rows)
    plan[-1]["state"] = "failed"
    failure = {"cause": HOSTILE, "error": HOSTILE, "traceback": HOSTILE}
    shown = {name: [{**one, "class": HOSTILE} for one in hanging] for name, hanging in hung(rows).items()}
    page = reader.open(results(rows, plan, {plan[-1]["id"]: failure}, HOSTILE, HOSTILE, shown))
    page.evaluate("mg.select(mg.count - 1)")
    expect(page.locator(".map-grid img").first).to_have_attribute("alt", f"Image of class {HOSTILE}")
    expect(page.locator("#detail")).to_contain_text("{{7*7}}")
    expect(page.locator("h1")).to_have_text(HOSTILE.replace("\n", " "), use_inner_text=True)
    expect(page.locator("#text")).to_contain_text("<script>alert(1)</script>")
    expect(page.locator("#failure-list")).to_contain_text("<script>alert(1)")
    assert page.locator("img:not([src^='data:image/png;base64,'])").count() == 0
    assert page.locator("script:not([type])").count() == len(html.SCRIPTS) + 1
    assert page.evaluate("document.documentElement.scrollWidth") == DESK["width"]


def test_nothing_can_be_added_that_runs_or_asks(reader: Reader) -> None:
    page = reader.open(results(SMALL))
    refused = page.evaluate(
        """async () => {
            const found = [];
            document.addEventListener("securitypolicyviolation", (event) => found.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.intruded = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<i onclick='window.intruded = true'></i>");
            document.querySelector("i").click();
            await fetch("http://127.0.0.1:9/").catch(() => {});
            await new Promise((done) => setTimeout(done, 100));
            return [found.sort().join(), window.intruded ?? false];
        }"""
    )
    assert refused == ["connect-src,script-src-attr,script-src-elem", False]
    reader.heard.clear()  # the errors that the attempts were to cause


def test_a_page_that_is_watched_renews_itself_and_keeps_what_was_chosen(reader: Reader) -> None:
    plan = planned(SMALL)
    plan[-1]["state"] = "running"
    some = SMALL[SMALL["id"] != plan[-1]["id"]]
    page = reader.open(results(some, plan), live=True)
    expect(page.locator("#live")).to_have_text("Live")
    page.get_by_role("button", name="Energy", exact=True).click()
    row(page, STRONG).click()
    reader.write(results(SMALL))
    page.evaluate("mg.renew()")
    expect(page.locator("#live")).to_be_hidden()
    ready(page)
    expect(page.locator("#tiles")).to_contain_text("all of them")
    expect(page.locator("#detail")).to_contain_text(STRONG)
    expect(page.get_by_role("button", name="Energy", exact=True)).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (results(SMALL.iloc[:0]), "This sweep has no trials yet"),
        (results(SMALL.iloc[:0], planned(SMALL, "failed")), "No trial has a result yet"),
        (results(SMALL.query("id == 'energy-0.005-input' and epoch == 1")), "the baseline they started from has none"),
        (results(SMALL.assign(f1=float("nan"), epg=float("nan"), iou=float("nan"))), "No trial has a result yet"),
        (results(SMALL.query("split != 'test'")), "validation values are shown"),
    ],
    ids=["empty", "all failed", "one point without its baseline", "all NaN", "no test"],
)
def test_what_is_missing_is_said(reader: Reader, told: Results, said: str) -> None:
    page = reader.open(told)
    expect(page.locator("#missing")).to_contain_text(said)


@pytest.mark.parametrize("state", ["no JSON", '{"filters": 5}', '{"x": "toString", "color": "no such axis"}', "%"])
def test_an_address_that_was_tampered_with_does_no_harm(page: Page, state: str) -> None:
    page.evaluate("(state) => { location.hash = state; mg.restore(); mg.choose({ search: '' }); }", state)
    settled(page)
    expect(page.locator("#shown")).to_have_text(f"{SMALL['id'].nunique()} runs")


def test_ten_thousand_trials(reader: Reader) -> None:
    rows = many()
    page = reader.open(results(rows, pictures=hung(rows.head(500), side=96)))  # noise compresses least
    expect(page.locator("#shown")).to_have_text("10,002 runs")
    assert page.locator("#table .body .row").count() < 60
    page.get_by_role("button", name="RRR*", exact=True).click()
    expect(page.locator("#shown")).to_have_text("2,502 of 10,002 runs")
    page.locator("#table").evaluate("(table) => (table.scrollTop = 1e9)")
    expect(page.locator("#table .body .row").last).to_have_attribute("aria-rowindex", "2503")
    dots = page.evaluate("document.getElementById('slices').data.map(({ trials, x }) => (trials ?? x).length)")
    assert max(dots) <= 600
    page.evaluate("mg.select(0)")
    expect(page.locator(".map-grid img").first).to_be_attached()
    assert reader.file.stat().st_size < 10e6


def many() -> pd.DataFrame:
    """10,000 guided trials of one epoch: 2 models x 4 losses x 5 lambdas x 250 seeds."""
    trials = pd.DataFrame(
        list(product(["vanilla", "bcos"], ["energy", "l1", "ppce", "rrr"], [1e-4, 5e-4, 1e-3, 5e-3, 1e-2], range(250))),
        columns=["model", "loss", "lambda_loc", "seed"],
    )
    trials = trials.assign(id=[f"{number:012x}" for number in trials.index], parent="base-" + trials["model"])
    bases = pd.DataFrame({"id": ["base-vanilla", "base-bcos"], "model": ["vanilla", "bcos"], "loss": "none"})
    place = {"dataset": "voc2007", "epoch": 1, "probe_attribution": "ixg", "probe_depth": "input"}
    both = pd.concat([bases, trials.assign(attribution="ixg", depth="input")], ignore_index=True).assign(**place)
    generator = np.random.default_rng(0)
    f1, epg = generator.normal([0.8, 0.5], 0.02, (len(both), 2)).T
    rows = pd.concat([both.assign(split=split, f1=f1, epg=epg) for split in ("val", "test")], ignore_index=True)
    missing = {key: value for key, value in synthetic.DEFAULTS.items() if key not in rows}
    return rows.assign(**missing).fillna({"lambda_loc": 0.0, "seed": 0})


def test_many_are_many() -> None:
    assert len(measurements(many(), guided=True, how="inner")) == 10_000
