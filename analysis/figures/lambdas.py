"""What the weight of the guidance loss does: EPG and F1 against lambda, a line for each loss and seed.

A line joins trials that differ in lambda alone: where the learning rate or the like was varied, of these trials or of
the baselines they start from, there is one for each.
Every trial shows the test values of its best epoch by validation F1, as one would choose without knowing the fronts.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures import names, style, trajectories
from analysis.figures.points import SETTING, beside_baselines, losses, score_of, settings_of_baselines, subject, usual
from analysis.selection import TUNED, at_own_probe, measurements, score, tuned

PAGE = trajectories.PAGE
METRICS = ("epg", "f1")
STARTED_FROM = "baseline"
PLOTTED = [*SETTING, "loss", "seed", "id", "lambda_loc", "epoch", *METRICS, "f1_val"]


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """The best epoch of every trial, as fractions in [0, 1].

    Args:
        frame: `Store.frame()`.

    Returns:
        PLOTTED, the keys of `selection.tuned` and, where baselines were tuned, STARTED_FROM: one row for each baseline
        and each guided trial; empty if no guided trial has both metrics on test.
    """
    kept = usual(at_own_probe(measurements(frame, guided=True, how="inner"))).dropna(
        subset=["lambda_loc", *METRICS, "f1_val"]
    )
    best_first = kept.assign(reached=score(kept)).sort_values(["reached", "epoch"], ascending=[False, True])
    best = best_first.groupby("id").head(1).sort_index()
    best[STARTED_FROM] = settings_of_baselines(frame, best)
    others = [*tuned(frame), *([STARTED_FROM] if best[STARTED_FROM].any() else [])]
    return beside_baselines(best, frame, METRICS)[[*PLOTTED, *others]]


@style.paper()
def draw(data: pd.DataFrame) -> Figure:
    """Draw the models measured at one depth of one data set."""
    marks = style.marks(losses(data))
    others = _differing(data)
    start = f"{subject(data, PAGE)}: test results of each trial's best epoch by validation {score_of(data)}."
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
    """What else than lambda is TUNED on this page, of trials or of the baselines they start from."""
    guided = data[data["loss"] != "none"].groupby([*SETTING, "loss", "seed"])
    return [key for key in (*TUNED[1:], STARTED_FROM) if key in data and (guided[key].nunique() > 1).any()]
