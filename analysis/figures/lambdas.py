"""What the weight of the guidance loss does: EPG and F1 against lambda, a line for each loss and seed.

A line joins trials that differ in lambda alone: where the learning rate or the like was varied, there is one for each.
Every trial shows the test values of its best epoch by validation F1, as one would choose without knowing the fronts.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import names, style, trajectories
from analysis.figures.points import SETTING, beside_baselines, losses, subject, usual
from analysis.selection import TUNED, at_own_probe, measurements, tuned

PAGE = trajectories.PAGE
METRICS = ("epg", "f1")
PLOTTED = [*SETTING, "loss", "seed", "id", "lambda_loc", "epoch", *METRICS, "f1_val"]


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """The best epoch of every trial, as fractions in [0, 1].

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED and the keys of `selection.tuned`: one row for each baseline and each guided trial; empty if no guided
        trial has both metrics on test.
    """
    kept = usual(at_own_probe(measurements(frame, guided=True, how="inner"))).dropna(
        subset=["lambda_loc", *METRICS, "f1_val"]
    )
    best_first = kept.sort_values(["f1_val", "epoch"], ascending=[False, True])
    best = best_first.groupby("id").head(1).sort_index()
    return beside_baselines(best, frame, METRICS)[[*PLOTTED, *tuned(frame)]]


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the models measured at one depth of one data set."""
    marks = style.marks(losses(data))
    others = _differing(data)
    start = f"{subject(data, PAGE)}: test results of each trial's best epoch by validation F1."
    if others:
        start += f" A line joins trials of the same {' and '.join(map(names.label, others))}."
    figure, grid = trajectories.panels(data, METRICS, "λ, weight of the guidance loss", start)
    guided = data[data["loss"] != "none"]
    style.logarithmic(grid[0, 0], guided["lambda_loc"].min(), guided["lambda_loc"].max())
    for axes, metric, points in trajectories.each(data, grid, METRICS):
        for (loss, *_), line in points.sort_values("lambda_loc").groupby(["loss", "seed", *others]):
            axes.plot(line["lambda_loc"], line[metric], **(marks[str(loss)].points | {"linestyle": "-"}))
    lines = [(name, look | {"linestyle": "-"}) for name, look in style.entries(marks)[1:]]
    style.legend(figure, [(names.label("none"), trajectories.BASELINE), *lines])
    return figure


def _differing(data: pd.DataFrame) -> list[str]:
    """What else than lambda is TUNED on this page."""
    guided = data[data["loss"] != "none"].groupby([*SETTING, "loss", "seed"])
    return [key for key in TUNED[1:] if key in data and (guided[key].nunique() > 1).any()]
