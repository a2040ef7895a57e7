"""In a real browser: the plane of fronts and the course of the hypervolume show what the analysis finds."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import synthetic
from playwright.sync_api import Page, expect
from reading import Reader, left_by, row, settled
from stored import planned, results

from analysis.selection import fronts

SMALL = synthetic.small()
STRONG = "energy-0.005-input"
TEST = SMALL[SMALL["split"] == "test"].set_index(["id", "epoch", "probe_depth"])


def axes_of(page: Page) -> dict[str, Any]:
    """By name the plane's axes: their titles and ranges."""
    found: dict[str, Any] = page.evaluate(
        """() => {
            const layout = document.getElementById("plot").layout;
            const axes = Object.entries(layout).filter(([name]) => /^[xy]axis/.test(name));
            return Object.fromEntries(axes.map(([name, { title, range }]) => [name, { title: title?.text, range }]));
        }"""
    )
    return found


def drawn(page: Page, size: int) -> list[dict[str, Any]]:
    """The traces of the plane whose markers are so large: 4 are kept epochs, 9 members of fronts, 11 baselines."""
    settled(page)
    found: list[dict[str, Any]] = page.evaluate(
        """(size) => document.getElementById("plot").data.filter(({ marker }) => marker?.size === size)
            .map(({ x, y, points, marker: { symbol, color }, xaxis }) => ({ x, y, points, symbol, color, xaxis,
                trials: points.map((point) => mg.trials.id[mg.data.points.trial[point]]) }))""",
        size,
    )
    return found


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


def test_what_is_drawn_are_the_test_values_of_kept_epochs(page: Page) -> None:
    dots, members, starts = (drawn(page, size) for size in (4, 9, 11))
    own = TEST[(TEST["loss"] != "none") & (TEST["depth"] == TEST.index.get_level_values("probe_depth"))].sort_index()
    assert sum(len(trace["x"]) for trace in dots) == len(own)
    for trace in (*dots, *members):
        for x, y, point in zip(trace["x"], trace["y"], trace["points"], strict=True):
            trial, epoch = page.evaluate(
                "(point) => [mg.trials.id[mg.data.points.trial[point]], mg.data.points.epoch[point]]", point
            )
            here = own.loc[(trial, epoch)].iloc[0]
            assert (x, y) == pytest.approx((100 * here["f1"], 100 * here["epg"]))
    for trace in dots:
        names = own["loss"].groupby("id").first()[trace["trials"]]
        assert set(zip(names, trace["color"], strict=True)) <= {("energy", "#0072B2"), ("l1", "#E69F00")}
    assert {trace["symbol"] for trace in members} == {"circle", "triangle-down"}  # of Energy and L1
    assert [trace["trials"] for trace in starts] == [["base"]] * 3  # in each panel
    for axis in ("xaxis", "yaxis"):
        low, high = axes_of(page)[axis]["range"]
        values = [value for trace in (*dots, *starts) for value in trace[axis[0]]]
        assert low < min(values) < max(values) < high
    lines = page.evaluate("document.getElementById('plot').layout.shapes.filter(({ type }) => type === 'line')")
    assert (lines[0]["x0"], lines[1]["y0"]) == pytest.approx((79.0, 44.0))  # through the baseline
    expect(page.locator("#fronts-note")).to_contain_text(
        "fronts among 36 kept epochs; validation chooses, test is shown"
    )


def test_the_crosses_are_what_is_compared_with(reader: Reader) -> None:
    page = reader.open(results(synthetic.retuned()))
    assert [trace["trials"] for trace in drawn(page, 11)] == [["base"]] * 3
    lines = "document.getElementById('plot').layout.shapes.filter(({ type }) => type === 'line').length"
    assert page.evaluate(lines) == 2 * 3  # cross-hairs
    expect(row(page, "fast-base")).to_be_visible()
    page.evaluate("mg.choose({ filters: { learning_rate: [0.01] } })")
    assert [trace["trials"] for trace in drawn(page, 11)] == [["base"]] * 3  # whichever they started from


def test_menus_say_what_is_drawn(reader: Reader) -> None:
    page = reader.open(results(SMALL))

    def choose(name: str, option: str) -> None:
        page.locator(f"#{name}").select_option(option)
        settled(page)

    assert [axes_of(page)[axis]["title"] for axis in ("xaxis", "yaxis")] == ["F1 (%)", "EPG (%)"]
    choose("x", "EPG")
    choose("y", "IoU")
    assert [axes_of(page)[axis]["title"] for axis in ("xaxis", "yaxis")] == ["EPG (%)", "IoU (%)"]
    choose("x", "F1")
    test = drawn(page, 4)[0]["x"]
    choose("split", "validation")
    assert [round(a - b, 6) for a, b in zip(drawn(page, 4)[0]["x"], test, strict=True)] == [1.0] * len(test)
    expect(page.locator("#fronts-note")).to_contain_text("validation is shown")
    assert len(drawn(page, 4)) == 3
    choose("panels", "one")
    assert (len(drawn(page, 4)), len(drawn(page, 4)[0]["x"])) == (1, 36)
    choose("probe", "everywhere")
    assert len(drawn(page, 4)[0]["x"]) == 36 + 6  # two deeper runs, at the input too
    choose("probe", "B-cos at Mid2")
    assert set(drawn(page, 4)[0]["trials"]) == {"energy-0.005-mid2"}
    choose("probe", "where guided")
    many = len(drawn(page, 9)[0]["x"])
    choose("per", "for each colour")
    assert len(drawn(page, 9)[0]["x"]) < many
    choose("color", "λ")
    expect(page.locator("#legend li")).to_have_text(["●0.001", "■0.005"])


def test_fronts_of_a_page_are_over_all_that_is_tuned(reader: Reader) -> None:
    rates = SMALL["lambda_loc"].map({0.001: 1e-3, 0.005: 1e-2}).fillna(1e-4)
    fronts = "mg.view().fronts.map((front) => front.map((point) => mg.trials.id[mg.data.points.trial[point]]))"
    expected = reader.open(results(SMALL)).evaluate(fronts)
    page = reader.open(results(SMALL.assign(learning_rate=rates)))
    assert page.evaluate("mg.axes.map(({ key }) => key)").count("learning_rate") == 1
    assert page.evaluate(fronts) == expected


def test_progress_is_of_runs(reader: Reader) -> None:
    plan = planned(SMALL)
    plan[-1]["state"] = "stopped"
    began = pd.Timestamp("2026-01-01", tz="UTC")
    rows = SMALL.assign(started=[began + pd.Timedelta(minutes=place) for place in range(len(SMALL))], seconds=90.0)
    page = reader.open(results(rows, plan))
    traces = "document.getElementById('course').data.map(({ trials, x, y }) => ({ trials, x, y }))"
    guided = SMALL[SMALL["loss"] != "none"]["id"].nunique()
    course = page.evaluate("mg.data.courses[0]")
    shown = page.evaluate(traces)
    assert [len(trace["trials"]) for trace in shown] == [guided, 1, 0] * 2
    assert shown[0]["x"] == [*range(1, guided + 1)]
    assert shown[0]["y"] == shown[3]["y"] == pytest.approx([100 * value for value in course["hypervolume"]])
    assert shown[3]["x"] == pytest.approx([*course["hours"]])  # more than two of them
    expect(page.locator("#course-note")).to_contain_text(
        "over F1 and EPG on validation after each guided run that ended"
    )
    expect(page.locator("#course-note")).to_contain_text("✕ was stopped early")
    page.evaluate("document.getElementById('course').scrollIntoView({block: 'center', behavior: 'instant'})")
    settled(page)
    place = page.evaluate(
        """() => {
            const plot = document.getElementById("course");
            const [box, { xaxis, yaxis }] = [plot.getBoundingClientRect(), plot._fullLayout];
            const up = yaxis._offset + yaxis.c2p(plot.data[0].y[0]);
            return { x: box.left + xaxis._offset + xaxis.c2p(1), y: box.top + up };
        }"""
    )
    first = page.evaluate("mg.trials.id[mg.data.courses[0].trial[0]]")
    page.mouse.move(place["x"] + 1, place["y"])
    expect(page.locator("#tip")).to_contain_text(first)
    page.mouse.down()
    page.mouse.up()
    expect(row(page, first)).to_have_attribute("aria-selected", "true")
    settled(page)
    assert [trace["trials"] for trace in page.evaluate(traces)][2] == [course["trial"][0]]


OUTSIDE = SMALL.assign(guidance_region=SMALL["loss"].map(lambda loss: "inside" if loss == "none" else "outside"))


def test_outside_of_the_boxes_the_least_is_told_as_the_best(reader: Reader) -> None:
    def told(rows: pd.DataFrame) -> tuple[str, str, list[str]]:
        page = reader.open(results(rows.assign(started=pd.Timestamp("2026-01-01", tz="UTC"), seconds=90.0)))
        notes = [page.locator(f"#{name}-note").inner_text() for name in ("course", "runs")]
        return *notes, page.locator("#tiles .tile").all_inner_texts()[1:3]

    fallen = OUTSIDE.assign(epg=OUTSIDE["epg"].where(OUTSIDE["loss"] == "none", 0.9 - OUTSIDE["epg"]))
    course, runs, tiles = told(fallen)
    assert "over F1 and 1 − EPG on validation" in course
    assert "the epoch with least EPG among" in runs
    assert [tile.split("\n") for tile in tiles] == [
        ["Least EPG at ≤ 2 points of F1", "−9.4", "F1 −1.8 · Input · Energy · λ 0.005"],
        ["Hypervolume", "–", "none for guidance outside of the boxes"],
    ]
    both = pd.concat([SMALL, fallen.replace({"id": r"^", "parent": r"^"}, "out-", regex=True)])
    course, runs, tiles = told(both)
    assert "over F1 and EPG (1 − EPG of runs guided outside of the boxes) on validation" in course
    assert "the epoch with most EPG (least, if guided outside of the boxes) among" in runs
    assert tiles[1].startswith("Largest hypervolume")
    course, runs, tiles = told(OUTSIDE.query("loss == 'none'"))
    assert "no front yet" in tiles[1]


def test_an_axis_of_the_course_ends_with_it(page: Page) -> None:
    [first, second] = page.evaluate("['xaxis', 'xaxis2'].map((axis) => document.getElementById('course').layout[axis])")
    guided = SMALL[SMALL["loss"] != "none"]["id"].nunique()
    assert first["range"] == pytest.approx([0, 1.02 * guided])
    minutes = [60 * hours for hours in page.evaluate("mg.data.courses[0].hours")]
    assert second["title"]["text"] == "minutes that they took"
    assert second["range"] == pytest.approx([0, 1.02 * minutes[-1]])
    assert page.evaluate("document.getElementById('course').data[3].x") == pytest.approx(minutes)
    assert len(left_by(page)) == guided + 1
