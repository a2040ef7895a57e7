"""How far the fronts of a store's sweeps have got, for the eye: what `status` shows below its tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mgsweep.cli.written import goals_of, written
from mgsweep.errors import InvalidInput
from mgsweep.pareto import Goals
from mgsweep.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from mgsweep.screen import Part

MANY = 1000
"""Records that are read for this in one look, of all sweeps together: about a second's work. The rest is named."""

WIDTH, HEIGHT = 14, 2
"""Of a curve, in characters."""


def fronts(stores: list[Store]) -> Iterator[Part]:
    """Of each sweep and data set the hypervolume of the front so far, and its curves over trials and GPU hours."""
    from mgsweep.screen import heading, table

    rows: list[dict[str, Any]] = []
    left_out, left = [], MANY
    for store in stores:
        ended = store.ended()
        if ended > left:
            left_out.append(store.path.name)
        elif ended and (goals := _goals(store)):
            left -= ended
            rows += _rows(store, goals)
    if rows:
        yield heading("Front on validation: hypervolume (% where it is a share) after shares of the trials")
        yield table(rows)
    if left_out:
        yield f"\nFronts of {', '.join(left_out)}: too many records for a quick look; mgsweep figures draws them"


def _goals(store: Store) -> Goals | None:
    with suppress(InvalidInput):  # a broken file is told by who runs it
        return goals_of(written(store))
    return None


def _rows(store: Store, goals: Goals) -> Iterator[dict[str, Any]]:
    from analysis.progress import READ, progress

    columns = [*dict.fromkeys([*READ, *goals.objectives, *goals.constraints])]
    for dataset, page in store.frame(stopped=True, columns=columns).groupby("dataset"):
        told = progress(page, goals.objectives, goals.constraints)
        if len(told) and told["hypervolume"].iloc[-1] > 0:
            yield _row(store.path.name, str(dataset), goals, told)


def _row(sweep: str, dataset: str, goals: Goals, told: pd.DataFrame) -> dict[str, Any]:
    from analysis.progress import is_share
    from mgsweep.screen import percent

    say = percent if is_share(goals) else "{:.3g}".format
    volumes, hours = told["hypervolume"].to_numpy(), told["hours"].to_numpy()
    quarters = {f"{25 * n} %": say(volumes[max(0, n * len(volumes) // 4 - 1)]) for n in (1, 2, 3)}
    return {
        "sweep": sweep,
        "data": dataset,
        "objectives": ", ".join(goals.objectives),
        **quarters,
        "now": say(volumes[-1]),
        "over trials": _curve(volumes),
        "over their hours": _curve(volumes[_evenly(hours)]),
    }


def _evenly(hours: Any) -> Any:
    """The places of the trials that had ended last at evenly spaced times."""
    import numpy as np

    return np.searchsorted(hours, np.linspace(hours[0], hours[-1], 2 * WIDTH), side="right") - 1


def _curve(volumes: Any) -> str:
    from mgsweep.listings.plot import curve

    return "\n".join(curve(volumes.tolist(), WIDTH, HEIGHT)) if len(volumes) > 1 else ""
