"""The state of every trial of a sweep as its files tell it, the driver dead or alive. Looks and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mgsweep.store import Store
from mgsweep.store.spent import seconds_of

STATES = ("done", "stopped", "running", "stale", "interrupted", "failed", "waiting")
"""Every trial is in one. Running is one that a process holds, stale one that has besides saved nothing for much longer
than it used to. Interrupted is one that the next run takes up where it was left, failed one whose last attempt ended
for a reason of its own; waiting has not saved anything, and nobody holds it."""

PATIENCE = 10
"""Epochs' time after which a trial without progress is stale."""

AT_LEAST = 600.0
"""Seconds that no trial is called stale within: whoever takes one up first reads the data."""


@dataclass(frozen=True)
class Progress:
    """A trial on its way: epochs that are safe, what they took, and seconds since the last or since it was taken up."""

    epoch: int
    epochs: int
    seconds: float
    age: float
    held: bool

    @property
    def state(self) -> str:
        """running, stale or interrupted."""
        if not self.held:
            return "interrupted"
        if not self.epoch:  # how long its first one takes nobody knows
            return "running"
        return "stale" if self.age > max(AT_LEAST, PATIENCE * self.seconds / self.epoch) else "running"


@dataclass(frozen=True)
class Look:
    """One look at a sweep: planned epochs, state, progress and last failure by trial, seconds of records."""

    epochs: Mapping[str, int]
    states: Mapping[str, str]
    progress: Mapping[str, Progress]
    failures: Mapping[str, Mapping[str, Any]]
    seconds: float

    @property
    def spent(self) -> float:
        """Seconds that all epochs took that are safe."""
        return self.seconds + sum(progress.seconds for progress in self.progress.values())

    @property
    def running(self) -> list[Progress]:
        """The trials that make progress."""
        return [progress for progress in self.progress.values() if progress.state == "running"]

    @property
    def rate(self) -> float | None:
        """Epochs a second of all running trials together; None if there is nothing to tell it from."""
        rates = [progress.epoch / progress.seconds for progress in self.running if progress.seconds]
        return sum(rates) or None

    @property
    def left(self) -> float | None:
        """Seconds until all is done that has not failed or been stopped, at this rate."""
        pending = (name for name, state in self.states.items() if state not in ("done", "failed", "stopped"))
        epochs = sum(self.epochs[name] - self.progress[name].epoch if name in self.progress else self.epochs[name]
                     for name in pending)  # fmt: skip
        return epochs / self.rate if self.rate else None


def look(store: Store) -> Look:
    """Look at a sweep."""
    epochs, done, failures = store.planned_epochs(), store.finished(), store.failures()
    stopped = store.stopped()
    begun = (store.unfinished() | store.taken_up()) & epochs.keys()
    progress = {name: _progress(store, name, epochs[name]) for name in begun - done}
    states = {name: "stopped" if name in stopped else _state(name, done, progress, failures) for name in epochs}
    return Look(epochs, states, progress, {n: f for n, f in failures.items() if n in epochs}, store.seconds())


def state_of(store: Store) -> dict[str, str]:
    """The state of every planned trial, by id."""
    return dict(look(store).states)


def _state(name: str, done: Iterable[str], progress: Mapping[str, Progress], failures: Mapping[str, Any]) -> str:
    if name in done:
        return "done"
    state = progress[name].state if name in progress else "waiting"
    return "failed" if name in failures and state in ("interrupted", "waiting") else state


def _progress(store: Store, trial_id: str, epochs: int) -> Progress:
    rows = store.so_far(trial_id)
    return Progress(
        epoch=max((row["epoch"] for row in rows), default=0),
        epochs=epochs,
        seconds=seconds_of(rows),
        age=store.age(trial_id) or 0.0,
        held=store.is_held(trial_id),
    )
