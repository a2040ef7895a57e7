"""What the report's page is made from: its frames against plain loops, its commands against the plan, its policy."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
import synthetic
from stored import HOSTILE, planned, renamed, results

from analysis import report
from analysis.importance import importance
from analysis.pareto import hypervolume
from analysis.progress import progress
from analysis.report import frames, html
from analysis.report.commands import commands
from analysis.report.content import content
from analysis.selection import CELL, METRICS, baselines, fronts, gains, measurements
from mgsweep.errors import InvalidInput
from mgsweep.pareto import Goals
from mgsweep.plan import load
from mgsweep.plan.arguments import select
from mgsweep.plan.axes import SHARED
from mgsweep.store import Store
from mgsweep.trial import Trial

ROOT = Path(__file__).parents[2]


def made(rows: pd.DataFrame) -> dict[str, object]:
    return content(results(rows), "mgsweep run made_up.yaml", live=False)


def shown_at(rows: pd.DataFrame) -> pd.DataFrame:
    return frames.chosen(measurements(rows, guided=True, how="left"), baselines(rows))


# Frames


def test_a_trial_is_shown_where_it_gains_most_without_losing_f1() -> None:
    rows = synthetic.store()
    shown = shown_at(rows).set_index("id")
    val = rows[rows["split"] == "val"]
    for trial, epochs in val[val["loss"] != "none"].groupby("id"):
        start = val[(val["id"] == epochs["parent"].iloc[0]) & (val["probe_depth"] == epochs["depth"].iloc[0])].iloc[0]
        good = [e for e in epochs.to_dict("records") if e["f1"] >= start["f1"] - frames.F1_LOSS]
        best = max(good or epochs.to_dict("records"), key=lambda e: (e["epg"], e["f1"]) if good else (e["f1"],))
        assert (shown.loc[trial, "epoch"], shown.loc[trial, "epg_val"]) == (best["epoch"], best["epg"])
        assert shown.loc[trial, "epg_start"] == start["epg"]


def test_without_a_baseline_it_is_shown_at_its_best_f1() -> None:
    rows = synthetic.store()
    rows = rows[rows["loss"] != "none"]
    shown = shown_at(rows).set_index("id")
    best = rows[rows["split"] == "val"].groupby("id")["f1"].max()
    assert (shown["f1_val"] == best[shown.index]).all()
    assert shown["f1_start"].isna().all()


def test_points_are_kept_epochs_and_baselines() -> None:
    rows = synthetic.small()
    untested = (rows["id"] == rows["id"].iloc[-1]) & (rows["split"] == "test")
    rows = rows[~untested]
    points = frames.points(measurements(rows, guided=True, how="left"), baselines(rows), shown_at(rows))
    tested = rows[rows["split"] == "test"][["id", "epoch", "probe_depth"]].apply(tuple, axis=1)
    found = points[["id", "epoch", "probe_depth"]].apply(tuple, axis=1)
    assert set(tested) < set(found)
    assert {name for name, _, _ in set(found) - set(tested)} == {rows["id"].iloc[-1]}
    deeper = points[points["id"] == "energy-0.005-mid2"]
    assert len(deeper) == 2 * 3  # two probes, three epochs
    assert (deeper["own"] == (deeper["probe_depth"] == "mid2")).all()


def test_curves_are_thinned_to_their_limit_and_keep_the_last_epoch() -> None:
    rows = synthetic.small()
    whole = frames.curves(rows, most=10_000)
    assert len(whole) == rows[rows["split"] == "val"].drop_duplicates(["id", "epoch"]).shape[0]
    thin = frames.curves(rows, most=len(whole) // 2)
    assert thin.groupby("id")["epoch"].max().to_dict() == whole.groupby("id")["epoch"].max().to_dict()
    assert len(thin) < len(whole)


def test_time_is_counted_once_for_all_probes_of_an_epoch() -> None:
    rows = synthetic.small()
    rows = rows.assign(seconds=10.0, peak_memory=7, device="cpu")
    spent = frames.spent(rows).set_index("id")
    assert spent.loc["energy-0.005-mid2", "seconds"] == 3 * (10 + 10 + 10)  # epochs x (training, validation, test)
    assert spent.loc["energy-0.005-mid2", "epochs_done"] == 3


def test_axes_are_what_guided_trials_differ_in() -> None:
    rows = synthetic.store()
    rows.loc[rows["loss"] == "none", "epochs"] = 300
    found = frames.axes(frames.asked_or_stored(results(rows).planned, rows))
    assert list(found) == ["model", "attribution", "depth", "loss", "lambda_loc"]
    assert found["lambda_loc"] == [0.001, 0.005, 0.01]


def test_the_page_is_told_the_largest_gain_and_area() -> None:
    rows = synthetic.store()
    told = made(rows)["best"]
    members = fronts(rows)
    areas = [
        hypervolume(cell[["f1", "epg"]], (0, 0)) for _, cell in members.groupby([*CELL, "probe_depth"], dropna=False)
    ]
    assert told["hypervolume"]["area"] == pytest.approx(max(areas))
    assert told["gain"]["epg"] == pytest.approx(gains(rows, frames.F1_LOSS)["epg_gain"].max())


def test_what_a_baseline_shares_is_what_a_plan_shares() -> None:
    assert frames.SHARED == SHARED


# Progress and importances


def ended(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[dict[str, object]]]:
    """The rows with times, and a plan in which one trial was stopped and one still runs."""
    began = pd.Timestamp("2026-01-01", tz="UTC")
    rows = rows.assign(started=[began + pd.Timedelta(minutes=place) for place in range(len(rows))], seconds=60.0)
    plan = planned(rows)
    plan[-1]["state"], plan[-2]["state"] = "running", "stopped"
    return rows, plan


def test_the_course_is_that_of_the_trials_that_ended() -> None:
    rows, plan = ended(synthetic.small())
    made = content(results(rows, plan), "mgsweep run x.yaml", live=False)
    [course] = made["courses"]
    left = rows[rows["id"] != plan[-1]["id"]]
    expected = progress(left.assign(stopped=left["id"] == plan[-2]["id"]))
    assert [made["trials"]["id"][trial] for trial in course["trial"]] == list(expected["id"])
    assert course["hypervolume"] == pytest.approx(list(expected["hypervolume"]), rel=1e-3)
    assert course["hours"] == pytest.approx(list(expected["hours"]), rel=1e-3)
    assert course["dataset"] == "VOC 2007"
    assert made["goals"] == {"names": ["F1", "EPG"], "share": True, "constrained": False}


def test_the_course_is_over_what_the_sweep_searches_for() -> None:
    rows, plan = ended(synthetic.small())
    goals = Goals({"iou": "max", "seconds": "min"}, {"f1": 0.0})
    made = content(results(rows, plan), "mgsweep run x.yaml", live=False, goals=goals)
    left = rows[rows["id"] != plan[-1]["id"]]
    expected = progress(left.assign(stopped=left["id"] == plan[-2]["id"]), goals.objectives, goals.constraints)
    assert made["courses"][0]["hypervolume"] == pytest.approx(list(expected["hypervolume"]), rel=1e-3)
    assert made["goals"] == {"names": ["IoU", "seconds"], "share": False, "constrained": True}


def test_importances_are_of_the_guided_trials_that_ended() -> None:
    rows, plan = ended(synthetic.store())
    made = content(results(rows, plan), "mgsweep run x.yaml", live=False)
    shown = shown_at(rows).merge(rows.drop_duplicates("id")[["id", *frames.AXES]], on="id")
    shown = shown[(shown["loss"] != "none") & (shown["id"] != plan[-1]["id"])]
    axes = [axis["key"] for axis in made["axes"]]
    expected = [round(importance(shown["epg_val"], shown[axis]) * 10_000) for axis in axes]
    assert made["importances"]["epg"] == expected
    assert axes[expected.index(max(expected))] == "loss"  # as the store was made


# Commands


@pytest.mark.parametrize("file", ["quickstart", "full_grid"])
def test_a_command_trains_its_trial_and_the_baseline_it_needs(file: str) -> None:
    trials = load(ROOT / f"sweeps/{file}.yaml").trials
    table = pd.DataFrame([{"id": trial.id, **trial.to_row()} for trial in trials])
    for trial, line in zip(trials, commands(table, "mgsweep run x.yaml"), strict=True):
        words = shlex.split(line)
        assert words[:3] == ["mgsweep", "run", "x.yaml"]
        only = [value for option, value in zip(words[3::2], words[4::2], strict=True) if option == "--only"]
        assert {found.id for found in select(trials, only)} == {trial.id, trial.parent or trial.id}


def test_a_hostile_name_stays_one_word_of_a_command() -> None:
    table = renamed(synthetic.small())
    lines = commands(table, "mgsweep run x")
    assert {f"loss={HOSTILE}loss", "loss=l1"} <= {word for line in lines for word in shlex.split(line)}


# What is missing


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (synthetic.small().iloc[:0], "no trials yet"),
        (synthetic.small().query("loss == 'none'"), "No trial is guided"),
        (synthetic.small().query("loss != 'none'"), "the baseline they started from has none"),
        (synthetic.small().assign(f1=float("nan"), epg=float("nan")), "No trial has a result yet"),
        (synthetic.small().query("split != 'test'"), "Nothing was measured on test yet"),
        (synthetic.small().head(2), "No trial is guided"),
    ],
)
def test_whatever_is_missing_is_said(rows: pd.DataFrame, said: str) -> None:
    assert said in " ".join(made(rows)["missing"])  # type: ignore[arg-type]


def test_nothing_is_missing_in_a_whole_sweep() -> None:
    assert made(synthetic.small())["missing"] == []


def test_failures_of_one_cause_are_told_once() -> None:
    plan = planned(synthetic.small(), "failed")
    failures = {row["id"]: {"cause": "bug", "error": "KeyError: 'x'\nmore", "traceback": "tb"} for row in plan[:3]}
    failures[plan[3]["id"]] = {"cause": "memory", "error": "", "traceback": None}
    found = content(results(synthetic.small().iloc[:0], plan, failures), "mgsweep run x.yaml", live=True)["failures"]
    assert [(group["cause"], len(group["trials"])) for group in found] == [("bug", 3), ("memory", 1)]


# The file


class Parts(HTMLParser):
    """Scripts, styles and everything that could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts, self.styles, self.policy, self.suspects, self.titles = [], [], "", [], []
        self._into: list[str] | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        # What is not JavaScript is data and does not run.
        self._into = {"style": self.styles, "title": self.titles}.get(tag)
        if tag == "script" and "type" not in given:
            self._into = self.scripts
        self.suspects += [key for key in given if key.startswith("on") or key in ("src", "style")]
        self.suspects += [
            url for key in ("href", "action") if (url := given.get(key) or "") and not url.startswith("#")
        ]

    def handle_data(self, text: str) -> None:
        if self._into is not None:
            self._into.append(text)
        self._into = None


def test_the_policy_lets_run_what_is_in_the_page_and_nothing_else() -> None:
    parts = Parts()
    parts.feed(html.page(made(renamed(synthetic.small()))).decode())
    assert len(parts.scripts) == len(html.SCRIPTS) + 1
    allowed = {
        name: set(words.split()) for name, _, words in (part.strip().partition(" ") for part in parts.policy.split(";"))
    }
    assert allowed["default-src"] == {"'none'"}
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in parts.scripts}
    assert allowed["script-src"] == hashes
    assert not any("unsafe" in word for words in allowed.values() for word in words)
    assert parts.suspects == []
    assert "".join(parts.titles) == "made_up · mgsweep"


def test_names_are_nowhere_in_the_page_as_they_are() -> None:
    rows = renamed(synthetic.small())
    page = html.page(content(results(rows, name=HOSTILE, text=HOSTILE), HOSTILE, live=False)).decode()
    assert HOSTILE not in page
    assert "<script>alert(1)" not in page


def test_what_is_packed_comes_back() -> None:
    told = made(renamed(synthetic.small()))
    assert html.unpacked(html.packed(told)) == json.loads(json.dumps(told))


def test_without_plotly_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match=r"pip install 'mgsweep\[report\]'"):
        html.plotly()


# From a store


def run_of(trial: Trial, store: Store, epochs: int = 2, commit: bool = True) -> None:
    rows = [
        {"sweep": "demo", "id": trial.id, **trial.to_row(), "epoch": epoch, "split": split, "f1": 0.5, "epg": 0.25,
         "probe_attribution": "bcos", "probe_depth": "input", "seconds": 1.0}
        for epoch, split in product(range(1, epochs + 1), ("val", "test"))
    ]  # fmt: skip
    if commit:
        store.commit(trial.id, rows)
    else:
        store.save(trial.id, b"state", rows)


BASELINE = Trial(dataset="shapes", model="bcos")
GUIDED = Trial(
    dataset="shapes", model="bcos", attribution="bcos", depth="input", loss="energy", lambda_loc=1e-3,
    parent=BASELINE.id,
)  # fmt: skip


def told(path: Path, part: str = "data") -> dict[str, object]:
    text = path.read_text().partition(f'<script id="{part}" type="application/octet-stream">')[2].partition("<")[0]
    found: dict[str, object] = html.unpacked(text)
    return found


def test_a_page_from_a_store_shows_unfinished_trials_too(tmp_path: Path) -> None:
    store = Store(tmp_path / "demo")
    store.begin("name: demo\n", [BASELINE, GUIDED])
    run_of(BASELINE, store)
    run_of(GUIDED, store, epochs=1, commit=False)
    path, active = report.write(store, "mgsweep run demo.yaml", tmp_path / "out", live=True)
    assert (path, active) == (tmp_path / "out" / "demo.html", True)
    data = told(path)
    assert [data["states"][code] for code in data["trials"]["state"]] == ["done", "interrupted"]
    assert data["trials"]["epochs_done"] == [2, 1]
    assert data["live"] is True
    assert data["text"] == "name: demo\n"
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["demo.html"]
    assert set(METRICS) > {metric["key"] for metric in data["metrics"]} == {"f1", "epg"}


def test_watching_ends_with_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "demo")
    store.begin("name: demo\n", [BASELINE, GUIDED])
    run_of(BASELINE, store)
    monkeypatch.setattr("time.sleep", lambda seconds: run_of(GUIDED, store))
    states = [told(path)["live"] for path in report.watch(store, "mgsweep run demo.yaml", tmp_path)]
    assert states == [True, False]


def test_who_stops_watching_leaves_a_page_that_does_not_wait(tmp_path: Path) -> None:
    store = Store(tmp_path / "demo")
    store.begin("name: demo\n", [BASELINE])
    pages = report.watch(store, "mgsweep run demo.yaml", tmp_path)
    path = next(pages)
    assert told(path)["live"] is True
    pages.close()
    assert told(path)["live"] is False


def test_an_empty_store_makes_a_page(tmp_path: Path) -> None:
    path, _ = report.write(Store(tmp_path / "nothing"), "mgsweep run x.yaml", tmp_path)
    assert told(path)["trials"]["id"] == []
