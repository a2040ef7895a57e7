"""Every class on its own: F1 and EPG of the baseline and of each loss at its best validation F1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from analysis.classes import by_class
from analysis.figures.points import SETTING, chosen_over, score_of, subject
from analysis.intervals import summaries
from analysis.tables import rows
from analysis.tables.layout import Measure

PAGE = SETTING
GROUP = SETTING
ROW = ("class",)
CONTEST = ("class", "metric")
METRICS = {
    "f1": Measure("F1", section="F1"),
    "epg": Measure("EPG", section="EPG"),
    "epg_low": Measure("EPG ↓", best="low", section="EPG"),
}


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """Test results of every class, as fractions.

    Returns:
        SETTING, `class`, `variant`, `metric` and the columns of `intervals.summaries`; measures are
        `<variant> <metric>`, such as `Energy epg`.
    """
    points = rows.in_order(by_class(frame))
    points = points.assign(variant=rows.variants(points))
    found = summaries(rows.turned(points, ("epg",)), [*SETTING, "class", "variant"], [*METRICS])
    found = found.assign(metric=found["measure"], measure=found["variant"] + " " + found["measure"])
    return found.sort_values([*SETTING, "class"], kind="stable", ignore_index=True)


def head(page: pd.DataFrame) -> Mapping[str, str]:
    return {"Class": "class"}


def measures(page: pd.DataFrame) -> Mapping[str, Measure]:
    found = list(dict.fromkeys(page["measure"]))
    return {
        name: replace(measure, title=f"{name.rpartition(' ')[0]} {measure.title}")
        for metric, measure in METRICS.items()
        for name in found
        if name.endswith(f" {metric}")
    }


def caption(page: pd.DataFrame) -> str:
    shown = f"{subject(page, PAGE)}: test results (%) of every class at the best validation {score_of(page)}."
    return " ".join([shown, *chosen_over(page)])
