"""What was spent on a trial. Rows of one measuring share its time, and differ in their probe alone: it counts once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

MEASURING = ("epoch", "split", "seconds")
"""What rows that were measured together agree in, and no others of a trial."""


def measurings(rows: Iterable[Mapping[str, Any]]) -> list[tuple[int, str, float]]:
    """Epoch, split and seconds of everything that was measured of one trial; 0 seconds where none were noted."""
    return list(dict.fromkeys((row["epoch"], row["split"], row.get("seconds") or 0.0) for row in rows))


def seconds_of(rows: Iterable[Mapping[str, Any]]) -> float:
    """What the rows of one trial took in all."""
    return sum(seconds for _, _, seconds in measurings(rows))


def seconds_in(table: pa.Table) -> float:
    """The same, of the rows of any trials: `id` and MEASURING."""
    once = table.group_by(["id", *MEASURING]).aggregate([])
    return pc.sum(once["seconds"]).as_py() or 0.0
