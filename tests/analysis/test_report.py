"""What the report's page is made from: its frames against plain loops, its commands against the plan."""

from __future__ import annotations

import shlex
from pathlib import Path

import pandas as pd
import pytest
import synthetic
from stored import HOSTILE, planned, renamed, results

from analysis.pareto import hypervolume
from analysis.progress import progress
from analysis.report import frames
from analysis.report.commands import commands
from analysis.report.content import content
from analysis.selection import CELL, baselines, fronts, gains, measurements
from mgsweep.pareto import Goals
from mgsweep.plan import load
from mgsweep.plan.arguments import select
from mgsweep.plan.axes import SHARED

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
    later = rows[(rows["id"] == "energy-0.005-mid2") & (rows["split"] == "test")]
    rows = pd.concat([rows, later.assign(probe_attribution="gradcam", seconds=4.0)])
    again = frames.spent(rows).set_index("id")
    assert again.loc["energy-0.005-mid2", "seconds"] == 3 * (10 + 10 + 10 + 4), "a probe asked for later took its own"


def test_axes_are_what_guided_trials_differ_in() -> None:
    rows = synthetic.store()
    rows.loc[rows["loss"] == "none", "epochs"] = 300
    found = frames.axes(frames.asked_or_stored(results(rows).planned, rows))
    assert list(found) == ["model", "attribution", "depth", "loss", "lambda_loc"]
    assert found["lambda_loc"] == [0.001, 0.005, 0.01]


def test_baselines_have_a_place_on_the_axes_of_training_that_tell_them_apart() -> None:
    rows = synthetic.retuned()
    unguided = rows["loss"] == "none"
    slow = rows.assign(learning_rate=rows["learning_rate"].mask(~unguided, 1e-4), epochs=50 + 250 * unguided)
    for found in (rows, slow):  # whether guided trials differ in it or not
        table = frames.asked_or_stored(results(found).planned, found)
        assert frames.axes(table)["learning_rate"] == [1e-4, 1e-2]
        assert "epochs" not in frames.axes(table)
        trials = made(found)["trials"]
        of = dict(zip(trials["id"], trials["learning_rate"], strict=True))
        assert (of["base"], of["fast-base"]) == (0, 1)
    other = pd.concat([synthetic.store(dataset=name).assign(epochs=many) for name, many in (("a", 50), ("b", 10))])
    other.loc[other["loss"] == "none", "epochs"] *= 6
    found = made(other)["trials"]  # what their data set tells apart already has none
    assert {code for code, one in zip(found["epochs"], found["baseline"], strict=True) if one} == {None}
    assert set(found["epochs_asked"]) == {10, 50, 60, 300}


def test_the_page_is_told_the_largest_gain_and_area() -> None:
    rows = synthetic.store()
    told = made(rows)["best"]
    members = fronts(rows)
    areas = [
        hypervolume(cell[["f1", "epg"]], (0, 0)) for _, cell in members.groupby([*CELL, "probe_depth"], dropna=False)
    ]
    assert told["hypervolume"]["area"] == pytest.approx(max(areas))
    assert told["gain"]["epg"] == pytest.approx(gains(rows, frames.F1_LOSS)["epg_gain"].max())


def test_the_gain_that_is_told_is_over_the_best_baseline_of_its_kin() -> None:
    rows = synthetic.retuned()
    found = made(rows)
    told = found["best"]["gain"]
    assert found["trials"]["id"][told["trial"]] == "energy-0.005-input"
    assert (told["epg"], told["change"]) == pytest.approx((0.094, -0.018))
    assert shown_at(rows)["gain"].max() == pytest.approx(
        0.494
    )  # over the baseline that it started from, as in the table


def test_what_a_baseline_shares_is_what_a_plan_shares() -> None:
    assert frames.SHARED == SHARED


# Progress


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
