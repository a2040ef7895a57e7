"""What several seeds say together: mean, spread, and how far the mean could be off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 10_000
SEED = 0
"""Intervals are the same at every run."""


def bootstrap(
    values: ArrayLike,
    statistic: Callable[..., NDArray[np.float64]] = np.mean,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic of independent values, such as one result a seed.

    Args:
        values: (N,), NaN left out. With few of them the interval is known to be too narrow: say how many there are.
        statistic: called with (RESAMPLES, N) values and `axis`, gives (RESAMPLES,).

    Returns:
        Its lower and upper end: both the only value if there is one, NaN if there is none.
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(statistic(known[_drawn(known.size)], axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@cache
def _drawn(count: int) -> NDArray[np.int64]:
    """The resamples (RESAMPLES, count) of so many values, as indices."""
    return np.random.default_rng(SEED).integers(count, size=(RESAMPLES, count))


def summaries(rows: pd.DataFrame, keys: Sequence[str], measures: Sequence[str]) -> pd.DataFrame:
    """Mean over the rows of each group, one row a seed, of several measures.

    Returns:
        One row for each group and measure, in the order of the groups: `keys`, `measure`, `mean`, `sd` (with N - 1,
        NaN for one seed), `low` and `high` of the mean's `bootstrap`, and `seeds`, how many had a value.
    """
    long = rows.melt([*keys], [*measures], "measure", "value").dropna(subset="value")
    groups = long.groupby([*keys, "measure"], dropna=False, sort=False)["value"]
    summary = groups.agg(mean="mean", sd="std", seeds="count").reset_index()
    ends = [bootstrap(values) for _, values in groups]
    summary[["low", "high"]] = np.array(ends).reshape(-1, 2)
    return summary[[*keys, "measure", "mean", "sd", "low", "high", "seeds"]]
