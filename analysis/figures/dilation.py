"""Guidance by boxes that were drawn too large (Figure 10 of the paper): EPG and IoU in rows, a column for each loss.

The darker a front, the tighter the boxes it was trained with. Measuring always uses the true boxes.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import style, tradeoff
from analysis.figures.points import SETTING, subject

PAGE = SETTING
VALUES = ("f1", "epg", "iou", "f1_val", "epg_val", "iou_val")
PLOTTED = [*SETTING, "metric", "loss", "seed", "bbox_dilation", "id", "lambda_loc", "epoch", *VALUES]


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """The fronts of F1 against EPG and against IoU for each dilation, as fractions in [0, 1].

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED: one row for each baseline and front member of each metric; empty if no boxes were dilated.
    """
    return pd.concat([_fronts(frame, metric) for metric in ("epg", "iou")], ignore_index=True)


def _fronts(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    return tradeoff.members(frame, metric, but=["bbox_dilation"]).assign(metric=metric)[PLOTTED]


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the fronts of one model at one depth on one data set."""
    shades = style.shades(data.loc[data["loss"] != "none", "bbox_dilation"])
    start = f"{subject(data, PAGE)}: {tradeoff.CHOSEN}"
    figure, grid = tradeoff.by_loss(data, start)
    for axes, metric, panel in tradeoff.loss_panels(data, grid):
        tradeoff.draw_panel(axes, panel, ("f1", metric), shades, "bbox_dilation")
    names = {share: f"{100 * share:g} % dilation" for share in shades}
    style.legend(figure, tradeoff.entries(data, shades, names))
    return figure
