"""Guidance at a deeper layer, measured at the input (Figure 8 of the paper): a panel for each depth trained at.

The dashed line of the same colour borders what training at the input itself attains. Deeper is cheaper: each panel
says how much faster an epoch was than at the input.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures import names, style, tradeoff
from analysis.figures.points import COLUMN, losses, subject, usual

PAGE = ("dataset", *COLUMN)
VALUES = ("f1", "epg", "f1_val", "epg_val")
PLOTTED = [*PAGE, "depth", "loss", "seed", "id", "lambda_loc", "epoch", *VALUES, "speed_up"]


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """The fronts at the input for each trained depth, as fractions in [0, 1].

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED: one row for each baseline and front member; `depth` is where the trial was guided. `speed_up` says
        how many times faster an epoch there was than at the input, NaN if unknown. Empty if no trial that was guided
        at a deeper layer was measured at the input.
    """
    points = tradeoff.members(frame, "epg", measured=_at_input)
    deeper = points.loc[points["depth"] != "input", [*PAGE]].drop_duplicates()
    points = points.merge(deeper, on=[*PAGE])
    return points.merge(_speed_ups(frame), on=[*PAGE, "depth"], how="left")[PLOTTED]


def _at_input(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows measured at the input with the attribution that was guided, wherever that was."""
    return rows[(rows["probe_attribution"] == rows["attribution"]) & (rows["probe_depth"] == "input")]


def _speed_ups(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns PAGE, depth and speed_up, from the median seconds of an epoch.

    Only times of the same loss on the same kind of device are compared; the median over these is taken.
    """
    same = [*PAGE, "loss", "device"]
    columns = [*same, "depth", "split", "seconds", "bbox_fraction", "bbox_dilation", "guidance_source"]
    types = dict.fromkeys([*same, "depth"], "str") | {"seconds": "float64"}
    train = usual(frame.reindex(columns=[*columns, "guidance_region"]).astype(types))
    train = train[(train["split"] == "train") & train["depth"].notna()]
    seconds = train.groupby([*same, "depth"], dropna=False)["seconds"].median()
    ours = seconds.rename("ours").reset_index()
    theirs = ours[ours["depth"] == "input"].drop(columns="depth").rename(columns={"ours": "at_input"})
    both = ours.merge(theirs, on=same)
    both["speed_up"] = both["at_input"] / both["ours"]
    return both.groupby([*PAGE, "depth"])["speed_up"].median().reset_index()


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the fronts of one model on one data set."""
    marks, baseline = style.marks(losses(data)), data["loss"] == "none"
    reference = data[~baseline & (data["depth"] == "input")]
    depths = names.ordered(set(data.loc[~baseline, "depth"]) - {"input"})
    figure, grid = style.panels(
        titles=[f"trained at {names.label(depth)}" for depth in depths],
        ylabels=["EPG at Input (%) ↑"],
        xlabel="F1 (%) ↑",
        notes=tradeoff.notes(data, f"{subject(data, PAGE)}: {tradeoff.CHOSEN}"),
    )
    grid[0, 0].set(xlim=tradeoff.limits(data, "f1"), ylim=tradeoff.limits(data, "epg"))
    for axes, depth in zip(grid.flat, depths, strict=True):
        _draw_panel(axes, data[baseline | (data["depth"] == depth)], reference, marks)
    dashed = ("trained at Input", {"color": "0.3", "linestyle": tradeoff.DASHED, "linewidth": 0.8})
    style.legend(figure, [*style.entries(marks), *([dashed] if len(reference) else [])])
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, reference: pd.DataFrame, marks: dict[str, style.Mark]) -> None:
    """One trained depth: its own fronts are solid."""
    tradeoff.draw_panel(axes, panel, ("f1", "epg"), marks, linestyle="-")
    for (loss, _), points in reference.groupby(["loss", "seed"]):
        color = marks[str(loss)].color
        tradeoff.draw_border(axes, points[["f1", "epg"]], color=color, linestyle=tradeoff.DASHED)
    speed_up = panel.loc[panel["loss"] != "none", "speed_up"].median()
    if speed_up == speed_up:
        text = f"{speed_up:.1f}× as fast"
        axes.text(0.05, 0.06, text, transform=axes.transAxes, fontsize=7, bbox=style.BOX, zorder=5)
