"""What nothing needs any more, and removing it. Records are never removed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mgsweep import durable
from mgsweep.best import best_epoch
from mgsweep.errors import StoreError
from mgsweep.store import Damaged, Store

DRAFT = ".tmp"


@dataclass(frozen=True)
class Leftover:
    """A file or folder below the sweep's, why nothing needs it, and its size in bytes."""

    name: str
    reason: str
    size: int


def orphans(store: Store, age: float) -> Iterator[Leftover]:
    """What crashes and changed plans left behind and nobody has touched for `age` seconds.

    Drafts of unfinished writes; running folders of trials that are done, or are in no plan; files set aside as damaged.
    Never what a process holds, and never a trial that can be resumed.

    Raises:
        StoreError: the plan cannot be trusted: without it nothing tells what can be resumed.
    """
    try:
        planned = store.planned_ids()
    except Damaged as damaged:
        raise StoreError(f"{damaged}; nothing was removed. Run the sweep again, which plans it anew") from None
    trials = {trial.id: trial for trial in store.planned()}
    for folder in ("", "trials", "running/*", "checkpoints/*", "stopped", "gallery", "failed", "logs"):
        for draft in sorted(store.path.glob(f"{folder}/.*{DRAFT}" if folder else f".*{DRAFT}")):
            if _age(draft) >= age:
                yield _leftover(store, draft, "an unfinished write")
    for trial_id in durable.names(store.path / "running"):
        place = store.path / "running" / trial_id
        if store.is_held(trial_id) or _age(place) < age:
            continue
        if trial_id not in planned:
            yield _leftover(store, place, "of a trial that is in no plan")
        elif trial_id in trials and store.is_done(trials[trial_id]):  # a record may lack what is measured just now
            yield _leftover(store, place, "of a trial that is done")
    for name in durable.names(store.path / "damaged"):
        if _age(store.path / "damaged" / name) >= age:
            yield _leftover(store, store.path / "damaged" / name, "set aside as damaged")


def weights(store: Store) -> Iterator[Leftover]:
    """Kept weights of trials that are done, but for the best epoch of each.

    From that one children start, and at it a probe that is asked for later is measured.
    """
    done = store.finished()
    for trial in store.planned():
        kept = store.kept(trial.id) if trial.id in done else set()
        best = best_epoch(store.rows(trial.id, ("id", "epoch", "split", "f1", "accuracy"))) if kept else 0
        for epoch in sorted(kept - {best} if best in kept else ()):
            file = store.path / "checkpoints" / trial.id / f"{epoch:04d}.pt"
            yield _leftover(store, file, "weights of a done trial, not of its best epoch")


def remove(store: Store, leftover: Leftover) -> None:
    """Remove it, for good."""
    if (store.path / leftover.name).is_dir():
        durable.remove_folder(store.path, leftover.name)
    else:
        durable.remove(store.path, leftover.name)


def _age(path: Path) -> float:
    """Seconds since it, or anything in it, was last written."""
    files = [path, *path.iterdir()] if path.is_dir() else [path]
    return time.time() - max(file.stat().st_mtime for file in files)


def _leftover(store: Store, path: Path, reason: str) -> Leftover:
    files = list(path.iterdir()) if path.is_dir() else [path]
    return Leftover(str(path.relative_to(store.path)), reason, sum(file.stat().st_size for file in files))
