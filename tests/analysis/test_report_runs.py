"""In a real browser: a run is found by pointer, row or key, told in detail, and compared with others."""

from __future__ import annotations

import pandas as pd
import pytest
import synthetic
from playwright.sync_api import Page, expect
from reading import PHONE, Reader, place_of, row, settled
from stored import hung, planned, results

from analysis.report.pictures import pictures

SMALL = synthetic.small()
STRONG, OTHER = "energy-0.005-input", "l1-0.005-input"
VAL = SMALL[SMALL["split"] == "val"].set_index(["id", "epoch", "probe_depth"])
TEST = SMALL[SMALL["split"] == "test"].set_index(["id", "epoch", "probe_depth"])
BASE = VAL.loc[("base", 5, "input")]


NOT_CUT = """({ scrollWidth, clientWidth, scrollHeight, clientHeight }) =>
    scrollWidth <= clientWidth && scrollHeight <= clientHeight + 1"""


def rings(page: Page) -> list[tuple[int, float]]:
    """Around points in the plane of fronts: their widths in pixels, and their heights in percent of EPG."""
    settled(page)
    found: list[list[float]] = page.evaluate(
        """document.getElementById("plot").layout.shapes.filter(({ type }) => type === "circle")
            .map(({ x1, yanchor }) => [2 * x1, yanchor])"""
    )
    return sorted((int(width), round(height, 2)) for width, height in found)


def scores(page: Page) -> dict[str, list[str]]:
    """The table of the run that is told: by metric validation, gain and test."""
    rows = page.locator("#detail .scores tbody tr").all()
    return {cells[0]: cells[1:] for cells in (line.locator("th, td").all_inner_texts() for line in rows)}


def expected(trial: str, epoch: int, depth: str = "input") -> list[str]:
    here = (trial, epoch, depth)
    gain = f"{100 * (VAL.loc[here, 'epg'] - BASE['epg']):+.1f}".replace("-", "−")
    return [f"{100 * VAL.loc[here, 'epg']:.1f}", gain, f"{100 * TEST.loc[here, 'epg']:.1f}"]


def test_hover_tells_and_click_shows_a_run(page: Page) -> None:
    x, y = place_of(page, STRONG, 2)
    page.mouse.move(x + 1, y)
    tip = page.locator("#tip")
    expect(tip).to_be_visible()
    expect(tip.locator("code")).to_contain_text("mgsweep run made_up.yaml --only")
    expect(tip).to_contain_text("λ 0.005")
    expect(tip).to_contain_text("done · epoch 2 ·")
    told, _, tested = expected(STRONG, 2)
    expect(tip.locator("tr", has_text="EPG")).to_have_text(f"EPG{told}{tested}")
    page.mouse.down()
    page.mouse.up()
    expect(page.locator("#detail")).to_contain_text(STRONG)
    expect(page.locator("#detail .command code")).to_contain_text("--only lambda_loc=0.005")
    expect(page.locator("#curves .scatterlayer path.js-line").first).to_be_attached()
    expect(row(page, STRONG)).to_have_attribute("aria-selected", "true")
    assert scores(page)["EPG"] == expected(STRONG, 2)  # of the point, not of the epoch that the run is shown by
    heights = [round(100 * TEST.loc[(STRONG, epoch, "input"), "epg"], 2) for epoch in (1, 3, 2)]
    assert rings(page) == [*zip((8, 8, 18), heights, strict=True)]  # a large one where it was clicked
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    page.mouse.move(x + 1, y)
    expect(tip).to_be_visible()
    page.evaluate("scrollBy(0, 50)")
    expect(tip).to_be_hidden()


def test_a_row_selects_in_the_fronts_and_two_are_compared(page: Page) -> None:
    row(page, STRONG).click()
    assert len(rings(page)) == 3  # its three epochs
    row(page, OTHER).click(modifiers=["Control"])
    assert len(rings(page)) == 6
    expect(page.locator(".compared li")).to_have_text(["Energy✕", "L1✕"])
    expect(page.locator("#details-title")).to_have_text("2 runs")
    drawn = "document.getElementById('curves').data.map(({ line }) => line.color)"
    assert len(set(page.evaluate(drawn))) == 2
    page.get_by_role("button", name="Take Input · L1 · λ 0.005 out").click()
    expect(page.locator(".compared")).to_have_count(0)
    expect(page.locator("#detail .about > .name")).to_have_text("Input · Energy · λ 0.005")
    row(page, OTHER).click()
    expect(page.locator(".compared")).to_have_count(0)  # in its place, not beside it
    page.get_by_role("button", name="Clear selection").click()
    assert rings(page) == []
    row(page, STRONG).click()
    page.keyboard.press("Escape")
    assert rings(page) == []
    expect(page.locator("#detail")).to_contain_text("Click a point")


def test_clicks_in_the_plane_compare_with_control_and_a_box_selects(page: Page) -> None:
    page.mouse.click(*place_of(page, STRONG, 3))
    page.keyboard.down("Control")
    page.mouse.click(*place_of(page, "energy-0.005-final", 3))
    page.keyboard.up("Control")
    expect(page.locator(".compared li")).to_have_text(["Input✕", "Final✕"])
    page.evaluate(
        """() => {
            const plot = document.getElementById("plot");
            const curve = plot.data.findIndex(({ marker }) => marker?.size === 9);
            const points = plot.data[curve].x.map((_, point) => ({ curveNumber: curve, pointNumber: point }));
            plot.emit("plotly_selected", { points });
        }"""
    )
    expect(page.locator("#details-title")).not_to_have_text("2 runs")
    chosen = set(page.evaluate("mg.selected().map((trial) => mg.trials.id[trial])"))
    assert chosen == set(SMALL.query("loss == 'energy' and depth == 'input'")["id"])


def test_compared_runs_are_told_by_what_differs_between_them(reader: Reader) -> None:
    compared = ["energy-0.005-input-0.01", "energy-0.005-input-0.5", "energy-0.005-mid2"]
    whole = [f"{depth} · Energy · λ 0.005{more}" for depth, more in (("Input", " · boxes used 0.01"), ("Mid2", ""))]
    for viewport in (None, PHONE):
        page = reader.open(results(SMALL, pictures=hung(SMALL)), **({"viewport": viewport} if viewport else {}))
        page.evaluate("(selected) => mg.choose({ selected })", compared)
        runs, heads = page.locator(".compared .name"), page.locator(".map-grid b")
        expect(runs).to_have_text(["Input · boxes used 0.01", "Input · dilation 0.5", "Mid2"])
        expect(heads).to_have_text(["Image", "Baseline", "Inputboxes used 0.01", "Inputdilation 0.5", "Mid2"])
        for names, first in ((runs, 0), (heads, 2)):
            assert [names.nth(first + at).get_attribute("title") for at in (0, 2)] == whole
            for name in names.all():
                assert name.evaluate(NOT_CUT)
    page.evaluate("(selected) => mg.choose({ selected })", [STRONG, "energy-0.005-input-0.5"])
    expect(runs).to_have_text(["dilation 0", "dilation 0.5"])  # a usual setting, if there is nothing else
    page.evaluate("(selected) => mg.choose({ selected })", ["base", STRONG])
    expect(runs).to_have_text(["Baseline", "Input · Energy · λ 0.005"])


def test_a_run_is_told_in_detail(reader: Reader) -> None:
    plan = planned(SMALL)
    place = next(n for n, trial in enumerate(plan) if trial["id"] == STRONG)
    plan[place]["state"] = "failed"
    page = reader.open(results(SMALL, plan, {STRONG: {"cause": "bug", "error": "KeyError: 'x'", "traceback": "tb"}}))
    row(page, STRONG).click()
    expect(page.locator("#detail .badge")).to_have_text("failed")
    expect(page.locator("#detail .error")).to_have_text("bug: KeyError: 'x'")
    assert scores(page)["EPG"] == expected(STRONG, 3)
    page.locator("#detail summary").click()
    told = dict(zip(*(page.locator(f"#detail {tag}").all_inner_texts() for tag in ("dt", "dd")), strict=True))
    assert (told["λ"], told["dataset"], told["baseline"]) == ("0.005", "VOC 2007", "base")
    curves = page.evaluate("document.getElementById('curves').data.map(({ x, y }) => [x, y])")
    assert [list(curves[0][0]), len(curves)] == [[1, 2, 3], 3]  # F1, EPG and IoU; mAP is in the table alone
    assert curves[1][1] == pytest.approx([100 * VAL.loc[(STRONG, epoch, "input"), "epg"] for epoch in (1, 2, 3)])
    [_, start, _] = page.evaluate("document.getElementById('curves').layout.shapes.map(({ y0 }) => y0)")
    assert start == pytest.approx(100 * BASE["epg"])
    row(page, "base").click()
    expect(page.locator("#detail .about > .name")).to_have_text("Baseline")
    assert scores(page)["F1"] == ["80.0", "–", "79.0"]


def test_baselines_of_a_kin_are_told_apart_and_by_how_they_were_trained(reader: Reader) -> None:
    def configuration() -> dict[str, str]:
        parts = (page.locator(f"#detail {tag}").all_text_contents() for tag in ("dt", "dd"))
        return dict(zip(*parts, strict=True))

    page = reader.open(results(synthetic.retuned()))
    page.evaluate("(selected) => mg.choose({ selected })", ["base", "fast-base"])
    names = page.locator(".compared .name")
    expect(names).to_have_text(["Baseline", "learning rate 0.01 · Baseline"])
    expect(page.locator("#detail .about > .name")).to_have_text("learning rate 0.01 · Baseline")
    row(page, "base").click()
    expect(names).to_have_count(0)
    assert [configuration()[key] for key in ("learning rate", "augmentation")] == ["0.0001", "none"]
    rates = SMALL["lambda_loc"].map({0.001: 1e-3, 0.005: 1e-2}).fillna(1e-4)
    page = reader.open(results(SMALL.assign(learning_rate=rates, batch_size=64 - 32 * (SMALL["loss"] == "none"))))
    row(page, "base").click()
    expect(page.locator("#detail .about > .name")).to_have_text("Baseline")
    told = configuration()
    assert (told["learning rate"], told["batch size"], told["λ"]) == ("0.0001", "32", "–")
    row(page, STRONG).click()
    expect(page.locator("#detail .about > .name")).to_contain_text("Energy")
    told = configuration()
    assert (told["learning rate"], told["batch size"], told["λ"]) == ("0.01", "64", "0.005")


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
    row(page, OTHER).click(modifiers=["Control"])
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


def test_columns_sort_with_missing_values_last(page: Page) -> None:
    header = page.locator("[data-key=gain_epg]")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    rows = page.locator("#table .body .row")
    gained = page.evaluate("Object.fromEntries(mg.trials.id.map((id, trial) => [id, mg.gained(trial, 'epg')]))")
    known = pd.Series(gained, dtype="float64").dropna()
    expect(rows.first).to_have_attribute("data-id", known.idxmax())
    expect(rows.last).to_have_attribute("data-id", "base")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(rows.first).to_have_attribute("data-id", known.idxmin())
    expect(rows.last).to_have_attribute("data-id", "base")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "none")
    expect(rows.first).to_have_attribute("data-id", "base")
    page.locator("[data-key=loss]").get_by_role("button").click()
    expect(rows.first.locator(".cell").nth(3)).to_have_text("Energy")
    keys = page.locator("#table [role=columnheader]").evaluate_all("(cells) => cells.map(({ dataset }) => dataset.key)")
    told = dict(zip(keys, row(page, STRONG).locator(".cell").all_inner_texts(), strict=True))
    assert [told[key] for key in ("at_epg_val", "gain_epg", "at_epg")] == expected(STRONG, 3)
    assert (told["state"], told["lambda_loc"], told["epoch"]) == ("done", "0.005", "3")


def test_it_goes_by_keyboard(page: Page) -> None:
    chosen = "mg.selected()"
    page.locator("#table").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    settled(page)
    assert page.evaluate(chosen) == [1]
    expect(row(page, page.evaluate("mg.trials.id[1]"))).to_have_attribute("aria-selected", "true")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press(" ")
    settled(page)
    last = SMALL["id"].nunique() - 1
    assert page.evaluate(chosen) == [1, last - 1]  # beside the other
    row(page, page.evaluate(f"mg.trials.id[{last}]")).click(modifiers=["Shift"])
    settled(page)
    assert page.evaluate(chosen) == [last - 1, last]  # from the row that the keys were at
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("/")
    expect(page.locator("#search")).to_have_value("/")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).not_to_be_focused()
