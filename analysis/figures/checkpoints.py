"""All checkpoints and the front among them (Figure 4 of the paper): EPG and IoU in rows, a column for each loss.

Every validated epoch of every lambda is a small faint point; the members of the front, whose checkpoints were kept,
stand out. All values are measured on validation, where the front was chosen.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import style, tradeoff
from analysis.figures.points import SETTING, TOLD, beside_baselines, losses, subject, usual
from analysis.selection import PROBE, at_own_probe, fronts, measurements

PAGE = SETTING
VALUES = ("f1_val", "epg_val", "iou_val")
PLOTTED = [*SETTING, "metric", "loss", "seed", "id", "lambda_loc", "epoch", "on_front", *VALUES]
FAINT: dict[str, Any] = {
    "linestyle": "none",
    "marker": ".",
    "markersize": 3,
    "markeredgewidth": 0,
    "alpha": 0.35,
    "zorder": 2,
}


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """All validated epochs, as fractions in [0, 1].

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED: for each metric of the rows one row for each baseline and each (trial, epoch), with `on_front` where
        it is a member of that metric's front; empty if no guided trial was measured on validation.
    """
    columns = list(dict.fromkeys([*PLOTTED, "parent", *PROBE]))
    points = usual(
        at_own_probe(measurements(frame, guided=True, how="left", columns=TOLD, metrics=("f1", "epg", "iou")))
    )
    points = points.reindex(columns=[name for name in columns if name not in ("metric", "on_front")])
    points = beside_baselines(points, frame, ["f1_val"])
    return pd.concat([_with_front(points, frame, metric) for metric in ("epg", "iou")], ignore_index=True)


def _with_front(points: pd.DataFrame, frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    key = ["id", "epoch"]
    members = at_own_probe(fronts(frame, ("f1", metric)))[key]
    known = points[f"{metric}_val"].notna()
    points = points if known.all() else points[known]
    chosen = points[key].reset_index().merge(members, on=key)["index"]
    return points[[name for name in PLOTTED if name in points]].assign(
        metric=metric, on_front=points.index.isin(chosen)
    )[PLOTTED]


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the checkpoints of one model at one depth on one data set."""
    marks = style.marks(losses(data))
    figure, grid = tradeoff.by_loss(data, f"{subject(data, PAGE)}: validation results of all epochs.", "_val")
    for axes, metric, panel in tradeoff.loss_panels(data, grid):
        columns = ("f1_val", f"{metric}_val")
        tradeoff.draw_panel(axes, panel[panel["on_front"] | (panel["loss"] == "none")], columns, marks)
        for loss, points in panel[panel["loss"] != "none"].groupby("loss"):
            axes.plot(points[columns[0]], points[columns[1]], color=marks[str(loss)].color, **FAINT)
    style.legend(figure, [*style.entries(marks), ("all checkpoints", FAINT | {"color": "0.3", "markersize": 4})])
    return figure
