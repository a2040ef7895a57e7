"""What a trial is worth, epoch by epoch: its validation rows as points of the objectives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgsweep.best import best_epoch
from mgsweep.pareto import Goals, front, maximised
from mgsweep.plan.schema import OBJECTIVES
from mgsweep.store.spent import measurings
from mgsweep.trial import Trial

Rows = Iterable[Mapping[str, Any]]
COLUMNS = ("id", "epoch", "split", "probe_attribution", "probe_depth")


def columns_of(goals: Goals) -> tuple[str, ...]:
    """The columns of a record that a curve is read from."""
    return tuple(dict.fromkeys([*COLUMNS, *goals.objectives, *goals.constraints, "seconds"]))


@dataclass(frozen=True)
class Curve:
    """A trial's validated epochs, (n,) ascending; their `points` (n, D), all maximised, NaN where nothing was measured.

    `excess` (n, C) says by how much each epoch breaks each constraint, 0 or less where it does not. `seconds` is what
    the trial took in all, test included.
    """

    epochs: NDArray[np.int64]
    points: NDArray[np.float64]
    excess: NDArray[np.float64]
    seconds: float = 0.0

    @property
    def feasible(self) -> NDArray[np.float64]:
        """The points that break no constraint."""
        return self.points[(self.excess <= 0).all(axis=1)]

    @property
    def last(self) -> int:
        """The last epoch, 0 if there is none."""
        return int(self.epochs.max(initial=0))

    def until(self, epoch: int) -> Curve:
        """The curve as it was after so many epochs."""
        seen = self.epochs <= epoch
        return Curve(self.epochs[seen], self.points[seen], self.excess[seen])

    def best(self) -> int | None:
        """The epoch (an index) that stands for the trial, None if none was measured.

        Of the epochs that break constraints least and are on the trial's own front it is the one that gains most over
        its worst in every objective at once: the largest product of gains, the earliest of equals.
        """
        broken = np.clip(self.excess, 0, None).sum(axis=1)
        measured = ~np.isnan(self.points).any(axis=1)
        if not measured.any():
            return None
        able = np.flatnonzero(measured & (broken == broken[measured].min()))
        gains = self.points[able] - self.points[measured].min(axis=0)
        members = front(self.points[able])
        return int(able[members[np.argmax(gains[members].prod(axis=1))]])


def curve_of(trial: Trial, rows: Rows, goals: Goals, limits: Mapping[str, float]) -> Curve:
    """The curve of a trial at its own probe.

    Args:
        rows: of its record or of its progress.
        limits: what each constrained measurement may not be worse than, as from `limits_of`.
    """
    rows = list(rows)
    own = (trial.attribution, trial.depth)
    validated = {
        row["epoch"]: dict(row)
        for row in rows
        if row["split"] == "val" and (row["probe_attribution"], row["probe_depth"]) == own
    }
    spent = seconds_by_epoch(rows)
    epochs = sorted(validated)
    for epoch in epochs:
        validated[epoch]["seconds"] = sum(cost for done, cost in spent.items() if done <= epoch)
    here = [validated[epoch] for epoch in epochs]
    points = [_up(trial, name, way, here) for name, way in goals.objectives.items()]
    excess = [limits[name] - _up(trial, name, OBJECTIVES[name], here) for name in goals.constraints]
    return Curve(
        np.array(epochs, dtype=np.int64),
        np.array(points).reshape(len(goals.objectives), len(epochs)).T,
        np.nan_to_num(np.array(excess).reshape(len(goals.constraints), len(epochs)).T, nan=math.inf),
        sum(spent.values()),
    )


def seconds_by_epoch(rows: Rows) -> dict[int, float]:
    """What each epoch took."""
    spent: dict[int, float] = {}
    for epoch, _, seconds in measurings(rows):
        spent[epoch] = spent.get(epoch, 0.0) + seconds
    return spent


def limits_of(trial: Trial, baseline: Rows, goals: Goals) -> dict[str, float]:
    """What a trial's constrained measurements may not be worse than: its baseline's at its best epoch, less the slack.

    A measurement that the baseline lacks sets no limit. All maximised, as in a curve.
    """
    own = (trial.attribution, trial.depth)
    rows = [row for row in baseline if row["split"] == "val"]
    start = best_epoch(rows) if rows else 0
    here = [row for row in rows if row["epoch"] == start]
    here.sort(key=lambda row: (row["probe_attribution"], row["probe_depth"]) == own)  # its own probe last, so it holds
    limits = {}
    for name, slack in goals.constraints.items():
        values = _up(trial, name, OBJECTIVES[name], here)
        known = values[~np.isnan(values)]
        limits[name] = float(known[-1]) - slack if known.size else -math.inf
    return limits


def _up(trial: Trial, name: str, way: str, rows: Iterable[Mapping[str, Any]]) -> NDArray[np.float64]:
    return maximised([row.get(name) for row in rows], name, way, trial.guidance_region == "outside")
