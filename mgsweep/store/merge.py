"""Bringing the stores of several clusters together: files are copied, after each has been read and verified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mgsweep import durable
from mgsweep.errors import InvalidInput, Problem
from mgsweep.store import Store
from mgsweep.store.verify import verify


def merge(source: Store, into: Store) -> Counter[str]:
    """Copy what another store has of a sweep: plan, records, kept weights, pictures, failures and logs of trials.

    A record in both stays as it is here, unless that of the source measures more. A trial that was stopped early in the
    source is so here too, unless it is done or has begun here. Trials that are under way in the source are not taken:
    finish them there, or let them begin again here, as does one that was stopped and is to go on.

    Returns:
        How many records were `copied`, `replaced`, in both (`kept`), trials `stopped early` that came, and those left
        `under way`.

    Raises:
        StoreError: this store cannot be written.
    """
    sweep = durable.read(source.path / "sweep.yaml").decode()
    into.begin(sweep, source.planned())
    stopped = source.stopped()
    counts: Counter[str] = Counter({"under way": len(source.begun() - stopped)})
    here = into.finished()
    for trial_id in sorted(source.finished()):
        known = trial_id in here
        if known and not source.measured(trial_id) > into.measured(trial_id):
            counts["kept"] += 1
            continue
        for epoch in source.kept(trial_id):
            into.keep(trial_id, epoch, source.weights(trial_id, epoch))
        _copy(source, into, f"gallery/{trial_id}.parquet")
        into.commit(trial_id, source.rows(trial_id))
        counts["replaced" if known else "copied"] += 1
    for trial_id in sorted(stopped - into.finished() - into.begun() - into.stopped()):
        _copy(source, into, f"stopped/{trial_id}.parquet")
        counts["stopped early"] += 1
    _copy_beside(source, into, "logs")
    _copy_beside(source, into, "failed")
    return counts


def check(sources: Iterable[Store]) -> None:
    """Read every file of these stores, before anything is copied.

    Raises:
        InvalidInput: what is damaged.
    """
    problems = [
        Problem(str(file), "", f"{flaw}; run the sweep there again, or delete this file")
        for source in sources
        for file, flaw in verify(source.path)
        if flaw
    ]
    if problems:
        raise InvalidInput(problems)


def _copy_beside(source: Store, into: Store, folder: str) -> None:
    """Files that have no better version: those that are not here yet."""
    there = set(durable.names(into.path / folder))
    for name in durable.names(source.path / folder):
        if name not in there:
            _copy(source, into, f"{folder}/{name}")


def _copy(source: Store, into: Store, name: str) -> None:
    """A file, if there is one."""
    if (source.path / name).exists():
        durable.write(into.path, name, durable.read(source.path / name))
