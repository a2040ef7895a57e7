"""Which trained models are shown: validation chooses, test is reported. Pure functions over the store's frame.

All take `Store.frame()`: one row per (trial, epoch, split, probe), metrics as fractions in [0, 1]. Whatever a sweep
leaves behind (no finished trial, a missing baseline, NaN measurements) gives a partial or an empty result with all its
columns, never an exception. A metric's plain name is its test value; `f1_val` and the like were measured on validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from analysis.pareto import front
from mgsweep.trial import CONFIG

METRICS = (
    "f1", "mean_ap", "accuracy", "worst_group_accuracy",
    "epg", "on_object_epg", "iou", "iou_held_out", "iou_adaptive",
)  # fmt: skip
IN_BOXES = ("epg", "on_object_epg", "iou", "iou_held_out", "iou_adaptive")
"""Metrics of what lies in the boxes, which a trial that is guided outside of them is to make small."""
PUBLISHED_BIN = 0.005
"""What the published selection rounds scores to before checkpoints compete (`bin_width` of `fronts`)."""
PROBE = ("probe_attribution", "probe_depth")
NAMES = ("id", "parent", "dataset", "model", "backbone", "attribution", "depth", "loss")

# What trials share that differ only in how strongly they guide. The baseline (`parent`) is shared too; another seed,
# set of boxes or start makes a cell of its own.
CELL = tuple(key for key in CONFIG if key != "lambda_loc")

# What cells share that differ only in their seed: repetitions of one experiment.
EXPERIMENT = tuple(key for key in CELL if key not in ("seed", "parent"))


def measurements(
    frame: pd.DataFrame,
    guided: bool,
    how: Literal["inner", "left"],
    columns: Sequence[str] = CONFIG,
    metrics: Sequence[str] = METRICS,
) -> pd.DataFrame:
    """Validation and test side by side, of the guided trials or of the baselines.

    Args:
        how: `left` keeps the epochs without a test row, `inner` leaves them out.
        columns: what to tell of each trial, and `metrics` of each epoch; of a million epochs all of it is much.

    Returns:
        One row per (trial, epoch, probe) with the columns of `fronts`, in their order.
    """
    trials, probes, rows = _numbered(frame, guided, metrics)
    key = ["trial", "probe", "epoch"]
    rows = rows.drop_duplicates([*key, "split"])  # two sweeps of one store may hold the same trial
    test = rows.loc[rows["split"] == "test", [*key, *metrics]]
    val = rows[rows["split"] == "val"].drop(columns="split")
    both = val.merge(test, on=key, how=how, suffixes=("_val", ""))
    both = both.join(trials[["cell", "lambda_loc"]], on="trial")
    both = both.sort_values(["cell", "probe", "lambda_loc", "epoch", "trial"], ignore_index=True)
    configs = trials[[*columns]].take(both["trial"].to_numpy()).reset_index(drop=True)
    places = probes.take(both["probe"].to_numpy()).reset_index(drop=True)
    ids = trials["id"].take(both["trial"].to_numpy()).reset_index(drop=True)
    scores = both[[f"{name}_val" for name in metrics] + [*metrics]]
    return pd.concat([ids, both["epoch"], places, configs, scores], axis=1)


def _numbered(
    frame: pd.DataFrame, guided: bool, metrics: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Trials, probes, and what was measured, which refers to them by number.

    A million rows are joined and sorted in a second by a few integers, in a dozen by two dozen columns of text. Numbers
    ascend as what they stand for.

    Returns:
        `id`, CONFIG and the number of the `cell` of each trial; PROBE; and rows of `trial` and `probe` (places in the
        former two), `epoch`, `split` and `metrics`.
    """
    asked = frame.reindex(columns=["probe_attribution", "loss", "split"])
    wanted = asked["probe_attribution"].notna() & ((asked["loss"] != "none") == guided)
    wanted &= asked["split"].isin(("val", "test"))
    types = dict.fromkeys(metrics, "float64") | dict.fromkeys(["id", "split", *PROBE], "str")
    places = np.flatnonzero(wanted)
    rows = frame.reindex(columns=["id", "epoch", *PROBE, "split", *metrics]).take(places).astype(types)
    firsts = places[~rows["id"].duplicated().to_numpy()]
    trials = frame.reindex(columns=["id", *CONFIG]).take(firsts).astype(dict.fromkeys(NAMES, "str"))
    trials = trials.sort_values("id", ignore_index=True)
    trials["cell"] = trials.groupby([*CELL], dropna=False).ngroup()
    probes = rows[[*PROBE]].drop_duplicates().sort_values([*PROBE], ignore_index=True)
    rows = rows.assign(
        trial=pd.Index(trials["id"]).get_indexer(rows["id"]),
        probe=pd.MultiIndex.from_frame(probes).get_indexer(pd.MultiIndex.from_frame(rows[[*PROBE]])),
    )
    return trials, probes, rows.drop(columns=["id", *PROBE])


def fronts(
    frame: pd.DataFrame, objectives: Sequence[str] = ("f1", "epg"), bin_width: float | None = None
) -> pd.DataFrame:
    """The Pareto front of every cell at every probe, over all its lambdas and kept epochs.

    Candidates are epochs with a test row, that is, whose checkpoint was kept. The front is taken on validation; among
    equal candidates the smallest lambda stays, then the earliest epoch.

    Args:
        objectives: the metrics to trade off, two or three, all maximised; those of `IN_BOXES` minimised for a trial
            that is guided outside of the boxes.
        bin_width: scores closer than this count as equal; PUBLISHED_BIN is the published selection.

    Returns:
        One row per member, in the order of CELL, PROBE, lambda and epoch: `id`, `epoch`, CONFIG, PROBE, METRICS and
        their `_val`. A trial measured at probes beyond its own has a front at each of them.
    """
    guided = measurements(frame, guided=True, how="inner")
    scores = np.column_stack([_oriented(guided, name).to_numpy(dtype=float) for name in objectives])
    cells = guided.groupby([*CELL, *PROBE], dropna=False, sort=False).indices.values()
    members = [rows[front(scores[rows], bin_width)] for rows in cells]
    return guided.iloc[np.sort(np.concatenate([np.empty(0, dtype=np.intp), *members]))].reset_index(drop=True)


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
    return _firsts(rows, ["id", *PROBE], [-score(rows), rows["epoch"]])


def baselines(frame: pd.DataFrame) -> pd.DataFrame:
    """`best` of the baselines: where guided trials start from."""
    return best(frame, guided=False)


def best_of_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The kept epoch of every cell, over all its lambdas, with the best validation score.

    Returns:
        One row per cell and probe with the columns and the order of `fronts`; of equals the smallest lambda stays,
        then the earliest epoch.
    """
    guided = measurements(frame, guided=True, how="inner")
    guided = guided[score(guided).notna()]
    return _firsts(guided, [*CELL, *PROBE], [-score(guided)])


def _firsts(rows: pd.DataFrame, keys: Sequence[str], by: Sequence[pd.Series[float]]) -> pd.DataFrame:
    """Of the rows that agree in `keys` the first, when they are sorted by these numbers and of equals as they are."""
    order = np.lexsort([number.to_numpy(dtype=float) for number in reversed(by)])
    return rows.iloc[np.sort(order[~rows[[*keys]].iloc[order].duplicated().to_numpy()])].reset_index(drop=True)


def last(frame: pd.DataFrame) -> pd.DataFrame:
    """The last epoch of every guided trial, at every probe; on test only if its checkpoint was kept."""
    guided = measurements(frame, guided=True, how="left")
    return guided.groupby(["id", *PROBE], sort=False).tail(1).reset_index(drop=True)


def gains(frame: pd.DataFrame, f1_loss: float = 0.02, kept: bool = False) -> pd.DataFrame:
    """How much EPG each guided cell can gain over its own baseline while giving up at most `f1_loss` of F1.

    Everything is read on validation and at the trial's own probe, over all lambdas and epochs. Among equal gains the
    higher F1 stays, then the smaller lambda, then the earlier epoch. F1 is accuracy where there is one (`score`), and
    where a trial is guided outside of the boxes, a gain is what EPG falls.

    Args:
        kept: only look at epochs whose checkpoint was kept, so that they have test values.

    Returns:
        One row per cell that has a baseline and an epoch good enough: the columns of `fronts` (test values NaN where
        that epoch was not kept), `f1_val_baseline`, `accuracy_val_baseline`, `epg_val_baseline` and `epg_gain`, a
        difference of fractions.
    """
    guided = at_own_probe(measurements(frame, guided=True, how="inner" if kept else "left"))
    start = baselines(frame)[["id", *PROBE, "f1_val", "accuracy_val", "epg_val"]].rename(columns={"id": "parent"})
    joined = guided.merge(start, on=["parent", *PROBE], suffixes=("", "_baseline"))
    gain = joined["epg_val"] - joined["epg_val_baseline"]
    joined["epg_gain"] = gain.where(joined["guidance_region"] != "outside", -gain)
    needed = joined["accuracy_val_baseline"].fillna(joined["f1_val_baseline"]) - f1_loss
    good = joined[(score(joined) >= needed) & joined["epg_gain"].notna()]
    return _firsts(good, CELL, [-good["epg_gain"], -score(good)])


def at_own_probe(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows measured where the trial was guided, at its own attribution and depth."""
    own = (rows["probe_attribution"] == rows["attribution"]) & (rows["probe_depth"] == rows["depth"])
    return rows if own.all() else rows[own]  # a million rows are not copied for nothing
