"""EPG against the size of the boxes: large boxes are hit by chance alone, so gains on small ones say more.

The diagonal is what attribution spread evenly over the image would score. All models are shown at their best epoch by
validation F1.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis.classes import by_size
from analysis.figures import style, trajectories
from analysis.figures.points import COLUMN, SETTING, chosen_over, losses, score_of, subject, titles, usual

PAGE = trajectories.PAGE
PLOTTED = [*SETTING, "loss", "seed", "id", "lambda_loc", "epoch", "size", "pairs", "epg"]
EVEN: dict[str, Any] = {"color": "0.5", "linestyle": ":", "linewidth": 0.8, "zorder": 1}


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean test EPG by the share of the image that the boxes cover, as fractions.

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED, one row for each model and tenth of the image; empty if EPG was not counted by size.
    """
    return usual(by_size(frame))[PLOTTED].reset_index(drop=True)


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the models measured at one depth of one data set. Seeds are averaged."""
    marks = style.marks(losses(data))
    figure, grid = style.panels(
        titles=list(titles(data).values()),
        ylabels=["EPG (%) ↑"],
        xlabel="share of the image in the boxes (%)",
        notes=[
            f"{subject(data, PAGE)}: test results of each loss at its best validation {score_of(data)}.",
            *chosen_over(data),
            *trajectories.seeds(data),
        ],
    )
    grid[0, 0].set(xlim=(0, 1), ylim=(0, 1))
    for axes, column in zip(grid.flat, titles(data), strict=True):
        style.in_percent(axes.xaxis, axes.yaxis)
        axes.plot([0, 1], [0, 1], **EVEN)
        panel = data[(data[[*COLUMN]] == list(column)).all(axis=1)]
        for loss, points in panel.groupby("loss"):
            means = points.groupby("size")["epg"].mean()
            look = style.BASELINE | {"markersize": 4.5, "color": "0.2"} if loss == "none" else marks[str(loss)].points
            axes.plot(means.index, means, **look | {"linestyle": "-", "linewidth": 0.8})
    style.legend(figure, [*style.entries(marks), ("spread evenly", EVEN)])
    return figure
