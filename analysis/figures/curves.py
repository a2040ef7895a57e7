"""How training went: EPG and F1 on validation over the epochs, a thin line for each trial in the colour of its loss."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures import names, style, trajectories
from analysis.figures.points import SETTING, TOLD, beside_baselines, losses, subject, usual
from analysis.selection import PROBE, at_own_probe, measurements

PAGE = trajectories.PAGE
METRICS = ("epg_val", "f1_val")
PLOTTED = [*SETTING, "loss", "seed", "lambda_loc", "id", "epoch", *METRICS]


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """Every validated epoch, as fractions in [0, 1].

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED: one row for each baseline, at its best epoch, and for each epoch of each guided trial; empty if none
        was measured on validation.
    """
    points = usual(at_own_probe(measurements(frame, guided=True, how="left", columns=TOLD, metrics=("f1", "epg"))))
    return beside_baselines(points[[*PLOTTED, "parent", *PROBE]], frame, METRICS)[PLOTTED]


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the models measured at one depth of one data set. A trial with a single epoch is a dot."""
    marks = style.marks(losses(data))
    figure, grid = trajectories.panels(data, METRICS, "epoch", f"{subject(data, PAGE)}: validation results.")
    grid[0, 0].xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, steps=[1, 2, 5, 10]))
    for axes, metric, points in trajectories.each(data, grid, METRICS):
        for (loss, _), line in points.groupby(["loss", "id"]):
            look: dict[str, Any] = {"color": marks[str(loss)].color, "marker": "." if len(line) == 1 else ""}
            axes.plot(line["epoch"], line[metric], linewidth=0.6, alpha=0.9, **look)
    lines = [(names.label(loss), {"color": mark.color}) for loss, mark in marks.items()]
    style.legend(figure, [(names.label("none"), trajectories.BASELINE), *lines])
    return figure
