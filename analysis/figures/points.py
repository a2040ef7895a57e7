"""The rows that figures plot, from the selections: which experiments belong in, and the baselines beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.figures import names
from analysis.selection import EXPERIMENT, PROBE, TUNED, kin, tuned_baselines
from mgsweep.trial import Trial

# Fewer, larger or other annotations are other experiments, with figures of their own.
ANNOTATION = ("bbox_fraction", "bbox_dilation", "guidance_source", "guidance_region")

COLUMN = ("model", "backbone", "attribution")
SETTING = ("dataset", *COLUMN, "depth")

# What no figure has a series for: experiments of one network that differ in these have pages of their own.
APART = tuple(key for key in EXPERIMENT if key not in (*SETTING, *ANNOTATION, "loss"))

# Of a trial's configuration, what is plotted and chosen by.
TOLD = (*SETTING, "loss", "lambda_loc", *ANNOTATION, "seed", "parent")


def experiments(frame: pd.DataFrame, trials: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The frame in parts whose guided trials agree in APART, and the values of its keys that differ between them.

    Networks stand beside each other, so only what differs within one makes parts. Each has all baselines, of which the
    selections take those that its trials started from, or their kin. A frame of one part is not copied.

    Args:
        trials: `selection.guided_trials` of the frame.
    """
    several = trials.groupby(["dataset", "model", "backbone"], dropna=False)[[*APART]].nunique().gt(1).any()
    keys = [key for key in APART if several[key]]
    if not keys:
        yield {}, frame
        return
    for values, own in trials.groupby(keys, dropna=False)["id"]:
        others = trials["id"][~trials["id"].isin(own)]
        yield dict(zip(keys, values, strict=True)), frame[~frame["id"].isin(others)]


def usual(points: pd.DataFrame, but: Sequence[str] = ()) -> pd.DataFrame:
    """The points annotated as usual: all boxes, undilated, pulling inside. The keys of `but` may differ."""
    as_usual = np.logical_and.reduce([points[key] == _default(key) for key in ANNOTATION if key not in but])
    return points if as_usual.all() else points[as_usual]


def varied(points: pd.DataFrame, key: str) -> pd.DataFrame:
    """The points of each loss and setting in which `key` was varied, the usual value among them."""
    unusual = points[points[key] != _default(key)]
    return points.merge(unusual[[*SETTING, "loss"]].drop_duplicates(), on=[*SETTING, "loss"])


def beside_baselines(points: pd.DataFrame, frame: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """The points and, before them, the baselines they are compared with, measured where the points were.

    Args:
        points: rows of guided trials with the columns of `fronts`.
        frame: `Store.frame()`.
        metrics: what is plotted; rows that lack any of it are left out.

    Returns:
        The columns of `points`. A baseline's `attribution` and `depth` say where it was measured.
    """
    known = points[[*metrics]].notna().all(axis=1)
    points = points if known.all() else points[known]
    starts = tuned_baselines(frame).dropna(subset=metrics)
    starts = starts[starts["kin"].isin(kin(frame, points["parent"].drop_duplicates()))]
    starts = starts.assign(attribution=starts["probe_attribution"], depth=starts["probe_depth"])
    place = ["dataset", "model", "backbone", *PROBE]
    starts = starts.merge(points[place].drop_duplicates(), on=place)
    return pd.concat([starts.reindex(columns=points.columns), points], ignore_index=True)


def settings_of_baselines(frame: pd.DataFrame, points: pd.DataFrame) -> pd.Series[str]:
    """How the baseline was trained that each point started from, as far as those of its kin differ in it; or empty."""
    starts = frame.reindex(columns=["id", "loss", *TUNED])
    starts = starts[starts["loss"] == "none"].drop_duplicates("id")
    several = starts.groupby(kin(frame, starts["id"]).to_numpy())[[*TUNED]].nunique().gt(1).any()
    said = {
        one["id"]: ", ".join(f"{names.label(key)} {one[key]:g}" for key in TUNED if several[key])
        for one in starts.to_dict("records")
    }
    return pd.Series([said.get(parent, "") for parent in points["parent"]], points.index, dtype="str")


def losses(data: pd.DataFrame) -> list[str]:
    """The guidance losses of some points, in the order of the paper."""
    return names.ordered(set(data["loss"]) - {"none"})


def titles(data: pd.DataFrame) -> dict[tuple[str, ...], str]:
    """Every COLUMN in the order of the paper, and its name: with the backbone where there are several."""
    columns = set(data[[*COLUMN]].itertuples(index=False, name=None))
    several = len({backbone for _, backbone, _ in columns}) > 1
    in_order = sorted(columns, key=lambda column: [names.rank(name) for name in column])
    return {column: title(column, several) for column in in_order}


def title(column: tuple[str, ...], with_backbone: bool) -> str:
    """One `B-cos` for both the model and the attribution."""
    model, backbone, attribution = column
    name = f"{names.label(model)} {names.label(backbone)}" if with_backbone else names.label(model)
    return name if attribution == model else f"{name} ({names.label(attribution)})"


def subject(data: pd.DataFrame, page: Sequence[str]) -> str:
    """What a page shows, for its first note: the data set, and what else all its rows have in common."""
    row = data.iloc[0]
    model = f", {title(tuple(row[key] for key in COLUMN), True)}" if "model" in page else ""
    if "backbone" in page and "model" not in page and data["backbone"].nunique() == 1:
        model = f", {names.label(row['backbone'])}"
    depth = f" at {names.label(row['depth'])}" if "depth" in page else ""
    others = "".join(f", {names.label(key)} {names.printable(str(row[key]))}" for key in APART if key in data)
    return names.label(row["dataset"]) + model + depth + others


def score_of(data: pd.DataFrame) -> str:
    """What a page was chosen by, in words: F1, or accuracy where an image has one label; see `outputs.pages`."""
    return str(data.attrs.get("score", "F1"))


def chosen_over(data: pd.DataFrame) -> Iterator[str]:
    """A note on what validation chose, if it was more than lambda and the epoch: see `outputs.pages`."""
    if keys := data.attrs.get("tuned"):
        yield f"Chosen on validation over λ, {', '.join(map(names.label, keys))} and epoch."


def _default(key: str) -> object:
    return Trial.model_fields[key].default
