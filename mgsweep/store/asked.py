"""What was asked: the plan, one row a trial. Unlike a record's rows these know the probes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from mgsweep import durable
from mgsweep.store.files import LEFT_OUT, log
from mgsweep.store.part import Part
from mgsweep.store.seal import Damaged
from mgsweep.trial import Probe, Trial


class Asked(Part):
    """Every trial ever asked of this sweep: `plan.parquet`."""

    def plan(self, trials: Iterable[Trial]) -> None:
        """Add trials to the plan, behind those that are in it."""
        with durable.locked(self.path / ".plan.lock"):  # two runs may add to it at the same time
            rows = {row["id"]: row for row in self._asked_before()} | _to_rows(trials)
            self._files.write_table("plan.parquet", pa.Table.from_pylist(list(rows.values())), "plan")

    def planned(self) -> list[Trial]:
        """Every trial ever asked of this sweep. None if the plan cannot be trusted, which is said."""
        try:
            return _to_trials(self._planned_rows())
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

    def planned_ids(self) -> set[str]:
        """Ids of every trial ever asked of this sweep: for what must not take a lost plan for an empty one.

        Raises:
            Damaged: the plan cannot be trusted, or is not there.
        """
        return {row["id"] for row in self._files.read_table("plan.parquet", "plan", ("id",)).to_pylist()}

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


def _to_rows(trials: Iterable[Trial]) -> dict[str, dict[str, Any]]:
    """One row a trial, by id."""
    return {trial.id: {"id": trial.id, **trial.to_row(), "probes": _spelled(trial.probes)} for trial in trials}


def _to_trials(rows: Iterable[dict[str, Any]]) -> list[Trial]:
    """The trials of such rows."""
    return [
        Trial.from_row({key: value for key, value in row.items() if value is not None}).model_copy(
            update={"probes": tuple(Probe(*text.split("@")) for text in row["probes"].split())}
        )
        for row in rows
    ]


def _spelled(probes: Iterable[Probe]) -> str:
    return " ".join("@".join(probe) for probe in probes)
