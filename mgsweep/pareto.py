"""What trials compete in, and fronts and hypervolumes of points that are maximised in every coordinate. NumPy only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Goals:
    """Objectives (`max` or `min`, in their order) and how far some measurements may fall behind the baseline's."""

    objectives: Mapping[str, str] = field(default_factory=lambda: {"f1": "max", "epg": "max"})
    constraints: Mapping[str, float] = field(default_factory=dict)


USUAL = Goals()
"""What the trials of a sweep compete in that does not say it."""


def front(points: ArrayLike, bin_width: float | None = None) -> NDArray[np.intp]:
    """Indices, ascending, of the points that no other point dominates.

    Args:
        points: (N, D), every coordinate maximised. A row with a NaN takes no part.
        bin_width: round the coordinates to multiples of this first. The published selection uses 0.005.

    Among equal points (after rounding) the earliest stays, as in the published code.

    Raises:
        ValueError: `points` has not two axes, or `bin_width` is not positive.
    """
    values = np.asarray(points, dtype=float)
    if values.size == 0:
        return np.empty(0, dtype=np.intp)
    if bin_width is not None:
        if not bin_width > 0:
            raise ValueError(f"expected bin_width > 0, got {bin_width}")
        values = np.round(values / bin_width)
    candidates = np.flatnonzero(~np.isnan(values).any(axis=1))
    # Lexicographically best first, earlier first among equals: a point can then only be dominated by one before it.
    order = candidates[np.lexsort((candidates, *(-values[candidates].T[::-1])))]
    return np.sort(_sweep(values, order) if values.shape[1] <= 2 else _peel(values, order))


def _sweep(values: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.intp]:
    """In one or two dimensions a point is on the front if its last coordinate beats every one before it."""
    last = values[order, -1]
    return np.concatenate([order[:1], order[1:][last[1:] > np.maximum.accumulate(last)[:-1]]])


def _peel(values: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.intp]:
    """In any dimension the best of the rest is on the front; keep it and drop all it dominates or equals."""
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[(values[rest] > values[best]).any(axis=1)]
    return np.array(kept, dtype=np.intp)


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Volume of the region that the points dominate above `reference`, in the product of the axes' units.

    Args:
        points: (N, D), finite, every coordinate maximised. A row with a NaN takes no part.
        reference: (D,), the corner to measure from. Volumes above different references do not compare: state it.

    Raises:
        ValueError: the points have not as many coordinates as the reference.
    """
    corner = np.asarray(reference, dtype=float)
    values = np.asarray(points, dtype=float)
    if values.size == 0:
        return 0.0
    if values.shape[1:] != corner.shape:
        raise ValueError(f"expected points of shape (N, {corner.size}), got {values.shape}")
    return _volume(values[(values > corner).all(axis=1)] - corner)  # the comparison also drops NaN


def _volume(heights: NDArray[np.float64]) -> float:
    """Volume of the union of the boxes from 0 to each row of `heights` (N, D), all positive."""
    if heights.shape[1] == 1:
        return float(heights.max(initial=0.0))
    heights = heights[front(heights)]
    # Sweep down the last axis; each slab has the cross-section that the points above it cover in the other axes.
    heights = heights[np.argsort(-heights[:, -1])]
    slabs = -np.diff(heights[:, -1], append=0.0)
    if heights.shape[1] == 2:
        return math.fsum(slabs * np.maximum.accumulate(heights[:, 0]))  # `@` rounds as each processor likes
    return math.fsum(slab * _volume(heights[: n + 1, :-1]) for n, slab in enumerate(slabs) if slab > 0)
