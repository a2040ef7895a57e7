"""Running a plan: what is missing is trained, on Ray or in this process. Starting, resuming and extending are one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

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

    def failed(self, trial: Trial, error: str) -> None:
        """The trial ended with this error."""

    def repeated(self, trial: Trial, error: str) -> None:
        """An attempt ended with this error, and there will be another one."""

    def left(self, trial: Trial) -> None:
        """The attempt ended before its end: the run stops, or another driver has taken the trial over."""


@dataclass(frozen=True)
class Agenda:
    """What a run has before it: plan minus done, minus what failed and what would start from that.

    `causes` of the failed attempts at a trial, the first first, that decide what follows the next failure; of those
    up to the number in `forgiven` the user wants no account.
    """

    done: frozenset[str]
    failed: frozenset[str]
    blocked: frozenset[str]
    to_run: tuple[Trial, ...]
    causes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    forgiven: Mapping[str, int] = field(default_factory=dict)

    def schedule(self) -> Schedule:
        """A fresh schedule of what is to run."""
        return Schedule(self.to_run, self.done, self.failed)


@dataclass(frozen=True)
class Outcome:
    """How a run ended, in numbers of trials; and, if it was stopped, why and with which exit code."""

    finished: int
    failed: int
    blocked: int
    unfinished: int
    stopped: str = ""
    code: int = 0


def agenda(plan: Plan, store: Store, retry: Collection[str] = ()) -> Agenda:
    """Compare a plan with what is stored.

    Args:
        retry: causes of failure (of `retry.RETRIABLE`) whose trials are to be run again; "all" for every one.
            A trial that failed by another cause, which says nothing about the trial, is always run again.
    """
    done = frozenset(store.done(plan.trials))
    attempts = store.attempts()
    forgiven = {
        trial: failures[-1]["attempt"]
        for trial, failures in attempts.items()
        if failures[-1]["cause"] in retry or "all" in retry
    }
    causes = {
        trial: tuple(failure["cause"] for failure in failures)
        for trial, failures in attempts.items()
        if trial not in forgiven
    }
    failed = frozenset(
        trial.id
        for trial in plan.trials
        if trial.id in causes
        and trial.id not in done
        and policy.given_up(trial, plan.resources, causes[trial.id], later=True)
    )
    blocked = frozenset(trial.id for trial in plan.trials if trial.parent in failed) - done - failed
    to_run = tuple(trial for trial in plan.trials if trial.id not in done | failed | blocked)
    return Agenda(done, failed, blocked, to_run, causes, forgiven)
