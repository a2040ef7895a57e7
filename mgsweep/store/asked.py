"""Trials as rows of the plan, and back: unlike a record's rows these know the probes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mgsweep.trial import Probe, Trial


def to_rows(trials: Iterable[Trial]) -> dict[str, dict[str, Any]]:
    """One row a trial, by id."""
    return {trial.id: {"id": trial.id, **trial.to_row(), "probes": _spelled(trial.probes)} for trial in trials}


def to_trials(rows: Iterable[dict[str, Any]]) -> list[Trial]:
    """The trials of such rows."""
    return [
        Trial.from_row({key: value for key, value in row.items() if value is not None}).model_copy(
            update={"probes": tuple(Probe(*text.split("@")) for text in row["probes"].split())}
        )
        for row in rows
    ]


def _spelled(probes: Iterable[Probe]) -> str:
    return " ".join("@".join(probe) for probe in probes)
