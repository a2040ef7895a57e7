"""Guidance by segmentation masks or by boxes: EPG and IoU in rows, a column for each loss. Measuring uses the boxes."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import style, tradeoff
from analysis.figures.points import SETTING, subject

PAGE = SETTING
VALUES = ("f1", "epg", "iou", "f1_val", "epg_val", "iou_val")
PLOTTED = [*SETTING, "metric", "loss", "seed", "guidance_source", "id", "lambda_loc", "epoch", *VALUES]


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """The fronts of F1 against EPG and against IoU for masks and boxes, as fractions in [0, 1].

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED: one row for each baseline and front member of each metric; empty if no trial used masks.
    """
    return pd.concat([_fronts(frame, metric) for metric in ("epg", "iou")], ignore_index=True)


def _fronts(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    return tradeoff.members(frame, metric, but="guidance_source").assign(metric=metric)[PLOTTED]


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the fronts of one model at one depth on one data set."""
    marks = style.kinds(data.loc[data["loss"] != "none", "guidance_source"])
    figure, grid = tradeoff.by_loss(data, f"{subject(data, PAGE)}: {tradeoff.CHOSEN}")
    for axes, metric, panel in tradeoff.loss_panels(data, grid):
        tradeoff.draw_panel(axes, panel, ("f1", metric), marks, "guidance_source")
    names = {"box": "guided by boxes", "mask": "guided by masks"}
    style.legend(figure, style.entries(marks, {name: names[name] for name in marks}))
    return figure
