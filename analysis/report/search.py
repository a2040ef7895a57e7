"""How a sweep found its front."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis.progress import is_share, progress
from analysis.report.shortened import METRIC_NAMES, four_digits, label, looked_up
from mgsweep.pareto import IN_BOXES, Goals

ENDED = ("done", "stopped")


def courses(
    rows: pd.DataFrame, states: Mapping[Any, str], goals: Goals, place: pd.Series[int]
) -> Iterator[dict[str, Any]]:
    """The hypervolume of the front after each guided trial that ended, a course for each data set.

    Args:
        rows: as of `frames`.
        states: of trials, by id; those that ended count.
        place: by id, the trial's number in the page.
    """
    state = rows["id"].map(states)
    ended = rows[state.isin(ENDED)].assign(stopped=state == "stopped")
    for name, page in ended.groupby("dataset"):
        told = progress(page, goals.objectives, goals.constraints)
        if len(told):
            yield {
                "dataset": label(name),
                "trial": looked_up(told["id"], place),
                "hours": four_digits(told["hours"]),
                "hypervolume": four_digits(told["hypervolume"]),
            }


def competed(goals: Goals, outside: pd.Series[bool]) -> dict[str, Any]:
    """What the hypervolume is taken over; it is a share of 1 if all of it are shares that are to become large.

    Args:
        outside: of each guided trial, whether that is outside of the boxes.
    """
    return {
        "names": [_named(key, way, outside) for key, way in goals.objectives.items()],
        "share": is_share(goals),
        "constrained": bool(goals.constraints),
    }


def _named(metric: str, way: str, outside: pd.Series[bool]) -> str:
    """A metric as it counts: see `mgsweep.pareto.maximised`."""
    name = METRIC_NAMES.get(metric, metric.replace("_", " "))
    if way == "min" or metric not in IN_BOXES or not outside.any():
        return name
    return f"1 − {name}" if outside.all() else f"{name} (1 − {name} of runs guided outside of the boxes)"
