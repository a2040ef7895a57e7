"""Trials on their way: who trains them, their rows so far, and what they resume from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mgsweep import durable
from mgsweep.store import leases, tables
from mgsweep.store.columns import conformed, table
from mgsweep.store.files import LEFT_OUT, log
from mgsweep.store.leases import Holder, Lease
from mgsweep.store.part import Part
from mgsweep.store.seal import Damaged, sealed

GENERATIONS = ("checkpoint.pt", "previous.pt")
"""What an interrupted trial can resume from, the newest first."""


class Running(Part):
    """Trials that have begun and are not done: `running/<id>/`."""

    @contextmanager
    def lease(self, trial_id: str, over: int = 0) -> Iterator[Lease | None]:
        """Hold the right to write this trial's files; yields None if another process has it.

        Args:
            over: number of a lease that an observer has found to be dead, see `leases.take`.
        """
        lease = leases.take(self.path, f"running/{trial_id}", over)
        try:
            yield lease
        finally:
            if lease:
                lease.release()

    def holder(self, trial_id: str) -> Holder | None:
        """Who is training the trial, as far as one look can tell: one on another machine may have died since."""
        found = leases.holder(self.path, f"running/{trial_id}")
        return None if found is None or leases.is_dead(self.path, f"running/{trial_id}", found) else found

    def is_held(self, trial_id: str) -> bool:
        """Whether `holder` finds somebody."""
        return self.holder(trial_id) is not None

    def taken_up(self) -> set[str]:
        """Ids of the trials that somebody holds."""
        return set(filter(self.is_held, durable.names(self.path / "running")))

    def observer(self) -> leases.Observer:
        """Tells live holders from dead ones on other machines, too, by looking at `running/<id>` again and again."""
        return leases.Observer(self.path)

    def tidy(self, trial_id: str) -> None:
        """Remove drafts that a crash left. Under the trial's lease, for only its holder makes any."""
        durable.remove_drafts(self.path, f"running/{trial_id}")
        durable.remove_drafts(self.path, f"checkpoints/{trial_id}")
        durable.remove_drafts(self.path, "trials", f"{trial_id}.parquet")

    def checkpoint(self, trial_id: str, generation: str = GENERATIONS[0]) -> bytes | None:
        """What the interrupted trial resumes from, if it was interrupted.

        Raises:
            Damaged: it cannot be trusted; another generation may.
        """
        name = f"running/{trial_id}/{generation}"
        return self._files.read(name, f"{trial_id}/checkpoint") if (self.path / name).exists() else None

    def save(self, trial_id: str, checkpoint: bytes, rows: list[dict[str, Any]]) -> None:
        """Replace the rows so far, then what the trial resumes from: the rows may be ahead of it, never behind.

        The checkpoint before stays, and with it must stay the weights that it refers to.
        """
        newest, previous = (f"running/{trial_id}/{generation}" for generation in GENERATIONS)
        contents = {
            f"running/{trial_id}/progress.parquet": tables.to_bytes(table(rows), f"{trial_id}/progress"),
            newest: sealed(checkpoint, f"{trial_id}/checkpoint"),
        }
        if (self.path / newest).exists():
            durable.rename(self.path, newest, previous)
        durable.write_all(self.path, contents)

    def progress(self, trial_id: str) -> list[dict[str, Any]]:
        """The rows so far of a trial that has begun; none if they cannot be trusted, which is said."""
        name = f"running/{trial_id}/progress.parquet"
        if not (self.path / name).exists():
            return []
        try:
            rows: list[dict[str, Any]] = conformed(self._files.read_table(name, f"{trial_id}/progress")).to_pylist()
        except Damaged as damaged:
            log.warning(LEFT_OUT, damaged)
            return []
        return rows

    def age(self, trial_id: str) -> float | None:
        """Seconds since a trial was last taken up, saved or left, by this machine's clock; None if it has not begun."""
        # The folder's own time changes as files come and go, not as a lease is renewed.
        stamp = durable.stamp(self.path / "running" / trial_id)
        return max(0.0, time.time() - stamp.changed / 1e9) if stamp else None

    def begun(self) -> set[str]:
        """Ids of the trials that have begun and are not done."""
        return {
            trial_id
            for trial_id in durable.names(self.path / "running")
            if (self.path / "running" / trial_id / "progress.parquet").exists() and self._records.flaw(trial_id)
        }

    def reached(self) -> dict[str, int]:
        """The last epoch that is safe of each trial that has begun and is not done."""
        return {
            trial_id: max((row["epoch"] for row in self.progress(trial_id)), default=0) for trial_id in self.begun()
        }

    def commit(self, trial_id: str, rows: list[dict[str, Any]]) -> None:
        """Publish the record: from here on the trial is done. Of two the first stays, unless the second has more."""
        self._records.write(trial_id, rows)
        # What is left over is removed by the next run.
        with suppress(OSError):
            durable.remove_folder(self.path, f"running/{trial_id}")

    def set_aside(self, trial_id: str, reason: str, generation: str | None = None) -> None:
        """Move a damaged record, or a generation of the checkpoint, out of the way. Under the trial's lease."""
        if generation is None:
            self._records.set_aside(trial_id, reason)
        elif (self.path / f"running/{trial_id}/{generation}").exists():
            self._files.set_aside(f"running/{trial_id}/{generation}", reason)
