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


class Stop:
    """Whether the run is to end, and why. Once asked it stays asked; the first reason counts.

    Attributes:
        reason: what to tell the user, empty as long as the run goes on.
        code: exit code that the reason stands for; 0 for one that says nothing about the exit code.
        deadline: time.monotonic() at which trials in the midst of an epoch are left; until then they end it.
    """

    def __init__(self) -> None:
        self.reason, self.code, self.deadline = "", 0, float("inf")

    def ask(self, reason: str, code: int = 0, grace: float = float("inf")) -> None:
        """End the run: hand out no trial, let those that run end their epoch, for at most `grace` seconds."""
        if not self.reason:
            self.reason, self.code = reason, code
        self.deadline = min(self.deadline, time.monotonic() + grace)

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
    machines send before they take the machine away: the same, for at most `grace` seconds.

    Args:
        say: tells the user what happens now.
        leave: ends the process at once, with an exit code.
    """

    def interrupted(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            leave(INTERRUPTED)
        stop.ask("interrupted", INTERRUPTED)
        say("stopping at the end of the running epochs; Ctrl-C again leaves at once")

    def told_to_go(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if not stop.asked:
            say(f"{name}: stopping at the end of the running epochs, within {grace:g} s")
            last_resort = threading.Timer(grace, leave, [RESUMABLE])
            last_resort.daemon = True
            last_resort.start()
        # Two seconds are for the cluster to go down in order.
        stop.ask(f"stopped by {name}", RESUMABLE, max(0.0, grace - 2))

    handlers = {signal.SIGINT: interrupted, signal.SIGTERM: told_to_go, signal.SIGUSR1: told_to_go}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
