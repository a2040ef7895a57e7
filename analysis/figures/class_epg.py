"""EPG of every class: a row for each, a column for each model, points for the baseline and every loss.

All are shown at their best epoch by validation F1. Classes are sorted by the EPG of the baseline.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.classes import by_class
from analysis.figures import names, style, trajectories
from analysis.figures.points import COLUMN, SETTING, chosen_over, losses, score_of, subject, titles, usual

PAGE = trajectories.PAGE
PLOTTED = [*SETTING, "class", "loss", "seed", "id", "lambda_loc", "epoch", "epg"]
ROW_HEIGHT = 0.15
"""Inches of a class."""


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """Test EPG of every class, as fractions.

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED, one row for each model and class; empty if EPG was not counted by class.
    """
    return usual(by_class(frame)).dropna(subset="epg")[PLOTTED].reset_index(drop=True)


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the models measured at one depth of one data set. Seeds are averaged, a line joins their ends."""
    marks = style.marks(losses(data))
    order = _order(data)
    figure, grid = style.panels(
        titles=list(titles(data).values()),
        ylabels=[""],
        xlabel="EPG (%) ↑",
        notes=[
            f"{subject(data, PAGE)}: test results of each loss at its best validation {score_of(data)}.",
            *chosen_over(data),
            *trajectories.seeds(data),
        ],
        row_height=0.1 + ROW_HEIGHT * len(order),
    )
    grid[0, 0].set(ylim=(-0.7, len(order) - 0.3), xlim=style.limits(data["epg"].min(), data["epg"].max()))
    grid[0, 0].set_yticks(range(len(order)), [names.label(name) for name in order])
    for axes, column in zip(grid.flat, titles(data), strict=True):
        style.in_percent(axes.xaxis)
        panel = data[(data[[*COLUMN]] == list(column)).all(axis=1)]
        for number, name in enumerate(order):
            values = panel.loc[panel["class"] == name, "epg"]
            axes.plot([values.min(), values.max()], [number, number], color="0.8", linewidth=0.8, zorder=1)
        for loss, points in panel.groupby("loss"):
            means = points.groupby("class")["epg"].mean().reindex(order)
            look = style.BASELINE | {"markersize": 4.5} if loss == "none" else marks[str(loss)].points
            axes.plot(means, np.arange(len(order)), **look)
    style.legend(figure, style.entries(marks))
    return figure


def _order(data: pd.DataFrame) -> list[str]:
    """Classes from the lowest EPG of the baselines, or of all where there are none, to the highest."""
    baselines = data[data["loss"] == "none"]
    means = (baselines if len(baselines) else data).groupby("class")["epg"].mean()
    missing = sorted(set(data["class"]) - set(means.index))
    return [*missing, *means.sort_values(kind="stable").index]
