"""What a store knows of a space: the trials of every sweep in it, whoever asked for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mgsweep import durable
from mgsweep.pareto import Goals
from mgsweep.search.curves import Curve, columns_of, curve_of, limits_of
from mgsweep.store import Damaged, Store
from mgsweep.trial import Trial


@dataclass(frozen=True)
class Seen:
    """A trial and its state: done, stopped, failed, or open, which is planned, running or interrupted."""

    trial: Trial
    state: str
    curve: Curve | None = None


@dataclass
class History:
    """Reads the trials of a store's sweeps. The baselines that set limits are those of `own`, the sweep that runs."""

    own: Store
    goals: Goals
    _limits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def seen(self) -> list[Seen]:
        """Every guided trial, each once: first those of other sweeps, then the own in the order they were planned.

        What another sweep has planned and not begun is nobody's yet; what the own has planned is its own to run.
        """
        names = [name for name in durable.names(self.own.path.parent) if name != self.own.path.name]
        others: dict[str, Seen] = {}
        for store in (Store(self.own.path.parent / name) for name in names):
            for one in self._of(store):
                if one.curve or one.state == "failed":
                    others[one.trial.id] = max(
                        others.get(one.trial.id, one), one, key=lambda seen: seen.state == "done"
                    )
        own = {one.trial.id: one for one in self._of(self.own)}
        for name in own.keys() & others.keys():
            if others[name].state == "done" and own[name].state != "done":
                own[name] = others[name]
        return [*(one for name, one in others.items() if name not in own), *own.values()]

    def _of(self, store: Store) -> Iterator[Seen]:
        done, stopped, failures = store.finished(), store.stopped(), store.failures()
        planned = store.planned()
        lost = done - {trial.id for trial in planned}  # a plan that was damaged says nothing of what its records say
        for trial in (*planned, *(Trial.from_row(store.rows(name)[0]) for name in sorted(lost))):
            if not trial.guided:
                continue
            if trial.id in done:
                yield Seen(trial, "done", self.curve(trial, store.rows(trial.id, columns_of(self.goals))))
            elif trial.id in stopped:
                yield Seen(trial, "stopped", self.curve(trial, store.rows_of_stopped(trial.id)))
            else:
                rows = store.progress(trial.id)
                state = "failed" if trial.id in failures else "open"
                yield Seen(trial, state, self.curve(trial, rows) if rows else None)

    def curve(self, trial: Trial, rows: list[dict[str, Any]]) -> Curve:
        """The curve of a trial from its rows."""
        limits: Mapping[str, float] = {}
        if self.goals.constraints:
            limits = limits_of(trial, self._baseline(trial.parent or ""), self.goals)
        return curve_of(trial, rows, self.goals, limits)

    def _baseline(self, trial_id: str) -> list[dict[str, Any]]:
        if trial_id not in self._limits:
            try:
                self._limits[trial_id] = self.own.rows(trial_id)
            except Damaged:
                return []
        return self._limits[trial_id]
