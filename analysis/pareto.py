"""Pareto fronts for the analysis: the front the runner keeps checkpoints by, and its border as it is drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mgsweep.pareto import front, hypervolume

__all__ = ["front", "hypervolume", "staircase"]


def staircase(points: ArrayLike) -> NDArray[np.float64]:
    """Border of the region that the points attain: a step line, since nothing was attained between two members.

    Args:
        points: (N, 2), both coordinates maximised. Dominated points and rows with a NaN do not shape the border.

    Returns:
        (2 F - 1, 2) corners from the best second coordinate to the best first one, F members on the front; (0, 2)
        without points. At every x the line shows the best y attained at x or beyond. Whoever draws it extends it:
        from the first corner to the left edge of the axes, from the last down to the bottom.
    """
    values = np.asarray(points, dtype=float).reshape(-1, 2)
    members = values[front(values)]
    members = members[np.argsort(members[:, 0])]
    corners = np.repeat(members, 2, axis=0)[:-1]
    corners[1::2, 1] = members[1:, 1]  # down to the next member's height before moving on to it
    return corners
