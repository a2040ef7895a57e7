"""The best epoch of a trial, by validation: where its children start, what is kept of it and what is shown first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def best_epoch(rows: Iterable[Mapping[str, Any]]) -> int:
    """The epoch with the best validation score, the earliest of equals.

    Raises:
        ValueError: none of the rows is of the validation split.
    """
    validated = (row for row in rows if row["split"] == "val")
    epoch: int = max(validated, key=lambda row: (score(row), -row["epoch"]))["epoch"]
    return epoch


def score(row: Mapping[str, Any]) -> float:
    """What checkpoints are selected by: accuracy where there is one, of data sets with one label an image, else F1."""
    value: float = row["f1"] if row.get("accuracy") is None else row["accuracy"]
    return value
