"""What all figures of F1 against a metric have in common: fronts with test values, baselines, limits and notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from analysis.attainment import QUARTILES, attained, band
from analysis.figures import looks, names, style
from analysis.figures.points import beside_baselines, chosen_over, losses, usual, varied
from analysis.pareto import staircase
from analysis.published import CITED, apart
from analysis.selection import at_own_probe, fronts

# The axes end this far below the baseline's F1 (a fraction): a model that loses more is no trade-off.
SHOWN_F1_LOSS = 0.1

CHOSEN = "test results of the fronts chosen on validation."

DASHED = (0, (3, 1.5))

Legend = list[tuple[str, dict[str, Any]]]


def members(
    frame: pd.DataFrame,
    metric: str,
    but: Sequence[str] = (),
    measured: Callable[[pd.DataFrame], pd.DataFrame] = at_own_probe,
    score: str = "f1",
) -> pd.DataFrame:
    """Baselines and the front members of `score` against `metric`, with the columns of `fronts`, in [0, 1].

    Args:
        but: keys of ANNOTATION that may differ from their defaults: only losses and settings where the first does are
            kept.
        measured: chooses the probes to show.
    """
    points = measured(usual(fronts(frame, (score, metric)), but))
    if but:
        points = varied(points, but[0])
    return beside_baselines(points, frame, [score, metric])


def limits(data: pd.DataFrame, metric: str) -> tuple[float, float]:
    """Limits of an axis. Points that lose too much F1 or mAP would squeeze the others: they are left out."""
    values = data[metric]
    if metric.startswith(("f1", "mean_ap")):
        worst = data.loc[data["loss"] == "none", metric].min() - SHOWN_F1_LOSS
        values = values.clip(lower=worst)  # without a baseline NaN: no bound
    return style.limits(values.min(), values.max())


def notes(data: pd.DataFrame, start: str, f1: str = "f1") -> Iterator[str]:
    """What the panels cannot show: `start` says where the points come from; then seeds, and points outside."""
    data, theirs = apart(data)
    yield start
    yield from chosen_over(data)
    seeds = sorted({int(count) for count in data[data["loss"] != "none"].groupby("loss")["seed"].nunique()})
    if seeds and seeds[-1] > 1:
        spread = "the quartiles" if seeds[0] >= QUARTILES else "what any and what every seed attains"
        several = "–".join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))
        yield f"{several} seeds: the lines border what half of them attain, the bands {spread}."
    if (data["loss"] == "none").any():
        yield "Green: better than the baseline in both, grey: worse in both."
    if outside := out_of_sight(data, f1):
        yield f"Points left of the axes: {outside}."
    if len(theirs):
        yield f"Hollow: published by {', '.join(CITED[source] for source in CITED if source in set(theirs['source']))}."


def out_of_sight(data: pd.DataFrame, f1: str) -> str:
    """How many points of which losses lie below the limits of F1; empty if none do. A point in two rows counts once."""
    points = apart(data)[0]
    points = points[points[f1] < limits(data, f1)[0]].drop_duplicates(["id", "epoch"])
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
    panel, theirs = apart(panel)
    baseline = panel[panel["loss"] == "none"]
    if len(baseline):
        draw_baseline(axes, baseline[metrics[0]], baseline[metrics[1]])
    guided = panel[panel["loss"] != "none"]
    for value, mark in marks.items():
        fronts = [points[[*metrics]] for _, points in guided[guided[key] == value].groupby("seed")]
        draw_fronts(axes, fronts, mark, linestyle)
        _draw_published(axes, theirs.loc[theirs[key] == value, [*metrics]], mark.hollow)
    _draw_published(axes, theirs.loc[theirs["loss"] == "none", [*metrics]], style.PUBLISHED)
    if panel.empty:
        axes.text(0.5, 0.5, "no result", transform=axes.transAxes, ha="center", va="center", color="0.6")


def _draw_published(axes: Axes, points: pd.DataFrame, look: dict[str, Any]) -> None:
    if len(points):
        axes.plot(*points.to_numpy().T, **look)


def draw_fronts(axes: Axes, fronts: Sequence[pd.DataFrame], mark: style.Mark, linestyle: Any = DASHED) -> None:
    """One front with its border, or of several seeds what half of them attain, with a band and faint points."""
    if len(fronts) < 2:
        for points in fronts:
            draw_border(axes, points, color=mark.color, linestyle=linestyle)
            axes.plot(*points.to_numpy().T, **mark.points)
        return
    low, high = (outline(axes, attained(fronts, share)) for share in band(len(fronts)))
    axes.fill(*np.concatenate([low, high[::-1]]).T, color=mark.color, alpha=0.18, linewidth=0, zorder=1.2)
    draw_border(axes, attained(fronts, 0.5), color=mark.color, linestyle=linestyle, linewidth=1.0)
    for points in fronts:
        axes.plot(*points.to_numpy().T, **mark.points | {"markersize": 2.5, "alpha": 0.5})


def draw_baseline(axes: Axes, f1: pd.Series[float], values: pd.Series[float]) -> None:
    """Crosses, lines through the middle of them, and the regions better and worse than every one in both metrics."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    palette = looks.current().palette
    for x, y, corner_x, corner_y, color in (
        (f1.max(), values.max(), right, top, palette.better),
        (f1.min(), values.min(), left, bottom, palette.worse),
    ):
        axes.add_patch(Rectangle((x, y), corner_x - x, corner_y - y, color=color, linewidth=0, zorder=0))
    axes.axvline(f1.median(), **style.CROSSHAIR)
    axes.axhline(values.median(), **style.CROSSHAIR)
    axes.plot(f1, values, **style.BASELINE | ({"markersize": 4} if len(f1) > 1 else {}))


def outline(axes: Axes, points: ArrayLike) -> NDArray[np.float64]:
    """The border (M, 2) of what (N, 2) points attain, out to the edges of the axes; (0, 2) without points."""
    border = staircase(points)
    if not len(border):
        return border
    left, bottom = axes.get_xlim()[0], axes.get_ylim()[0]
    return np.concatenate([[[left, border[0, 1]]], border, [[border[-1, 0], bottom]]])


def draw_border(axes: Axes, points: ArrayLike, **line: Any) -> None:
    """The outline of what (N, 2) points attain; nothing without points."""
    border = outline(axes, points)
    if len(border):
        axes.plot(*border.T, **({"linewidth": 0.7, "zorder": 2} | line))


def entries(data: pd.DataFrame, marks: Mapping[Any, style.Mark], names: Mapping[Any, str] | None = None) -> Legend:
    """Legend entries for the marks, and for published points if there are any."""
    published = style.Mark("0.3", "o").hollow
    return [*style.entries(marks, names), *([("published", published)] if len(apart(data)[1]) else [])]
