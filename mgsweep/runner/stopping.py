"""Ending a run before it is done: by Ctrl-C, by a signal of the batch system, by time, by budget, by the same bug."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

INTERRUPTED, RESUMABLE, FAILED = 130, 75, 1
"""Exit codes: the shell's for Ctrl-C; sysexits' EX_TEMPFAIL, to be run again as it is; not to be run again as it is."""

ORDERLY = 2.0
"""Seconds of the grace that are for the cluster to go down in order."""


class Stop:
    """Whether the run is to end, and why. Once asked it stays asked; the first reason counts.

    Attributes:
        reason: what to tell the user, empty as long as the run goes on.
        deadline: time.monotonic() at which trials in the midst of an epoch are left; until then they end it.
        until: time.time() at which the run is to end by itself, infinite for none.
        trained: whether an epoch became safe.
    """

    def __init__(self, until: float = float("inf")) -> None:
        self.reason, self.deadline, self.until, self.trained = "", float("inf"), until, False
        self._code = 0

    def ask(self, reason: str, code: int = 0, grace: float = float("inf")) -> None:
        """End the run: hand out no trial, let those that run end their epoch, for at most `grace` seconds."""
        if not self.reason:
            self.reason, self._code = reason, code
        self.deadline = min(self.deadline, time.monotonic() + max(0.0, grace - ORDERLY))

    @property
    def code(self) -> int:
        """Exit code that the reason stands for; 0 for one that says nothing about the exit code.

        A run that had no time for a single epoch would find none again, be it `until` that ended it or the signal that
        a batch system sends at the same moment.
        """
        in_vain = not self.trained and time.time() >= self.until
        return FAILED if in_vain and self._code == RESUMABLE else self._code

    @property
    def asked(self) -> bool:
        """Whether the run is to end."""
        return bool(self.reason)

    @property
    def overdue(self) -> bool:
        """Whether not even the end of an epoch is waited for."""
        return time.monotonic() >= self.deadline


@contextmanager
def signals(stop: Stop, grace: float, say: Callable[[str], None], leave: Callable[[int], None]) -> Iterator[None]:
    """Turn signals into `stop` for the while.

    SIGINT: every trial ends its epoch; the second one leaves at once. SIGTERM and SIGUSR1, which batch systems and spot
    machines send before they take the machine away: the same, for at most `grace` seconds. As long after `stop.until`.

    Args:
        say: tells the user what happens now.
        leave: ends the process at once, with an exit code.
    """
    told = False
    last_resorts: list[threading.Timer] = []

    def leave_after(seconds: float) -> None:
        last_resorts.append(threading.Timer(min(max(0.0, seconds), threading.TIMEOUT_MAX), give_up))
        last_resorts[-1].daemon = True
        last_resorts[-1].start()

    def give_up() -> None:
        if not stop.asked:
            say("--until is reached")
            stop.ask("--until is reached", RESUMABLE)
        leave(stop.code)

    def interrupted(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            leave(INTERRUPTED)
        stop.ask("interrupted", INTERRUPTED)
        say("stopping at the end of the running epochs; Ctrl-C again leaves at once")

    def told_to_go(number: int, frame: FrameType | None) -> None:
        nonlocal told
        name = signal.Signals(number).name
        if not told:  # whatever may have asked to stop before: it had no last resort, or a later one
            say(f"{name}: stopping at the end of the running epochs, within {grace:g} s")
            leave_after(grace)
        told = True
        stop.ask(f"stopped by {name}", RESUMABLE, grace)

    handlers = {signal.SIGINT: interrupted, signal.SIGTERM: told_to_go, signal.SIGUSR1: told_to_go}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    if stop.until < float("inf"):
        leave_after(stop.until + grace - time.time())
    try:
        yield
    finally:
        for last_resort in last_resorts:
            last_resort.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C ends the command at once for the while: nothing runs yet whose end were worth waiting for."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def leave(code: int) -> None:
    """End this process at once, and all that it or its children have started, as the workers of a private cluster."""
    for process in _descendants(os.getpid()):
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)
    os._exit(code)


def _descendants(process: int) -> list[int]:
    """As /proc tells; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = list(children.get(process, ()))
    for child in found:  # grows as it goes
        found += children.get(child, ())
    return found
