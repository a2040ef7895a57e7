"""The share of a measurement's variance that one axis accounts for, by pandas: what the report's page computes too."""

from __future__ import annotations

import numpy as np
import pandas as pd

MOST_LEVELS = 5  # numbers of more values are grouped into so many levels of equally many trials


def importance(values: pd.Series, axis: pd.Series) -> float:
    """The adjusted R² of values (N,) on the levels of an axis (N,), in [0, 1]. Trials that lack either do not count.

    NaN where there is nothing to tell: fewer than two levels, a level for every trial, or values that do not vary.
    """
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
