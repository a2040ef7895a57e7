"""EPG against F1 for every loss (Figure 5 of the paper): one panel for each model and depth.

Each loss shows the Pareto front over its lambdas and epochs, chosen on validation and drawn with its test values; the
dashed line borders what those attain. The baseline is a white cross: better in both is green, worse in both is grey.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.figures import style
from analysis.pareto import staircase
from analysis.selection import at_own_probe, baselines, fronts
from mgsweep.trial import Trial

# Fewer, larger or other annotations are other experiments, with figures of their own.
ANNOTATION = ("bbox_fraction", "bbox_dilation", "guidance_source", "guidance_region")
COLUMN = ["model", "backbone", "attribution"]
PANEL = ["depth", *COLUMN]
PLOTTED = ["dataset", *PANEL, "loss", "seed", "id", "lambda_loc", "epoch", "f1", "epg", "f1_val", "epg_val"]

# The axes end this far below the baseline's F1 (a fraction): a model that loses more is no trade-off.
SHOWN_F1_LOSS = 0.1


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """The points to draw, as fractions in [0, 1]: one row for each front member, and for each baseline in each panel.

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED, baselines first; empty if no guided trial has both metrics on test. `attribution` and `depth` say
        where both kinds of trial were measured.
    """
    points = at_own_probe(fronts(frame)).dropna(subset=["f1", "epg"])
    for key in ANNOTATION:
        points = points[points[key] == Trial.model_fields[key].default]
    starts = baselines(frame).dropna(subset=["f1", "epg"])
    starts = starts[starts["id"].isin(points["parent"])]
    starts = starts.assign(attribution=starts["probe_attribution"], depth=starts["probe_depth"])
    starts = starts.merge(points[["dataset", *PANEL]].drop_duplicates(), on=["dataset", *PANEL])
    return pd.concat([starts[PLOTTED], points[PLOTTED]], ignore_index=True)


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the points of one data set: a column for each model and attribution, a row for each depth."""
    panels, titles, depths = _panels(data), _titles(data), _depths(data)
    marks = style.marks(set(data["loss"]) - {"none"})
    f1_limits, epg_limits = _limits(data)
    figure, grid = style.panels(len(depths), len(titles), notes=_notes(data, marks))
    grid[0, 0].set(xlim=f1_limits, ylim=epg_limits)
    for axes, panel in zip(grid.flat, panels.values(), strict=True):
        _draw_panel(axes, panel, marks)
    for axes, title in zip(grid[0], titles.values(), strict=True):
        axes.set_title(title)
    for axes, depth in zip(grid[:, 0], depths, strict=True):
        axes.set_ylabel(f"{style.label(depth)}\nEPG (%) ↑")
    for axes in grid[-1]:
        axes.set_xlabel("F1 (%) ↑")
    style.legend(figure, marks)
    return figure


def _depths(data: pd.DataFrame) -> list[str]:
    """The rows of the figure."""
    return sorted(set(data["depth"]), key=style.rank)


def _titles(data: pd.DataFrame) -> dict[tuple[str, ...], str]:
    """The columns of the figure and their names: the backbone only where there are several, one `B-cos` for both."""
    columns = set(data[COLUMN].itertuples(index=False, name=None))
    several = len({backbone for _, backbone, _ in columns}) > 1
    titles: dict[tuple[str, ...], str] = {}
    for model, backbone, attribution in sorted(columns, key=lambda column: [style.rank(name) for name in column]):
        name = f"{style.label(model)} {style.label(backbone)}" if several else style.label(model)
        titles[model, backbone, attribution] = name if attribution == model else f"{name} ({style.label(attribution)})"
    return titles


def _panels(data: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """The points of each panel, named by column title and depth, row by row; empty where nothing was measured."""
    return {
        (title, style.label(depth)): data[(data[PANEL] == [depth, *column]).all(axis=1)]
        for depth in _depths(data)
        for column, title in _titles(data).items()
    }


def _limits(data: pd.DataFrame) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of F1 and EPG for all panels. Points that lose too much F1 would squeeze the others: they are left out."""
    worst = data.loc[data["loss"] == "none", "f1"].min() - SHOWN_F1_LOSS
    f1 = data["f1"].clip(lower=worst)  # without a baseline NaN: no bound
    return style.limits(f1.min(), f1.max()), style.limits(data["epg"].min(), data["epg"].max())


def _notes(data: pd.DataFrame, losses: Iterable[str]) -> Iterator[str]:
    """What the panels cannot show: where the points come from, which lie outside, and which results are missing."""
    yield f"{style.label(data['dataset'].iloc[0])}: test results of the fronts chosen on validation."
    seeds = data["seed"].nunique()
    if seeds > 1:
        yield f"{seeds} seeds, each with its own fronts and baseline."
    outside = data[data["f1"] < _limits(data)[0][0]]["loss"].value_counts()
    if len(outside):
        counts = (f"{outside[loss]} of {style.label(loss)}" for loss in losses if loss in outside)
        yield f"Points left of the axes: {', '.join(counts)}."
    if missing := list(_missing(data, losses)):
        yield f"No result: {'; '.join(missing)}."


def _missing(data: pd.DataFrame, losses: Iterable[str]) -> Iterator[str]:
    for (title, depth), panel in _panels(data).items():
        absent = [style.label(loss) for loss in ("none", *losses) if loss not in set(panel["loss"])]
        if absent:
            yield f"{title} at {depth} ({', '.join(absent) if len(panel) else 'all'})"


def _draw_panel(axes: Axes, panel: pd.DataFrame, marks: dict[str, style.Mark]) -> None:
    """One model at one depth: the baseline, then a front for each loss and seed."""
    style.in_percent(axes)
    baseline = panel[panel["loss"] == "none"]
    if len(baseline):
        _draw_baseline(axes, baseline)
    for loss, mark in marks.items():
        for _, points in panel[panel["loss"] == loss].groupby("seed"):
            _draw_front(axes, points, mark)
    if panel.empty:
        axes.text(0.5, 0.5, "no result", transform=axes.transAxes, ha="center", va="center", color="0.6")


def _draw_baseline(axes: Axes, baseline: pd.DataFrame) -> None:
    """Crosses, the lines through them, and the regions better and worse than every one of them in both metrics."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for f1, epg, corner_f1, corner_epg, color in (
        (baseline["f1"].max(), baseline["epg"].max(), right, top, style.BETTER),
        (baseline["f1"].min(), baseline["epg"].min(), left, bottom, style.WORSE),
    ):
        axes.add_patch(Rectangle((f1, epg), corner_f1 - f1, corner_epg - epg, color=color, linewidth=0, zorder=0))
    for f1, epg in zip(baseline["f1"], baseline["epg"], strict=True):
        axes.axvline(f1, **style.CROSSHAIR)
        axes.axhline(epg, **style.CROSSHAIR)
    axes.plot(baseline["f1"], baseline["epg"], **style.BASELINE)


def _draw_front(axes: Axes, points: pd.DataFrame, mark: style.Mark) -> None:
    """The points, and the border of what they attain, out to the edges of the axes."""
    border = staircase(points[["f1", "epg"]])
    left, bottom = axes.get_xlim()[0], axes.get_ylim()[0]
    f1, epg = [left, *border[:, 0], border[-1, 0]], [border[0, 1], *border[:, 1], bottom]
    axes.plot(f1, epg, color=mark.color, linestyle=(0, (3, 1.5)), linewidth=0.7, zorder=2)
    axes.plot(points["f1"], points["epg"], **mark.points)
