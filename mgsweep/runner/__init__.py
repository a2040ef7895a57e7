"""Running a plan: what is missing is trained, on Ray or in this process. Starting, resuming and extending are one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mgsweep.plan import Plan
from mgsweep.runner import retry as policy
from mgsweep.runner.places import Places
from mgsweep.runner.schedule import Schedule
from mgsweep.store import Store
from mgsweep.trial import Trial

__all__ = ["Agenda", "Listener", "Outcome", "Places", "agenda"]


class Listener(Protocol):
    """Hears what happens to trials, in the driver. Must be quick and must not raise."""

    def started(self, trial: Trial) -> None:
        """A worker has taken the trial up."""

    def progressed(self, trial: Trial, row: dict[str, object]) -> None:
        """An epoch is safe on disk; `row` has epoch, split and what was measured."""

    def finished(self, trial: Trial) -> None:
        """The record is published."""

    def stopped(self, trial: Trial) -> None:
        """The trial was stopped early; what it did is kept."""

    def failed(self, trial: Trial, error: str) -> None:
        """The trial ended with this error."""

    def repeated(self, trial: Trial, error: str) -> None:
        """An attempt ended with this error, and there will be another one."""

    def left(self, trial: Trial) -> None:
        """The attempt ended before its end: the run stops, or another driver has taken the trial over."""


@dataclass(frozen=True)
class Agenda:
    """What a run has before it: plan minus done, minus what was stopped, what failed and what would start from that.

    `causes` of the failed attempts at a trial, the first first, that decide what follows the next failure; of those
    up to the number in `forgiven` the user wants no account, or wanted none in an earlier run.

    `continued`: those to run that were marked as stopped early when this was made. Others may be marked meanwhile.
    """

    done: frozenset[str]
    failed: frozenset[str]
    blocked: frozenset[str]
    to_run: tuple[Trial, ...]
    causes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    forgiven: Mapping[str, int] = field(default_factory=dict)
    stopped: frozenset[str] = frozenset()
    continued: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """How many trials there are."""
        return len(self.done | self.failed | self.blocked | self.stopped) + len(self.to_run)

    @property
    def wanting(self) -> bool:
        """Whether there is anything to run."""
        return bool(self.to_run)

    @property
    def foreseen(self) -> bool:
        """Whether all trials are known by now: those of a search follow from the results of others."""
        return True

    def schedule(self) -> Schedule:
        """A fresh schedule of what is to run."""
        return Schedule(self.to_run, self.done, self.failed)


@dataclass(frozen=True)
class Outcome:
    """How a run ended, in numbers of trials; and, if it was stopped, why and with which exit code.

    `broken`: it was stopped because trial after trial failed by the same bug.
    """

    finished: int
    failed: int
    blocked: int
    unfinished: int
    stopped: str = ""
    code: int = 0
    broken: bool = False


def agenda(plan: Plan, store: Store, retry: Collection[str] = (), continue_stopped: bool = False) -> Agenda:
    """Compare a plan with what is stored.

    Args:
        retry: causes of failure (of `retry.RETRIABLE`) whose trials are to be run again; "all" for every one.
            A trial that failed by another cause, which says nothing about the trial, is always run again.
        continue_stopped: run trials to their end that were stopped early.
    """
    done = frozenset(store.done(plan.trials))
    attempts = store.attempts()
    forgiven = {trial: _forgiven(failures, retry) for trial, failures in attempts.items()}
    causes = {
        trial: tuple(failure["cause"] for failure in failures if failure["attempt"] > forgiven[trial])
        for trial, failures in attempts.items()
    }
    failed = frozenset(
        trial.id
        for trial in plan.trials
        if trial.id in causes
        and trial.id not in done
        and policy.given_up(trial, plan.resources, causes[trial.id], later=True)
    )
    blocked = frozenset(trial.id for trial in plan.trials if trial.parent in failed) - done - failed
    marked = {trial.id for trial in plan.trials if trial.id not in done and store.is_stopped(trial.id)}
    stopped = frozenset() if continue_stopped else frozenset(store.stopped() & {t.id for t in plan.trials}) - done
    out = done | failed | blocked | stopped
    to_run = tuple(trial for trial in plan.trials if trial.id not in out)
    continued = frozenset(marked & {trial.id for trial in to_run})
    return Agenda(done, failed, blocked, to_run, causes, forgiven, stopped, continued)


def _forgiven(failures: Sequence[Mapping[str, Any]], retry: Collection[str]) -> int:
    """Number of the last attempt of a trial that does not count, 0 if all do."""
    last = failures[-1]
    if last["cause"] in retry or "all" in retry:
        return int(last["attempt"])
    return max((failure["attempt"] for failure in failures if failure["forgiven"]), default=0)
