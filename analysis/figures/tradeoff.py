"""What all figures of F1 against a metric have in common: fronts with test values, baselines, limits and notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from analysis.figures import names, style
from analysis.figures.points import beside_baselines, losses, usual, varied
from analysis.pareto import staircase
from analysis.selection import at_own_probe, fronts

# The axes end this far below the baseline's F1 (a fraction): a model that loses more is no trade-off.
SHOWN_F1_LOSS = 0.1

CHOSEN = "test results of the fronts chosen on validation."

DASHED = (0, (3, 1.5))


def members(
    frame: pd.DataFrame,
    metric: str,
    but: str | None = None,
    measured: Callable[[pd.DataFrame], pd.DataFrame] = at_own_probe,
) -> pd.DataFrame:
    """Baselines and the front members of F1 against `metric`, with the columns of `fronts`, as fractions in [0, 1].

    Args:
        but: a key of ANNOTATION that may differ from its default: only losses and settings where it does are kept.
        measured: chooses the probes to show.
    """
    points = measured(usual(fronts(frame, ("f1", metric)), but))
    if but:
        points = varied(points, but)
    return beside_baselines(points, frame, ["f1", metric])


def limits(data: pd.DataFrame, metric: str) -> tuple[float, float]:
    """Limits of an axis. Points that lose too much F1 would squeeze the others: they are left out."""
    values = data[metric]
    if metric.startswith("f1"):
        worst = data.loc[data["loss"] == "none", metric].min() - SHOWN_F1_LOSS
        values = values.clip(lower=worst)  # without a baseline NaN: no bound
    return style.limits(values.min(), values.max())


def notes(data: pd.DataFrame, start: str, f1: str = "f1") -> Iterator[str]:
    """What the panels cannot show: `start` says where the points come from; then seeds, and points outside."""
    yield start
    seeds = data["seed"].nunique()
    if seeds > 1:
        yield f"{seeds} seeds, each with its own fronts and baseline."
    if outside := out_of_sight(data, f1):
        yield f"Points left of the axes: {outside}."


def out_of_sight(data: pd.DataFrame, f1: str) -> str:
    """How many points of which losses lie below the limits of F1; empty if none do. A point in two rows counts once."""
    points = data[data[f1] < limits(data, f1)[0]].drop_duplicates(["id", "epoch"])
    counts = points["loss"].value_counts()
    return ", ".join(f"{counts[loss]} of {names.label(loss)}" for loss in losses(data) if loss in counts)


def by_loss(data: pd.DataFrame, start: str, suffix: str = "") -> tuple[Figure, NDArray[Any]]:
    """A figure of EPG and IoU, row by row, and a column for each loss; `data` has `metric` to tell the rows apart."""
    metrics = [name for name in ("epg", "iou") if name in set(data["metric"])]
    heights = [limits(data[data["metric"] == name], name + suffix) for name in metrics]
    figure, grid = style.panels(
        titles=[names.label(loss) for loss in losses(data)],
        ylabels=[f"{names.label(name)} (%) ↑" for name in metrics],
        xlabel="F1 (%) ↑",
        notes=notes(data, start, f"f1{suffix}"),
    )
    for row, height in zip(grid, heights, strict=True):
        row[0].set(xlim=limits(data, f"f1{suffix}"), ylim=height)
    return figure, grid


def loss_panels(data: pd.DataFrame, grid: NDArray[Any]) -> Iterator[tuple[Axes, str, pd.DataFrame]]:
    """Axes, metric and points, the baseline among them, of each panel of `by_loss`."""
    metrics = [name for name in ("epg", "iou") if name in set(data["metric"])]
    for row, metric in zip(grid, metrics, strict=True):
        for axes, loss in zip(row, losses(data), strict=True):
            yield axes, metric, data[(data["metric"] == metric) & data["loss"].isin([loss, "none"])]


def draw_panel(
    axes: Axes,
    panel: pd.DataFrame,
    metrics: tuple[str, str],
    marks: Mapping[Any, style.Mark],
    key: str = "loss",
    linestyle: Any = DASHED,
) -> None:
    """The baseline, then a front for each value of `key` and seed. `metrics` name the columns along x and y."""
    style.in_percent(axes.xaxis, axes.yaxis)
    baseline = panel[panel["loss"] == "none"]
    if len(baseline):
        draw_baseline(axes, baseline[metrics[0]], baseline[metrics[1]])
    guided = panel[panel["loss"] != "none"]
    for value, mark in marks.items():
        for _, points in guided[guided[key] == value].groupby("seed"):
            draw_border(axes, points[[*metrics]], color=mark.color, linestyle=linestyle)
            axes.plot(points[metrics[0]], points[metrics[1]], **mark.points)
    if panel.empty:
        axes.text(0.5, 0.5, "no result", transform=axes.transAxes, ha="center", va="center", color="0.6")


def draw_baseline(axes: Axes, f1: pd.Series[float], values: pd.Series[float]) -> None:
    """Crosses, the lines through them, and the regions better and worse than every one of them in both metrics."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for x, y, corner_x, corner_y, color in (
        (f1.max(), values.max(), right, top, style.BETTER),
        (f1.min(), values.min(), left, bottom, style.WORSE),
    ):
        axes.add_patch(Rectangle((x, y), corner_x - x, corner_y - y, color=color, linewidth=0, zorder=0))
    for x, y in zip(f1, values, strict=True):
        axes.axvline(x, **style.CROSSHAIR)
        axes.axhline(y, **style.CROSSHAIR)
    axes.plot(f1, values, **style.BASELINE)


def draw_border(axes: Axes, points: pd.DataFrame, **line: Any) -> None:
    """The border of what (N, 2) points attain, out to the edges of the axes; nothing without points."""
    border = staircase(points)
    if len(border):
        left, bottom = axes.get_xlim()[0], axes.get_ylim()[0]
        x, y = [left, *border[:, 0], border[-1, 0]], [border[0, 1], *border[:, 1], bottom]
        axes.plot(x, y, **({"linewidth": 0.7, "zorder": 2} | line))
