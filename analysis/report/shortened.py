"""Columns of a frame as short lists of plain JSON values: no NaN, no infinity, no more digits than are read."""

from __future__ import annotations

from typing import Any

import pandas as pd

SCALE = 10_000
"""Fractions are sent as whole numbers of hundredths of a percent."""


def looked_up(ids: pd.Series[Any], place: pd.Series[int]) -> list[int | None]:
    """Ids as places in the list of trials."""
    return whole(ids.map(place))


def scaled(values: pd.Series[Any]) -> list[int | None]:
    """Fractions in units of 1 / SCALE."""
    return whole((values.astype("float64") * SCALE).round())


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
