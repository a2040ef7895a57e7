"""Pareto fronts and hypervolumes of points that are maximised in every coordinate. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def front(points: ArrayLike, bin_width: float | None = None) -> NDArray[np.intp]:
    """Indices, ascending, of the points that no other point dominates.

    Args:
        points: (N, D), every coordinate maximised. A row with a NaN takes no part.
        bin_width: round the coordinates to multiples of this first. The published selection uses 0.005.

    Among equal points (after rounding) the earliest stays, as in the published code.
    """
    values = np.asarray(points, dtype=float)
    if values.size == 0:
        return np.empty(0, dtype=np.intp)
    if bin_width is not None:
        values = np.round(values / bin_width) * bin_width
    candidates = np.flatnonzero(~np.isnan(values).any(axis=1))
    # Lexicographically best first, earlier first among equals: a point can then only be dominated by one before it.
    order = candidates[np.lexsort((candidates, *(-values[candidates].T[::-1])))]
    kept: list[int] = []
    for index in order:
        if not any(np.all(values[other] >= values[index]) for other in kept):
            kept.append(int(index))
    return np.sort(np.array(kept, dtype=np.intp))


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Volume of the region that the points dominate above `reference` (D,), in the product of the axes' units."""
    corner = np.asarray(reference, dtype=float)
    values = np.asarray(points, dtype=float).reshape(-1, corner.size)
    values = values[(values > corner).all(axis=1)]  # also drops NaN
    if corner.size == 1:
        return float((values - corner).max(initial=0.0))
    # Sweep down the last axis; each slab has the cross-section that the points above it dominate in the other axes.
    values = values[np.argsort(-values[:, -1])]
    floors = np.append(values[1:, -1], corner[-1])
    slabs = values[:, -1] - floors
    return float(sum(slab * hypervolume(values[: n + 1, :-1], corner[:-1]) for n, slab in enumerate(slabs) if slab > 0))
