"""The report in a real browser: for every sweep and screen, with no error, request, or name taken for markup."""

from __future__ import annotations

from datetime import datetime

import pytest
import synthetic
from playwright.sync_api import Page, expect
from reading import DESK, PHONE, Reader, ready, row, settled
from stored import HOSTILE, hung, planned, renamed, results

from analysis.report import html
from analysis.report.results import Results

SMALL = synthetic.small()
STRONG = "energy-0.005-input"
COUNT = SMALL["id"].nunique()
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
DARK, LIGHT = "rgb(16, 19, 23)", "rgb(244, 245, 247)"


# Any screen


def test_the_theme_follows_the_system_until_it_is_chosen(reader: Reader) -> None:
    page = reader.open(results(SMALL), color_scheme="dark")
    ink = "document.getElementById('plot').layout.font.color"
    assert page.evaluate(BACKGROUND) == DARK
    assert page.evaluate(ink) == "#e8ebef"
    assert [page.evaluate(f"mg.ink('{color}')") for color in ("#000000", "#0072B2")] == ["#ffffff", "#0072B2"]
    page.emulate_media(color_scheme="light")
    settled(page)
    assert page.evaluate(BACKGROUND) == LIGHT
    assert page.evaluate(ink) == "#1b1f24"  # the charts follow
    page.emulate_media(color_scheme="dark")
    page.locator("#theme").click()
    assert page.evaluate(BACKGROUND) == LIGHT
    page.reload()
    ready(page)
    assert page.evaluate(BACKGROUND) == LIGHT
    page.locator("#theme").click()
    expect(page.locator("#theme")).to_have_text("Dark")
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


# What stands around the charts


def test_the_summary_counts_and_leads_to_the_best(reader: Reader) -> None:
    plan = planned(SMALL)
    plan[1]["state"] = plan[2]["state"] = "waiting"
    page = reader.open(results(SMALL.assign(device="a GPU"), plan))
    runs, gain, area, compute = page.locator("#tiles .tile").all()
    expect(runs).to_have_text(f"Runs done{COUNT - 2} / {COUNT}2 waiting")
    expect(compute).to_contain_text("a GPU; about")
    best = page.evaluate("mg.data.best")
    expect(gain.locator(".tile-value")).to_have_text(f"+{100 * best['gain']['epg']:.1f}")
    expect(area.locator(".tile-value")).to_have_text(f"{best['hypervolume']['area']:.4f}")
    for tile, name in ((gain, "gain"), (area, "hypervolume")):
        tile.click()
        expect(row(page, page.evaluate(f"mg.trials.id[{best[name]['trial']}]"))).to_have_attribute(
            "aria-selected", "true"
        )


def test_failures_are_told_with_their_runs_and_how_to_go_on(reader: Reader) -> None:
    plan = planned(SMALL, "failed")
    failures = {trial["id"]: {"cause": "bug", "error": "KeyError: 'x'", "traceback": "tb"} for trial in plan[:3]}
    failures["gone"] = {"cause": "preempted", "error": "", "traceback": None}
    page = reader.open(results(SMALL, plan, failures))
    first, second = page.locator(".failure").all()
    expect(first).to_contain_text("bug 3 runs")
    expect(first.locator(".command code")).to_have_text("mgsweep run made_up.yaml --retry bug")
    expect(second.locator(".command code")).to_have_text("mgsweep run made_up.yaml --retry all")
    first.locator("summary").click()
    expect(first.locator("pre")).to_have_text("tb")
    first.get_by_role("button", name=plan[2]["id"], exact=True).click()
    expect(row(page, plan[2]["id"])).to_have_attribute("aria-selected", "true")
    expect(page.locator("#failures")).to_be_visible()
    whole = reader.open(results(SMALL))
    expect(whole.locator("#failures")).to_be_hidden()


def test_where_the_results_come_from_is_told(reader: Reader) -> None:
    rows = SMALL.assign(host="node-7", git_commit="0123456789abcdef", git_dirty=True, torch_version="2.13", device="x")
    page = reader.open(results(rows, text="name: made_up\ngrids: []\n"))
    told = page.locator("#origins tbody td").all_inner_texts()
    assert told[0] == str(COUNT)
    assert {"2.13", "0123456789ab + changes", "node-7", "x"} <= set(told)
    expect(page.locator("#text")).to_have_text("name: made_up\ngrids: []\n")
    expect(page.locator("h1")).to_have_text("made_up")
    assert page.title() == "made_up · mgsweep"


def test_a_jump_leaves_the_address_alone_and_a_copy_is_whole(page: Page) -> None:
    row(page, STRONG).click()
    settled(page)
    before = page.url
    assert STRONG in before
    page.locator("nav").get_by_text("Sweep file").click()
    expect(page.locator("#text")).to_be_in_viewport()
    assert page.url == before
    command = page.evaluate(f"mg.trials.command[mg.place.get('{STRONG}')]")
    for place, text in (("#detail .command", command), ("#file", "name: made_up")):
        button = page.locator(place).get_by_role("button")
        button.click()
        expect(button).to_have_text("Copied")
        page.locator("#search").fill("")
        page.keyboard.press("Control+V")
        expect(page.locator("#search")).to_have_value(text)
        page.evaluate(
            "() => { navigator.clipboard.writeText = async () => { throw new Error() } }"
        )  # then by selecting


# Any content


def test_names_are_text_everywhere(reader: Reader) -> None:
    rows = renamed(SMALL)
    plan = planned(rows)
    plan[-1]["state"] = "failed"
    failure = {"cause": HOSTILE, "error": HOSTILE, "traceback": HOSTILE}
    shown = {name: [{**one, "class": HOSTILE} for one in hanging] for name, hanging in hung(rows).items()}
    page = reader.open(results(rows, plan, {plan[-1]["id"]: failure}, HOSTILE, HOSTILE, shown))
    page.evaluate("mg.choose({ selected: [mg.trials.id.at(-2), mg.trials.id.at(-1)] })")
    expect(page.locator(".compared li")).to_have_count(2)
    page.evaluate("mg.select(mg.count - 1)")
    expect(page.locator(".map-grid img").first).to_have_attribute("alt", f"Image of class {HOSTILE}")
    expect(page.locator("#detail")).to_contain_text("{{7*7}}")
    expect(page.locator("h1")).to_have_text(HOSTILE.replace("\n", " "), use_inner_text=True)
    expect(page.locator("#text")).to_contain_text("<script>alert(1)</script>")
    expect(page.locator("#failure-list")).to_contain_text("<script>alert(1)")
    assert page.locator("img:not([src^='data:image/png;base64,'])").count() == 0
    assert page.locator("script:not([type])").count() == len(html.SCRIPTS) + 1
    assert page.evaluate("document.documentElement.scrollWidth") == DESK["width"]


def test_names_are_no_markup_in_charts(reader: Reader) -> None:
    page = reader.open(results(SMALL.replace({"loss": {"l1": "<b>1&lt;"}})))
    page.evaluate("mg.choose({ panels: 'loss' })")
    for chart in ("plot", "slices"):
        expect(page.locator(f"#{chart} text", has_text="<b>1&lt;").first).to_be_attached()


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
            document.body.insertAdjacentHTML("beforeend", "<img src='http://127.0.0.1:9/'><b style='color: red'></b>");
            await fetch("http://127.0.0.1:9/").catch(() => {});
            await new Promise((done) => setTimeout(done, 100));
            return [found.sort().join(), window.intruded ?? false];
        }"""
    )
    assert refused == ["connect-src,img-src,script-src-attr,script-src-elem,style-src-attr", False]
    reader.heard.clear()  # the errors that the attempts were to cause


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


TAMPERED = ["no JSON", '{"filters": 5}', '{"ranges": {"f1": ["a", null]}}', '{"selected": ["no such run"]}']
FURTHER = [
    *("%", '{"filters": {"loss": "energy"}}', '{"selected": 5}', '{"sort": 3}', '{"panels": 5}'),
    '{"x": "toString", "color": "no such axis"}',
]


@pytest.mark.parametrize("state", [*TAMPERED, *(pytest.param(one, marks=pytest.mark.slow) for one in FURTHER)])
def test_an_address_that_was_tampered_with_does_no_harm(page: Page, state: str) -> None:
    page.evaluate("(state) => (location.hash = state)", state)
    page.reload()
    ready(page)
    expect(page.locator("#shown")).to_have_text(f"{COUNT} runs")
    assert page.evaluate("[mg.chosen('selected').length, Object.keys(mg.chosen('ranges')).length]") == [0, 0]


# While the sweep runs


def test_a_page_that_is_watched_renews_itself_and_keeps_what_was_chosen(reader: Reader) -> None:
    plan = planned(SMALL)
    plan[-1]["state"] = "running"
    some = SMALL[SMALL["id"] != plan[-1]["id"]]
    page = reader.open(results(some, plan), live=True)
    expect(page.locator("#live")).to_have_text("Live")
    page.get_by_role("button", name="Energy", exact=True).click()
    row(page, STRONG).click()
    settled(page)
    page.evaluate("scrollTo(0, 345)")
    reader.write(results(SMALL))
    page.evaluate("mg.renew()")
    expect(page.locator("#live")).to_be_hidden()
    ready(page)
    expect(page.locator("#tiles")).to_contain_text("all of them")
    expect(page.locator("#detail")).to_contain_text(STRONG)
    expect(page.get_by_role("button", name="Energy", exact=True)).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("scrollY") == 345


def test_it_renews_itself_every_so_often_unless_it_is_paused_or_in_use(reader: Reader) -> None:
    page = reader.open(results(SMALL), live=True)
    page.clock.install()
    page.reload()
    ready(page)
    page.clock.pause_at(datetime.fromtimestamp(page.evaluate("Date.now()") / 1000 + 10))
    page.evaluate("window.renewed = 0; mg.renew = () => (window.renewed += 1)")

    def renewals(seconds: int) -> int:
        page.clock.run_for(1000 * seconds)
        found: int = page.evaluate("[window.renewed, (window.renewed = 0)][0]")
        return found

    renewals(20)
    while not renewals(1):  # until it has just been renewed
        pass
    assert renewals(13) == 0
    page.mouse.move(50, 50)
    assert renewals(3) == 0  # under the reader's hands
    assert renewals(30) == 2
    expect(page.locator("#written")).to_contain_text("ago")
    page.locator("#live").click()
    expect(page.locator("#live")).to_have_text("Paused")
    assert renewals(60) == 0
    page.locator("#live").click()
    assert renewals(60) >= 3
