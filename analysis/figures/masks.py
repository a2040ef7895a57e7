"""Guidance by segmentation masks or by boxes: EPG and IoU in rows, a column for each loss. Measuring uses the boxes.

Few images have masks, so boxes of as few images are shown beside them, if there are such trials.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import style, tradeoff
from analysis.figures.points import SETTING, subject

PAGE = SETTING
VALUES = ("f1", "epg", "iou", "f1_val", "epg_val", "iou_val")
PLOTTED = [*SETTING, "metric", "loss", "seed", "guidance_source", "bbox_fraction", "id", "lambda_loc", "epoch", *VALUES]


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """The fronts of F1 against EPG and against IoU for masks and boxes, as fractions in [0, 1].

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED: one row for each baseline and front member of each metric; empty if no trial used masks.
    """
    return pd.concat([_fronts(frame, metric) for metric in ("epg", "iou")], ignore_index=True)


def _fronts(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    return tradeoff.members(frame, metric, but=["guidance_source", "bbox_fraction"]).assign(metric=metric)[PLOTTED]


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the fronts of one model at one depth on one data set."""
    data = data.assign(guided_by=[_named(*by) for by in data[["guidance_source", "bbox_fraction"]].to_numpy()])
    marks = style.kinds(data.loc[data["loss"] != "none", "guided_by"])
    figure, grid = tradeoff.by_loss(data, f"{subject(data, PAGE)}: {tradeoff.CHOSEN}")
    for axes, metric, panel in tradeoff.loss_panels(data, grid):
        tradeoff.draw_panel(axes, panel, ("f1", metric), marks, "guided_by")
    style.legend(figure, style.entries(marks, {name: name for name in marks}))
    return figure


def _named(source: str, share: float) -> str:
    """`guided by boxes of 10 % of the images`, or without the share if it is all that there are."""
    what = {"box": "guided by boxes", "mask": "guided by masks"}[source]
    return what if share == 1 else f"{what} of {100 * share:g} % of the images"
