"""In a real browser: what filters leave, and what is told of it: importances, slices, costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic
from importance import importance
from playwright.sync_api import Page, expect
from reading import Reader, left_by, ready, row, settled
from stored import planned, results

SMALL = synthetic.small()
TRIALS = SMALL.drop_duplicates("id").set_index("id")
STRONG = "energy-0.005-input"
COUNT = len(TRIALS)


def chosen(page: Page, changes: dict[str, Any]) -> None:
    page.evaluate("(changes) => mg.choose(changes)", changes)
    settled(page)


# Filters


def test_filters_leave_what_was_asked_for(page: Page) -> None:
    expect(page.locator("#shown")).to_have_text(f"{COUNT} runs")
    expect(page.locator("#clear")).to_be_hidden()
    page.get_by_role("button", name="Energy", exact=True).click()
    left = TRIALS[TRIALS["loss"].isin(["none", "energy"])]
    expect(page.locator("#shown")).to_have_text(f"{len(left)} of {COUNT} runs")
    assert {name for name, *_ in page.evaluate("mg.members()")} <= set(left.index)
    expect(page.locator("#table .body")).not_to_contain_text("L1")
    page.get_by_role("button", name="Final", exact=True).click()
    expect(page.locator("#shown")).to_have_text(f"2 of {COUNT} runs")
    assert left_by(page) == {"base", "energy-0.005-final"}
    page.get_by_role("button", name="Mid2", exact=True).click()  # one or the other
    expect(page.locator("#shown")).to_have_text(f"3 of {COUNT} runs")
    page.reload()
    ready(page)
    expect(page.get_by_role("button", name="Energy", exact=True)).to_have_attribute("aria-pressed", "true")
    assert left_by(page) == {"base", "energy-0.005-final", "energy-0.005-mid2"}
    page.get_by_role("button", name="Final", exact=True).click()
    expect(page.locator("#shown")).to_have_text(f"2 of {COUNT} runs")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#shown")).to_have_text(f"{COUNT} runs")


def test_the_search_finds_runs_that_have_all_words(page: Page) -> None:
    page.locator("#search").fill("base")
    expect(page.locator("#shown")).to_have_text(f"1 of {COUNT} runs")
    page.locator("#search").fill("ENERGY mid2 0.005")
    expect(page.locator("#shown")).to_have_text(f"1 of {COUNT} runs")
    assert left_by(page) == {"energy-0.005-mid2"}
    page.locator("#search").fill("no such")
    expect(page.locator("#table .body")).to_have_text("No run passes the filters.")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#search")).to_have_value("")


def test_many_numbers_are_filtered_from_and_to(reader: Reader) -> None:
    page = reader.open(results(searched()))
    first, last = page.get_by_label("learning rate from"), page.get_by_label("learning rate to")
    expect(first).to_have_value("0.0001")
    first.fill("0.0005")
    first.press("Enter")
    last.fill("0.001")
    last.press("Enter")
    guided = searched().query("loss != 'none'").drop_duplicates("id").set_index("id")["learning_rate"]
    left = set(guided[guided.between(0.0005, 0.001)].index)
    expect(page.locator("#shown")).to_have_text(f"{1 + len(left)} of {1 + len(guided)} runs")
    assert left_by(page) == left | {"base"}
    first.fill("")
    first.press("Enter")
    expect(first).to_have_value("0.0001")


def test_states_filter_too(reader: Reader) -> None:
    plan = planned(SMALL)
    plan[3]["state"] = "failed"
    page = reader.open(results(SMALL, plan))
    page.get_by_role("button", name="failed", exact=True).click()
    expect(page.locator("#shown")).to_have_text(f"1 of {COUNT} runs")
    assert left_by(page) == {plan[3]["id"]}


# Parallel coordinates

TOP, BOTTOM, LAST = 34, 282, 56  # pixels of the ends of an axis, and to the first axis


def axis_place(page: Page, key: str) -> tuple[float, float]:
    """The pointer's place at the top edge of an axis."""
    canvas = page.locator("#lines canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    scores = ["at_f1_val", "at_epg_val", "gain_epg", "at_iou_val", "gain_iou"]
    keys = [*page.evaluate("mg.axes.map(({ key }) => key)"), *scores]
    return box["x"] + LAST + keys.index(key) * (box["width"] - 2 * LAST) / (len(keys) - 1), box["y"]


def brush(page: Page, key: str, low: float, high: float) -> None:
    x, y = axis_place(page, key)
    page.mouse.move(x, y + low)
    page.mouse.down()
    page.mouse.move(x, y + high)
    page.mouse.up()
    settled(page)


def test_brushing_an_axis_filters_and_a_click_lets_go(page: Page) -> None:
    brush(page, "at_f1_val", 40, 120)
    expect(page.locator("#shown")).to_contain_text(" of ")
    low, high = page.evaluate("mg.chosen('ranges').at_f1_val")
    best = pd.Series(page.evaluate("mg.trials.at_f1_val"), index=page.evaluate("mg.trials.id"))
    ends = [best.min() + (BOTTOM - y) / (BOTTOM - TOP) * (best.max() - best.min()) for y in (120, 40)]
    assert [low, high] == pytest.approx(ends, abs=0.02 * (best.max() - best.min()))
    assert left_by(page) == set(best[best.between(low, high)].index)
    x, y = axis_place(page, "at_f1_val")
    page.mouse.click(x, y + 200)
    expect(page.locator("#shown")).to_have_text(f"{COUNT} runs")
    brush(page, "at_f1_val", 40, 120)
    page.get_by_role("group", name="F1").get_by_role("button").click()  # or by its chip
    expect(page.locator("#shown")).to_have_text(f"{COUNT} runs")


def test_brushing_names_presses_their_chips(page: Page) -> None:
    brush(page, "depth", TOP - 5, TOP + 140)  # the upper two of three
    for name, pressed in (("Input", "false"), ("Mid2", "true"), ("Final", "true")):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", pressed)
    assert left_by(page) == {"base", "energy-0.005-mid2", "energy-0.005-final"}


def test_lines_are_of_the_runs_in_view(page: Page) -> None:
    def drawn() -> str:
        settled(page)
        picture: str = page.evaluate("document.querySelector('#lines canvas').toDataURL()")
        return picture

    before = drawn()
    for change, back in (
        ({"filters": {"depth": ["final"]}}, {"filters": {}}),
        ({"selected": [STRONG]}, {"selected": []}),
    ):
        chosen(page, change)
        assert drawn() != before
        chosen(page, back)
        assert drawn() == before


def test_a_line_tells_of_its_run_and_a_click_selects_it(page: Page) -> None:
    chosen(page, {"filters": {"depth": ["final"]}})
    x, y = axis_place(page, "at_epg_val")
    share = page.evaluate(
        """() => {
            const values = mg.trials.at_epg_val.filter((value) => value != null);
            const [low, high] = [Math.min(...values), Math.max(...values)];
            return (mg.trials.at_epg_val[mg.place.get("energy-0.005-final")] - low) / (high - low);
        }"""
    )
    before, _ = axis_place(page, "at_f1_val")
    f1 = pd.Series(page.evaluate("mg.trials.at_f1_val"), index=page.evaluate("mg.trials.id"))
    start = (f1["energy-0.005-final"] - f1.min()) / (f1.max() - f1.min())
    ends = [BOTTOM - (BOTTOM - TOP) * each for each in (start, share)]
    page.mouse.move((before + x) / 2, y + sum(ends) / 2)  # halfway between two axes
    expect(page.locator("#tip")).to_contain_text("energy-0.005-final")
    page.mouse.down()
    page.mouse.up()
    expect(row(page, "energy-0.005-final")).to_have_attribute("aria-selected", "true")


# Importances and slices


def searched() -> pd.DataFrame:
    """One baseline, and guided trials of two losses with many learning rates, whose lowest is the most frequent."""
    generator = np.random.default_rng(0)
    frame = SMALL[(SMALL["id"] == "base") & (SMALL["probe_depth"] == "input")]
    parts = [frame]
    for number in range(61):  # so that quantiles are values of runs
        rate = 1e-4 if number % 3 == 0 else float(np.round(10 ** generator.uniform(-4, -2), 6))
        one = pd.DataFrame(synthetic.guided("energy" if number % 2 else "l1", 0.005, learning_rate=rate))
        shift = 0.01 * np.log10(rate) + generator.normal(0, 0.01)
        parts.append(one.assign(id=f"run-{number}", f1=one["f1"] + shift, epg=one["epg"] + 2 * shift))
    return pd.concat(parts, ignore_index=True)


def by_pandas(page: Page, rows: pd.DataFrame, metric: str, left: set[str]) -> list[float]:
    """The importances of all axes of the page, where each of the runs is told."""
    trials = rows[rows["id"].isin(left) & (rows["loss"] != "none")].drop_duplicates("id").set_index("id")
    told = pd.Series(page.evaluate(f"mg.trials.at_{metric}_val"), index=page.evaluate("mg.trials.id"))
    return [
        importance(told[trials.index].astype("float64"), trials[key])
        for key in page.evaluate("mg.axes.map(({ key }) => key)")
    ]


def by_page(page: Page, metric: str) -> list[float]:
    """What stands beside the bars, in the order of the axes."""
    found = {}
    for share in page.locator("#shares .share").all():
        place = page.locator("#shares p").inner_text().split().index(metric)
        text = share.locator("b").nth(place).inner_text().removesuffix(" %")
        found[share.locator(".name").inner_text()] = float("nan") if text == "–" else float(text) / 100
    return [found[label] for label in page.evaluate("mg.axes.map(({ label }) => label)")]


EXACT = """(metric) => {
    const guided = [...mg.shown().keys()].filter((trial) => mg.shown()[trial] && !mg.trials.baseline[trial]);
    return mg.axes.map((axis) => mg.importance(guided, mg.metric(metric), axis));
}"""


@pytest.mark.parametrize("rows", [synthetic.store(), searched()], ids=["grid", "search"])
def test_importances_are_those_of_the_runs_in_view(reader: Reader, rows: pd.DataFrame) -> None:
    page = reader.open(results(rows))
    [some] = rows["id"].drop_duplicates().sample(1, random_state=0)
    views = [{}, {"filters": {"loss": ["energy"]}}, {"filters": {}, "search": "energy"}, {"search": some}]
    seen = []
    for view in views:
        chosen(page, view)
        left = left_by(page)
        for metric, name in (("epg", "EPG"), ("f1", "F1")):
            expected = by_pandas(page, rows, metric, left)
            assert by_page(page, name) == pytest.approx(expected, abs=0.0051, nan_ok=True)
            exact = page.evaluate(EXACT, metric)
            assert [np.nan if one is None else one for one in exact] == pytest.approx(expected, rel=1e-9, nan_ok=True)
            seen.append(tuple(np.nan_to_num(expected)))
        guided = rows[rows["id"].isin(left) & (rows["loss"] != "none")]["id"].nunique()
        expect(page.locator("#shares-note")).to_contain_text(f"among the {guided} guided runs in view that ended")
    assert seen[0] != seen[2]  # a filter changes them


def test_importances_are_those_of_the_metrics_in_view_and_of_runs_that_ended(reader: Reader) -> None:
    rows = synthetic.store()
    plan = planned(rows)
    plan[-1]["state"], plan[-2]["state"] = "running", "stopped"
    page = reader.open(results(rows, plan))
    bars = page.locator("#shares .share")
    expect(bars.first.locator(".name")).to_have_text("loss")  # as the store was made
    expected = by_pandas(page, rows, "epg", set(rows["id"]) - {plan[-1]["id"]})
    assert by_page(page, "EPG") == pytest.approx(expected, abs=0.0051)
    width = bars.first.locator(".bar").first.evaluate("(bar) => parseFloat(bar.style.width) / 100")
    assert width == pytest.approx(max(expected))
    expect(page.locator("#shares")).to_contain_text("F1")
    chosen(page, {"x": "iou", "y": "iou"})
    expect(page.locator("#shares")).not_to_contain_text("F1")
    expect(bars.first.locator("b")).to_have_count(1)
    alone = reader.open(results(SMALL.query("loss == 'none'")))
    expect(alone.locator("#importance")).to_be_hidden()
    expect(alone.locator("#progress")).to_be_hidden()


def test_slices_are_of_the_runs_in_view(page: Page) -> None:
    traces = "document.getElementById('slices').data.map(({ trials, x, y }) => ({ trials, x, y }))"
    dots = [trace for trace in page.evaluate(traces) if trace.get("trials")]
    assert {len(trace["trials"]) for trace in dots} == {COUNT - 1}
    chosen(page, {"filters": {"depth": ["input"]}, "selected": [STRONG]})
    drawn = page.evaluate(traces)
    shallow = TRIALS[TRIALS["depth"] == "input"]
    told = pd.Series(page.evaluate("mg.trials.at_epg_val"), index=page.evaluate("mg.trials.id"))[shallow.index] / 100
    assert {len(trace["trials"]) for trace in drawn if trace.get("trials")} == {len(shallow)}
    title = page.evaluate("document.getElementById('slices').layout.yaxis.title.text")
    assert title == "EPG (%)"
    layout = page.evaluate("document.getElementById('slices').layout")
    for number in range(len(page.evaluate("mg.axes"))):
        dots, medians = drawn[4 * number : 4 * number + 2]  # of EPG; below it those of F1
        assert sorted(dots["y"]) == pytest.approx(sorted(told))
        label = layout[f"xaxis{2 * number + 2}"]["title"]["text"]
        axis = page.evaluate("(label) => mg.axes.find((axis) => axis.label === label)", label)
        groups = told.groupby(shallow[axis["key"]]).median()
        assert medians["y"] == pytest.approx([groups[value] for value in axis["values"] if value in groups.index])
    sizes = page.evaluate("document.getElementById('slices').data[0].marker.size")
    assert sorted(sizes) == [6] * (len(shallow) - 1) + [11]


# Cost


def test_costs_are_summed_by_what_is_chosen_over_the_runs_in_view(reader: Reader) -> None:
    page = reader.open(results(SMALL))
    seconds = SMALL.drop_duplicates(["id", "epoch", "split"]).groupby("id")["seconds"].sum()
    page.get_by_label("By").select_option("loss")
    chosen(page, {"filters": {"depth": ["input"]}})
    of = TRIALS.query("depth == 'input' and loss != 'none'")
    sums = seconds[of.index].groupby(of["loss"]).sum()
    for loss, name in (("energy", "Energy"), ("l1", "L1")):
        bar = page.locator("#cost-bars .cost", has_text=name)
        runs = (of["loss"] == loss).sum()
        expect(bar).to_contain_text(f"{sums[loss] / 60:.0f} min{runs} runs · {sums[loss] / runs:.0f} s each")
    page.get_by_label("By").select_option("device")
    expect(page.locator("#cost-bars .cost .name")).to_have_text(["x"])
    chosen(page, {"search": "no such"})
    expect(page.locator("#cost-bars")).to_contain_text("Nothing ran among the runs in view.")
