"""How much a run may use: until when, and how many GPU hours in all, those of earlier runs included."""

from __future__ import annotations

import datetime
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mgsweep.errors import InvalidInput
from mgsweep.runner.stopping import FAILED, RESUMABLE
from mgsweep.store import Store
from mgsweep.store.spent import seconds_of
from mgsweep.trial import Trial

COSTLY = ("dataset", "model", "backbone", "attribution", "depth", "image_size")
"""The fields that decide how long an epoch takes."""

Kind = tuple[Any, ...]


@dataclass(frozen=True)
class Limits:
    """`until`: as of time.time(), infinite for none. `gpu_hours`: of all trials ever run in this store, likewise.

    `grace`: seconds after `until` in which epochs may end that took longer than was known.
    """

    until: float = float("inf")
    gpu_hours: float = float("inf")
    grace: float = float("inf")

    @property
    def given(self) -> bool:
        """Whether there is any limit."""
        return min(self.until, self.gpu_hours) < float("inf")


@dataclass(frozen=True)
class Reached:
    """A limit that is reached: why, for the user, and exit code and seconds of grace of a run that ends by it.

    Only after `until` is it of use to run the same command again: a budget counts all runs.
    """

    reason: str
    code: int
    grace: float = float("inf")


def limits(until: str | None, budget: str | None, grace: float = float("inf")) -> Limits:
    """Limits as the user writes them.

    Args:
        until: 18:30 (the next one), 2026-11-24T18:30, or seconds since 1970 as Slurm says them in SLURM_JOB_END_TIME.
        budget: GPU hours, as 40h or 40.
        grace: see `Limits`.

    Raises:
        InvalidInput: cannot be read, or is over.
    """
    none = float("inf")
    return Limits(_moment(until) if until else none, _hours(budget) if budget else none, grace)


def _moment(text: str) -> float:
    now = datetime.datetime.now()
    try:
        moment = _time(text, now)
        seconds = moment.timestamp()
    except (ValueError, OverflowError, OSError):  # 18:75, say, or milliseconds
        message = f"expected a time such as 18:30, 2026-11-24T18:30 or $SLURM_JOB_END_TIME, got {text!r}"
        raise InvalidInput.of(message, where="--until") from None
    if seconds <= now.timestamp():
        raise InvalidInput.of(f"{moment:%Y-%m-%d %H:%M} is over", where="--until")
    return seconds


def _time(text: str, now: datetime.datetime) -> datetime.datetime:
    if re.fullmatch(r"\d{9,}", text):
        return datetime.datetime.fromtimestamp(int(text))
    if found := re.fullmatch(r"(\d\d?):(\d\d)", "0:00" if text == "24:00" else text):
        moment = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
        return moment + datetime.timedelta(days=moment <= now)
    return datetime.datetime.fromisoformat(text)


def _hours(text: str) -> float:
    found = re.fullmatch(r"(\d+(\.\d*)?)\s*h?", text)
    if not found or not float(found[1]):
        raise InvalidInput.of(f"expected GPU hours such as 40h, got {text!r}", where="--budget")
    return float(found[1])


class Timings:
    """How long an epoch takes, by what is trained: of the store's records and of the epochs that are reported.

    The time of a trial is that of all its rows: training, validation and the final test of its kept epochs.
    """

    def __init__(self, store: Store | None = None) -> None:
        self._sums: dict[Kind, list[float]] = defaultdict(lambda: [0.0, 0])
        self._counted: dict[str, tuple[float, int]] = {}
        self.spent = 0.0
        for rows in store.timed() if store else ():
            self.read(rows)

    def read(self, rows: Sequence[dict[str, Any]]) -> None:
        """All rows that there are of a trial by now; what is counted of it already counts once."""
        first = rows[0]
        seconds, epochs = self._counted.get(first["id"], (0.0, 0))
        more = max(0.0, seconds_of(rows) - seconds), max(0, _epochs(rows) - epochs)
        self._count(first["id"], tuple(first[key] for key in COSTLY), *more)

    def add(self, trial: Trial, seconds: float, epochs: int) -> None:
        """So long took so many more epochs; none, if it was the test of one."""
        self._count(trial.id, _kind(trial), seconds, epochs)

    def _count(self, trial_id: str, kind: Kind, seconds: float, epochs: int) -> None:
        before = self._counted.get(trial_id, (0.0, 0))
        self._counted[trial_id] = before[0] + seconds, before[1] + epochs
        self.spent += seconds
        for known in (kind, ()):
            self._sums[known][0] += seconds
            self._sums[known][1] += epochs

    def epoch(self, trial: Trial) -> float:
        """Seconds that an epoch of a trial takes: as of its like, else as of all, else 0."""
        for kind in (_kind(trial), ()):
            seconds, epochs = self._sums.get(kind, (0.0, 0))
            if epochs:
                return seconds / epochs
        return 0.0

    def expected(self, trial: Trial, done: int) -> float:
        """Seconds that the rest of a trial takes after `done` epochs."""
        return (trial.epochs - done) * self.epoch(trial)


def _kind(trial: Trial) -> Kind:
    return tuple(getattr(trial, key) for key in COSTLY)


def _epochs(rows: Iterable[dict[str, Any]]) -> int:
    return len({row["epoch"] for row in rows if row["split"] == "train"})


class Account:
    """Decides whether one more trial, or one more epoch, fits what is left."""

    def __init__(self, limits: Limits, gpu: float, store: Store) -> None:
        self._limits, self._share = limits, gpu or 1.0
        self._store = store if limits.given else None
        self.timings = Timings(self._store)

    def ended_by_another(self, trial: Trial) -> None:
        """Count what another driver has used since this one looked."""
        if self._store:
            done = self._store.is_done(trial)
            rows = self._store.rows(trial.id) if done else self._store.rows_of_stopped(trial.id)
            if rows:
                self.timings.read(rows)

    @property
    def hours(self) -> float:
        """GPU hours used so far; on CPUs, hours of trials."""
        return self.timings.spent * self._share / 3600

    def why_not(self, trial: Trial, done: int, running: Iterable[tuple[Trial, int]]) -> Reached | None:
        """What one more trial would exceed, if anything.

        Before --until one epoch has to fit, not the whole trial: its epochs are kept and the next run goes on from
        them, so that a trial longer than a job gets done, too. In a budget all that is left of it has to.

        Args:
            done: the epochs of it that are safe.
            running: the trials that run, each with the epochs it has done.
        """
        return self.why_no_epoch(trial) or self._why_not_whole(trial, done, running)

    def why_no_epoch(self, trial: Trial) -> Reached | None:
        """Whether the next epoch of a trial would end after --until, as far as is known."""
        if time.time() + self.timings.epoch(trial) < self._limits.until:
            return None
        return Reached("--until is too near for another epoch", RESUMABLE)

    def _why_not_whole(self, trial: Trial, done: int, running: Iterable[tuple[Trial, int]]) -> Reached | None:
        ahead = sum(self.timings.expected(other, epochs) for other, epochs in ((trial, done), *running))
        if self.hours + ahead * self._share / 3600 < self._limits.gpu_hours:
            return None
        most = self._limits.gpu_hours
        return Reached(f"--budget {most:g}h does not hold what is left; {self.hours:.2g} h are used", FAILED)

    @property
    def exhausted(self) -> Reached | None:
        """The limit that no running trial may go on beyond, if one is reached."""
        if time.time() >= self._limits.until:
            return Reached("--until is reached", RESUMABLE, self._limits.until + self._limits.grace - time.time())
        if self.hours >= self._limits.gpu_hours:
            return Reached(f"--budget {self._limits.gpu_hours:g}h is used up", FAILED)
        return None
