"""Searches replayed on known curves: a trial yields its recorded epochs one by one, and each of them is accounted for.

What counts is the validated front over (F1, EPG) of every epoch that was trained: its hypervolume above the worst
corner of the whole grid's front, less a tenth of its range, as a share of the whole grid's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from search_pickers import Picker
from search_tables import OBJECTIVES, Table

from mgsweep.pareto import front, hypervolume
from mgsweep.plan.schema import EarlyStop
from mgsweep.search.curves import Curve
from mgsweep.search.stopping import Group
from mgsweep.trial import Trial

Walk = list[tuple[int, float]]
"""Epochs spent so far and the share of the hypervolume reached, after each epoch."""


class Account:
    """What has been spent and what has been reached of the front of some curves."""

    def __init__(self, curves: list[Curve]) -> None:
        every = np.concatenate([curve.points for curve in curves])
        best = every[front(every)]
        self._corner = best.min(axis=0) - 0.1 * (best.max(axis=0) - best.min(axis=0))
        self._whole = hypervolume(best, self._corner)
        self._reached = np.empty((0, len(OBJECTIVES)))

    def add(self, point: NDArray[np.float64]) -> None:
        self._reached = np.concatenate([self._reached, point[None]])
        self._reached = self._reached[front(self._reached)]

    @property
    def share(self) -> float:
        return hypervolume(self._reached, self._corner) / self._whole


def replay(table: Table, pick: Picker, stop: EarlyStop | None = None, limit: float = 1.0) -> Walk:
    """Run one trial after the other, until nothing is left or this share of the grid's epochs is spent."""
    panels: dict[Any, Account] = {}
    for key in {_panel(trial, pick) for trial in table.trials.values()}:
        panels[key] = Account([table.curves[name] for name, t in table.trials.items() if _panel(t, pick) == key])
    groups = {key: Group(stop) for key in panels} if stop else {}
    walk: Walk = [(0, 0.0)]
    while len(walk) <= limit * table.epochs and (trial := pick.next()):
        curve, panel, last = table.curves[trial.id], _panel(trial, pick), 0
        for epoch, point in zip(curve.epochs.tolist(), curve.points, strict=True):
            last = epoch
            panels[panel].add(point)
            walk.append((len(walk), float(np.mean([account.share for account in panels.values()]))))
            ended = epoch == trial.epochs
            if groups and (ended or epoch in groups[panel].rule.at):
                groups[panel].know(trial.id, curve.until(epoch), ended)
                if not ended and groups[panel].stops(trial.id, epoch):
                    break
        pick.tell(trial, curve.until(last))
    return walk


def _panel(trial: Trial, pick: Picker) -> Any:
    return (trial.model, trial.depth) if pick.panels else ()


def at(walk: Walk, share: float, epochs: int) -> float:
    """The share of the hypervolume reached for this share of the grid's epochs."""
    return walk[min(int(share * epochs), len(walk) - 1)][1]


def until(walk: Walk, level: float, epochs: int) -> float:
    """The share of the grid's epochs that it took to reach this share of its hypervolume; infinite if it did not."""
    return next((spent / epochs for spent, share in walk if share >= level), float("inf"))
