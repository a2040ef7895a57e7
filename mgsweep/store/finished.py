"""Trials that are done: their records, each alone or in the compacted file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mgsweep import durable
from mgsweep.store.columns import SCHEMA
from mgsweep.store.files import LEFT_OUT, log
from mgsweep.store.part import Part
from mgsweep.store.records import Records
from mgsweep.store.seal import Damaged
from mgsweep.trial import CONFIG, Probe, Trial


class Finished(Part):
    """Trials that have a record: `trials/` and `compacted.parquet`."""

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
        chosen: list[dict[str, Any]] = self._records.table(columns, pc.field("split") == split).to_pylist()
        return chosen

    def table(self, columns: Sequence[str] = SCHEMA.names, where: pc.Expression | None = None) -> pa.Table:
        """All records, for Arrow, or some columns, `id` among them, of some rows."""
        return pa.concat_tables([records.table(columns, where) for records in self._everywhere()])

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

    def compact(self, prune: bool = False) -> tuple[int, int]:
        """Write all records into one file, which readers prefer; returns how many it holds, and how many files went.

        Args:
            prune: remove the files it was made of, but for those of trials that are being worked on.

        Raises:
            StoreError: another process is at it.
        """
        return self._records.compact(durable.names(self.path / "running") if prune else None)

    def _everywhere(self) -> Iterator[Records]:
        """The records here, and if this is a folder of sweeps, theirs."""
        yield self._records
        yield from (Records(self.path / sweep) for sweep in durable.names(self.path))
