"""What guidance gives for what it costs: gain of EPG against the time of an epoch, a column for each model.

The gain is the largest at no more than two points of F1 below the baseline, on validation. Letters tell the depth.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analysis.figures import names, style
from analysis.figures.points import COLUMN, SETTING, chosen_over, losses, score_of, subject, titles, usual
from analysis.selection import gains

PAGE = ("dataset",)
F1_LOSS = 0.02
PLOTTED = [*SETTING, "loss", "seed", "id", "lambda_loc", "epoch", "f1_val", "epg_val", "epg_gain", "slowdown"]


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """The best gain of every cell, a difference of fractions, and the time of its epochs.

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED. `slowdown` is the median time of a training epoch over that of the own baseline on the same device;
        empty if no gain has one.
    """
    found = usual(gains(frame, F1_LOSS))
    times = _epoch_times(frame)
    found = found.merge(times, on="id").merge(times, left_on=["parent", "device"], right_on=["id", "device"])
    found = found.rename(columns={"id_x": "id"}).assign(slowdown=found["seconds_x"] / found["seconds_y"])
    return found.dropna(subset="slowdown")[PLOTTED].reset_index(drop=True)


def _epoch_times(frame: pd.DataFrame) -> pd.DataFrame:
    """`id`, `device` and the median `seconds` of a training epoch of every trial."""
    rows = frame.reindex(columns=["id", "split", "device", "seconds"])
    rows = rows[rows["split"] == "train"].astype({"id": "str", "device": "str", "seconds": "float64"})
    return rows.groupby(["id", "device"])["seconds"].median().reset_index()


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw all models of one data set."""
    marks = style.marks(losses(data))
    depths = names.ordered(data["depth"])
    spelled = ", ".join(f"{_letter(depth)} {names.label(depth)}" for depth in depths)
    figure, grid = style.panels(
        titles=list(titles(data).values()),
        ylabels=["gain of EPG (points) ↑"],
        xlabel="time of an epoch / the baseline's ↓",
        notes=[
            f"{subject(data, PAGE)}: largest gain at no more than {100 * F1_LOSS:g} points of {score_of(data)}, "
            "on validation.",
            *chosen_over(data),
            f"{spelled}.",
            *_seeds(data),
        ],
    )
    grid[0, 0].set(
        xlim=style.limits(min(1, data["slowdown"].min()), data["slowdown"].max()),
        ylim=style.limits(min(0, data["epg_gain"].min()), data["epg_gain"].max()),
    )
    for axes, column in zip(grid.flat, titles(data), strict=True):
        style.in_percent(axes.yaxis)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
        axes.axhline(0, **style.CROSSHAIR)
        panel = data[(data[[*COLUMN]] == list(column)).all(axis=1)]
        for loss, points in panel.groupby("loss"):
            axes.plot(points["slowdown"], points["epg_gain"], **marks[str(loss)].points)
        for depth, x, y in panel[["depth", "slowdown", "epg_gain"]].itertuples(index=False, name=None):
            offset = {"xytext": (3, 0), "textcoords": "offset points", "va": "center", "fontsize": 6, "color": "0.3"}
            axes.annotate(_letter(depth), (x, y), **offset)
    style.legend(figure, style.entries(marks)[1:])
    return figure


def _seeds(data: pd.DataFrame) -> Iterator[str]:
    if data["seed"].nunique() > 1:
        yield f"{data['seed'].nunique()} seeds, a point for each."


def _letter(depth: str) -> str:
    """I, 1, 2, 3 or F."""
    return names.label(depth).removeprefix("Mid")[:1]
