"""What `lambdas` and `curves` have in common: EPG and F1 in rows, a column for each model, one line a trial or loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures import names, style, tradeoff
from analysis.figures.points import COLUMN, titles

PAGE = ("dataset", "depth")
BASELINE: dict[str, Any] = {"color": "0.2", "linestyle": ":", "linewidth": 0.9, "zorder": 1}


def panels(data: pd.DataFrame, metrics: Sequence[str], xlabel: str, start: str) -> tuple[Figure, NDArray[Any]]:
    """The empty figure: a row for each of `metrics`, of which the last is F1, and a column for each model."""
    figure, grid = style.panels(
        titles=list(titles(data).values()),
        ylabels=[f"{names.label(metric.removesuffix('_val'))} (%) ↑" for metric in metrics],
        xlabel=xlabel,
        notes=_notes(data, start, metrics[-1]),
    )
    for row, metric in zip(grid, metrics, strict=True):
        row[0].set(ylim=tradeoff.limits(data, metric))
    return figure, grid


def each(data: pd.DataFrame, grid: NDArray[Any], metrics: Sequence[str]) -> Iterator[tuple[Axes, str, pd.DataFrame]]:
    """Axes, metric and guided points of every panel, its baseline already drawn as a dotted line."""
    for row, metric in zip(grid, metrics, strict=True):
        for axes, column in zip(row, titles(data), strict=True):
            style.in_percent(axes.yaxis)
            panel = data[(data[[*COLUMN]] == list(column)).all(axis=1)]
            for value in panel.loc[panel["loss"] == "none", metric]:
                axes.axhline(value, **BASELINE)
            yield axes, metric, panel[panel["loss"] != "none"]


def seeds(data: pd.DataFrame) -> Iterator[str]:
    """A note on how many seeds were averaged, if there were several."""
    if data["seed"].nunique() > 1:
        yield f"Means over {data['seed'].nunique()} seeds."


def _notes(data: pd.DataFrame, start: str, f1: str) -> Iterator[str]:
    yield start
    if data["seed"].nunique() > 1:
        yield f"{data['seed'].nunique()} seeds, a line for each."
    if outside := tradeoff.out_of_sight(data, f1):
        yield f"Points below the F1 axis: {outside}."
