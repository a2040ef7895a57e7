"""The most EPG that a loss gives for what it may cost in F1."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.figures.points import beside_baselines, score_of
from analysis.selection import gains
from analysis.tables import rows
from analysis.tables.layout import Measure
from analysis.tables.rows import CONTEST, GROUP, PAGE, ROW, head

__all__ = ["CONTEST", "GROUP", "PAGE", "ROW", "caption", "data", "head", "measures"]

POINTS = (0, 1, 2, 5)
"""Points of F1, in percent, that may be lost."""


def data(frame: pd.DataFrame) -> pd.DataFrame:
    """Test EPG, as fractions, where validation F1 is at most so many points below the baseline's.

    Returns:
        See `rows.summarised`; measures are `-0` to `-5`, and a baseline has the same number in each.
    """
    within = [gains(frame, points / 100, kept=True).assign(points=points) for points in POINTS]
    points = beside_baselines(pd.concat(within, ignore_index=True), frame, ["f1", "epg"])
    baseline = points["loss"] == "none"
    for count in POINTS:
        points[f"-{count}"] = points["epg"].where(baseline | (points["points"] == count))
    names = [f"-{count}" for count in POINTS]
    return rows.summarised(rows.turned(points, names), [*names, *(f"{name}_low" for name in names)])


def measures(page: pd.DataFrame) -> Mapping[str, Measure]:
    score = score_of(page)
    if page["measure"].str.endswith("_low").any():
        return {f"-{points}_low": Measure(f"EPG at −{points} {score} ↓", best="low") for points in POINTS}
    return {f"-{points}": Measure(f"EPG at −{points} {score} ↑") for points in POINTS}


def caption(page: pd.DataFrame) -> str:
    return rows.about(
        page,
        f"test EPG (%) of the kept epoch with the best EPG on validation whose validation {score_of(page)} is at most "
        "so many points below the baseline's.",
    )
