"""Intervals a search may choose from, beside the lists that grids have: `{log: [low, high]}` and its like."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidatorFunctionWrapHandler

DIGITS = 3
"""Significant digits of a value that a search chooses, so that a value written down is the value that was trained."""

KINDS = {
    "log": "[low, high] with 0 < low < high, evenly on a log scale",
    "uniform": "[low, high] with low < high",
    "int": "[low, high], whole numbers, both included",
}


@dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`, addressed by a position in [0, 1]."""

    kind: str
    low: float
    high: float

    def at(self, position: float) -> float | int:
        """The number at a position: of DIGITS significant digits and never outside, or a whole one."""
        if self.kind == "int":
            return min(int(self.low) + int(position * self._count), int(self.high))
        if self.kind == "log":
            exact = self.low * (self.high / self.low) ** position
        else:
            exact = self.low + (self.high - self.low) * position
        return min(max(float(f"{exact:.{DIGITS}g}"), self.low), self.high)

    def position(self, value: float) -> float | None:
        """Where a number stands, None if it is outside; `at` that position is the number again, once rounded."""
        if not self.low <= value <= self.high:
            return None
        if self.kind == "int":
            return (value - self.low + 0.5) / self._count if value == int(value) else None
        if self.kind == "log":
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    @property
    def _count(self) -> int:
        return int(self.high) - int(self.low) + 1


def interval_or(whole: bool) -> Callable[[Any, ValidatorFunctionWrapHandler], Any]:
    """A validator that makes Intervals and leaves everything else to the type it wraps, a list of values.

    Args:
        whole: the field holds whole numbers, so that `int` is the only kind it can have.
    """

    def validate(value: Any, values: ValidatorFunctionWrapHandler) -> Any:
        if not (isinstance(value, dict) and len(value) == 1 and next(iter(value)) in KINDS):
            return values(value)
        ((kind, bounds),) = value.items()
        if whole and kind != "int":
            raise ValueError(f"expected whole numbers: {{int: {KINDS['int']}}}, got {kind}")
        if not (isinstance(bounds, list) and len(bounds) == 2):
            raise ValueError(f"expected {kind}: {KINDS[kind]}, got {bounds!r}")
        ends = values(bounds)  # each a value the field may have; equal ones are one
        if len(ends) < 2 or ends[0] >= ends[1] or (kind == "log" and ends[0] <= 0) or (kind == "int" and _broken(ends)):
            raise ValueError(f"expected {kind}: {KINDS[kind]}, got {bounds!r}")
        return Interval(kind, ends[0], ends[1])

    return validate


def _broken(numbers: list[float]) -> bool:
    return any(number != int(number) for number in numbers)
