"""The results folder. Files are the state: a trial is done when its record is there and is as it was written.

<sweep>/
  sweep.yaml  plan.parquet         what was asked, one row a trial
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

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from mgsweep import durable
from mgsweep.errors import StoreError
from mgsweep.store import leases
from mgsweep.store.asked import to_rows, to_trials
from mgsweep.store.columns import SCHEMA, conformed, table
from mgsweep.store.files import LEFT_OUT, Files, log
from mgsweep.store.leases import Busy, Holder, Lease
from mgsweep.store.records import Records
from mgsweep.store.seal import Damaged
from mgsweep.trial import CONFIG, Probe, Trial

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GENERATIONS", "Busy", "Damaged", "Holder", "Lease", "Store"]

GENERATIONS = ("checkpoint.pt", "previous.pt")
"""What an interrupted trial can resume from, the newest first."""


class Store:
    """The results of one sweep, or (for reading) of every sweep in a folder.

    Only the process that holds a trial's lease writes that trial's files. Everything is written whole or not at all,
    and verified when it is read. Readers skip what is damaged and say so; only a run sets it aside.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._files = Files(self.path)
        self._records = Records(self.path)

    # What was asked

    def begin(self, sweep_text: str, trials: Iterable[Trial]) -> None:
        """Write down what was asked. The plan grows: trials of earlier runs stay in it.

        Raises:
            StoreError: the folder cannot be written.
        """
        trials = list(trials)
        try:
            durable.write(self.path, "sweep.yaml", sweep_text.encode())
            self.plan(trials)
            self._clear_up(trials)
        except OSError as error:
            raise StoreError(
                f"{self.path}: cannot write results here: {error.strerror}; choose another --store"
            ) from None

    def plan(self, trials: Iterable[Trial]) -> None:
        """Add trials to the plan, behind those that are in it."""
        with durable.locked(self.path / ".plan.lock"):  # two runs may add to it at the same time
            rows = {row["id"]: row for row in self._asked_before()} | to_rows(trials)
            self._files.write_table("plan.parquet", pa.Table.from_pylist(list(rows.values())), "plan")

    def planned(self) -> list[Trial]:
        """Every trial ever asked of this sweep. None if the plan cannot be trusted, which is said."""
        try:
            return to_trials(self._planned_rows())
        except Damaged as damaged:
            log.warning(LEFT_OUT, damaged)
            return []

    def planned_epochs(self) -> dict[str, int]:
        """The epochs of every trial ever asked, by id: quicker than `planned`."""
        try:
            return {row["id"]: row["epochs"] for row in self._planned_rows(("id", "epochs"))}
        except Damaged as damaged:
            log.warning(LEFT_OUT, damaged)
            return {}

    def _asked_before(self) -> list[dict[str, Any]]:
        try:
            return self._planned_rows()
        except Damaged as damaged:
            self._files.set_aside("plan.parquet", damaged.reason)
            return []

    def _planned_rows(self, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        if not (self.path / "plan.parquet").exists():
            return []
        rows: list[dict[str, Any]] = self._files.read_table("plan.parquet", "plan", columns).to_pylist()
        return rows

    def _clear_up(self, trials: Iterable[Trial]) -> None:
        """Remove what trials resumed from that died between publishing their record and removing it themselves."""
        running = set(durable.names(self.path / "running"))
        for trial in trials:
            if trial.id in running and self.is_done(trial):
                with self.lease(trial.id) as ours:
                    if ours:
                        self.tidy(trial.id)
                        durable.remove_folder(self.path, f"running/{trial.id}")

    # Finished trials

    def finished(self) -> set[str]:
        """Ids of the trials that have a record. Says which records cannot be trusted."""
        flaws = [pair for records in self._everywhere() for pair in records.flaws().items()]
        for damaged in filter(None, dict(flaws).values()):
            log.warning(LEFT_OUT, damaged)
        return {name for name, flaw in flaws if flaw is None}

    def is_done(self, trial: Trial) -> bool:
        """Whether the record is there, can be trusted, and holds every probe the trial asks for."""
        try:
            return set(trial.measured) <= self.measured(trial.id)
        except Damaged:
            return False

    def done(self, trials: Iterable[Trial]) -> set[str]:
        """Ids of the trials of which `is_done` holds; for many trials at once."""
        flaws = self._records.flaws()
        for damaged in filter(None, flaws.values()):
            log.warning(LEFT_OUT, damaged)
        sound = [trial for trial in trials if flaws.get(trial.id, ...) is None]
        # A guided trial is always measured at its own probe: only who asks for more must decode the record.
        return {trial.id for trial in sound if len(trial.measured) <= int(trial.guided) or self.is_done(trial)}

    def measured(self, trial_id: str) -> set[Probe]:
        """The probes that a record holds.

        Raises:
            Damaged: there is no record that can be trusted.
        """
        rows = self._records.read(trial_id, ("id", "probe_attribution", "probe_depth")).to_pylist()
        probes = (Probe(row["probe_attribution"], row["probe_depth"]) for row in rows)
        return {probe for probe in probes if None not in probe}

    def has_record(self, trial_id: str) -> bool:
        """Whether there is a record, to be trusted or not."""
        return self._records.exists(trial_id)

    def rows(self, trial_id: str, columns: Sequence[str] = SCHEMA.names) -> list[dict[str, Any]]:
        """The rows of a record, as written.

        Args:
            columns: those to read, `id` among them.

        Raises:
            Damaged: there is no record that can be trusted.
        """
        rows: list[dict[str, Any]] = self._records.read(trial_id, columns).to_pylist()
        return rows

    def select(self, columns: Sequence[str], split: str) -> list[dict[str, Any]]:
        """Some columns, the id and the split among them, of every row of a split. Says which records are left out."""
        rows = self._records.table(columns)
        chosen: list[dict[str, Any]] = rows.filter(pc.equal(rows["split"], split)).to_pylist()
        return chosen

    def timings(self) -> list[dict[str, Any]]:
        """For every trial that has a record its configuration, `seconds` in all and the last `epoch`."""
        fields = ["id", *CONFIG]
        rows = pa.concat_tables(records.table((*fields, "epoch", "seconds")) for records in self._everywhere())
        sums = rows.group_by(fields).aggregate([("epoch", "max"), ("seconds", "sum")])
        timings: list[dict[str, Any]] = sums.rename_columns([*fields, "epoch", "seconds"]).to_pylist()
        return timings

    def seconds(self) -> float:
        """What all records together took, in seconds."""
        return self._records.seconds()

    def frame(self, stopped: bool = False) -> pd.DataFrame:
        """All records as one tidy table: a row per (trial, epoch, split, probe). Says which cannot be trusted.

        Args:
            stopped: with the trials that were stopped early too, and a column `stopped` that tells them apart.
        """
        whole = self.table()
        if not stopped:
            frame: pd.DataFrame = whole.to_pandas()
            return frame
        short = pa.concat_tables(self._short(folder) for folder in ("", *durable.names(self.path)))
        continued = pc.is_in(short["id"], pc.unique(whole["id"]))
        frame = pa.concat_tables([whole, short := short.filter(pc.invert(continued))]).to_pandas()
        frame["stopped"] = [False] * len(whole) + [True] * len(short)
        return frame

    def table(self) -> pa.Table:
        """All records, for Arrow."""
        return pa.concat_tables([records.table() for records in self._everywhere()])

    def _short(self, folder: str = "", only: str | None = None) -> pa.Table:
        """The rows of all trials that were stopped early, or of one."""
        tables = [table([])]
        names = [f"{only}.parquet"] if only else durable.names(self.path / folder / "stopped")
        for name in (name for name in names if name.endswith(".parquet")):
            try:
                tables.append(self._files.record(os.path.join(folder, "stopped", name)))
            except Damaged as damaged:
                log.warning(LEFT_OUT, damaged)
        return pa.concat_tables(tables)

    def _everywhere(self) -> Iterator[Records]:
        """The records here, and if this is a folder of sweeps, theirs."""
        yield self._records
        yield from (Records(self.path / sweep) for sweep in durable.names(self.path))

    def compact(self, prune: bool = False) -> tuple[int, int]:
        """Write all records into one file, which readers prefer; returns how many it holds, and how many files went.

        Args:
            prune: remove the files it was made of, but for those of trials that are being worked on.

        Raises:
            StoreError: another process is at it.
        """
        return self._records.compact(durable.names(self.path / "running") if prune else None)

    def timed(self) -> Iterator[list[dict[str, Any]]]:
        """For every trial that is done or has begun, what its rows say of configuration and time; damaged ones not."""
        columns = (*CONFIG, "id", "epoch", "split", "seconds")
        by_trial: dict[str, list[dict[str, Any]]] = {}
        for row in self._records.table(columns).to_pylist():
            by_trial.setdefault(row["id"], []).append(row)
        yield from by_trial.values()
        yield from filter(None, map(self.progress, sorted(self.begun())))

    # A trial on its way

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
        self._files.write_table(f"running/{trial_id}/progress.parquet", table(rows), f"{trial_id}/progress")
        if (self.path / newest).exists():
            durable.move(self.path, newest, previous)
        self._files.write(newest, checkpoint, f"{trial_id}/checkpoint")

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
        """Seconds since a trial that has begun last saved an epoch, by this machine's clock; None if it has not."""
        stamp = durable.stamp(self.path / "running" / trial_id / "progress.parquet")
        return max(0.0, time.time() - stamp.changed / 1e9) if stamp else None

    def begun(self) -> set[str]:
        """Ids of the trials that have begun and are not done."""
        return {
            trial_id
            for trial_id in durable.names(self.path / "running")
            if (self.path / "running" / trial_id / "progress.parquet").exists() and self._records.flaw(trial_id)
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

    # Trials that were stopped early

    def stop(self, trial_id: str) -> None:
        """Mark a trial as stopped, with its rows so far. Only the run that decides so; no worker is ahead of it."""
        self._files.write_table(_stopped(trial_id), table(self.progress(trial_id)), trial_id)

    def stopped(self) -> set[str]:
        """Ids of the trials that were stopped early and have no record."""
        names = {Path(name).stem for name in durable.names(self.path / "stopped") if name.endswith(".parquet")}
        return {trial_id for trial_id in names if self._records.flaw(trial_id)}

    def rows_of_stopped(self, trial_id: str) -> list[dict[str, Any]]:
        """The rows of a stopped trial; none if they cannot be trusted, which is said."""
        return list(self._short(only=trial_id).to_pylist())

    def go_on(self, trial_id: str) -> None:
        """Take the mark away: the trial is an interrupted one, which the next run takes up."""
        durable.remove(self.path, _stopped(trial_id))

    # Weights

    def weights(self, trial_id: str, epoch: int) -> bytes:
        """The kept weights of one epoch.

        Raises:
            Damaged: they are not there or cannot be trusted; the trial must be trained again.
        """
        return self._files.read(_weights(trial_id, epoch), f"{trial_id}/{epoch}")

    def kept(self, trial_id: str) -> set[int]:
        """The epochs whose weights are kept."""
        files = map(Path, durable.names(self.path / "checkpoints" / trial_id))
        return {int(file.stem) for file in files if file.suffix == ".pt" and file.stem.isdecimal()}

    def keep(self, trial_id: str, epoch: int, weights: bytes) -> None:
        """Keep the weights of an epoch."""
        self._files.write(_weights(trial_id, epoch), weights, f"{trial_id}/{epoch}")

    def drop(self, trial_id: str, epochs: Iterable[int]) -> None:
        """Remove weights that nothing needs any more."""
        for epoch in epochs:
            durable.remove(self.path, _weights(trial_id, epoch))

    # Failures

    def fail(self, trial_id: str, failure: Mapping[str, Any]) -> None:
        """Write down why an attempt failed: `cause`, `error`, `traceback`, `host`, `pid`, `log`."""
        attempt = 1 + sum(name.startswith(f"{trial_id}.") for name in durable.names(self.path / "failed"))
        content = json.dumps({"id": trial_id, "attempt": attempt, **failure}, indent=1)
        durable.write(self.path, f"failed/{trial_id}.{attempt}.json", content.encode())

    def attempts(self, trial_id: str = "") -> dict[str, list[dict[str, Any]]]:
        """Every failed attempt by trial, the first first: of all trials, or of one."""
        found: dict[str, list[dict[str, Any]]] = {}
        for failure in sorted(self._failures(trial_id), key=lambda failure: failure["attempt"]):
            found.setdefault(failure["id"], []).append(failure)
        return found

    def failures(self) -> dict[str, dict[str, Any]]:
        """The last failure of every trial that failed and has no record, by id."""
        last = {trial_id: attempts[-1] for trial_id, attempts in self.attempts().items()}
        return {trial_id: failure for trial_id, failure in last.items() if self._records.flaw(trial_id)}

    def _failures(self, trial_id: str) -> Iterator[dict[str, Any]]:
        for name in durable.names(self.path / "failed"):
            if not name.startswith(trial_id):
                continue
            try:
                failure = json.loads(durable.read(self.path / "failed" / name))
                yield {"id": str(failure["id"]), "attempt": int(failure["attempt"]), "cause": "unknown", **failure}
            except (OSError, ValueError, TypeError, KeyError) as error:
                log.warning("left out %s: not a readable failure (%s)", self.path / "failed" / name, error)

    def files(self, trial_id: str) -> list[Path]:
        """Every file there is of a trial."""
        patterns = [f"trials/{trial_id}.parquet", f"running/{trial_id}/*", f"checkpoints/{trial_id}/*"]
        patterns += [f"failed/{trial_id}.*", f"damaged/*{trial_id}.*", f"gallery/{trial_id}.parquet"]
        patterns += [f"stopped/{trial_id}.parquet", f"logs/{trial_id}.log"]
        return [file for pattern in patterns for file in sorted(self.path.glob(pattern))]

    def log(self, trial_id: str) -> Path:
        """The file that a trial's log goes to, in a folder that is there."""
        return durable.place(self.path, f"logs/{trial_id}.log")


def _stopped(trial_id: str) -> str:
    return f"stopped/{trial_id}.parquet"


def _weights(trial_id: str, epoch: int) -> str:
    return f"checkpoints/{trial_id}/{epoch:04d}.pt"
