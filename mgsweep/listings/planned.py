"""`mgsweep plan`: what a sweep file asks for, and what it will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mgsweep.plan import Plan
from mgsweep.plan.cost import NOWHERE, SOURCE, cost, epoch_seconds
from mgsweep.plan.schema import Resources
from mgsweep.screen import duration
from mgsweep.store import Store
from mgsweep.trial import CONFIG, Trial

Cells = dict[str, Any]


def by_axis(trials: Iterable[Trial]) -> list[Cells]:
    """How many trials there are of each value, for the fields in which a plan's trials differ."""
    trials = list(trials)
    rows = []
    for key in (key for key in CONFIG if key != "parent"):
        counts = Counter(getattr(trial, key) for trial in trials if getattr(trial, key) is not None)
        if len(counts) > 1:
            rows.append({"field": key, "values": _listed(counts)})
    return rows


MANY = 12


def _listed(counts: Counter[Any]) -> str:
    """Each value and how often; of many only the ends."""
    values = [f"{value} ({count})" for value, count in counts.items()]
    if len(values) <= MANY:
        return ", ".join(values)
    return ", ".join([*values[: MANY // 2], f"... {len(values)} values in all ...", values[-1]])


def forecast(
    trials: Iterable[Trial],
    timings: Iterable[Mapping[str, Any]],
    each: Resources,
    reached: Mapping[str, int] = NOWHERE,
) -> Iterator[str]:
    """What these trials will take, and where that is known from.

    Args:
        timings: of the trials that ran, as `Store.timings` gives them.
        each: what one trial occupies: a trial on half a GPU takes half the GPU hours of its time.
        reached: the last epoch that is safe of trials that are not begun anew, by id: only the rest is ahead.
    """
    trials = list(trials)
    ahead = [trial for trial in trials if reached.get(trial.id, 0) < trial.epochs]
    found = cost(ahead, epoch_seconds(timings), reached)
    if found.total and each.gpu:
        yield f"about {found.total * each.gpu / 3600:.1f} GPU hours to run"
    elif found.total:
        yield f"about {duration(found.total)} to run, one trial at a time"
    if count := found.trials["store"]:
        yield f"  {duration(found.seconds['store'])}: {count} trials, by what trials like them took in this store"
    if count := found.trials["published"]:
        yield (
            f"  {duration(found.seconds['published'])}: {count} trials, by published timings of the paper's own "
            f"code on an A100, tests at the end left out ({SOURCE})"
        )
    if count := found.trials["unknown"]:
        yield f"  unknown: {count} trials; none like them has run here, none was published"
    if trained := len(trials) - len(ahead):
        yield f"  {trained} trials are trained; of them only what is not measured yet is ahead"


def reached(trials: Iterable[Trial], store: Store) -> dict[str, int]:
    """The last epoch that is safe, by id: all of a trial whose record is there and lacks a probe."""
    recorded = store.finished()
    return store.reached() | {trial.id: trial.epochs for trial in trials if trial.id in recorded}


def orphans(plan: Plan, store: Store) -> Iterator[str]:
    """What is in the store and no longer in the file; it stays, and is not run."""
    asked = {trial.id for trial in plan.trials}
    if plan.space:
        asked |= {trial.id for trial in store.planned() if plan.space.place(trial) is not None}
    if gone := [name for name in store.planned_epochs() if name not in asked]:
        done = len(store.finished() & set(gone))
        yield f"{len(gone)} trials in the store are no longer in the file ({done} of them done): {_some(gone)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
