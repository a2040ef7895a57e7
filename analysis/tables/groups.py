"""Worst-group and overall accuracy (Table 1 of the paper): a row for each loss, two columns for each task."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.figures import names
from analysis.figures.points import COLUMN, settings_of_baselines, title
from analysis.intervals import summaries
from analysis.selection import PROBE, TUNED, at_own_probe, measurements, tuned_baselines
from analysis.tables import rows
from analysis.tables.layout import Measure

PAGE = ("model", "backbone", "attribution", "depth")
GROUP = PAGE
ROW = ("variant",)
CONTEST = ("measure",)
METRICS = {"worst_group_accuracy": "worst group", "accuracy": "overall"}


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """Test accuracies, as fractions, at the best validation accuracy of each trial.

    Returns:
        PAGE, `loss`, `variant`, `bbox_fraction`, `dataset` and the columns of `intervals.summaries`; measures are
        `<dataset> <metric>`.
    """
    guided = at_own_probe(measurements(frame, guided=True, how="inner"))
    guided = _best(guided.dropna(subset=[*METRICS]), "accuracy_val")
    starts = tuned_baselines(frame).dropna(subset=[*METRICS])
    starts = starts.assign(attribution=starts["probe_attribution"], depth=starts["probe_depth"])
    starts = starts.merge(guided[["dataset", *PAGE]].drop_duplicates(), on=["dataset", *PAGE])
    points = rows.in_order(pd.concat([starts, guided], ignore_index=True))
    points = points.assign(variant=_variants(points) + _starts(frame, points))
    found = summaries(points, [*PAGE, "loss", "variant", "bbox_fraction", "dataset"], [*METRICS])
    return found.assign(measure=found["dataset"] + " " + found["measure"])


def _best(points: pd.DataFrame, metric: str) -> pd.DataFrame:
    best_first = points.sort_values(metric, ascending=False, kind="stable")
    return best_first.groupby(["id", *PROBE]).head(1).sort_index()


def _variants(points: pd.DataFrame) -> pd.Series[str]:
    """The loss, and what is TUNED where that has several values: these are not chosen between."""
    guided = points["loss"] != "none"
    alike = points.assign(guidance_region="inside")  # told by the task
    if points.loc[guided, "bbox_fraction"].nunique() == 1:
        alike = alike.assign(bbox_fraction=1.0)  # told in the caption
    labels = rows.variants(alike)
    for key in TUNED:
        several = guided & (points.groupby("loss")[key].transform("nunique") > 1)
        labels += points[key].map(f", {names.label(key)} {{:g}}".format).astype("str").where(several, "")
    return labels


def _starts(frame: pd.DataFrame, points: pd.DataFrame) -> pd.Series[str]:
    """How their baselines were trained, where these were tuned: other baselines are no further seeds."""
    said = settings_of_baselines(frame, points)
    return (", baseline's " + said).where(said != "", "")


def head(page: pd.DataFrame) -> Mapping[str, str]:
    return {"Loss": "variant"}


def measures(page: pd.DataFrame) -> Mapping[str, Measure]:
    tasks = names.ordered({name.rpartition(" ")[0] for name in page["measure"]})
    return {
        f"{task} {metric}": Measure(f"{names.label(task)}, {title}")
        for task in tasks
        for metric, title in METRICS.items()
    }


def caption(page: pd.DataFrame) -> str:
    model = title(tuple(page.iloc[0][[*COLUMN]]), True)
    depth = names.label(page["depth"].iloc[0])
    shares = page.loc[page["loss"] != "none", "bbox_fraction"].unique()
    boxes = f" Guided with {100 * shares[0]:g} % of the images with boxes." if len(shares) == 1 else ""
    return f"{model} at {depth}: accuracy on test (%) at the epoch of the best validation accuracy.{boxes}"
