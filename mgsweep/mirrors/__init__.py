"""Telling others how a run goes: trackers, and a command of the user's. Never the record, never in a trial's way.

Each outlet has a thread and a queue of its own. When it fails or cannot keep up, events are dropped and counted.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mgsweep.trial import Trial

if TYPE_CHECKING:
    from mgsweep.runner import Listener, Outcome

QUEUED = 1000
"""Events that wait for a slow outlet."""

PASSED_ON = ("epoch", "split", "f1", "epg", "iou", "seconds")
"""What of an epoch is passed on. There is more in a row: what the driver goes by, and Tune's own numbers."""

PATIENCE = 10.0
"""Seconds that the end of a run waits for all outlets together."""


@dataclass(frozen=True)
class Event:
    """What happened: a trial was `started`, `progressed`, `finished` or `failed`; or of the run `done` or `breaker`."""

    kind: str
    sweep: str
    trial: Trial | None = None
    row: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


class Outlet(Protocol):
    """Where events go. May be slow, may raise; both are called in a thread of its own."""

    name: str

    def write(self, event: Event) -> None:
        """Pass the event on."""

    def close(self) -> None:
        """There are no more."""


class Mirror:
    """An outlet behind a queue."""

    def __init__(self, outlet: Outlet, queued: int = QUEUED) -> None:
        self.outlet, self.dropped, self.reason = outlet, 0, "it could not keep up"
        self._events: queue.Queue[Event | None] = queue.Queue(queued)
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Hand an event over; returns at once."""
        try:
            self._events.put_nowait(event)
        except queue.Full:
            self.dropped += 1

    def close(self, deadline: float) -> None:
        """Wait for what is queued, until a moment of `time.monotonic`; then the rest is dropped."""
        with suppress(queue.Full):
            self._events.put(None, timeout=max(0.0, deadline - time.monotonic()))
        self._thread.join(max(0.0, deadline - time.monotonic()))
        self.dropped += sum(event is not None for event in list(self._events.queue))

    def _pass_on(self) -> None:
        while event := self._events.get():
            self._try(self.outlet.write, event)
        self._try(self.outlet.close)

    def _try(self, call: Callable[..., None], *event: Event) -> None:
        try:
            call(*event)
        except Exception as error:  # an outage of a tracker is not ours
            self.dropped += 1
            self.reason = f"{type(error).__name__}: {error}"


class Mirrored:
    """A `runner.Listener` that tells the one before, then every mirror."""

    def __init__(self, first: Listener, sweep: str, mirrors: Iterable[Mirror]) -> None:
        self._first, self._sweep, self._mirrors = first, sweep, tuple(mirrors)

    def started(self, trial: Trial) -> None:
        """Pass it on."""
        self._first.started(trial)
        self._tell("started", trial)

    def progressed(self, trial: Trial, row: dict[str, object]) -> None:
        """Pass it on."""
        self._first.progressed(trial, row)
        if row["trained"]:  # else the scores are of one of the epochs before
            self._tell("progressed", trial, row={key: row[key] for key in PASSED_ON if key in row})

    def finished(self, trial: Trial) -> None:
        """Pass it on."""
        self._first.finished(trial)
        self._tell("finished", trial)

    def stopped(self, trial: Trial) -> None:
        """Pass it on: what is told of it ends here."""
        self._first.stopped(trial)
        self._tell("finished", trial)

    def failed(self, trial: Trial, error: str) -> None:
        """Pass it on."""
        self._first.failed(trial, error)
        self._tell("failed", trial, error=error)

    def repeated(self, trial: Trial, error: str) -> None:
        """For the eye alone: the trial goes on."""
        self._first.repeated(trial, error)

    def left(self, trial: Trial) -> None:
        """For the eye alone: the trial goes on another time."""
        self._first.left(trial)

    def ended(self, outcome: Outcome) -> None:
        """The run is over: done, or stopped because many trials failed alike."""
        if not outcome.unfinished:
            self._tell("done")
        elif outcome.broken:
            self._tell("breaker", error=outcome.stopped)

    def _tell(self, kind: str, trial: Trial | None = None, **what: Any) -> None:
        for mirror in self._mirrors:
            mirror.put(Event(kind, self._sweep, trial, **what))


@contextmanager
def mirrored(first: Listener, sweep: str, outlets: Iterable[Outlet], say: Callable[[str], None]) -> Iterator[Mirrored]:
    """Tell these outlets, too, for as long as the block lasts; at its end `say` what they did not get."""
    mirrors = [Mirror(outlet) for outlet in outlets]
    try:
        yield Mirrored(first, sweep, mirrors)
    finally:
        deadline = time.monotonic() + PATIENCE
        for mirror in mirrors:
            mirror.close(deadline)
            if mirror.dropped:
                say(f"{mirror.outlet.name} missed {mirror.dropped} events ({mirror.reason}); the store has everything")
