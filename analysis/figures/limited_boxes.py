"""Guidance when few images have boxes (Figure 12 of the paper): EPG against F1, a panel for each share of them."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import style, tradeoff
from analysis.figures.points import SETTING, losses, subject

PAGE = SETTING
VALUES = ("f1", "epg", "f1_val", "epg_val")
PLOTTED = [*SETTING, "loss", "seed", "bbox_fraction", "id", "lambda_loc", "epoch", *VALUES]


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """The fronts for each share of annotated training images, as fractions in [0, 1].

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED: one row for each baseline and front member; empty if every trial used all boxes.
    """
    return tradeoff.members(frame, "epg", but=["bbox_fraction"])[PLOTTED]


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the fronts of one model at one depth on one data set."""
    marks, baseline = style.marks(losses(data)), data["loss"] == "none"
    fractions = sorted(set(data.loc[~baseline, "bbox_fraction"]))
    figure, grid = style.panels(
        titles=[f"{100 * fraction:g} % of the images with boxes" for fraction in fractions],
        ylabels=["EPG (%) ↑"],
        xlabel="F1 (%) ↑",
        notes=tradeoff.notes(data, f"{subject(data, PAGE)}: {tradeoff.CHOSEN}"),
    )
    grid[0, 0].set(xlim=tradeoff.limits(data, "f1"), ylim=tradeoff.limits(data, "epg"))
    for axes, fraction in zip(grid.flat, fractions, strict=True):
        panel = data[baseline | (data["bbox_fraction"] == fraction)]
        tradeoff.draw_panel(axes, panel, ("f1", "epg"), marks)
    style.legend(figure, tradeoff.entries(data, marks))
    return figure
