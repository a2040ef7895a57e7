"""Running a plan: what is missing is trained, on Ray or in this process. Starting, resuming and extending are one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from mgsweep.plan import Plan
from mgsweep.runner.places import Places
from mgsweep.runner.schedule import Schedule
from mgsweep.store import Store
from mgsweep.trial import Trial

__all__ = ["Agenda", "Listener", "Outcome", "Places", "agenda"]

RETRIED = ("lost", "disk", "damaged")
"""Causes of failure that say nothing about the trial: it is simply run again."""


class Listener(Protocol):
    """Hears what happens to trials, in the driver. Must be quick and must not raise."""

    def started(self, trial: Trial) -> None:
        """A worker has taken the trial up."""

    def progressed(self, trial: Trial, row: dict[str, object]) -> None:
        """An epoch is safe on disk; `row` has epoch, split and what was measured."""

    def finished(self, trial: Trial) -> None:
        """The record is published."""

    def failed(self, trial: Trial, error: str) -> None:
        """The attempt ended with this error."""


@dataclass(frozen=True)
class Agenda:
    """What a run has before it: plan minus done, minus what failed and what would start from that."""

    done: frozenset[str]
    failed: frozenset[str]
    blocked: frozenset[str]
    to_run: tuple[Trial, ...]

    def schedule(self) -> Schedule:
        """A fresh schedule of what is to run."""
        return Schedule(self.to_run, self.done, self.failed)


@dataclass(frozen=True)
class Outcome:
    """How a run ended, in numbers of trials."""

    finished: int
    failed: int
    blocked: int
    unfinished: int

    @classmethod
    def of(cls, schedule: Schedule, finished: int, failed: int) -> Outcome:
        """The end of a schedule."""
        return cls(finished, failed, len(schedule.blocked), schedule.unfinished)


def agenda(plan: Plan, store: Store, retry: Collection[str] = ()) -> Agenda:
    """Compare a plan with what is stored.

    Args:
        retry: causes of failure ("bug", "memory", "diverged") whose trials are to be run again; "all" for every one.
            A trial that failed only because its worker was lost, a disk failed it (full, read-only, broken) or a file
            it builds on is damaged is always run again.
    """
    done = frozenset(store.done(plan.trials))
    given_up = {
        name
        for name, failure in store.failures().items()
        if failure["cause"] not in (*RETRIED, *retry) and "all" not in retry
    }
    failed = frozenset(trial.id for trial in plan.trials if trial.id in given_up)
    blocked = frozenset(trial.id for trial in plan.trials if trial.parent in failed) - done - failed
    return Agenda(done, failed, blocked, tuple(t for t in plan.trials if t.id not in done | failed | blocked))
