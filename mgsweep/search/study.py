"""Optuna, asked and told. Its study lives in memory and is made anew from the records whenever a run starts."""

from __future__ import annotations

import hashlib
import itertools
import math
import warnings
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler
from optuna.trial import TrialState
from scipy.stats import qmc

from mgsweep.plan.schema import Search
from mgsweep.plan.space import Choice, Place, Space
from mgsweep.search.curves import Curve
from mgsweep.trial import Trial

POPULATION = 10
"""Of the genetic samplers. Optuna's 50 would spend the whole of a small budget on the first, random generation."""

GENETIC = (optuna.samplers.NSGAIISampler, optuna.samplers.NSGAIIISampler)

TRIES = 100
"""How often a sampler may answer with what is known already, or makes no sense, before the space counts as searched."""

STARTUP = 5
"""Random trials before TPE chooses: with Optuna's 10, a search that may try a third of some dozens chose but a few."""

Make = Callable[[int], BaseSampler]

SAMPLERS: dict[str, Make] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP, constant_liar=True),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=POPULATION),
    "nsga3": lambda seed: optuna.samplers.NSGAIIISampler(seed=seed, population_size=POPULATION),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Study:
    """All that is known about a space, and what to try next.

    The trials stand in the order they were added, whatever order they end in, and every answer is drawn with a seed of
    its own. So a study made from records answers as the one would have that was interrupted.
    """

    def __init__(self, space: Space, search: Search) -> None:
        self._space, self._search = space, search
        self._storage = optuna.storages.InMemoryStorage()
        self._study = optuna.create_study(directions=["maximize"] * len(search.objectives), storage=self._storage)
        self._study_id = self._storage.get_study_id_from_name(self._study.study_name)
        self._ids: dict[str, int] = {}
        self._told = 0
        self._axes: dict[str, BaseDistribution] = {
            axis.name: CategoricalDistribution(range(len(axis.options)))
            if isinstance(axis, Choice)
            else FloatDistribution(0, 1)
            for axis in space.axes
        }

    def __contains__(self, trial: Trial) -> bool:
        return trial.id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, trial: Trial) -> bool:
        """Know a trial as running or planned, so that it is not suggested again. False if it is outside the space."""
        place = self._space.place(trial)
        if place is None:
            return False
        if trial.id not in self._ids:
            self._insert(trial, place)
        return True

    def _insert(self, trial: Trial, place: Place) -> None:
        pending = optuna.trial.create_trial(
            state=TrialState.RUNNING, params=dict(place), distributions=self._axes, system_attrs=self._attributes()
        )
        self._ids[trial.id] = self._storage.create_new_trial(self._study_id, template_trial=pending)

    def _attributes(self) -> dict[str, Any]:
        """A genetic sampler finds its parents by generation: here by the order of the trials."""
        generation = len(self._ids) // POPULATION
        return {f"{kind.__name__}:generation": generation for kind in GENETIC}

    def tell(self, trial: Trial, curve: Curve | None) -> None:
        """How a trial that was added came out: by its curve, or as a failure (None), which the samplers avoid."""
        known = self._ids[trial.id]
        self._told += 1
        best = curve.best() if curve else None
        if curve is None or best is None:
            self._storage.set_trial_state_values(known, TrialState.PRUNED)
            return
        for name, excess in zip(self._search.constraints, curve.excess[best], strict=True):
            value = excess if math.isfinite(excess) else 1e9
            self._storage.set_trial_system_attr(known, f"constraints:{name}", float(value))
        self._storage.set_trial_state_values(known, TrialState.COMPLETE, curve.points[best].tolist())

    def ask(self, without: Collection[str] = ()) -> Trial | None:
        """A trial of the space that is not known yet, added; None if there is none left to be found.

        Args:
            without: ids of baselines that no trial can start from.
        """
        if self._search.sampler == "grid":
            trial = next((trial for trial in self._listed if self._is_new(trial, without)), None)
        else:
            trial = self._suggested(without)
        if trial:
            self.add(trial)
        return trial

    def _suggested(self, without: Collection[str]) -> Trial | None:
        """The first new trial that the sampler comes to; where all can be listed, the new one nearest to its first."""
        places = self._sampled()
        if not self._space.finite:
            candidates = map(self._space.trial, itertools.islice(places, TRIES))
            return next((trial for trial in candidates if trial and self._is_new(trial, without)), None)
        wanted = next(places)
        left = [(self._distance(wanted, place), trial) for trial, place in self._listed.items()]
        new = (pair for pair in left if self._is_new(pair[1], without))
        return min(new, key=lambda pair: pair[0], default=(0, None))[1]

    def _is_new(self, trial: Trial, without: Collection[str]) -> bool:
        return trial not in self and trial.parent not in without

    @cached_property
    def _listed(self) -> dict[Trial, Place]:
        return {trial: place for trial in self._space.trials() if (place := self._space.place(trial)) is not None}

    def _distance(self, one: Place, other: Place) -> float:
        """1 for each choice that differs, and the way on each scale."""
        return sum(
            float(one[axis.name] != other[axis.name])
            if isinstance(axis, Choice)
            else abs(one[axis.name] - other[axis.name])
            for axis in self._space.axes
        )

    def _sampled(self) -> Iterator[Place]:
        """What the sampler would try, one place after the other. It is not told of those that come to nothing."""
        if self._search.sampler == "qmc":
            yield from self._evenly()
        # A new one for each answer, so that an answer depends on what is known and not on how often it was asked.
        drawn = hashlib.sha256(f"{self._search.seed}.{len(self)}".encode()).digest()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.sampler = sampler = SAMPLERS[self._search.sampler](int.from_bytes(drawn[:4]))
        if isinstance(sampler, GENETIC):
            # Else the first answer of a generation would see its parents in another order than the next ones.
            for generation in range(1, self._told // POPULATION + 1):
                sampler.get_parent_population(self._study, generation)
        while True:
            asked = self._study.ask(self._axes)
            self._study.tell(asked, state=TrialState.FAIL)  # what comes of it is added as it will be read: rounded
            yield asked.params

    def _evenly(self) -> Iterator[Place]:
        """Sobol's sequence from where it was left, as it is without a counter that a crash could lose."""
        sequence = qmc.Sobol(len(self._axes), rng=self._search.seed)
        if len(self):
            sequence.fast_forward(len(self))
        while True:
            (numbers,) = sequence.random()
            yield {
                name: int(number * len(axis.choices)) if isinstance(axis, CategoricalDistribution) else float(number)
                for (name, axis), number in zip(self._axes.items(), numbers, strict=True)
            }
