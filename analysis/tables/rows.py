"""The rows that several tables have: a model at a depth, and below it the baseline and every loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.figures import names
from analysis.figures.points import ANNOTATION, COLUMN, SETTING, chosen_over, subject, title
from analysis.intervals import summaries
from analysis.selection import EXPERIMENT, TUNED
from mgsweep.trial import Trial

PAGE = ("dataset",)
GROUP = SETTING
ROW = ("variant",)
CONTEST = (*SETTING, "measure")
KEYS = (*SETTING, "model_name", "depth_name", "variant")


def head(page: pd.DataFrame) -> Mapping[str, str]:
    """Titles of the columns of names, and the columns that hold them."""
    return {"Model": "model_name", "Depth": "depth_name", "Loss": "variant"}


# What makes an experiment another one, beside its setting and loss.
OPTIONS = tuple(key for key in EXPERIMENT if key not in (*SETTING, "loss"))


def summarised(points: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Means over the seeds of each experiment, in the order of the paper.

    Args:
        points: one row for each seed and experiment, baselines among them, with the columns of `fronts`.
        measures: columns of it.

    Returns:
        KEYS, and the columns of `intervals.summaries`: one row for each experiment and measure.
    """
    points = in_order(points)
    several = points["backbone"].nunique() > 1
    columns = points[[*COLUMN]].itertuples(index=False, name=None)
    points = points.assign(
        model_name=[title(column, several) for column in columns],
        depth_name=points["depth"].map(names.label),
        variant=variants(points),
    )
    # An experiment without a first measure stays in its place.
    return points[[*KEYS]].drop_duplicates().merge(summaries(points, KEYS, measures), on=[*KEYS])


def turned(points: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Points whose metrics of the boxes are called `<metric>_low` on data sets with guidance outside of the boxes.

    There the least is the best, of the baseline as of the others.
    """
    outside = points["dataset"].isin(points.loc[points["guidance_region"] == "outside", "dataset"])
    low = {f"{name}_low": points[name].where(outside) for name in metrics}
    return points.assign(**low, **{name: points[name].mask(outside) for name in metrics})


def in_order(points: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order of the paper: setting, loss, then whatever else tells them apart."""
    keys = pd.DataFrame(
        {
            key: points[key].map(lambda name: names.rank(str(name)))
            for key in (*SETTING, "loss", "device")
            if key in points
        }
    )
    keys = keys.join(points[[key for key in (*OPTIONS, *TUNED) if key in points]])
    return points.loc[keys.sort_values([*keys], kind="stable").index]


def variants(points: pd.DataFrame) -> pd.Series[str]:
    """The loss of each row, and what else tells its experiment apart: `Energy, bbox_fraction 0.01`."""
    labels = points["loss"].map(names.label).astype("str")
    for guided in (False, True):
        kind = points[(points["loss"] != "none") == guided]
        for key in OPTIONS:
            unusual = kind[key] != Trial.model_fields[key].default
            if kind[key].nunique() > 1 or (key in ANNOTATION and unusual.any()):
                told = kind.loc[unusual, key].map(lambda value, key=key: f", {key} {_short(value)}")
                labels[told.index] += told
    return labels


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else names.label(str(value))


def about(page: pd.DataFrame, shown: str) -> str:
    """A caption's beginning: of which data set, what is shown, and what that was chosen over."""
    return " ".join([f"{subject(page, PAGE)}: {shown}", *chosen_over(page)])
