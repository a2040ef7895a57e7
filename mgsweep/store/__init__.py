"""The results folder. Files are the state: a trial is done when its record is there and is as it was written.

<sweep>/
  sweep.yaml  plan.parquet         what was asked, one row a trial
  sweep.path                       where the file is that sweep.yaml is a copy of
  trials/<id>.parquet              the record of a finished trial
  compacted.parquet                many of them in one file, read in their place (`mgsweep compact`)
  running/<id>/checkpoint.pt       all that resuming takes, written anew at every epoch
               previous.pt         the one before, in case that is damaged
               progress.parquet    the rows so far, in the record's columns
               lease.<n>           held by the process that trains the trial; of several the highest counts
  checkpoints/<id>/<epoch>.pt      weights that children and later measurements need
  stopped/<id>.parquet             the rows of a trial that was stopped early, and stands where running/<id> left it
  failed/<id>.<attempt>.json       why an attempt failed
  damaged/<file>.<8 digits>        what could not be trusted and was moved out of the way; beside it .reason
  gallery/<id>.parquet             attribution maps of a few test images (`store.gallery`)
  logs/<id>.log
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from mgsweep import durable
from mgsweep.errors import StoreError
from mgsweep.store.asked import Asked
from mgsweep.store.columns import SCHEMA
from mgsweep.store.failed import Failed
from mgsweep.store.finished import Finished
from mgsweep.store.kept import Kept
from mgsweep.store.leases import Busy, Holder, Lease
from mgsweep.store.running import GENERATIONS
from mgsweep.store.seal import Damaged
from mgsweep.store.stopped import Stopped
from mgsweep.store.tables import to_pandas
from mgsweep.trial import CONFIG, Trial

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GENERATIONS", "Busy", "Damaged", "Holder", "Lease", "Store"]


class Store(Asked, Finished, Stopped, Kept, Failed):
    """The results of one sweep, or (for reading) of every sweep in a folder. Each part of the folder has its class.

    Only the process that holds a trial's lease writes that trial's files. Everything is written whole or not at all,
    and verified when it is read. Readers skip what is damaged and say so; only a run sets it aside.
    """

    def begin(self, sweep_text: str, trials: Iterable[Trial], source: Path | None = None) -> None:
        """Write down what was asked. The plan grows: trials of earlier runs stay in it.

        Args:
            source: the sweep file that the text is from.

        Raises:
            StoreError: the folder cannot be written.
        """
        trials = list(trials)
        try:
            durable.write(self.path, "sweep.yaml", sweep_text.encode())
            if source and source.resolve() != (self.path / "sweep.yaml").resolve():
                durable.write(self.path, "sweep.path", os.fsencode(source.absolute()))
            self.plan(trials)
            self._clear_up(trials)
        except OSError as error:
            raise StoreError(
                f"{self.path}: cannot write results here: {error.strerror}; choose another --store"
            ) from None

    def source(self) -> Path | None:
        """The sweep file that was run last, if it is there and says what the copy of it here says."""
        try:
            file = Path(os.fsdecode(durable.read(self.path / "sweep.path")))
            same = file.read_text(encoding="utf-8") == (self.path / "sweep.yaml").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None
        return file if same else None

    def _clear_up(self, trials: Iterable[Trial]) -> None:
        """Remove what trials resumed from that died between publishing their record and removing it themselves."""
        running = set(durable.names(self.path / "running"))
        for trial in trials:
            if trial.id in running and self.is_done(trial):
                with self.lease(trial.id) as ours:
                    if ours:
                        self.tidy(trial.id)
                        durable.remove_folder(self.path, f"running/{trial.id}")

    def frame(self, stopped: bool = False, columns: Sequence[str] = SCHEMA.names) -> pd.DataFrame:
        """All records as one tidy table: a row per (trial, epoch, split, probe). Says which cannot be trusted.

        Args:
            stopped: with the trials that were stopped early too, and a column `stopped` that tells them apart.
            columns: those to read, `id` among them: a few take a quarter of the time.
        """
        return to_pandas(self.with_stopped(columns) if stopped else self.table(columns))

    def with_stopped(self, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
        """All records, then the trials that were stopped early, for Arrow; a column `stopped` tells them apart."""
        rows = self.table(columns)
        short = pa.concat_tables(self._short(folder, columns=columns) for folder in ("", *durable.names(self.path)))
        short = short.filter(pc.invert(pc.is_in(short["id"], pc.unique(rows["id"]))))
        marks = pa.chunked_array([pa.repeat(False, len(rows)), pa.repeat(True, len(short))])
        return pa.concat_tables([rows, short]).append_column("stopped", marks)

    def slim(self, columns: Sequence[str], tested: Sequence[str] = ()) -> pd.DataFrame:
        """Some columns of all records, for a million rows: text as categories, which take a tenth of the memory.

        Args:
            columns: `id` and `split` among them.
            tested: further columns, long lists for example, that are only read of the test rows and null in others.
        """
        return to_pandas(self._and_tested(columns, tested) if tested else self.table(columns), categories=True)

    def _and_tested(self, columns: Sequence[str], tested: Sequence[str]) -> pa.Table:
        test = pc.field("split") == "test"
        parts = [self.table(columns, ~test), self.table([*columns, *tested], test)]
        return pa.concat_tables(parts, promote_options="default")

    def ended(self) -> int:
        """How many trials are done or were stopped early, sound or not: as quick as listing two folders."""
        return len({*self._records.ids(), *(Path(name).stem for name in durable.names(self.path / "stopped"))})

    def timed(self) -> Iterator[list[dict[str, Any]]]:
        """For every trial that has rows, what these say of configuration and time; damaged ones not."""
        columns = (*CONFIG, "id", "epoch", "split", "seconds")
        by_trial: dict[str, list[dict[str, Any]]] = {}
        for row in self._records.table(columns).to_pylist():
            by_trial.setdefault(row["id"], []).append(row)
        yield from by_trial.values()
        yield from filter(None, map(self.so_far, sorted(self.unfinished())))

    def files(self, trial_id: str) -> list[Path]:
        """Every file there is of a trial."""
        patterns = [f"trials/{trial_id}.parquet", f"running/{trial_id}/*", f"checkpoints/{trial_id}/*"]
        patterns += [f"failed/{trial_id}.*", f"damaged/*{trial_id}.*", f"gallery/{trial_id}.parquet"]
        patterns += [f"stopped/{trial_id}.parquet", f"logs/{trial_id}.log"]
        return [file for pattern in patterns for file in sorted(self.path.glob(pattern))]

    def log(self, trial_id: str) -> Path:
        """The file that a trial's log goes to, in a folder that is there."""
        return durable.place(self.path, f"logs/{trial_id}.log")
