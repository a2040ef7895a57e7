"""How much of the differences between trials one axis accounts for: the share of a measurement's variance.

It is the adjusted R² of the measurement on the levels of that axis alone (the analysis of variance calls it epsilon
squared): 1 where nothing else matters, about 0 where the axis does not, however many levels it has. What two axes do
only together is in neither's share, and axes that were varied together each have all of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

MOST_LEVELS = 5  # numbers of more values are grouped into so many levels of equally many trials


def importances(trials: pd.DataFrame, axes: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """The share of each metric's variance that each axis accounts for.

    Args:
        trials: one row per trial, with the axes and the metrics. Rows that lack one of a pair do not count for it.

    Returns:
        A row for each axis, a column for each metric, shares in [0, 1]; NaN where there is nothing to tell: fewer than
        two levels, a level for every trial, or a metric that does not vary.
    """
    shares = {metric: {axis: importance(trials[metric], trials[axis]) for axis in axes} for metric in metrics}
    return pd.DataFrame(shares, dtype="float64")


def importance(values: pd.Series, axis: pd.Series) -> float:
    """The share of the variance of values (N,) that an axis (N,) accounts for; see `importances`."""
    known = values.notna() & axis.notna()
    values, levels = values[known].astype("float64"), _levels(axis[known])
    within, total = len(values) - levels.nunique(), len(values) - 1
    if not 0 < within < total or values.nunique() < 2:
        return float("nan")
    residual = values - values.groupby(levels).transform("mean")
    unexplained = (np.square(residual).sum() / within) / (np.square(values - values.mean()).sum() / total)
    return float(max(0.0, 1 - unexplained))


def _levels(axis: pd.Series) -> pd.Series:
    """The values of an axis as numbers of levels."""
    if pd.api.types.is_numeric_dtype(axis) and axis.nunique() > MOST_LEVELS:
        return pd.qcut(axis, MOST_LEVELS, labels=False, duplicates="drop")
    return pd.Series(pd.factorize(axis)[0], index=axis.index)
