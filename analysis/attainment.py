"""Several seeds as one picture: what a share of their fronts attain (empirical attainment surfaces).

Points of different seeds do not correspond, so their fronts are not averaged. Instead, a place in the plane counts as
attained by a seed if its front has a point at least as good in both coordinates (Grunert da Fonseca et al., 2001).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.pareto import front

QUARTILES = 5
"""From so many seeds on, the band around the median are the quartiles."""


def attained(fronts: Sequence[ArrayLike], share: float) -> NDArray[np.float64]:
    """Corners of the region that at least a share of the fronts attain.

    Args:
        fronts: one for each seed, (N_i, 2), both coordinates maximised; dominated points change nothing.
        share: above 0, at most 1: 0.5 is the median surface; 1 what all attain, the smallest share what any does.

    Returns:
        (F, 2), no point dominating another, in ascending order of the first coordinate: `staircase` draws its border.
    """
    runs = [np.asarray(points, dtype=float).reshape(-1, 2) for points in fronts]
    runs = [points[~np.isnan(points).any(axis=1)] for points in runs]
    needed = max(1, math.ceil(round(share * len(runs), 9)))
    xs = np.unique(np.concatenate([np.empty(0), *(points[:, 0] for points in runs)]))
    # The best second coordinate of each run at x or beyond; the surface passes through the needed-th best of them.
    heights = np.array([_height(points, xs) for points in runs]).reshape(len(runs), xs.size)
    if len(runs) < needed or not xs.size:
        return np.empty((0, 2))
    surface = np.column_stack([xs, np.sort(heights, axis=0)[-needed]])
    surface = surface[np.isfinite(surface[:, 1])]
    members: NDArray[np.float64] = surface[front(surface)]
    return members


def _height(points: NDArray[np.float64], xs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest second coordinate among the points whose first is at least x; -inf where there is none."""
    in_order = points[np.argsort(-points[:, 0])]
    best = np.maximum.accumulate(np.concatenate([[-np.inf], in_order[:, 1]]))
    return best[np.searchsorted(-in_order[:, 0], -xs, side="right")]


def band(seeds: int) -> tuple[float, float]:
    """Shares of the surfaces that border the band around the median: the quartiles, or what any and what all attain."""
    return (0.25, 0.75) if seeds >= QUARTILES else (1 / seeds, 1.0)
