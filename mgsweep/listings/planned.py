"""`mgsweep plan`: what a sweep file asks for, and what it will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from mgsweep.trial import CONFIG, Trial

Cells = dict[str, Any]


def by_axis(trials: Iterable[Trial]) -> list[Cells]:
    """How many trials there are of each value, for the fields in which a plan's trials differ."""
    trials = list(trials)
    rows = []
    for key in (key for key in CONFIG if key != "parent"):
        counts = Counter(getattr(trial, key) for trial in trials if getattr(trial, key) is not None)
        if len(counts) > 1:
            rows.append({"field": key, "values": _listed(counts)})
    return rows


MANY = 12


def _listed(counts: Counter[Any]) -> str:
    """Each value and how often; of many only the ends."""
    values = [f"{value} ({count})" for value, count in counts.items()]
    if len(values) <= MANY:
        return ", ".join(values)
    return ", ".join([*values[: MANY // 2], f"... {len(values)} values in all ...", values[-1]])
