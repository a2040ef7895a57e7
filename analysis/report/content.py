"""The page's data: the frames of a sweep in columns, numbers shortened, names looked up. Plain JSON values only."""

from __future__ import annotations

import datetime
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.figures import style
from analysis.figures.names import rank
from analysis.report import frames
from analysis.report.best import best
from analysis.report.commands import commands
from analysis.report.pictures import order, pictures
from analysis.report.results import Results
from analysis.report.search import competed, courses
from analysis.report.shortened import (
    METRIC_NAMES,
    SCALE,
    four_digits,
    label,
    looked_up,
    plain,
    scaled,
    value_of,
    whole,
)
from analysis.selection import METRICS, TUNED, baselines, fronts, gains, kin, measurements, tuned_baselines
from mgsweep import __version__
from mgsweep.pareto import IN_BOXES, USUAL, Goals
from mgsweep.store.states import STATES
from mgsweep.trial import Trial

Cells = dict[str, Any]

# With these a page of 10,000 trials stays below 10 MB.
MOST_CURVE_ROWS = 400_000
MOST_OF_MAPS = 2_000_000  # characters
MAIN = ("accuracy", "worst_group_accuracy", "f1", "epg", "iou")
"""The metrics that are drawn wherever there is room for a few only; the first are what is not to be lost."""

FIELDS = {
    "lambda_loc": "λ",
    "bbox_fraction": "boxes used",
    "bbox_dilation": "dilation",
    "guidance_source": "guided by",
    "guidance_region": "region",
    "learning_rate": "learning rate",
    "batch_size": "batch size",
    "image_size": "image size",
    "start": "starts from",
}

SYMBOLS = {
    "o": "circle", "v": "triangle-down", "p": "pentagon", "D": "diamond", "s": "square", "^": "triangle-up",
    "*": "star", "P": "cross", "h": "hexagon",
}  # fmt: skip
"""Plotly's names of matplotlib's markers."""


def content(results: Results, run: str, live: bool, goals: Goals = USUAL) -> Cells:
    """Everything the page knows.

    Args:
        run: how the sweep is run, as in `mgsweep run FILE`.
        live: whether the page will be written again, and should look for that.
        goals: what the front's hypervolume is taken over.

    Trials are named by their place in `trials`; fractions are whole numbers of 1 / SCALE.
    """
    rows = results.rows
    trials = frames.asked_or_stored(results.planned, rows)
    measured = frames.measured(rows)
    trials = trials.assign(kin=kin(measured, trials["parent"].where(trials["loss"] != "none", trials["id"])))
    guided, starts = measurements(measured, guided=True, how="left"), baselines(measured)
    chosen, members = frames.chosen(guided, starts), fronts(measured)
    members["parent"] = kin(measured, members["parent"])  # as in the cells that they are the fronts of
    place = pd.Series(trials.index, index=trials["id"])
    place = place[~place.index.duplicated()]
    there = [key for key in dict.fromkeys([*METRIC_NAMES, *METRICS]) if rows[key].notna().any()]
    axes = [_axis(key, values) for key, values in frames.axes(trials).items()]
    return {
        "sweep": results.name,
        "text": results.text,
        "version": __version__,
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "live": live,
        "run": run,
        "scale": SCALE,
        "f1_loss": frames.F1_LOSS,
        "states": list(STATES),
        "metrics": [{"key": key, "label": METRIC_NAMES.get(key, key), "main": key in MAIN} for key in there],
        "in_boxes": list(IN_BOXES),
        "tuned": list(TUNED),
        "axes": axes,
        "fixed": _fixed(trials, {axis["key"] for axis in axes}),
        "trained": _trained(trials),
        "trials": _trials(trials, [chosen, frames.spent(rows)], axes, there, place, run),
        "points": _points(frames.points(guided, tuned_baselines(measured), chosen), there, place),
        "curves": _curves(frames.curves(rows, MOST_CURVE_ROWS), [key for key in there if key in MAIN], place),
        "goals": competed(goals, trials.loc[trials["loss"] != "none", "guidance_region"] == "outside"),
        "courses": list(courses(rows, trials.set_index("id")["state"].to_dict(), goals, place)),
        "best": best(gains(measured, frames.F1_LOSS), members, place),
        "failures": _failures(results.failures, place),
        "provenance": _provenance(rows),
        "missing": list(_missing(trials, rows)),
        "pictures": _pictures(results, trials, chosen, members, place),
    }


def _axis(key: str, values: list[Any]) -> Cells:
    """A field in which trials differ: its values in the order and the look of the figures."""
    named = all(isinstance(value, str) for value in values)
    values = sorted(values, key=rank) if named else values
    marks: Mapping[Any, style.Mark] = (
        style.marks(values) if key == "loss" else _looks(values) if named else style.shades(values)
    )
    return {
        "key": key,
        "label": FIELDS.get(key, key),
        "description": Trial.model_fields[key].description,
        "numeric": not named,
        "values": values,
        "usual": values.index(default) if (default := Trial.model_fields[key].default) in values else None,
        "labels": [label(value) for value in values],
        "colors": [marks[value].color for value in values],
        "symbols": [SYMBOLS[marks[value].marker] for value in values],
    }


def _looks(values: Sequence[str]) -> dict[str, style.Mark]:
    """Colours of the losses, for other names."""
    looks = [*style.MARKS.values(), *style.FURTHER]
    return {value: looks[number % len(looks)] for number, value in enumerate(values)}


def _fixed(trials: pd.DataFrame, axes: Container[str]) -> dict[str, str]:
    """What all guided trials have in common, beside the axes."""
    guided = trials[trials["loss"] != "none"]
    found = {key: guided[key].dropna() for key in frames.AXES if key not in axes}
    return _told({key: values.iloc[0] for key, values in found.items() if len(values)})


def _trained(trials: pd.DataFrame) -> dict[int, dict[str, str]]:
    """How each baseline was trained, by its place in `trials`, whether the axes tell or not."""
    baselines = trials.loc[trials["loss"] == "none", [*frames.SHARED, *frames.TRAINING]]
    return dict(zip(baselines.index.tolist(), map(_told, baselines.to_dict("records")), strict=True))


def _told(config: Mapping[Any, Any]) -> dict[str, str]:
    return {FIELDS.get(key, key): label(value) for key, value in config.items() if not pd.isna(value)}


def _trials(
    trials: pd.DataFrame,
    beside: Sequence[pd.DataFrame],
    axes: Sequence[Cells],
    metrics: Sequence[str],
    place: pd.Series[int],
    run: str,
) -> Cells:
    """One value per trial in each column; `beside` are frames with a row for some of them, by id."""
    table = trials
    for frame in beside:
        table = table.merge(frame, on="id", how="left")
    baseline, theirs = trials["loss"] == "none", frames.guided_alone(trials)
    columns: Cells = {
        "id": plain(trials["id"]),
        "state": [STATES.index(state) for state in trials["state"]],
        "baseline": [int(is_one) for is_one in baseline],
        "outside": [int(region == "outside") for region in trials["guidance_region"]],
        "parent": looked_up(trials["parent"], place),
        "kin": looked_up(trials["kin"], place),
        "command": commands(trials, run),
        "epochs_asked": plain(trials["epochs"]),
        "epoch": whole(table["epoch"]),
        "epochs_done": whole(table["epochs_done"]),
        "seconds": plain(table["seconds"].round(1)),
        "peak_memory": whole(table["peak_memory"]),
        "device": plain(table["device"]),
    }
    for axis in axes:
        key, codes = axis["key"], {value: number for number, value in enumerate(axis["values"])}
        shown = trials[key].mask(baseline) if key in theirs else trials[key]
        columns[key] = [codes.get(value) for value in shown]
    scores = [f"{metric}{end}" for metric in metrics for end in ("_val", "", "_start")]
    return columns | {f"at_{name}": scaled(table[name]) for name in scores}


def _points(points: pd.DataFrame, metrics: Sequence[str], place: pd.Series[int]) -> Cells:
    probe = points["probe_attribution"].map(label) + " at " + points["probe_depth"].map(label)
    codes, names = pd.factorize(probe)
    return {
        "trial": looked_up(points["id"], place),
        "epoch": whole(points["epoch"]),
        "own": [int(own) for own in points["own"]],
        "probe": codes.tolist(),
        "probes": list(names),
        **{name: scaled(points[name]) for metric in metrics for name in (f"{metric}_val", metric)},
    }


def _curves(curves: pd.DataFrame, metrics: Sequence[str], place: pd.Series[int]) -> Cells:
    """Columns of all trials one after the other; `start` says where each trial's begin."""
    trial = pd.Series(looked_up(curves["id"], place), dtype="int64")
    curves = curves.assign(trial=trial).sort_values(["trial", "epoch"], ignore_index=True)
    start = curves["trial"].searchsorted(range(len(place) + 1))
    return {
        "start": [int(row) for row in start],
        "epoch": whole(curves["epoch"]),
        **{name: scaled(curves[name]) for name in metrics},
        **{name: four_digits(curves[name]) for name in frames.LOSSES},
    }


def _pictures(
    results: Results, trials: pd.DataFrame, chosen: pd.DataFrame, members: pd.DataFrame, place: pd.Series[int]
) -> Cells:
    """The maps of the trials that have some."""
    told = chosen.set_index("id")
    ids = order(trials[trials["id"].isin(list(results.hung))], set(members["id"]), told["gain"].to_dict())
    return pictures(ids, results.pictures, told["epoch"].to_dict(), place.to_dict(), MOST_OF_MAPS)


def _failures(failures: Mapping[str, Mapping[str, Any]], place: pd.Series[int]) -> list[Cells]:
    """Failures of one cause and message together, the most frequent first."""
    groups: dict[tuple[str, str], Cells] = {}
    for trial_id, failure in failures.items():
        cause, error = str(failure.get("cause")), str(failure.get("error") or "unknown error").strip()
        group = groups.setdefault(
            (cause, error.splitlines()[0] if error else ""),
            {
                "cause": cause,
                "error": error,
                "traceback": str(failure.get("traceback") or ""),
                "trials": [],
                "unknown": [],
            },
        )
        if trial_id in place.index:
            group["trials"].append(int(place[trial_id]))
        else:
            group["unknown"].append(trial_id)
    return sorted(groups.values(), key=lambda group: -len(group["trials"]))


def _provenance(rows: pd.DataFrame) -> list[Cells]:
    found = frames.provenance(rows).astype({"first": "str", "last": "str"})
    return [{str(key): value_of(value) for key, value in row.items()} for row in found.to_dict("records")]


def _missing(trials: pd.DataFrame, rows: pd.DataFrame) -> Iterable[str]:
    """What a reader may look for in vain, and why."""
    if trials.empty:
        yield "This sweep has no trials yet: nothing was ever run. Start it with the command below."
        return
    measured = set(rows.loc[rows["f1"].notna(), "id"])
    if not measured:
        yield "No trial has a result yet."
    guided = trials[trials["loss"] != "none"]
    if guided.empty:
        yield "No trial is guided: there are no fronts to draw."
    orphans = guided[guided["id"].isin(measured) & ~guided["parent"].isin(measured)]
    if len(orphans):
        yield f"{len(orphans)} guided trials have results, the baseline they started from has none: no gains."
    if measured and rows.loc[rows["split"] == "test", "f1"].isna().all():
        yield "Nothing was measured on test yet: validation values are shown."
