"""The driver's side of a run, wherever its trials are executed: which attempt is next, and what follows from its end.

Ray Tune and the in-process loop both ask here, so that they agree on order, retries, limits and other drivers.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mgsweep.plan.schema import Resources
from mgsweep.runner import Agenda, Listener, Outcome
from mgsweep.runner.limits import Account, Limits, Reached
from mgsweep.runner.retry import Share, alike, given_up, share
from mgsweep.runner.stopping import FAILED, Stop
from mgsweep.store import Busy, Damaged, Store
from mgsweep.trial import Trial

EQUAL_BUGS = 3
"""So many trials failing one after the other by the same bug, none finishing in between, stop the run."""

LOOK = 2.0
"""Seconds between two looks at the trials that another driver has."""

PATIENCE, AT_LEAST, UNKNOWN = 20, 3600.0, 24 * 3600.0
"""Without `resources.timeout` an attempt hangs when an epoch takes PATIENCE times the longest so far, and an hour; as
long as no epoch is known, a day: the first one also decodes the data."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at a trial. `over`: number of the dead lease that it takes over, see `store.leases`."""

    trial: Trial
    share: Share
    over: int = 0


@dataclass
class _Running:
    """`epochs`: those that are safe, of earlier attempts, too; `reported`: whether one is of this attempt."""

    attempt: Attempt
    epochs: int
    begun: bool = False
    reported: bool = False
    since: float = field(default_factory=time.monotonic)


class Dispatch:
    """Every attempt handed out by `next` is given back by `finished`, `failed`, `cut` or `left`."""

    def __init__(
        self,
        agenda: Agenda,
        store: Store,
        resources: Resources,
        listener: Listener,
        stop: Stop | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.stop = stop or Stop(limits.until if limits else math.inf)
        self._schedule, self._causes = agenda.schedule(), {key: list(value) for key, value in agenda.causes.items()}
        self._forgiven = agenda.forgiven
        self._store, self._resources, self._listener = store, resources, listener
        self._account = Account(limits or Limits(), resources.gpu, store)
        self._observer = store.observer()
        self.running: dict[str, _Running] = {}
        self._elsewhere: list[Trial] = []
        self._looked = 0.0
        self._refused: dict[str, Reached] = {}
        self._dry = self._broken = False
        self._bugs: Counter[str] = Counter()
        self._longest = 0.0
        self._finished = self._failed = 0

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles all that refers to it for a restore that never happens, and a screen cannot be."""
        return {}

    # What is next

    def next(self, at_once: float = math.inf) -> Attempt | None:
        """The next attempt, or None when there is none at the moment; `over` says whether there will be one.

        Args:
            at_once: so many attempts are out at most.
        """
        if self.is_to_end() or len(self.running) >= at_once:
            return None
        attempt = self._from_schedule() or self._from_elsewhere()
        if attempt:
            self.running[attempt.trial.id] = _Running(attempt, self._safe(attempt.trial))
        elif not self.running and not self._elsewhere and self._refused:
            reached = max(self._refused.values(), key=lambda reached: reached.code)
            # A run that found no time for a single epoch would find none again.
            self.stop.ask(reached.reason, reached.code if self.stop.trained else FAILED)
        return attempt

    def is_to_end(self) -> bool:
        """Whether the run is to end: it was asked to, or has reached a limit."""
        if not self.stop.asked and (reached := self._account.exhausted):
            self.stop.ask(reached.reason, reached.code, reached.grace)
        return self.stop.asked

    @property
    def over(self) -> bool:
        """Whether nothing will be handed out any more: then the run is at its end once nothing runs."""
        return self.stop.asked or (self._dry and not self.running and not self._elsewhere)

    def _from_schedule(self) -> Attempt | None:
        self._dry = False
        while trial := self._schedule.next():
            if self._ended_by_another(trial):
                continue
            if self._observer.live(_folder(trial)):
                self._elsewhere.append(trial)
            elif attempt := self._attempt(trial):
                return attempt
        self._dry = True
        return None

    def _from_elsewhere(self) -> Attempt | None:
        """A trial that another driver had and has no more, without having finished it."""
        if time.monotonic() - self._looked < LOOK:
            return None
        self._looked = time.monotonic()
        for trial in list(self._elsewhere):
            if self._ended_by_another(trial):
                self._elsewhere.remove(trial)
                self._dry = False
            elif not self._observer.live(_folder(trial)):
                self._elsewhere.remove(trial)
                self._read_causes(trial)
                if self._is_given_up(trial):
                    self._schedule.fail(trial)
                    self._failed += 1
                elif attempt := self._attempt(trial):
                    return attempt
        return None

    def _ended_by_another(self, trial: Trial) -> bool:
        """Whether another driver has finished it by now, or stopped it early."""
        if self._store.has_record(trial.id) and self._store.is_done(trial):
            self._schedule.finish(trial)
        elif self._store.is_stopped(trial.id):
            self._schedule.stop(trial)
        else:
            return False
        self._account.ended_by_another(trial)
        return True

    def _attempt(self, trial: Trial) -> Attempt | None:
        """An attempt at it, if it fits."""
        if self._is_refused(trial, self._account.why_not(trial, self._safe(trial), self._progress_of())):
            return None
        found = self._store.holder(trial.id)  # on another machine, and dead
        chosen = share(trial, self._resources, self._causes.get(trial.id, ()))
        return Attempt(trial, chosen, found.number if found else 0)

    def _safe(self, trial: Trial) -> int:
        """The last epoch of it that is safe. A record that can be trusted only lacks measurements."""
        if self._store.has_record(trial.id):
            with suppress(Damaged):
                self._store.measured(trial.id)
                return trial.epochs
        return max((row["epoch"] for row in self._store.progress(trial.id)), default=0)

    def _progress_of(self, begun: bool = False) -> Iterator[tuple[Trial, int]]:
        """The trials that are out, or that a worker has taken up, with the epochs they have done."""
        return ((one.attempt.trial, one.epochs) for one in self.running.values() if one.begun or not begun)

    def _is_refused(self, trial: Trial, reached: Reached | None) -> bool:
        if reached:
            self._refused[trial.id] = reached
            self._schedule.refuse(trial)
        return reached is not None

    def _offer_again(self) -> None:
        """What the budget did not hold: the one that ends now may have taken less of it than it could."""
        for trial_id, reached in list(self._refused.items()):
            if reached.code == FAILED and trial_id not in self.running:
                del self._refused[trial_id]
                self._schedule.offer(trial_id)

    # What becomes of an attempt

    def withdraws(self, trial: Trial) -> bool:
        """Whether one that no worker has taken up yet does not fit any more. Then `left` gives it back."""
        done = self.running[trial.id].epochs
        return self._is_refused(trial, self._account.why_not(trial, done, self._progress_of(begun=True)))

    def begun(self, trial: Trial) -> None:
        """A worker has taken it up."""
        self.running[trial.id].begun, self.running[trial.id].since = True, time.monotonic()
        self._listener.started(trial)

    def progressed(self, trial: Trial, row: dict[str, Any]) -> None:
        """An epoch is safe on disk."""
        one, now = self.running[trial.id], time.monotonic()
        if one.reported:  # the first one has the start of the worker in it
            self._longest = max(self._longest, now - one.since)
        self.stop.trained = one.reported = True
        self._account.timings.add(trial, row.get("seconds", 0.0), int(row["epoch"]) > one.epochs)
        one.since, one.epochs = now, max(one.epochs, int(row["epoch"]))
        self._listener.progressed(trial, row)

    def finished(self, trial: Trial) -> None:
        """Its record is published."""
        self._back(trial)
        self._schedule.finish(trial)
        self._bugs.clear()
        self._finished += 1
        self._listener.finished(trial)

    def cuts(self, trial: Trial, epoch: int) -> bool:
        """Whether it is to be stopped early, after an epoch that is safe on disk. Then `cut` gives it back."""
        return self._schedule.stops(trial, epoch)

    def leaves(self, trial: Trial) -> bool:
        """Whether it is left here, after an epoch that is safe: the run is to end, or has no time for the next one."""
        return self.is_to_end() or self._is_refused(trial, self._account.why_no_epoch(trial))

    def cut(self, trial: Trial) -> None:
        """It was stopped early."""
        self._back(trial)
        self._schedule.stop(trial)
        self._listener.stopped(trial)

    def left(self, trial: Trial, error: BaseException | None = None) -> None:
        """It ended before its end and nothing is wrong: a limit, the run's end, or (`Busy`) another driver."""
        one = self._back(trial)
        if isinstance(error, Busy):
            self._elsewhere.append(trial)
        if one.begun:
            self._listener.left(trial)

    def failed(self, trial: Trial, failure: dict[str, Any]) -> None:
        """It ended by a failure with `cause` and `error`: the trial is tried again, or has failed."""
        one = self._back(trial)
        if not one.begun:
            self._listener.started(trial)
        self._causes.setdefault(trial.id, []).append(failure["cause"])
        if self._is_given_up(trial):
            self._schedule.fail(trial)
            self._failed += 1
            self._listener.failed(trial, failure["error"])
            self._break_on_equal_bugs(failure)
        else:
            self._schedule.again(trial)
            self._listener.repeated(trial, failure["error"])

    def overdue(self) -> list[tuple[Trial, float]]:
        """Those that hang, each with the seconds since an epoch of it was safe: too many."""
        usual = max(AT_LEAST, PATIENCE * self._longest) if self._longest else UNKNOWN
        limit, now = self._resources.timeout or usual, time.monotonic()
        since = [(one.attempt.trial, now - one.since) for one in self.running.values() if one.begun]
        return [(trial, seconds) for trial, seconds in since if seconds > limit]

    def outcome(self) -> Outcome:
        """The end of the run."""
        counts = self._finished, self._failed, len(self._schedule.blocked), self._schedule.unfinished
        return Outcome(*counts, self.stop.reason, self.stop.code, self._broken)

    def _back(self, trial: Trial) -> _Running:
        self._dry = False
        one = self.running.pop(trial.id)
        if one.begun:
            self._offer_again()
        return one

    def _is_given_up(self, trial: Trial) -> bool:
        return given_up(trial, self._resources, self._causes.get(trial.id, ()))

    def _read_causes(self, trial: Trial) -> None:
        attempts = self._store.attempts(trial.id).get(trial.id, [])
        self._causes[trial.id] = [a["cause"] for a in attempts if a["attempt"] > self._forgiven.get(trial.id, 0)]

    def _break_on_equal_bugs(self, failure: dict[str, Any]) -> None:
        if failure["cause"] != "bug":
            return
        said = alike(failure["error"])
        self._bugs[said] += 1
        if self._bugs[said] >= EQUAL_BUGS and not self.stop.asked:
            self._broken = True
            self.stop.ask(f"{EQUAL_BUGS} trials failed one after the other by the same bug: {failure['error']}", code=1)


def _folder(trial: Trial) -> str:
    return f"running/{trial.id}"
