"""A metric against F1, or mAP, for every loss, one panel for each model and depth: what `epg-f1` and its like draw.

Each loss shows the Pareto front over its lambdas and epochs, chosen on validation and drawn with its test values; the
dashed line borders what those attain. The baseline is a white cross: better in both is green, worse in both is grey.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import names, style, tradeoff
from analysis.figures.points import COLUMN, losses, subject, titles
from analysis.published import apart

PAGE = ("dataset", "backbone")


def data(frame: pd.DataFrame, metric: str, score: str = "f1") -> pd.DataFrame:
    """The points to draw, as fractions in [0, 1]: one row for each front member, and for each baseline in each panel.

    Args:
        frame: `Store.frame()`.
        metric: epg, iou or the like, a column of it.
        score: how well it classifies: f1 or mean_ap.

    Returns:
        Baselines first; empty if no guided trial has both metrics on test. `attribution` and `depth` say where both
        kinds of trial were measured.
    """
    values = [score, metric, f"{score}_val", f"{metric}_val"]
    plotted = ["dataset", "depth", *COLUMN, "loss", "seed", "id", "lambda_loc", "epoch", *values]
    return tradeoff.members(frame, metric, score=score)[plotted]


@style.paper()
def draw(data: pd.DataFrame, metric: str, score: str = "f1") -> Figure:
    """Draw the points of one page: a column for each model and attribution, a row for each depth."""
    depths, marks = names.ordered(data["depth"]), style.marks(losses(data))
    figure, grid = style.panels(
        titles=list(titles(data).values()),
        ylabels=[f"{names.label(depth)}\n{names.label(metric)} (%) ↑" for depth in depths],
        xlabel=f"{names.label(score)} (%) ↑",
        notes=[
            *tradeoff.notes(data, f"{subject(data, PAGE)}: {tradeoff.CHOSEN}", score),
            *_no(apart(data)[0]),
        ],
    )
    for axes, panel in zip(grid.flat, _panels(data).values(), strict=True):
        axes.set(xlim=tradeoff.limits(data, score), ylim=tradeoff.limits(data, metric))
        tradeoff.draw_panel(axes, panel, (score, metric), marks)
    style.legend(figure, tradeoff.entries(data, marks))
    return figure


def _panels(data: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """The points of each panel, named by column title and depth, row by row; empty where nothing was measured."""
    return {
        (title, names.label(depth)): data[(data[["depth", *COLUMN]] == [depth, *column]).all(axis=1)]
        for depth in names.ordered(data["depth"])
        for column, title in titles(data).items()
    }


def _no(data: pd.DataFrame) -> Iterator[str]:
    """A note on the results that are missing."""
    if missing := list(_missing(data)):
        yield f"No result: {'; '.join(missing)}."


def _missing(data: pd.DataFrame) -> Iterator[str]:
    for (title, depth), panel in _panels(data).items():
        absent = [names.label(loss) for loss in ("none", *losses(data)) if loss not in set(panel["loss"])]
        if absent:
            yield f"{title} at {depth} ({', '.join(absent) if len(panel) else 'all'})"
