"""How a sweep or a search found its front: its hypervolume over the trials that ended, and over the hours they took."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures import names, style
from analysis.progress import COLUMNS, progress

PAGE = ("dataset",)
REACHED: dict[str, Any] = {"color": "#0072B2", "linestyle": "-"}
STOPPED: dict[str, Any] = {"color": "#D55E00", "linestyle": "none", "marker": "x", "markersize": 3, "zorder": 3}


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """The front's hypervolume over (F1, EPG) after each guided trial of each data set.

    Args:
        frame: `Store.frame(stopped=True)`.

    Returns:
        `dataset` and the columns of `analysis.progress.progress`; empty if no guided trial got above (0, 0). `attrs`
        name the data sets with trials that were guided `outside` of the boxes, which compete in 1 - EPG.
    """
    if frame.empty:
        return pd.DataFrame(columns=[*COLUMNS, *PAGE])
    told = pd.concat([progress(page).assign(dataset=name) for name, page in frame.groupby("dataset")])
    regions = frame.reindex(columns=["dataset", "guidance_region"])
    told.attrs["outside"] = sorted(set(regions.loc[regions["guidance_region"] == "outside", "dataset"]))
    return told[told["hypervolume"].groupby(told["dataset"]).transform("max") > 0]


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw one data set."""
    stopped = data[data["stopped"]]
    name = str(data["dataset"].iloc[0])
    region = ", or 1 − EPG where guided outside of the boxes," if name in data.attrs.get("outside", ()) else ""
    start = f"{names.label(name)}: area above (0, 0) that the front over F1 and EPG{region} covers"
    cost = f"; {len(stopped)} of them were stopped early and count only for their cost." if len(stopped) else "."
    notes = [f"{start} on validation, after each of {len(data)} guided trials{cost}"]
    figure, grid = style.panels(["", ""], ["hypervolume (%)"], "", notes, sharex=False)
    unit, size = ("hours", 1) if data["hours"].max() > 2 else ("minutes", 60)
    for axes, column, factor in zip(grid[0], ("trials", "hours"), (1, size), strict=True):
        axes.step(factor * data[column], data["hypervolume"], where="post", **REACHED)
        axes.plot(factor * stopped[column], stopped["hypervolume"], **STOPPED)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=column == "trials"))
    grid[0, 0].set_xlabel("guided trials that ended")
    grid[0, 1].set_xlabel(f"{unit} that guided trials took")
    style.in_percent(grid[0, 0].yaxis)
    style.legend(figure, [("all trials", REACHED), *([("stopped early", STOPPED)] if len(stopped) else [])])
    return figure
