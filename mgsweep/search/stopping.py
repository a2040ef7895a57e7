"""When a trial is not worth going on with, though it competes in several objectives at once.

Two rules, for the trials of one group, which share a front:

halving  At each of the given epochs the trials that got there are ranked by what they had reached by then: by the
         non-dominated front their best epoch is on, within a front by the hypervolume it would lose without them. The
         best share goes on. (Asynchronous successive halving, Li et al. 2020, with a multi-objective rank: Schmucker et
         al. 2021.)
curve    A trial goes on if it would add to the present front by moving from where it stands as any ended trial has
         moved from the same epoch on. Until three trials have ended nobody is stopped.

By neither is a trial stopped that holds a place on the present front: what is on it is never lost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mgsweep.pareto import front, hypervolume
from mgsweep.plan.schema import EarlyStop
from mgsweep.search.curves import Curve

ENOUGH = 3
"""So many ended trials are needed before their curves say how much may come."""

Points = NDArray[np.float64]


@dataclass
class Group:
    """The curves of trials that share a front, by trial; `ended` are those that got to their last epoch."""

    rule: EarlyStop
    curves: dict[str, Curve] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def know(self, trial_id: str, curve: Curve, ended: bool = False) -> None:
        """Take note of a trial's curve so far."""
        self.curves[trial_id] = curve
        if ended:
            self.ended.add(trial_id)

    def stops(self, trial_id: str, epoch: int) -> bool:
        """Whether the trial, whose curve up to this epoch is known, is to end here."""
        if epoch not in self.rule.at or self._is_on_front(trial_id):
            return False
        return not (self._is_among_best(trial_id, epoch) if self.rule.rule == "halving" else self._may_add(trial_id))

    def _is_on_front(self, trial_id: str) -> bool:
        others = [curve.feasible for name, curve in self.curves.items() if name != trial_id]
        return _adds(self.curves[trial_id].feasible, np.concatenate(others)) if others else True

    def _is_among_best(self, trial_id: str, epoch: int) -> bool:
        there = {name: curve for name, curve in self.curves.items() if len(curve.epochs) and curve.epochs[-1] >= epoch}
        order = ranked({name: curve.until(epoch).feasible for name, curve in there.items()})
        return order.index(trial_id) < math.ceil(self.rule.keep * len(order))

    def _may_add(self, trial_id: str) -> bool:
        curve = self.curves[trial_id]
        ways = [self.curves[name] for name in self.ended - {trial_id}]
        if len(ways) < ENOUGH:
            return True
        epoch = int(curve.epochs[-1])
        moves = [way.points[way.epochs > epoch] - way.points[way.epochs == epoch] for way in ways]
        hopes = curve.points[-1] + np.concatenate(moves)
        others = [other.feasible for name, other in self.curves.items() if name != trial_id]
        return _adds(hopes, np.concatenate(others))


def _adds(points: Points, others: Points) -> bool:
    """Whether one of the points is on the front of them all; an equal of another's adds nothing."""
    together = np.concatenate([others, points])
    return bool((front(together) >= len(others)).any())


def ranked(points: Mapping[str, Points]) -> list[str]:
    """Names from best to worst by their points (n, D), maximised: by front, then by contribution, then by name."""
    names = sorted(name for name, own in points.items() if (~np.isnan(own)).all(axis=1).any())
    owner = np.repeat(np.arange(len(names)), [len(points[name]) for name in names])
    values = np.concatenate([points[name] for name in names]) if names else np.empty((0, 1))
    corner = _below(values)
    places: dict[int, tuple[int, float]] = {}
    left = np.arange(len(values))
    while (members := left[front(values[left])]).size:
        rank, whole = len(places), hypervolume(values[members], corner)
        for who in np.unique(owner[members]):
            places[int(who)] = rank, hypervolume(values[members[owner[members] != who]], corner) - whole
        left = left[~np.isin(owner[left], owner[members])]
    best_first = sorted(places, key=lambda who: (places[who], who))
    return [names[who] for who in best_first] + sorted(set(points) - set(names))


def _below(values: Points) -> Points:
    """A corner a little below the worst of each objective, so that the ends of a front contribute too."""
    low, high = np.nanmin(values, axis=0, initial=math.inf), np.nanmax(values, axis=0, initial=-math.inf)
    corner: Points = low - 0.1 * (high - low) - 1e-12
    return corner
