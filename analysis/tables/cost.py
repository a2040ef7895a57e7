"""What the trials cost: on which device, how long, how much memory."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.figures import names
from analysis.figures.points import SETTING, title
from analysis.tables import rows
from analysis.tables.layout import Measure
from analysis.tables.rows import PAGE

__all__ = ["CONTEST", "GROUP", "PAGE", "ROW", "caption", "data", "head", "measures"]

GROUP = ("model_name",)
ROW = ("model_name", "depth_name", "loss", "device")
CONTEST = ("measure",)
HEAD = {"Model": "model_name", "Guided at": "depth_name", "Loss": "loss_name", "Device": "device"}
MEASURES = {
    "trials": Measure("Trials", 1, 0, None),
    "hours": Measure("Hours", 1, 2, None),
    "train": Measure("s / training epoch", 1, 1, None),
    "val": Measure("s / validation", 1, 1, None),
    "memory": Measure("Peak memory (GB)", 1e-9, 1, None),
}


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """Sums, medians over epochs and maxima over trials of one setting, loss and device.

    Returns:
        SETTING, ROW, `loss_name` and the columns of `intervals.summaries`, of which `seeds` counts the trials. Hours
        are those of one device.
    """
    columns = ["id", "epoch", "split", "device", "seconds", "peak_memory", "loss", *SETTING]
    types = {"seconds": "float64", "peak_memory": "float64"} | dict.fromkeys(["id", "split", "loss", *SETTING], "str")
    timed = frame.reindex(columns=columns).astype(types | {"device": "str"}).dropna(subset=["seconds"])
    # What was measured at several probes in one pass has the time of that pass in each of its rows.
    timed = timed.drop_duplicates(["id", "epoch", "split", "seconds"])
    timed = timed.assign(
        device=timed["device"].fillna("unknown"),
        **{split: timed["seconds"].where(timed["split"] == split) for split in ("train", "val")},
    )
    groups = timed.groupby([*SETTING, "loss", "device"], dropna=False)
    costs = groups.agg(
        trials=("id", "nunique"),
        hours=("seconds", lambda seconds: seconds.sum() / 3600),
        train=("train", "median"),
        val=("val", "median"),
        memory=("peak_memory", "max"),
    )
    costs = rows.in_order(costs.reset_index())
    baseline_first = [costs["model"].map(names.rank), costs["backbone"].map(names.rank), costs["loss"] != "none"]
    return _named(
        costs.loc[pd.concat(baseline_first, axis=1, keys=[*"mbl"]).sort_values([*"mbl"], kind="stable").index]
    )


def _named(costs: pd.DataFrame) -> pd.DataFrame:
    several = costs["backbone"].nunique() > 1
    costs = costs.assign(
        model_name=[title((m, b, m), several) for m, b in costs[["model", "backbone"]].to_numpy()],
        depth_name=[
            "–" if loss == "none" else f"{names.label(attribution)} at {names.label(depth)}"
            for loss, attribution, depth in costs[["loss", "attribution", "depth"]].to_numpy()
        ],
        loss_name=costs["loss"].map(names.label),
    )
    keys = [*SETTING, *dict.fromkeys([*ROW, "loss_name"])]
    long = costs.melt(keys, [*MEASURES], "measure", "mean").dropna(subset="mean")
    trials = costs.set_index(keys)["trials"].rename("seeds")
    return long.join(trials, on=keys).assign(sd=float("nan"), low=long["mean"], high=long["mean"])


def head(page: pd.DataFrame) -> Mapping[str, str]:
    return HEAD


def measures(page: pd.DataFrame) -> Mapping[str, Measure]:
    return {name: measure for name, measure in MEASURES.items() if name in set(page["measure"])}


def caption(page: pd.DataFrame) -> str:
    sums = page[page["measure"] == "hours"].groupby("device")["mean"].sum()
    hours = ", ".join(f"{hours:.1f} on {names.label(str(device))}" for device, hours in sums.items())
    return (
        f"{names.label(page['dataset'].iloc[0])}: hours of one device, in all {hours}; medians over the epochs, "
        "the largest peak memory."
    )
