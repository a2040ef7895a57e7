"""Who may write a trial's files: the holder of the lease with the highest number in its running folder.

`running/<id>/lease.<n>` is created exclusively, locked as long as its process lives, and counts up every RENEWED
seconds. A lease of this machine is dead when the kernel has dropped its lock, which it does at any death. One of
another machine, or of a process that is stopped, is dead when whoever looks saw the count stand still for STALE seconds
of his own clock: no two clocks are ever compared. A dead lease is taken over by the next number, and the old holder,
should it live on, finds out before it writes: it is fenced off.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mgsweep import durable
from mgsweep.errors import MgsweepError

RENEWED = 5.0
STALE = 60.0


class Busy(MgsweepError):
    """Another process is training the trial, or has taken it over."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, as its file says. `count` tells one look from the next and nothing else."""

    number: int
    host: str
    pid: int
    kernel: str
    count: int

    @property
    def here(self) -> bool:
        """Whether it runs under this kernel, whose word on locks and processes can be trusted."""
        return self.kernel == kernel()


@cache
def kernel() -> str:
    """Names this machine's kernel from its start to its end: hosts are renamed, and share names."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return platform.node()


class Lease:
    """The right to write a trial's files, as long as nobody takes it over."""

    def __init__(self, root: Path, folder: str, number: int, descriptor: int) -> None:
        self._root, self._folder, self._number, self._descriptor = root, folder, number, descriptor
        self._count = 0

    def check(self) -> None:
        """Before anything is written.

        Raises:
            Busy: another process has taken the trial over, or it is done and cleared away.
        """
        numbers = _numbers(self._root / self._folder)
        if not numbers or max(numbers) != self._number or not durable.is_open(self._path, self._descriptor):
            raise Busy(f"{self._root / self._folder}: another process has taken the trial over")

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Show that its process is alive for the while."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(RENEWED):
                with suppress(OSError):  # on a full disk it goes stale; then it is fenced off
                    self._renew()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _renew(self) -> None:
        self._count += 1
        durable.overwrite(self._descriptor, _content(self._count))

    def release(self) -> None:
        """Let go of it. What cannot be removed is unlocked, at least."""
        try:
            if durable.is_open(self._path, self._descriptor):
                durable.remove(self._root, f"{self._folder}/lease.{self._number}")
        except OSError:
            pass
        finally:
            durable.close(self._descriptor)

    @property
    def _path(self) -> Path:
        return self._root / self._folder / f"lease.{self._number}"


def holder(root: Path, folder: str) -> Holder | None:
    """Who holds, or held, the lease of a folder; None if nobody does."""
    number = max(_numbers(root / folder), default=0)
    if not number:
        return None
    try:
        count, _, text = durable.read(root / folder / f"lease.{number}").decode().partition(" ")
        return Holder(number, count=int(count), **json.loads(text))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):  # not one of ours, or broken: it counts as long as it is locked
        return Holder(number, "?", 0, kernel(), 0)


def is_dead(root: Path, folder: str, found: Holder) -> bool:
    """Whether the holder's process is known to be gone: of another machine that cannot be known at once."""
    return found.here and not durable.is_locked(root / folder / f"lease.{found.number}")


def take(root: Path, folder: str, over: int = 0) -> Lease | None:
    """The lease of a folder, unless it is held.

    Args:
        over: number of the lease that an `Observer` has found to be dead; one whose process is gone needs no observer.
    """
    found = holder(root, folder)
    if found and found.number > over and not is_dead(root, folder, found):
        return None
    number = max(over, found.number if found else 0) + 1
    descriptor = durable.create_locked(root, f"{folder}/lease.{number}", _content(0))
    if descriptor is None:
        return None
    lease = Lease(root, folder, number, descriptor)
    try:
        for older in _numbers(root / folder):
            if older < number:
                durable.remove(root, f"{folder}/lease.{older}")
    except BaseException:
        lease.release()
        raise
    return lease


class Observer:
    """Tells live leases from dead ones by looking again and again."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, tuple[Holder, float]] = {}

    def live(self, folder: str) -> Holder | None:
        """Who holds the lease and is, as far as one can tell, alive."""
        found = holder(self._root, folder)
        if found is None or is_dead(self._root, folder, found):
            self._seen.pop(folder, None)
            return None
        before, since = self._seen.get(folder, (None, 0.0))
        if found != before:
            self._seen[folder] = found, time.monotonic()
            return found
        return found if time.monotonic() - since < STALE else None


def _content(count: int) -> bytes:
    return f"{count:010d} {json.dumps({'host': platform.node(), 'pid': os.getpid(), 'kernel': kernel()})}\n".encode()


def _numbers(folder: Path) -> list[int]:
    suffixes = (name.removeprefix("lease.") for name in durable.names(folder) if name.startswith("lease."))
    return [int(suffix) for suffix in suffixes if suffix.isdecimal()]
