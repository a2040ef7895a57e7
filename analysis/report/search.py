"""How a sweep found its front."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis.progress import progress
from analysis.report.shortened import four_digits, label, looked_up
from mgsweep.pareto import Goals

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
