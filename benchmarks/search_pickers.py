"""Who chooses the next trial: a grid, mgsweep's own study, and beside them Optuna alone and Ray Tune's OptunaSearch.

The last two are told a trial's last epoch. They may suggest a cell again, which then costs its epochs again.
"""

from __future__ import annotations

import logging
import random
from abc import ABC, abstractmethod

import optuna
from search_tables import OBJECTIVES, Table

from mgsweep.plan.schema import Budget, Search
from mgsweep.plan.space import Choice
from mgsweep.search.curves import Curve
from mgsweep.search.study import Study
from mgsweep.trial import Trial


class Picker(ABC):
    """Chooses the next trial. `panels`: trials of another model or depth do not compete, as in a grid."""

    panels = False

    @abstractmethod
    def next(self) -> Trial | None:
        """The trial to run now, None if there is none left."""

    @abstractmethod
    def tell(self, trial: Trial, curve: Curve) -> None:
        """How it came out."""


class InOrder(Picker):
    """A grid in any order."""

    def __init__(self, table: Table, seed: int, panels: bool = False) -> None:
        self.panels = panels
        self._left = list(table.trials.values())
        random.Random(seed).shuffle(self._left)

    def next(self) -> Trial | None:
        return self._left.pop() if self._left else None

    def tell(self, trial: Trial, curve: Curve) -> None:
        """Whatever came out, the order stands."""


class Ours(Picker):
    """The study of `mgsweep run`."""

    def __init__(self, table: Table, seed: int, sampler: str) -> None:
        self._study = Study(table.space, Search(budget=Budget(trials=1), sampler=sampler, seed=seed))

    def next(self) -> Trial | None:
        return self._study.ask()

    def tell(self, trial: Trial, curve: Curve) -> None:
        self._study.tell(trial, curve)


class OptunaAlone(Picker):
    """Optuna's TPE as its documentation shows it, over the indices of the cells' values."""

    def __init__(self, table: Table, seed: int) -> None:
        self._space = table.space
        sampler = optuna.samplers.TPESampler(seed=seed)
        self._study = optuna.create_study(directions=["maximize"] * len(OBJECTIVES), sampler=sampler)

    def next(self) -> Trial | None:
        while True:
            self._asked = self._study.ask()
            place = {
                axis.name: self._asked.suggest_int(axis.name, 0, len(axis.options) - 1)
                if isinstance(axis, Choice)
                else self._asked.suggest_float(axis.name, 0, 1)
                for axis in self._space.axes
            }
            if trial := self._space.trial(place):
                return trial
            self._study.tell(self._asked, state=optuna.trial.TrialState.FAIL)

    def tell(self, trial: Trial, curve: Curve) -> None:
        self._study.tell(self._asked, curve.points[-1].tolist())


class OptunaSearchOfTune(Picker):
    """Ray Tune's searcher, called as Tune calls it."""

    def __init__(self, table: Table, seed: int) -> None:
        from ray import tune
        from ray.tune.search.optuna import OptunaSearch

        self._space, self._number = table.space, 0
        space = {
            axis.name: tune.randint(0, len(axis.options)) if isinstance(axis, Choice) else tune.uniform(0, 1)
            for axis in self._space.axes
        }
        logging.getLogger("ray.tune.search.optuna").setLevel(logging.ERROR)
        self._search = OptunaSearch(space, metric=[*OBJECTIVES], mode=["max"] * len(OBJECTIVES), seed=seed)

    def next(self) -> Trial | None:
        while True:
            self._number += 1
            place = self._search.suggest(str(self._number))
            if trial := self._space.trial(place):
                return trial
            self._search.on_trial_complete(str(self._number), error=True)

    def tell(self, trial: Trial, curve: Curve) -> None:
        self._search.on_trial_complete(str(self._number), dict(zip(OBJECTIVES, curve.points[-1].tolist(), strict=True)))
