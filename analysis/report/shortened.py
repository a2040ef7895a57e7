"""Values and columns of a frame as plain JSON values: no NaN, no infinity, no more digits than are read."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.figures.names import LABELS

METRIC_NAMES = {
    "f1": "F1", "accuracy": "accuracy", "worst_group_accuracy": "worst group", "epg": "EPG", "iou": "IoU",
    "mean_ap": "mAP", "on_object_epg": "on-object EPG", "iou_held_out": "IoU held-out", "iou_adaptive": "IoU adaptive",
}  # fmt: skip

SCALE = 10_000
"""Fractions are sent as whole numbers of hundredths of a percent."""


def label(name: object) -> str:
    """The paper's spelling of a registry name; any other value as it is, and `none`: it is written of no loss here."""
    if isinstance(name, str):
        return name if name == "none" else LABELS.get(name, name)
    return f"{name:g}" if isinstance(name, float) else str(name)


def looked_up(ids: pd.Series[Any], place: pd.Series[int]) -> list[int | None]:
    """Ids as places in the list of trials."""
    return whole(ids.map(place))


def scaled(values: pd.Series[Any]) -> list[int | None]:
    """Fractions in units of 1 / SCALE."""
    return whole((values.astype("float64") * SCALE).round())


def share(value: float | None) -> int | None:
    """A fraction in units of 1 / SCALE."""
    return None if value_of(value) is None else round(float(value or 0) * SCALE)


def whole(values: pd.Series[Any]) -> list[int | None]:
    """Whole numbers, though missing ones have made them floats."""
    numbers = values.astype("float64").replace([float("inf"), -float("inf")], float("nan"))
    return [None if number != number else int(number) for number in numbers.tolist()]


def four_digits(values: pd.Series[Any]) -> list[float | None]:
    """Numbers of any size, as they are drawn."""
    return [value_of(float(f"{number:.4g}")) for number in values.astype("float64").tolist()]


def plain(values: pd.Series[Any]) -> list[Any]:
    """Values as they are."""
    return [value_of(value) for value in values.tolist()]


def value_of(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return None if value is None or value is pd.NaT or value is pd.NA else value
