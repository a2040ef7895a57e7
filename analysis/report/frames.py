"""What the page shows, as small frames: pure functions over what is stored.

`rows` are those of `Store.frame()`, with those of unfinished trials if the page is to show them; `trials` has one row
per trial that was ever asked for, with `id`, `state` and CONFIG.
"""

from __future__ import annotations

import pandas as pd

from analysis.selection import CELL, METRICS, PROBE, TUNED, at_own_probe, score
from mgsweep.pareto import IN_BOXES
from mgsweep.store.spent import MEASURING
from mgsweep.trial import CONFIG

F1_LOSS = 0.02
"""A trial is shown at the epoch with most EPG among those that give up no more than this of its baseline's F1."""

VALUES = tuple(name for metric in METRICS for name in (f"{metric}_val", metric))
STARTS = tuple(f"{metric}_start" for metric in METRICS)
LOSSES = ("class_loss", "guidance_loss")

AXES = tuple(key for key in CONFIG if key != "parent")

# A baseline shares these with the trials that start from it. The rest makes a trial guided, or is how it trains, which
# a baseline does by settings of its own.
SHARED = ("dataset", "model", "backbone", "weights", "image_size", "augmentation", "precision", "seed")
GUIDANCE = tuple(key for key in AXES if key not in SHARED)
TRAINING = tuple(key for key in TUNED if key != "lambda_loc")


def asked_or_stored(planned: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """`trials` from the plan; what has results though the plan does not know it stands at the end, as done."""
    stored = rows.drop_duplicates("id").reindex(columns=["id", *CONFIG]).assign(state="done")
    strangers = stored[~stored["id"].isin(planned["id"])] if len(planned) else stored
    return pd.concat([part for part in (planned, strangers) if len(part)] or [stored], ignore_index=True)


def axes(trials: pd.DataFrame) -> dict[str, list[object]]:
    """The fields in which trials differ, each with its values in ascending order; those of `guided_alone` in which
    guided trials do.
    """
    guided, theirs = trials[trials["loss"] != "none"], guided_alone(trials)
    found = {}
    for key in AXES:
        several = guided if key in theirs else trials
        values = sorted(several[key].dropna().unique().tolist())
        if len(values) > 1:
            found[key] = values
    return found


def guided_alone(trials: pd.DataFrame) -> set[str]:
    """The fields on whose axes a baseline has no place: GUIDANCE, but for the TRAINING that tells baselines apart."""
    baselines = trials[trials["loss"] == "none"]
    kin = baselines.groupby([key for key in CELL if key != "parent"], dropna=False)
    apart = kin[[*TRAINING]].nunique().gt(1).any()
    return {key for key in GUIDANCE if not apart.get(key, False)}


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows and columns that selections look at, and no more."""
    keep = ["id", "epoch", "split", *PROBE, *CONFIG, *METRICS]
    return rows.loc[rows["split"] != "train", keep]


def chosen(guided: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """One row per trial that was measured on validation: the epoch it is shown by, and its values there.

    A guided trial is shown at the epoch with most EPG (with least, if it is guided outside of the boxes) among those
    within F1_LOSS of its baseline's score, measured at its own probe; without such an epoch, or without a baseline, at
    its best score, as a baseline is.

    Args:
        guided: `selection.measurements` of the guided trials, tested or not.
        starts: `selection.baselines`.

    Returns:
        `id`, `epoch`, VALUES, and of guided trials STARTS, the baseline's validation values at the same probe; `gain`,
        by how much EPG is better than that, and NaN without such an epoch. A baseline measured at several probes has
        no one EPG and IoU: NaN.
    """
    validated = [f"{metric}_val" for metric in METRICS]
    start = starts[["id", *PROBE, *validated]].set_axis(["parent", *PROBE, *STARTS], axis=1)
    own = at_own_probe(guided).merge(start, on=["parent", *PROBE], how="left")
    reached, sign = score(own), (own["guidance_region"] == "outside").map({True: -1.0, False: 1.0})
    near = (reached >= own["accuracy_start"].fillna(own["f1_start"]) - F1_LOSS) & own["epg_val"].notna()
    rank = (sign * own["epg_val"]).where(near, reached)
    gain = (sign * (own["epg_val"] - own["epg_start"])).where(near)
    ranked = own.assign(near=near, rank=rank, reached=reached, gain=gain)
    ranked = ranked.sort_values(["near", "rank", "reached", "epoch"], ascending=[False, False, False, True])
    best = ranked.groupby("id", sort=False).head(1)
    several = starts.duplicated("id", keep=False)
    alone = starts.assign(**{name: starts[name].mask(several) for name in VALUES if name.startswith(IN_BOXES)})
    parts = [alone.drop_duplicates("id"), best]
    columns = ["id", "epoch", *VALUES, *STARTS, "gain"]
    return pd.concat([part.reindex(columns=columns) for part in parts], ignore_index=True).dropna(subset="f1_val")


def points(guided: pd.DataFrame, starts: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """What can be drawn in the plane of two metrics: every kept epoch of a guided trial, and what it is compared with.

    A trial without a tested epoch is there with the epoch it is shown by, for the plane of validation values.

    Args:
        guided: as of `chosen`.
        starts: `selection.tuned_baselines`.
        chosen: what `chosen` gave.

    Returns:
        `id`, `epoch`, PROBE, `own` (whether that is the trial's own probe; true for a baseline), VALUES.
    """
    tested = guided[[*METRICS]].notna().any(axis=1)
    without = ~guided["id"].isin(guided.loc[tested, "id"])
    shown = pd.MultiIndex.from_frame(guided[["id", "epoch"]]).isin(pd.MultiIndex.from_frame(chosen[["id", "epoch"]]))
    guided = guided[tested | (without & shown)]
    own = guided.index.isin(at_own_probe(guided).index)
    parts = [starts.assign(own=True), guided.assign(own=own)]
    return pd.concat([part[["id", "epoch", *PROBE, "own", *VALUES]] for part in parts if len(part)] or parts[:1])


def curves(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """Validation values and training losses over the epochs, at each trial's own probe.

    Args:
        most: how many rows there may be: above, every n-th epoch of each trial stays, and its last.

    Returns:
        `id`, `epoch`, METRICS and LOSSES, in the order of id and epoch.
    """
    val = rows[rows["split"] == "val"]
    own = at_own_probe(val)
    unguided = val[val["loss"] == "none"].drop_duplicates(["id", "epoch"])
    trained = rows[rows["split"] == "train"].reindex(columns=["id", "epoch", *LOSSES])
    parts = [part.reindex(columns=["id", "epoch", *METRICS]) for part in (unguided, own)]
    both = pd.concat([*parts, trained]).groupby(["id", "epoch"], as_index=False).first()
    every = -(-len(both) // most) or 1
    place, left = both.groupby("id").cumcount(), both.groupby("id").cumcount(ascending=False)
    return both[(place % every == 0) | (left == 0)].reset_index(drop=True)


def spent(rows: pd.DataFrame) -> pd.DataFrame:
    """What each trial took: `id`, `epochs_done`, `seconds`, `peak_memory` (bytes), `device`.

    The probes of an epoch are measured together, and each of their rows tells the time of all.
    """
    once = rows.drop_duplicates(["id", *MEASURING]).groupby("id")
    columns = {"epochs_done": ("epoch", "max"), "seconds": ("seconds", "sum"), "peak_memory": ("peak_memory", "max")}
    return once.agg(**columns, device=("device", "last")).reset_index()


def provenance(rows: pd.DataFrame) -> pd.DataFrame:
    """Where the results come from: `trials`, `first` and `last` (when attempts began) for each version and machine."""
    keys = ["mgsweep_version", "torch_version", "git_commit", "git_dirty", "host", "device"]
    found = rows.groupby(keys, dropna=False, sort=False).agg(
        trials=("id", "nunique"), first=("started", "min"), last=("started", "max")
    )
    return found.reset_index().sort_values("first", kind="stable", ignore_index=True)
