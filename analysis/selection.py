"""Which trained models are shown: validation chooses, test is reported. Pure functions over the store's frame.

All take `Store.frame()`: one row per (trial, epoch, split, probe), metrics as fractions in [0, 1]. Whatever a sweep
leaves behind (no finished trial, a missing baseline, NaN measurements) gives a partial or an empty result with all its
columns, never an exception. A metric's plain name is its test value; `f1_val` and the like were measured on validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from analysis.pareto import front
from mgsweep.trial import CONFIG

METRICS = (
    "f1", "mean_ap", "accuracy", "worst_group_accuracy",
    "epg", "on_object_epg", "iou", "iou_held_out", "iou_adaptive",
)  # fmt: skip
IN_BOXES = ("epg", "on_object_epg", "iou", "iou_held_out", "iou_adaptive")
"""Metrics of what lies in the boxes, which a trial that is guided outside of them is to make small."""
PROBE = ("probe_attribution", "probe_depth")
NAMES = ("id", "parent", "dataset", "model", "backbone", "attribution", "depth", "loss", *PROBE)

# What trials share that differ only in how strongly they guide. The baseline (`parent`) is shared too; another seed,
# set of boxes or start makes a cell of its own.
CELL = tuple(key for key in CONFIG if key != "lambda_loc")


def measurements(frame: pd.DataFrame, guided: bool, how: Literal["inner", "left"]) -> pd.DataFrame:
    """Validation and test side by side, of the guided trials or of the baselines.

    Args:
        how: `left` keeps the epochs without a test row, `inner` leaves them out.

    Returns:
        One row per (trial, epoch, probe) with the columns of `fronts`, in their order.
    """
    key = ["id", "epoch", *PROBE]
    types = dict.fromkeys(METRICS, "float64") | dict.fromkeys(NAMES, "str")
    rows = frame.reindex(columns=[*key, *CONFIG, "split", *METRICS]).astype(types)
    rows = rows[rows["probe_attribution"].notna() & ((rows["loss"] != "none") == guided)]
    rows = rows.drop_duplicates([*key, "split"])  # two sweeps of one store may hold the same trial
    test = rows.loc[rows["split"] == "test", [*key, *METRICS]]
    both = rows[rows["split"] == "val"].drop(columns="split").merge(test, on=key, how=how, suffixes=("_val", ""))
    return both.sort_values([*CELL, *PROBE, "lambda_loc", "epoch", "id"], ignore_index=True)


def fronts(frame: pd.DataFrame, objectives: Sequence[str] = ("f1", "epg")) -> pd.DataFrame:
    """The Pareto front of every cell at every probe, over all its lambdas and kept epochs.

    Candidates are epochs with a test row, that is, whose checkpoint was kept. The front is taken on validation; among
    equal candidates the smallest lambda stays, then the earliest epoch.

    Args:
        objectives: the metrics to trade off, all maximised; those of `IN_BOXES` minimised for a trial that is guided
            outside of the boxes.

    Returns:
        One row per member, in the order of CELL, PROBE, lambda and epoch: `id`, `epoch`, CONFIG, PROBE, METRICS and
        their `_val`. A trial measured at probes beyond its own has a front at each of them.
    """
    guided = measurements(frame, guided=True, how="inner")
    points = pd.DataFrame({name: _oriented(guided, name) for name in objectives})
    cells = guided.groupby([*CELL, *PROBE], dropna=False, sort=False)
    members = [label for _, cell in cells for label in cell.index[front(points.loc[cell.index])]]
    return guided.loc[members].reset_index(drop=True)


def _oriented(rows: pd.DataFrame, metric: str) -> pd.Series[float]:
    """A metric on validation, its sign turned where it is to become small."""
    values = rows[f"{metric}_val"]
    return values.where(rows["guidance_region"] != "outside", -values) if metric in IN_BOXES else values


def score(rows: pd.DataFrame) -> pd.Series[float]:
    """What checkpoints are selected by, on validation: accuracy where there is one, else F1, as in training."""
    return rows["accuracy_val"].fillna(rows["f1_val"])


def best(frame: pd.DataFrame, guided: bool) -> pd.DataFrame:
    """Every guided trial, or every baseline, at every probe, at its best validation score (the earliest of equals).

    Returns:
        One row per (trial, probe) with the columns of `fronts`; test values are NaN where only validation was run.
    """
    rows = measurements(frame, guided, how="left")
    best_first = rows.assign(score=score(rows)).sort_values(["score", "epoch"], ascending=[False, True])
    return best_first.groupby(["id", *PROBE]).head(1).sort_index().reset_index(drop=True).drop(columns="score")


def baselines(frame: pd.DataFrame) -> pd.DataFrame:
    """`best` of the baselines: where guided trials start from."""
    return best(frame, guided=False)


def gains(frame: pd.DataFrame, f1_loss: float = 0.02) -> pd.DataFrame:
    """How much EPG each guided cell can gain over its own baseline while giving up at most `f1_loss` of F1.

    Everything is read on validation and at the trial's own probe, over all lambdas and epochs. Among equal gains the
    higher F1 stays, then the smaller lambda, then the earlier epoch. F1 is accuracy where there is one (`score`), and
    where a trial is guided outside of the boxes, a gain is what EPG falls.

    Returns:
        One row per cell that has a baseline and an epoch good enough: the columns of `fronts` (test values NaN where
        that epoch was not kept), `f1_val_baseline`, `accuracy_val_baseline`, `epg_val_baseline` and `epg_gain`, a
        difference of fractions.
    """
    guided = at_own_probe(measurements(frame, guided=True, how="left"))
    start = baselines(frame)[["id", *PROBE, "f1_val", "accuracy_val", "epg_val"]].rename(columns={"id": "parent"})
    joined = guided.merge(start, on=["parent", *PROBE], suffixes=("", "_baseline"))
    gain = joined["epg_val"] - joined["epg_val_baseline"]
    joined["epg_gain"] = gain.where(joined["guidance_region"] != "outside", -gain)
    reached, needed = score(joined), joined["accuracy_val_baseline"].fillna(joined["f1_val_baseline"]) - f1_loss
    good = joined.assign(score=reached)[reached >= needed].dropna(subset=["epg_gain"])
    best_first = good.sort_values(["epg_gain", "score"], ascending=False).drop(columns="score")
    return best_first.groupby([*CELL], dropna=False).head(1).sort_index().reset_index(drop=True)


def at_own_probe(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows measured where the trial was guided, at its own attribution and depth."""
    own = (rows["probe_attribution"] == rows["attribution"]) & (rows["probe_depth"] == rows["depth"])
    return rows[own]
