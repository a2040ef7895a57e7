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
from numpy.typing import ArrayLike

from analysis.pareto import front
from mgsweep.pareto import IN_BOXES
from mgsweep.store.columns import SCHEMA
from mgsweep.trial import CONFIG

METRICS = (
    "f1", "mean_ap", "accuracy", "worst_group_accuracy",
    "epg", "on_object_epg", "iou", "iou_held_out", "iou_adaptive",
)  # fmt: skip
PUBLISHED_BIN = 0.005
"""What the published selection rounds scores to before checkpoints compete (`bin_width` of `fronts`)."""
PROBE = ("probe_attribution", "probe_depth")
TEXT = tuple(field.name for field in SCHEMA if field.type == "string")
TYPES = dict.fromkeys(TEXT, "str") | dict.fromkeys(METRICS, "float64")
"""Of what is selected, whatever a frame holds: categories are small, but two columns of them do not compare."""

START = ("f1_val_baseline", "accuracy_val_baseline", "epg_val_baseline")

TUNED = ("lambda_loc", "learning_rate", "batch_size", "epochs")
"""How strongly a trial guides and how it trains. Nobody compares these: validation chooses among them, as it chooses
the epoch, and as the paper chose the learning rate of its baselines. They are never a name in a figure or table."""

# What trials share that compete for one result. Another seed, set of boxes or start makes a cell of its own, and so
# does another baseline (`parent`), unless that differs in TUNED alone: see `kin`.
CELL = tuple(key for key in CONFIG if key not in TUNED)

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
    return _told(frame, _numbered(frame, guided, how), columns, metrics)


def _numbered(frame: pd.DataFrame, guided: bool, how: Literal["inner", "left"]) -> pd.DataFrame:
    """The rows of `measurements` as numbers. What is chosen among them is all that need be told.

    A million rows are joined and sorted in a second by a few integers, in a dozen by two dozen columns of text, which
    take hundreds of MB.

    Returns:
        `trial`, `cell` and `probe`, which ascend as what they stand for; `epoch`; `val` and `test`, the places in the
        frame of what was measured, -1 where it was not tested.
    """
    split = _column(frame, "split")
    wanted = _column(frame, "probe_attribution").notna() & ((_column(frame, "loss") != "none") == guided)
    places = np.flatnonzero(wanted & split.isin(("val", "test")))
    trial, probe = (
        _taken(frame, names, places).groupby([*names], dropna=False).ngroup().to_numpy() for names in (("id",), PROBE)
    )
    rows = _taken(frame, ["epoch"], places).assign(trial=trial, probe=probe, val=places)
    tested = (split.take(places) == "test").to_numpy()
    key = ["trial", "probe", "epoch"]
    # Two sweeps of one store may hold the same trial.
    val, test = (rows[part].drop_duplicates(key) for part in (~tested, tested))
    both = val.merge(test.rename(columns={"val": "test"}), on=key, how=how)
    trials = _taken(frame, [*CELL, "lambda_loc"], places[np.unique(trial, return_index=True)[1]])
    trials["parent"] = kin(frame, trials["parent"])
    trials["cell"] = trials.groupby([*CELL], dropna=False).ngroup()
    both = both.join(trials[["cell", "lambda_loc"]], on="trial").fillna({"test": -1}).astype({"test": "int64"})
    return both.sort_values(["cell", "probe", "lambda_loc", "epoch", "trial"], ignore_index=True)


def _told(
    frame: pd.DataFrame, rows: pd.DataFrame, columns: Sequence[str] = CONFIG, metrics: Sequence[str] = METRICS
) -> pd.DataFrame:
    """Of some of the rows of `_numbered`, what they stand for: the columns of `fronts`."""
    told = _taken(frame, ["id", "epoch", *PROBE, *columns], rows["val"])
    return pd.concat([told, _validated(frame, rows, metrics), _taken(frame, metrics, rows["test"])], axis=1)


def _validated(frame: pd.DataFrame, rows: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    return _taken(frame, metrics, rows["val"]).add_suffix("_val")


def _taken(frame: pd.DataFrame, names: Sequence[str], places: ArrayLike) -> pd.DataFrame:
    """Some columns at some places of the frame; NaN at place -1."""
    taken = {name: _column(frame, name).array.take(np.asarray(places), allow_fill=True) for name in names}
    plain = {name: _text(array) if isinstance(array, pd.Categorical) else array for name, array in taken.items()}
    return pd.DataFrame(plain).astype({name: TYPES[name] for name in names if name in TYPES})


def _text(array: pd.Categorical) -> pd.api.extensions.ExtensionArray:
    """What categories stand for; `astype` would take ten times as long for a million."""
    text: pd.api.extensions.ExtensionArray = array.categories.array.take(array.codes, allow_fill=True)
    return text


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column, which is not copied; NaN where the frame has none."""
    return frame[name] if name in frame else pd.Series(np.nan, frame.index)


def fronts(
    frame: pd.DataFrame, objectives: Sequence[str] = ("f1", "epg"), bin_width: float | None = None
) -> pd.DataFrame:
    """The Pareto front of every cell at every probe, over all that is TUNED and all kept epochs.

    Candidates are epochs with a test row, that is, whose checkpoint was kept. The front is taken on validation; among
    equal candidates the smallest lambda stays, then the earliest epoch, then the first id.

    Args:
        objectives: the metrics to trade off, two or three, all maximised; those of `IN_BOXES` minimised for a trial
            that is guided outside of the boxes.
        bin_width: scores closer than this count as equal; PUBLISHED_BIN is the published selection.

    Returns:
        One row per member, in the order of CELL, PROBE, lambda and epoch: `id`, `epoch`, CONFIG, PROBE, METRICS and
        their `_val`. A trial measured at probes beyond its own has a front at each of them.
    """
    rows = _numbered(frame, guided=True, how="inner")
    values = _taken(frame, [*objectives, "guidance_region"], rows["val"])
    scores = np.column_stack([_oriented(values, name).to_numpy() for name in objectives])
    cells = rows.groupby(["cell", "probe"], sort=False).indices.values()
    members = [cell[front(scores[cell], bin_width)] for cell in cells]
    return _told(frame, rows.iloc[np.sort(np.concatenate([np.empty(0, dtype=np.intp), *members]))])


def _oriented(values: pd.DataFrame, metric: str) -> pd.Series[float]:
    """A metric, its sign turned where it is to become small."""
    outside = values["guidance_region"] == "outside"
    return values[metric].mask(outside, -values[metric]) if metric in IN_BOXES else values[metric]


def score(rows: pd.DataFrame) -> pd.Series[float]:
    """What checkpoints are selected by, on validation: accuracy where there is one, else F1, as in training."""
    return rows["accuracy_val"].fillna(rows["f1_val"])


def _scored(frame: pd.DataFrame, rows: pd.DataFrame) -> pd.Series[float]:
    return score(_validated(frame, rows, ("accuracy", "f1")))


def best(frame: pd.DataFrame, guided: bool) -> pd.DataFrame:
    """Every guided trial, or every baseline, at every probe, at its best validation score (the earliest of equals).

    Returns:
        One row per (trial, probe) with the columns of `fronts`; test values are NaN where only validation was run.
    """
    rows = _numbered(frame, guided, how="left")
    return _told(frame, _firsts(rows, ["trial", "probe"], [-_scored(frame, rows), rows["epoch"]]))


def baselines(frame: pd.DataFrame) -> pd.DataFrame:
    """`best` of the baselines: where guided trials start from."""
    return best(frame, guided=False)


def tuned_baselines(frame: pd.DataFrame) -> pd.DataFrame:
    """What guided trials are compared with: of baselines that differ in TUNED alone the best one.

    Returns:
        The rows of `baselines` with the best validation score among their `kin` at each probe, and `kin`; of equals the
        earliest epoch, then the first id.
    """
    rows = baselines(frame)
    rows = rows.assign(kin=kin(frame, rows["id"]))
    return _firsts(rows, ["kin", *PROBE], [-score(rows)]).reset_index(drop=True)


def kin(frame: pd.DataFrame, ids: pd.Series[str]) -> pd.Series[str]:
    """By the id of a baseline, the first id among those that differ from it in TUNED alone; itself if it is unknown."""
    unguided = np.flatnonzero(_column(frame, "loss") == "none")
    known = _taken(frame, ["id"], unguided).assign(place=unguided).drop_duplicates("id").sort_values("id")
    alike = _taken(frame, [key for key in CELL if key != "parent"], known["place"])
    alike["id"] = known["id"].to_numpy()
    firsts = alike.groupby([*alike.columns[:-1]], dropna=False)["id"].transform("first")
    first = dict(zip(alike["id"], firsts, strict=True))
    return pd.Series([first.get(name, name) for name in ids], ids.index, dtype="str")


def guided_trials(frame: pd.DataFrame) -> pd.DataFrame:
    """Of every guided trial one row: `id`, CELL, whose `parent` is its `kin`, TUNED, and `exclusive`.

    Where an image has one label only, a network has an accuracy, by which it is chosen: see `score`.
    """
    guided = np.flatnonzero(_column(frame, "loss") != "none")
    guided = guided[~_taken(frame, ["id"], guided).duplicated()]
    trials = _taken(frame, ["id", *CELL, *TUNED], guided)
    single = set(_column(frame, "dataset")[_column(frame, "accuracy").notna()])
    return trials.assign(parent=kin(frame, trials["parent"]), exclusive=trials["dataset"].isin(single))


def tuned(frame: pd.DataFrame) -> tuple[str, ...]:
    """What else than lambda was chosen on validation: the keys of TUNED in which guided trials of a cell differ.

    Args:
        frame: `Store.frame()`, or rows of `guided_trials`.
    """
    several = guided_trials(frame).groupby([*CELL], dropna=False)[[*TUNED]].nunique().gt(1).any()
    return tuple(key for key in TUNED[1:] if several[key])


def best_of_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """The kept epoch of every cell, over all that is TUNED, with the best validation score.

    Returns:
        One row per cell and probe with the columns and the order of `fronts`, by which it also chooses among equals.
    """
    rows = _numbered(frame, guided=True, how="inner")
    scores = _scored(frame, rows)
    known = scores.notna()
    return _told(frame, _firsts(rows[known], ["cell", "probe"], [-scores[known]]))


def _firsts(rows: pd.DataFrame, keys: Sequence[str], by: Sequence[pd.Series[float]]) -> pd.DataFrame:
    """Of the rows that agree in `keys` the first, when they are sorted by these numbers and of equals as they are."""
    order = np.lexsort([number.to_numpy(dtype=float) for number in reversed(by)])
    return rows.iloc[np.sort(order[~rows[[*keys]].iloc[order].duplicated().to_numpy()])]


def last(frame: pd.DataFrame) -> pd.DataFrame:
    """The last epoch of every guided trial, at every probe; on test only if its checkpoint was kept."""
    rows = _numbered(frame, guided=True, how="left")
    return _told(frame, rows.drop_duplicates(["trial", "probe"], keep="last"))


def gains(frame: pd.DataFrame, f1_loss: float = 0.02, kept: bool = False) -> pd.DataFrame:
    """How much EPG each guided cell can gain over its baseline while giving up at most `f1_loss` of F1.

    Everything is read on validation and at the trial's own probe, over all that is TUNED and all epochs; the baseline
    is that of `tuned_baselines`. Among equal gains the
    higher F1 stays, then the smaller lambda, then the earlier epoch. F1 is accuracy where there is one (`score`), and
    where a trial is guided outside of the boxes, a gain is what EPG falls.

    Args:
        kept: only look at epochs whose checkpoint was kept, so that they have test values.

    Returns:
        One row per cell that has a baseline and an epoch good enough: the columns of `fronts` (test values NaN where
        that epoch was not kept), `f1_val_baseline`, `accuracy_val_baseline`, `epg_val_baseline` and `epg_gain`, a
        difference of fractions.
    """
    rows = _numbered(frame, guided=True, how="inner" if kept else "left")
    starts = _starts(frame, rows)
    rows = rows.merge(starts, on=["trial", "probe"])
    values = _validated(frame, rows, ("f1", "accuracy", "epg"))
    rows["epg_gain"] = rows["sign"] * (values["epg_val"] - rows["epg_val_baseline"])
    needed = rows["accuracy_val_baseline"].fillna(rows["f1_val_baseline"]) - f1_loss
    good = (score(values) >= needed) & rows["epg_gain"].notna()
    chosen = _firsts(rows[good], ["cell"], [-rows["epg_gain"][good], -score(values)[good]])
    return pd.concat([_told(frame, chosen), chosen[[*START, "epg_gain"]].reset_index(drop=True)], axis=1)


def _starts(frame: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """`trial`, its own `probe`, what the baseline of its cell reached there, and the `sign` of a gain."""
    places = rows[["trial", "probe", "val", "test"]].drop_duplicates(["trial", "probe"], ignore_index=True)
    trials = at_own_probe(places.join(_told(frame, places, metrics=())))
    start = tuned_baselines(frame)[["kin", *PROBE, "f1_val", "accuracy_val", "epg_val"]]
    trials["kin"] = kin(frame, trials["parent"])
    trials = trials.merge(start.set_axis(["kin", *PROBE, *START], axis=1), on=["kin", *PROBE])
    trials["sign"] = np.where(trials["guidance_region"] == "outside", -1.0, 1.0)
    return trials[["trial", "probe", "sign", *START]]


def at_own_probe(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows measured where the trial was guided, at its own attribution and depth."""
    own = (rows["probe_attribution"] == rows["attribution"]) & (rows["probe_depth"] == rows["depth"])
    return rows if own.all() else rows[own]  # a million rows are not copied for nothing
