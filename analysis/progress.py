"""How far a sweep had got when: the hypervolume of its front after each trial, against what had been spent by then."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.pareto import front, hypervolume
from analysis.selection import PROBE, at_own_probe, baselines
from mgsweep.pareto import USUAL, Goals, maximised

LARGER_IS_WORSE = ("class_loss", "guidance_loss", "seconds")
COLUMNS = ("id", "loss", "stopped", "trials", "epochs", "hours", "hypervolume")

READ = (
    "id", "dataset", "parent", "loss", "attribution", "depth", "epoch", "split",
    "guidance_region", "probe_attribution", "probe_depth", "f1", "accuracy", "seconds", "started",
)  # fmt: skip
"""What is looked at beside objectives and constraints."""


def is_share(goals: Goals) -> bool:
    """Whether the hypervolume is a share of 1: all that is measured is one, and is to become large."""
    return all(way == "max" and name not in LARGER_IS_WORSE for name, way in goals.objectives.items())


def progress(
    frame: pd.DataFrame,
    objectives: Mapping[str, str] = USUAL.objectives,
    constraints: Mapping[str, float] | None = None,
    reference: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """The front's hypervolume after each guided trial of one data set, in the order in which they ended.

    Everything is read on validation at the trial's own probe, over all epochs. A trial that was stopped early counts
    for what it cost and not for what it reached: it has no test results, so it can be no member of a reported front.

    Args:
        frame: `Store.frame(stopped=True)`; a frame without the column `stopped` has no such trial.
        objectives: columns and their direction, `max` or `min`, as in `mgsweep.pareto.maximised`; `seconds` is the time
            a trial had taken by an epoch.
        constraints: how far a measurement may be worse than the trial's own baseline's; epochs beyond do not count.
        reference: the corner the volume is measured from; 0 where nothing is said, the worst seen for a minimum.

    Returns:
        COLUMNS: `trials`, `epochs` and `hours` are sums up to and with this trial, hours of training and measuring.
    """
    guided = _guided(frame)
    spent = _spent(guided)
    points = _points(frame, guided, spent, constraints or {})
    corner, values = _maximised(points, objectives, reference or {})
    own = points.reset_index(drop=True).groupby("id").indices
    rows, reached, volume = [], np.empty((0, len(objectives))), 0.0
    for number, trial in enumerate(_in_order_of_end(guided, spent), start=1):
        together = np.concatenate([reached, values[own.get(trial, [])]])
        members = front(together)
        if (members >= len(reached)).any():  # else it is the front of before, as after most of thousands of trials
            reached = together[members]
            volume = hypervolume(reached, corner)
        rows.append({"id": trial, "trials": number, "hypervolume": volume})
    told = pd.DataFrame(rows, columns=["id", "trials", "hypervolume"]).merge(_costs(guided, spent), on="id")
    told["epochs"], told["hours"] = told["epochs"].cumsum(), told["seconds"].cumsum() / 3600
    return told[[*COLUMNS]]


def members(
    frame: pd.DataFrame,
    objectives: Mapping[str, str] = USUAL.objectives,
    constraints: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """The validated epochs on the front of all guided trials, as rows of the frame, best by the first objective first.

    `seconds` is what the trial had taken by then; trials that were stopped early are no members.
    """
    guided = _guided(frame)
    points = _points(frame, guided, _spent(guided), constraints or {})
    _, values = _maximised(points, objectives, {})
    order = front(values)
    return points.iloc[order[np.argsort(-values[order, 0], kind="stable")]]


def _points(
    frame: pd.DataFrame, guided: pd.DataFrame, spent: pd.DataFrame, constraints: Mapping[str, float]
) -> pd.DataFrame:
    """The validated epochs of whole trials that break no constraint."""
    points = at_own_probe(guided[(guided["split"] == "val") & ~guided["stopped"]])
    points = points[_kept(points, frame, constraints)].merge(spent.reset_index()[["id", "epoch", "so_far"]])
    return points.assign(seconds=points["so_far"])


def _guided(frame: pd.DataFrame) -> pd.DataFrame:
    columns = dict.fromkeys([*frame.columns, "started", "seconds", "guidance_region"])
    guided = frame[frame["loss"] != "none"].reindex(columns=[*columns])
    guided = guided.assign(stopped=guided["stopped"].astype(bool) if "stopped" in guided else False)
    return guided.drop_duplicates(["id", "epoch", "split", *PROBE])  # two sweeps of one store may hold the same trial


def _spent(guided: pd.DataFrame) -> pd.DataFrame:
    """By trial and epoch: the seconds it took (all splits; several probes were one measuring) and those up to it."""
    once = guided.drop_duplicates(["id", "epoch", "split", "seconds"])
    spent = once.groupby(["id", "epoch"], sort=True)[["seconds"]].sum()
    spent["so_far"] = spent.groupby("id")["seconds"].cumsum()
    return spent


def _costs(guided: pd.DataFrame, spent: pd.DataFrame) -> pd.DataFrame:
    costs = guided.groupby("id").agg(loss=("loss", "first"), stopped=("stopped", "first"), epochs=("epoch", "max"))
    return costs.join(spent.groupby("id")["seconds"].sum()).reset_index()


def _in_order_of_end(guided: pd.DataFrame, spent: pd.DataFrame) -> list[str]:
    """Ids by when a trial's last attempt began and how long it took: the record holds no other clock."""
    began = pd.to_datetime(guided.groupby("id")["started"].max(), utc=True)
    ended = began + pd.to_timedelta(spent.groupby("id")["seconds"].sum(), unit="s")
    order = pd.DataFrame({"ended": ended.to_numpy(), "id": ended.index.to_numpy()}).sort_values(["ended", "id"])
    return list(order["id"])


def _kept(points: pd.DataFrame, frame: pd.DataFrame, constraints: Mapping[str, float]) -> pd.Series:
    """Whether each row breaks no constraint."""
    kept = pd.Series(True, index=points.index)
    if not constraints:  # the usual case, for which a million rows are not searched for their baselines
        return kept
    start = baselines(frame).set_index(["id", *PROBE])
    for name, slack in constraints.items():
        key = pd.MultiIndex.from_frame(points[["parent", *PROBE]])
        limit = start[f"{name}_val"].reindex(key).to_numpy() if len(start) else np.nan
        way, outside = "min" if name in LARGER_IS_WORSE else "max", points["guidance_region"] == "outside"
        worse = maximised(limit, name, way, outside) - maximised(points[name], name, way, outside)
        kept &= ~(worse > slack)
    return kept


def _maximised(
    points: pd.DataFrame, objectives: Mapping[str, str], reference: Mapping[str, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    outside = points["guidance_region"] == "outside"
    values = np.column_stack([maximised(points[name], name, way, outside) for name, way in objectives.items()])
    signs = [1.0 if way == "max" else -1.0 for way in objectives.values()]
    worst = np.nanmin(values, axis=0, initial=np.inf) if len(values) else np.zeros(len(objectives))
    corner = [
        sign * reference[name] if name in reference else (0.0 if sign > 0 else low)
        for name, sign, low in zip(objectives, signs, worst, strict=True)
    ]
    return np.array(corner), values
