"""Trials that were stopped early: their rows are kept, and they can go on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mgsweep import durable
from mgsweep.store.columns import SCHEMA, table
from mgsweep.store.files import LEFT_OUT, log
from mgsweep.store.running import Running
from mgsweep.store.seal import Damaged


class Stopped(Running):
    """Trials on their way that have a mark in `stopped/`."""

    def stop(self, trial_id: str) -> None:
        """Mark a trial as stopped, with its rows so far. Only the run that decides so; no worker is ahead of it."""
        self._files.write_table(_stopped(trial_id), table(self.progress(trial_id)), trial_id)

    def stopped(self) -> set[str]:
        """Ids of the trials that were stopped early and have no record."""
        names = {Path(name).stem for name in durable.names(self.path / "stopped") if name.endswith(".parquet")}
        return {trial_id for trial_id in names if self._records.flaw(trial_id)}

    def is_stopped(self, trial_id: str) -> bool:
        """Whether a trial has the mark, with or without a record."""
        return (self.path / _stopped(trial_id)).exists()

    def rows_of_stopped(self, trial_id: str) -> list[dict[str, Any]]:
        """The rows of a stopped trial; none if they cannot be trusted, which is said."""
        return list(self._short(only=trial_id).to_pylist())

    def unfinished(self) -> set[str]:
        """Ids of the trials that have no record and rows all the same: they have begun, or were stopped early."""
        return self.begun() | self.stopped()

    def so_far(self, trial_id: str) -> list[dict[str, Any]]:
        """The rows of such a trial. Where it was stopped, but has not begun, `merge` brought it from another store."""
        rows = self.progress(trial_id)
        return rows or (self.rows_of_stopped(trial_id) if self.is_stopped(trial_id) else [])

    def go_on(self, trial_id: str) -> None:
        """Take the mark away: the trial is an interrupted one, which the next run takes up."""
        durable.remove(self.path, _stopped(trial_id))

    def _short(self, folder: str = "", only: str | None = None, columns: Sequence[str] = SCHEMA.names) -> pa.Table:
        """The rows of all trials that were stopped early, or of one."""
        tables = [table([]).select(columns)]
        names = [f"{only}.parquet"] if only else durable.names(self.path / folder / "stopped")
        for name in (name for name in names if name.endswith(".parquet")):
            try:
                tables.append(self._files.record(os.path.join(folder, "stopped", name), columns))
            except Damaged as damaged:
                log.warning(LEFT_OUT, damaged)
        return pa.concat_tables(tables)


def _stopped(trial_id: str) -> str:
    return f"stopped/{trial_id}.parquet"
