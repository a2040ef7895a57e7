"""The results folder. Files are the state: a trial is done when its record is there.

<sweep>/
  sweep.yaml  plan.parquet         what was asked, one row a trial
  trials/<id>.parquet              the record of a finished trial
  running/<id>/checkpoint.pt       all that resuming takes, replaced whole at every epoch
               progress.parquet    the rows so far, in the record's columns
               lock                held by the process that trains the trial
  checkpoints/<id>/<epoch>.pt      weights that children and later measurements need
  failed/<id>.<attempt>.json       why an attempt failed
  logs/<id>.log
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from mgsweep import durable
from mgsweep.errors import StoreError
from mgsweep.store.columns import conformed, table
from mgsweep.trial import Probe, Trial

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Store"]


class Store:
    """The results of one sweep, or (for reading) of every sweep in a folder.

    Only the process that holds a trial's lock writes that trial's files. Everything is written whole or not at all.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    # What was asked

    def begin(self, sweep_text: str, trials: Iterable[Trial]) -> None:
        """Write down what was asked. The plan grows: trials of earlier runs stay in it.

        Raises:
            StoreError: the folder cannot be written.
        """
        rows = {row["id"]: row for row in self._planned_rows()}
        rows |= {trial.id: {"id": trial.id, **trial.to_row(), "probes": _spelled(trial.probes)} for trial in trials}
        try:
            durable.write(self.path / "sweep.yaml", sweep_text.encode())
            durable.write(self.path / "plan.parquet", _parquet(pa.Table.from_pylist(list(rows.values()))))
        except OSError as error:
            raise StoreError(
                f"{self.path}: cannot write results here: {error.strerror}; choose another --store"
            ) from None

    def planned(self) -> list[Trial]:
        """Every trial ever asked of this sweep."""
        return [
            Trial.from_row({k: v for k, v in row.items() if v is not None}).model_copy(
                update={"probes": tuple(Probe(*text.split("@")) for text in row["probes"].split())}
            )
            for row in self._planned_rows()
        ]

    def _planned_rows(self) -> list[dict[str, Any]]:
        file = self.path / "plan.parquet"
        return pq.read_table(file).to_pylist() if file.exists() else []

    # Finished trials

    def finished(self) -> set[str]:
        """Ids of the trials that have a record."""
        return {file.stem for file in self._records()}

    def is_done(self, trial: Trial) -> bool:
        """Whether the record is there and holds every probe the trial asks for."""
        if not (self.path / "trials" / f"{trial.id}.parquet").exists():
            return False
        return not trial.measured or set(trial.measured) <= self.measured(trial.id)

    def measured(self, trial_id: str) -> set[Probe]:
        """The probes that a record holds."""
        columns = self._read(self.path / "trials" / f"{trial_id}.parquet").select(["probe_attribution", "probe_depth"])
        return {Probe(*row.values()) for row in columns.to_pylist() if None not in row.values()}

    def rows(self, trial_id: str) -> list[dict[str, Any]]:
        """The rows of a record, as written."""
        rows: list[dict[str, Any]] = self._read(self.path / "trials" / f"{trial_id}.parquet").to_pylist()
        return rows

    def frame(self) -> pd.DataFrame:
        """All records as one tidy table: a row per (trial, epoch, split, probe).

        Raises:
            StoreError: a record cannot be read.
        """
        tables = [self._read(file) for file in self._records()]
        frame: pd.DataFrame = pa.concat_tables(tables or [table([])]).to_pandas()
        return frame

    def _records(self) -> list[Path]:
        # Sorted by name, so that figures do not depend on the order of the directory.
        return sorted([*self.path.glob("trials/[!.]*.parquet"), *self.path.glob("*/trials/[!.]*.parquet")])

    @staticmethod
    def _read(file: Path) -> pa.Table:
        try:
            return conformed(pq.read_table(file, page_checksum_verification=True))
        except (OSError, ValueError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise StoreError(f"{file}: not a readable record ({reason}); delete it and run the sweep again") from None

    # A trial on its way

    def lock(self, trial_id: str) -> AbstractContextManager[bool]:
        """Hold the right to write this trial's files; yields whether another process has it."""
        return durable.locked(self._running(trial_id) / "lock", blocking=False)

    def is_held(self, trial_id: str) -> bool:
        """Whether a process on this machine is training the trial. Only looks."""
        return durable.is_locked(self._running(trial_id) / "lock")

    def checkpoint(self, trial_id: str) -> bytes | None:
        """What the interrupted trial resumes from, if it was interrupted."""
        file = self._running(trial_id) / "checkpoint.pt"
        return file.read_bytes() if file.exists() else None

    def save(self, trial_id: str, checkpoint: bytes, rows: list[dict[str, Any]]) -> None:
        """Replace the rows so far, then what the trial resumes from: the rows may be ahead of it, never behind."""
        durable.write(self._running(trial_id) / "progress.parquet", _parquet(table(rows)))
        durable.write(self._running(trial_id) / "checkpoint.pt", checkpoint)

    def progress(self, trial_id: str) -> list[dict[str, Any]]:
        """The rows so far of a trial that has begun."""
        file = self._running(trial_id) / "progress.parquet"
        rows: list[dict[str, Any]] = self._read(file).to_pylist() if file.exists() else []
        return rows

    def begun(self) -> set[str]:
        """Ids of the trials that have begun and are not done."""
        return {file.parent.name for file in self.path.glob("running/*/progress.parquet")} - self.finished()

    def commit(self, trial_id: str, rows: list[dict[str, Any]]) -> None:
        """Publish the record: from here on the trial is done."""
        durable.write(self.path / "trials" / f"{trial_id}.parquet", _parquet(table(rows)))
        shutil.rmtree(self._running(trial_id), ignore_errors=True)

    def _running(self, trial_id: str) -> Path:
        return self.path / "running" / trial_id

    # Weights

    def weights(self, trial_id: str, epoch: int) -> bytes:
        """The kept weights of one epoch.

        Raises:
            StoreError: they are not there.
        """
        file = self._weights(trial_id, epoch)
        try:
            return file.read_bytes()
        except OSError as error:
            message = (
                f"{file}: kept weights cannot be read ({error.strerror}); delete trials/{trial_id}.parquet to retrain"
            )
            raise StoreError(message) from None

    def kept(self, trial_id: str) -> set[int]:
        """The epochs whose weights are kept."""
        return {int(file.stem) for file in (self.path / "checkpoints" / trial_id).glob("[!.]*.pt")}

    def keep(self, trial_id: str, epoch: int, weights: bytes) -> None:
        """Keep the weights of an epoch."""
        durable.write(self._weights(trial_id, epoch), weights)

    def drop(self, trial_id: str, epochs: Iterable[int]) -> None:
        """Remove weights that nothing needs any more."""
        for epoch in epochs:
            self._weights(trial_id, epoch).unlink(missing_ok=True)

    def _weights(self, trial_id: str, epoch: int) -> Path:
        return self.path / "checkpoints" / trial_id / f"{epoch:04d}.pt"

    # Failures

    def fail(self, trial_id: str, failure: Mapping[str, Any]) -> None:
        """Write down why an attempt failed: `cause`, `error`, `traceback`, `host`."""
        attempt = 1 + sum(1 for _ in self.path.glob(f"failed/{trial_id}.*.json"))
        content = json.dumps({"id": trial_id, "attempt": attempt, **failure}, indent=1)
        durable.write(self.path / "failed" / f"{trial_id}.{attempt}.json", content.encode())

    def failures(self) -> dict[str, dict[str, Any]]:
        """The last failure of every trial that failed and has no record, by id."""
        done, last = self.finished(), {}
        for failure in sorted(self._failures(), key=lambda failure: failure["attempt"]):
            if failure["id"] not in done:
                last[failure["id"]] = failure
        return last

    def _failures(self) -> Iterator[dict[str, Any]]:
        for file in self.path.glob("failed/[!.]*.json"):
            yield json.loads(file.read_bytes())

    def files(self, trial_id: str) -> list[Path]:
        """Every file there is of a trial."""
        patterns = [f"trials/{trial_id}.parquet", f"running/{trial_id}/*", f"checkpoints/{trial_id}/*"]
        patterns += [f"failed/{trial_id}.*", f"logs/{trial_id}.log"]
        return [file for pattern in patterns for file in sorted(self.path.glob(pattern))]

    def log(self, trial_id: str) -> Path:
        """The file that a trial's log goes to."""
        return self.path / "logs" / f"{trial_id}.log"


def _spelled(probes: Iterable[Probe]) -> str:
    return " ".join("@".join(probe) for probe in probes)


def _parquet(content: pa.Table) -> bytes:
    buffer = io.BytesIO()
    # Without page checksums a flipped bit would read as another number.
    pq.write_table(content, buffer, compression="zstd", write_page_checksum=True)
    return buffer.getvalue()
